"""Metrics of a classifier, from predictions on photos that were not used in training."""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


def accuracy_interval(correct: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of an accuracy, both ends in [0, 1]; at 95 % unless another normal quantile is given.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    Raises `ValueError` unless 0 <= correct <= count and count > 0.
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"{correct} correct of {count} is no accuracy")
    share, square = correct / count, z**2 / count
    centre = (share + square / 2) / (1 + square)
    margin = z * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, centre - margin), min(1.0, centre + margin)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions for N photos with known classes, all of one subset.

    Attributes:
        class_names: K names, in the order of the columns.
        paths: N photos relative to the dataset's folder, with "/" between folders; empty where they are not known.
        labels: (N,), int32: their classes.
        probabilities: (N, K), each row in [0, 1] and summing to 1.

    Raises:
        ValueError: These do not fit each other, or there are no photos.
    """

    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check shapes and ranges."""
        count, classes = len(self.labels), len(self.class_names)
        if not count or self.probabilities.shape != (count, classes) or len(self.paths) not in (0, count):
            raise ValueError(
                f"{len(self.paths)} photos with {count} labels do not fit probabilities {self.probabilities.shape} of"
                f" {classes} classes"
            )
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise ValueError(f"labels must be 0..{classes - 1}; got {self.labels.min()}..{self.labels.max()}")
        if not np.allclose(self.probabilities.sum(1), 1, atol=1e-2) or self.probabilities.min() < 0:
            raise ValueError("every row of probabilities must lie in [0, 1] and sum to 1")

    def __len__(self) -> int:
        """How many photos there are, N."""
        return len(self.labels)

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """(N,): the most probable class of each photo, the first of equal ones."""
        return np.asarray(self.probabilities.argmax(1), dtype=np.intp)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether that is the photo's class."""
        return np.asarray(self.predicted == self.labels)

    @property
    def correct(self) -> int:
        """How many photos are classified correctly."""
        return int(self.right.sum())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, see `accuracy_interval`."""
        return accuracy_interval(self.correct, len(self))

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,): the probability of the most probable class."""
        return np.asarray(self.probabilities.max(1))

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K): how many photos of a class (row) are predicted as a class (column)."""
        classes = len(self.class_names)
        pairs = self.labels.astype(np.int64) * classes + self.predicted
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def top_accuracy(self, k: int) -> float:
        """The share of photos whose class is among the k most probable ones; of equal ones the first counts first."""
        own = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)
        first = (self.probabilities == own) & (np.arange(len(self.class_names)) < self.labels[:, None])
        return float((((self.probabilities > own) | first).sum(1) < k).mean())

    def in_cell(self, label: int, taken_for: int) -> NDArray[np.intp]:
        """Photos of a class that are predicted as a class, as positions, the highest confidence first."""
        found = np.flatnonzero((self.labels == label) & (self.predicted == taken_for))
        return found[np.argsort(-self.confidence[found], kind="stable")]

    def most_wrong(self) -> NDArray[np.intp]:
        """Wrongly predicted photos, as positions, the highest confidence first."""
        found = np.flatnonzero(~self.right)
        return found[np.argsort(-self.confidence[found], kind="stable")]

    def least_sure(self) -> NDArray[np.intp]:
        """All photos, as positions, the lowest confidence first."""
        return np.argsort(self.confidence, kind="stable")


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of K classes; 0 where there is nothing to count.

    Attributes:
        support: (K,), how many photos the class has.
        predicted: (K,), how many photos are predicted as it.
        precision: (K,), the share of these that belongs to it.
        recall: (K,), the share of its photos that is predicted as it.
        f1: (K,), the harmonic mean of the two.
    """

    support: NDArray[np.int64]
    predicted: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    @property
    def macro_f1(self) -> float:
        """The mean of f1 over classes that have photos or are predicted; every class counts alike."""
        seen = (self.support > 0) | (self.predicted > 0)
        return float(self.f1[seen].mean()) if seen.any() else 0.0


@dataclass(frozen=True)
class Confused:
    """Photos of one class that are predicted as another: how many, of how many that the class has."""

    label: int
    taken_for: int
    count: int
    support: int


def class_scores(confusion: NDArray[np.int64]) -> ClassScores:
    """Count precision, recall and F1 of each class from a confusion matrix (K, K) as `Evaluation` has it."""
    hits, support, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)

    def share(of: NDArray[np.int64], times: int = 1) -> NDArray[np.float64]:
        return np.divide(times * hits, of, out=np.zeros(len(hits)), where=of > 0)

    return ClassScores(support, predicted, share(predicted), share(support), share(support + predicted, 2))


def most_confused(confusion: NDArray[np.int64], most: int) -> list[Confused]:
    """Return the pairs of classes that are confused most often, the largest share of a class first among equals."""
    support = confusion.sum(1)
    pairs = [
        Confused(int(label), int(other), int(confusion[label, other]), int(support[label]))
        for label, other in np.argwhere(confusion)
        if label != other
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, pair.support, pair.label, pair.taken_for))[:most]


def most_mistaken(confusion: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Return the classes with the most mistakes, in rows and columns together, in their own order."""
    mistakes = confusion.sum(0) + confusion.sum(1) - 2 * np.diag(confusion)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most])
