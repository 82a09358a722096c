"""What a run learns from photos that nobody has labelled: labels that spread to them from its training photos alone."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.pseudo_labels import PseudoLabels
from core.data.subsets import NO_SUBSET, TRAINING
from core.errors import DataError
from core.labelling.pool import UNLABELLED, Labels, Pool
from core.labelling.spreading import spread
from core.language import tr

FLOOR = 0.2
"""Certainty below which a spread label is not learned from."""


@dataclass(frozen=True, eq=False)
class ForTraining:
    """Unlabelled photos for a run.

    Attributes:
        labels: The photos to learn from.
        unlabelled: How many photos without labels there are, those included.
        strangers: How many of them are unlike all that are labelled.
        right, head_right: How many of the training photos that were left out got their label back by spreading, and
            from a linear head.
        left_out: How many these were; 0 where there are too few to tell.
        imbalance: How many times as many photos the largest class seems to have as the smallest.
    """

    labels: PseudoLabels
    unlabelled: int
    strangers: int
    right: int
    head_right: int
    left_out: int
    imbalance: float

    @property
    def helps(self) -> bool:
        """Whether spreading names what was left out at least as well as a head; also where that cannot be told."""
        return not self.left_out or self.right >= self.head_right


def require_unlabelled(dataset: Dataset) -> None:
    """Raise `DataError` for a dataset that has no unlabelled photos, as those have that are not labelled by hand."""
    if not len(dataset.unlabelled):
        raise DataError(tr("There are no unlabelled photos that could be used: every photo has a class."))


def spread_to_unlabelled(
    pool: Pool, dataset: Dataset, parts: NDArray[np.int8], without: tuple[str, ...] = ()
) -> ForTraining:
    """Spread the labels of a run's training photos to the photos that nobody has labelled.

    Neither the labels of validation and test photos have a part in it, nor photos that look like one of these: else
    the accuracy on them would say too much. Strangers, and what is less certain than `FLOOR`, are not learned from.
    Labels of classes that the run leaves out spread, too, so that their photos are not taken for others; what they
    reach is dropped.

    Args:
        pool: The photos of the dataset's folder with their features.
        dataset: Labelled by hand.
        parts: Shape (M,): the subset of each of its labelled photos, -1 for those that are not used.
        without: Classes that the run leaves out.

    Raises:
        DataError: The dataset is not labelled by hand or has no unlabelled photos, or its training photos are of fewer
            than two classes, or have no features.
    """
    require_unlabelled(dataset)
    folder, scan = dataset.folder, dataset.scan
    known = {
        path: int(label)
        for path, label, part in zip(folder.paths, folder.labels, parts, strict=True)
        if part == TRAINING
    }
    kept_back = scan.duplicates.near[dataset.members[(parts != TRAINING) & (parts != NO_SUBSET)]]
    free = {
        scan.folder.paths[i] for i in dataset.unlabelled[~np.isin(scan.duplicates.near[dataset.unlabelled], kept_back)]
    }
    chosen = [i for i, path in enumerate(pool.paths) if path in known or path in free]
    part_of_pool = _some_of(pool, chosen)
    values = np.array([known.get(path, UNLABELLED) for path in part_of_pool.paths], np.intp)
    labels = Labels(folder.class_names, values, np.zeros(len(chosen), bool))
    if len(np.unique(labels.known)) < 2:
        raise DataError(
            tr(
                "Labels can be spread to the unlabelled photos once training photos of two classes have features. Open"
                " the page “Label” once, or label more photos."
            )
        )
    found = spread(part_of_pool, labels)
    names = np.array(folder.class_names, object)[found.labels]
    learned = ~found.strangers & (found.certainty >= FLOOR) & ~np.isin(names.astype(str), without)
    taken = [int(i) for i in labels.open if learned[i]]
    pseudo = PseudoLabels(
        tuple(part_of_pool.paths[i] for i in taken),
        tuple(str(names[i]) for i in taken),
        found.certainty[taken].astype(np.float32),
    )
    strangers = int(found.strangers[labels.open].sum())
    return ForTraining(
        pseudo,
        len(dataset.unlabelled),
        strangers,
        found.right,
        found.head_right,
        found.left_out,
        found.imbalance,
    )


def _some_of(pool: Pool, chosen: list[int]) -> Pool:
    return replace(
        pool,
        paths=tuple(pool.paths[i] for i in chosen),
        digests=tuple(pool.digests[i] for i in chosen),
        groups=pool.groups[chosen],
        features=pool.features[chosen],
    )
