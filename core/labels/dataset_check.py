"""The result of checking the labels of a dataset, as of the moment of the check: a list to decide about."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.scan.folder import ImageFolder
from core.errors import DataError
from core.evaluation.similarity import nearest
from core.labels.label_checks import OUTLYING, LabelIssues, find_label_issues, outlyingness
from core.labels.label_fit import LabelFit, label_fit

EVIDENCE = 5
"""Photos shown beside a suspect: the most similar ones."""

SPARE = 20
"""How many more are searched, since copies and near duplicates of a photo say nothing about its label."""

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
        evidence: For each suspect the positions of the most similar photos, the most similar first.
        unread: How many photos had no features, because they could not be read.
    """

    folder: ImageFolder
    digests: tuple[str, ...]
    issues: LabelIssues
    suspects: tuple[int, ...]
    outliers: tuple[int, ...]
    evidence: Mapping[int, tuple[int, ...]]
    unread: int

    @cached_property
    def fit(self) -> LabelFit:
        """Whether the labels fit the photos at all; without that, suspects and their absence say little."""
        return label_fit(self.issues.probabilities, self.folder.labels, len(self.issues.suspects))

    def given(self, position: int) -> str:
        """The label that a photo had at the check."""
        return self.folder.class_names[int(self.folder.labels[position])]

    def suggested(self, position: int) -> str:
        """The label that the evidence is for."""
        return self.folder.class_names[int(self.issues.suggested[position])]

    def confidence(self, position: int) -> float:
        """The probability of the suggested label, 0 to 1."""
        return float(self.issues.probabilities[position, self.issues.suggested[position]])


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
    digests = [dataset.digest(i) for i in range(len(dataset.folder))]
    used = [i for i in range(len(digests)) if i not in dataset.withheld]
    positions = np.array([i for i in used if digests[i] in row_of], np.intp)
    folder = _with_its_own_classes(dataset.folder.subset(positions))
    features = np.asarray(values[[row_of[digests[i]] for i in positions]])
    groups = dataset.groups[positions]
    issues = find_label_issues(features, folder.labels, len(folder.class_names), groups, seed)
    decided = dataset.review.standing()
    suspects = tuple(int(i) for i in issues.suspects if folder.paths[i] not in decided)
    outliers = _outliers(features, folder, decided)
    evidence = _evidence(features, np.array(suspects, np.intp), groups)
    chosen = tuple(digests[i] for i in positions)
    return DatasetCheck(folder, chosen, issues, suspects, outliers, evidence, len(used) - len(positions))


def _with_its_own_classes(folder: ImageFolder) -> ImageFolder:
    present, labels = np.unique(folder.labels, return_inverse=True)
    if len(present) < 2:
        only = ", ".join(folder.class_names[label] for label in present) or "none"
        raise DataError(
            f"A label check compares classes and needs two or more; this dataset has: {only}. Add photos of another"
            " class, or undo decisions on the Dataset page."
        )
    names = tuple(folder.class_names[label] for label in present)
    return ImageFolder(folder.root, names, folder.paths, labels.astype(np.int32))


def _outliers(features: NDArray[np.float32], folder: ImageFolder, decided: Mapping[str, object]) -> tuple[int, ...]:
    oddness = outlyingness(features, folder.labels)
    order = np.argsort(-oddness, kind="stable")
    found = [int(i) for i in order if oddness[i] >= OUTLYING and folder.paths[i] not in decided]
    return tuple(found[:MOST_OUTLIERS])


def _evidence(
    features: NDArray[np.float32], suspects: NDArray[np.intp], groups: NDArray[np.int64]
) -> dict[int, tuple[int, ...]]:
    """The photos most similar to each suspect, apart from itself, its copies and its near duplicates."""
    if not len(suspects):
        return {}
    found, _ = nearest(features[suspects], features, EVIDENCE + SPARE)
    return {
        int(i): tuple(int(other) for other in others if groups[other] != groups[i])[:EVIDENCE]
        for i, others in zip(suspects, found, strict=True)
    }
