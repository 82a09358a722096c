"""What a run may learn from unlabelled photos, by the features that are kept of them since they were labelled."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.errors import DataError, RunError
from core.labelling.for_training import ForTraining, require_unlabelled, spread_to_unlabelled
from core.labelling.pool import Pool
from core.language import sentences, tr
from core.models.backbones import BACKBONES
from core.runs.store import Run, RunStore
from core.training.dataset_features import features
from core.training.dataset_features.features import Features


def unlabelled_photos(
    dataset: Dataset,
    parts: NDArray[np.int8],
    without: tuple[str, ...],
    jobs: RunStore,
    read: Callable[[Run], Features] = features.read_features,
) -> ForTraining:
    """Spread the labels of a run's training photos by the features of its folder, whichever network computed them last.

    Args:
        dataset: Labelled by hand.
        parts: Shape (M,): the subset of each labelled photo, -1 for those that are not used.
        without: Classes that the run leaves out.
        jobs: Where features of datasets are kept.
        read: Reads what a job has computed.

    Raises:
        DataError: There are no unlabelled photos, or no features, or too few labels.
    """
    require_unlabelled(dataset)
    run = newest_features(dataset, jobs)
    if run is None:
        raise DataError(
            tr(
                "The unlabelled photos have not been looked at, so labels cannot spread to them. Open the page “Label”"
                " once; it does that."
            )
        )
    try:
        found = read(run)
    except RunError as error:
        raise DataError(sentences(error.text, tr("The page “Label” does that."))) from error
    return spread_to_unlabelled(Pool.of(dataset.scan, found.values, found.row_of), dataset, parts, without)


def newest_features(dataset: Dataset, jobs: RunStore) -> Run | None:
    """The job that was the last to compute features of a dataset's photos, by whichever network; None without any."""
    root = dataset.folder.root
    every = (features.kept(jobs, root, row.key) for row in BACKBONES)
    return max((run for run in every if run is not None), key=lambda run: run.id, default=None)
