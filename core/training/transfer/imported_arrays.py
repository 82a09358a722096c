"""The arrays of an imported run: checked against its classes and photos, and written by us."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.subsets import SUBSETS
from core.errors import TransferError, words_of
from core.language import tr, tr_mark
from core.runs.embeddings import Embeddings, write_embeddings
from core.runs.store import Run
from core.training.transfer.array_file import INTEGER, REAL, Schema, read_npy, read_npz
from core.training.transfer.imported_facts import TestResult
from core.training.transfer.run_export import PREDICTION_HISTORY

PREDICTIONS: Schema = {"probabilities": (REAL, 2), "labels": (INTEGER, 1)}
EMBEDDINGS: Schema = {
    "paths": (INTEGER, 1),
    "labels": (INTEGER, 1),
    "parts": (INTEGER, 1),
    "embedding": (REAL, 2),
    "probabilities": (REAL, 2),
}

UNFIT = {
    "validation": tr_mark("The predictions for the validation photos do not fit the run's classes and photos."),
    "test": tr_mark("The predictions for the test photos do not fit the run's classes and photos."),
}
"""What is told of predictions for a subset that are not the run's."""

ROUNDING = 1e-3
"""How far probabilities that were stored in half precision may be out of range."""


def write_arrays(unpacked: Path, run: Run, classes: int, photos: frozenset[str], validations: int) -> TestResult | None:
    """Check predictions, embeddings and prediction history, and write them into the run's folder.

    Args:
        unpacked: The folder with the imported files.
        run: The run that is being built.
        classes: The number of classes.
        photos: The photos of its split.
        validations: The number of validations in its metrics.

    Returns the result on the test subset, None without one. Raises `TransferError` where anything does not fit.
    """
    tested = None
    for subset in SUBSETS[1:]:
        file = unpacked / run.predictions_file(subset).name
        tested = _write_predictions(file, run, subset, classes, len(photos)) if file.exists() else None
    _write_embeddings(unpacked / run.embeddings_file.name, run, classes, photos)
    _write_prediction_history(unpacked / PREDICTION_HISTORY, run, classes, validations)
    return tested


def _write_predictions(file: Path, run: Run, subset: str, classes: int, photos: int) -> TestResult:
    arrays = read_npz(file, PREDICTIONS)
    probabilities, labels = arrays["probabilities"].astype(np.float32), arrays["labels"]
    count = len(labels)
    fits = probabilities.shape == (count, classes) and 0 < count <= photos
    if not fits or not _in_range(labels, classes - 1) or not _are_shares(probabilities):
        raise TransferError(tr(UNFIT[subset]))
    np.savez(run.predictions_file(subset), probabilities=probabilities, labels=labels.astype(np.int32))
    return TestResult(int((probabilities.argmax(1) == labels).sum()), count)


def _write_embeddings(file: Path, run: Run, classes: int, photos: frozenset[str]) -> None:
    if not file.exists():
        return
    arrays = read_npz(file, EMBEDDINGS)
    labels, parts, embedding, probabilities = (
        arrays[name] for name in ("labels", "parts", "embedding", "probabilities")
    )
    paths = tuple(os.fsdecode(path) for path in arrays["paths"].tobytes().split(b"\0")[:-1])
    fits = probabilities.shape[1] == classes and _are_shares(probabilities) and bool(np.isfinite(embedding).all())
    fits = fits and _in_range(labels, classes - 1) and _in_range(parts, len(SUBSETS) - 1)
    if not fits or len(set(paths)) < len(paths) or not photos.issuperset(paths):
        raise TransferError(tr("The embeddings of this run do not fit its classes and photos."))
    found = (labels.astype(np.int32), parts.astype(np.int8), embedding.astype(np.float32))
    try:
        write_embeddings(run, Embeddings(paths, *found, probabilities.astype(np.float32)))
    except ValueError as error:
        raise TransferError(
            tr("The embeddings of this run cannot be used: {reason}.", reason=words_of(error))
        ) from error


def _write_prediction_history(folder: Path, run: Run, classes: int, validations: int) -> None:
    """A file for each validation, `(3, N)`: predicted class, its probability, and that of the given class."""
    files = sorted(folder.iterdir(), key=lambda file: int(file.stem))
    if [int(file.stem) for file in files] != list(range(1, len(files) + 1)) or len(files) > validations:
        raise TransferError(tr("The prediction history of this run does not have one file for each validation."))
    shapes = set()
    for file in files:
        found = read_npy(file)
        shapes.add(found.shape)
        fits = found.ndim == 2 and len(found) == 3 and len(shapes) == 1 and _are_shares(found[1:])
        if not fits or not _in_range(found[0], classes - 1) or (found[0] != np.floor(found[0])).any():
            raise TransferError(
                tr("{file} does not fit the run's classes and photos.", file=f"{PREDICTION_HISTORY}{file.name}")
            )
        run.timeline_folder.mkdir(exist_ok=True)
        np.save(run.timeline_folder / file.name, found.astype(np.float32))


def _are_shares(values: NDArray[Any]) -> bool:
    return _in_range(values, 1 + ROUNDING, -ROUNDING)


def _in_range(values: NDArray[Any], highest: float, lowest: float = 0) -> bool:
    """Whether all values are numbers in this range, both ends included."""
    return bool(((values >= lowest) & (values <= highest)).all())
