"""The results of a run, photo by photo, read from its folder."""

import numpy as np
from numpy.typing import NDArray

from core.arrays import read_arrays
from core.data.pseudo_labels import read_pseudo_csv
from core.data.split import read_split_csv
from core.data.subsets import SUBSETS, TEST, TRAINING, VALIDATION
from core.errors import DataError, RunError, RunNotReady
from core.evaluation.comparison import Measured
from core.evaluation.metrics import Evaluation
from core.language import tr, tr_mark
from core.runs.embeddings import read_embeddings
from core.runs.store import Run

NO_PHOTOS = {
    SUBSETS[TRAINING]: tr_mark("The run {run} has no training photos."),
    SUBSETS[VALIDATION]: tr_mark("The run {run} has no validation photos."),
    SUBSETS[TEST]: tr_mark("The run {run} has no test photos."),
}
NOT_EVALUATED = {
    SUBSETS[TRAINING]: tr_mark("The run {run} has not been evaluated on its training photos."),
    SUBSETS[VALIDATION]: tr_mark("The run {run} has not been evaluated on its validation photos."),
    SUBSETS[TEST]: tr_mark("The run {run} has not been evaluated on its test photos."),
}
UNREADABLE = {
    SUBSETS[TRAINING]: tr_mark("The predictions of the run {run} for its training photos cannot be read ({reason})."),
    SUBSETS[VALIDATION]: tr_mark(
        "The predictions of the run {run} for its validation photos cannot be read ({reason})."
    ),
    SUBSETS[TEST]: tr_mark("The predictions of the run {run} for its test photos cannot be read ({reason})."),
}
"""What is said where there are no results, by subset."""


def evaluation(run: Run, part: str) -> Evaluation:
    """The predictions of the run's best model for the photos of a subset; of training photos in half precision.

    Raises:
        RunNotReady: The run has not been evaluated; for training photos, its embeddings have not been computed.
        RunError: What it left behind cannot be read.
    """
    if part == SUBSETS[TRAINING]:
        return _on_training_photos(run)
    try:
        file = read_arrays(run.predictions_file(part))
        probabilities, labels = file["probabilities"], file["labels"].astype(np.int32)
        if not len(labels):
            raise RunNotReady(tr(NO_PHOTOS[part], run=run.id))
        photos, _ = photos_of(run, part)
        return Evaluation(run.class_names(), photos if len(photos) == len(labels) else (), labels, probabilities)
    except FileNotFoundError as error:
        raise RunNotReady(tr(NOT_EVALUATED[part], run=run.id)) from error
    except (OSError, ValueError, KeyError) as error:
        raise RunError(tr(UNREADABLE[part], run=run.id, reason=str(error))) from error


def _on_training_photos(run: Run) -> Evaluation:
    """Nothing is measured on them at the end of a run; but its embeddings come with the predictions for all photos."""
    kept = read_embeddings(run).of(TRAINING)
    if not len(kept):
        raise RunNotReady(tr(NO_PHOTOS[SUBSETS[TRAINING]], run=run.id))
    try:
        return Evaluation(run.class_names(), kept.paths, kept.labels, kept.probabilities)
    except ValueError as error:
        raise RunError(tr(UNREADABLE[SUBSETS[TRAINING]], run=run.id, reason=str(error))) from error


def measured(run: Run, part: str) -> Measured:
    """The accuracy of the run's best model on the photos of a subset; raises as `evaluation` does."""
    found = evaluation(run, part)
    return Measured(int(found.right.sum()), len(found), found.paths, found.right[: len(found.paths)])


def photos_of(run: Run, part: str) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The photos of a subset in the order of the split, less those that could not be read; none where that is unknown.

    Returns their paths, relative to the dataset's folder, and their labels `(N,)`.
    """
    try:
        folder, parts = read_split_csv(run.split_file, run.folder)
        unread = {photo.file for photo in run.left_out()}
    except (DataError, RunError):
        return (), np.zeros(0, np.intp)
    positions = np.flatnonzero(parts == SUBSETS.index(part))
    read = np.array([i for i in positions if folder.paths[i] not in unread], np.intp)
    return tuple(folder.paths[i] for i in read), folder.labels[read].astype(np.intp)


def unlabelled_photos_in(run: Run) -> int:
    """From how many photos without a label of their own a run learns; 0 where it does not, or that cannot be read."""
    if not run.pseudo_file.exists():
        return 0
    try:
        return len(read_pseudo_csv(run.pseudo_file))
    except DataError:
        return 0


def photos_in(run: Run, part: str) -> int:
    """How many photos the run's split has in a subset; 0 where the split cannot be read."""
    return len(photos_of(run, part)[0])
