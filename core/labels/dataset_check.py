"""The result of checking the labels of a dataset, as of the moment of the check: a list to decide about."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.scan.folder import ImageFolder
from core.errors import DataError
from core.evaluation.similarity import similarities
from core.labels.label_checks import OUTLYING, LabelIssues, find_label_issues, issues_from, outlyingness
from core.labels.label_fit import LabelFit, label_fit
from core.language import tr

EVIDENCE = 5
"""Photos shown beside a suspect: the most similar ones."""

MOST_OUTLIERS = 200
"""At most so many outliers are listed, the strongest ones."""


@dataclass(frozen=True, eq=False)
class DatasetCheck:
    """The labels of N photos, checked.

    Attributes:
        folder: The N photos, with the labels that they had at the check.
        digests: Of their files, N.
        issues: The evidence against each label.
        suspects: Positions of photos whose label is probably wrong, most suspect first, without those decided about
            before.
        outliers: Positions of the photos least similar to all others, the strongest outlier first.
        unread: How many photos had no features, because they could not be read.
        values: Shape (M, D): features of photos, perhaps mapped from a disk.
        rows: Shape (N,): the row of each photo in them.
        groups: Shape (N,): photos with one number are no evidence for each other.
    """

    folder: ImageFolder
    digests: tuple[str, ...]
    issues: LabelIssues
    suspects: tuple[int, ...]
    outliers: tuple[int, ...]
    unread: int
    values: NDArray[np.float32]
    rows: NDArray[np.intp]
    groups: NDArray[np.int64]

    @cached_property
    def fit(self) -> LabelFit:
        """Whether the labels fit the photos at all; without that, suspects and their absence say little."""
        return label_fit(self.issues.probabilities, self.folder.labels, len(self.issues.suspects))

    @cached_property
    def ranking(self) -> tuple[int, ...]:
        """Positions of all photos, the one whose label is most likely wrong first."""
        return tuple(np.argsort(self.issues.quality, kind="stable").tolist())

    def given(self, position: int) -> str:
        """The label that a photo had at the check."""
        return self.folder.class_names[int(self.folder.labels[position])]

    def suggested(self, position: int) -> str:
        """The label that the evidence is for."""
        return self.folder.class_names[int(self.issues.suggested[position])]

    def confidence(self, position: int) -> float:
        """The probability of the suggested label, 0 to 1."""
        return float(self.issues.probabilities[position, self.issues.suggested[position]])

    def evidence(self, position: int) -> tuple[int, ...]:
        """The photos most similar to one, the most similar first, apart from itself, its copies and near duplicates."""
        similar = similarities(self.values[self.rows[position]], self.values, self.rows)
        similar[self.groups == self.groups[position]] = -np.inf
        first = np.argsort(-similar, kind="stable")[:EVIDENCE]
        return tuple(int(other) for other in first if np.isfinite(similar[other]))


@dataclass(frozen=True, eq=False)
class HeldOutScores:
    """What networks that have not learned from a photo say of it, for N photos and K classes.

    Attributes:
        class_names: Of the K classes.
        digests: Of the photos' files, N.
        labels: Shape (N,): the labels that were judged.
        scores: Shape (N, K), float32: how well each class fits; NaN for photos that could not be read.
    """

    class_names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the fields fit together; raises `ValueError` where they do not."""
        if self.scores.shape != (len(self.digests), len(self.class_names)) or len(self.labels) != len(self.digests):
            raise ValueError(f"scores {self.scores.shape} do not fit {len(self.digests)} photos")

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each photo that has scores, by its digest."""
        there = np.isfinite(self.scores.sum(axis=1))
        return {digest: row for row, digest in enumerate(self.digests) if there[row]}


def check(dataset: Dataset, values: NDArray[np.float32], row_of: Mapping[str, int], seed: int = 0) -> DatasetCheck:
    """Check every label of the photos that are used, as they stand after all decisions.

    Args:
        dataset: What is to be checked.
        values: Shape (M, D): features, a row for each photo.
        row_of: The row of each photo by its digest; photos without one are skipped.
        seed: Fixes the folds.

    Raises:
        DataError: Fewer than two classes are left, or fewer than two photos of any.
    """
    positions, folder = labelled_photos(dataset, row_of)
    rows, classes = _rows(dataset, positions, row_of), len(folder.class_names)
    issues = find_label_issues(values[rows], folder.labels, classes, dataset.groups[positions], seed)
    return _check(dataset, positions, folder, values, rows, issues)


def check_with(
    held_out: HeldOutScores, dataset: Dataset, values: NDArray[np.float32], row_of: Mapping[str, int], seed: int = 0
) -> DatasetCheck:
    """Judge labels as they stood when networks were asked about their photos, whatever was decided since.

    Args:
        held_out: What the networks say. Photos that were not there then are not judged, but count as unread.
        dataset: Where the photos are.
        values: Shape (M, D): features, by which outliers and similar photos are found.
        row_of: The row of each photo by its digest.
        seed: Fixed the folds.

    Raises:
        DataError: None of the photos is left.
    """
    judged = {digest: row for digest, row in held_out.row_of.items() if digest in row_of}
    digests = [dataset.digest(i) for i in range(len(dataset.folder))]
    positions = np.array([i for i, digest in enumerate(digests) if digest in judged], np.intp)
    if len(positions) < 2:
        raise DataError(tr("The photos that were checked are not in this dataset any more. Check again."))
    asked = np.array([judged[digests[i]] for i in positions], np.intp)
    paths = tuple(dataset.folder.paths[i] for i in positions)
    folder = ImageFolder(dataset.folder.root, held_out.class_names, paths, held_out.labels[asked])
    labels, groups = folder.labels.astype(np.intp), dataset.groups[positions].astype(np.intp)
    issues = issues_from(held_out.scores[asked], labels, groups, seed)
    return _check(dataset, positions, folder, values, _rows(dataset, positions, row_of), issues)


def labelled_photos(dataset: Dataset, among: Mapping[str, int] | None = None) -> tuple[NDArray[np.intp], ImageFolder]:
    """The photos of a dataset that are used, those with these digests or all: positions, and labels of their classes.

    Raises:
        DataError: Fewer than two classes are left.
    """
    used = (i for i in range(len(dataset.folder)) if i not in dataset.withheld)
    positions = np.array([i for i in used if among is None or dataset.digest(i) in among], np.intp)
    return positions, _with_its_own_classes(dataset.folder.subset(positions))


def _rows(dataset: Dataset, positions: NDArray[np.intp], row_of: Mapping[str, int]) -> NDArray[np.intp]:
    return np.array([row_of[dataset.digest(int(i))] for i in positions], np.intp)


def _check(
    dataset: Dataset,
    positions: NDArray[np.intp],
    folder: ImageFolder,
    values: NDArray[np.float32],
    rows: NDArray[np.intp],
    issues: LabelIssues,
) -> DatasetCheck:
    decided = dataset.review.standing()
    suspects = tuple(int(i) for i in issues.suspects if folder.paths[i] not in decided)
    outliers = _outliers(np.asarray(values[rows]), folder, decided)
    digests = tuple(dataset.digest(int(i)) for i in positions)
    unread = len(dataset.folder) - len(dataset.withheld) - len(positions)
    return DatasetCheck(folder, digests, issues, suspects, outliers, unread, values, rows, dataset.groups[positions])


def _with_its_own_classes(folder: ImageFolder) -> ImageFolder:
    present, labels = np.unique(folder.labels, return_inverse=True)
    if len(present) < 2:
        only = ", ".join(folder.class_names[label] for label in present) or tr("none")
        raise DataError(
            tr(
                "A label check compares classes and needs two or more; this dataset has: {classes}. Add photos of"
                " another class, or undo decisions on the Dataset page.",
                classes=only,
            )
        )
    names = tuple(folder.class_names[label] for label in present)
    return ImageFolder(folder.root, names, folder.paths, labels.astype(np.int32))


def _outliers(features: NDArray[np.float32], folder: ImageFolder, decided: Mapping[str, object]) -> tuple[int, ...]:
    oddness = outlyingness(features, folder.labels)
    order = np.argsort(-oddness, kind="stable")
    found = [int(i) for i in order if oddness[i] >= OUTLYING and folder.paths[i] not in decided]
    return tuple(found[:MOST_OUTLIERS])
