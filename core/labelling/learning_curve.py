"""How accuracy grows with the number of labels, and what twice as many would bring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.labelling.head import Positions, Values, named

FEWEST = 20
"""Labelled photos from which on a curve is fitted."""

SHARES = (0.25, 0.4, 0.6, 0.8)
"""Of the labelled photos, so many are learned from, and the others are asked about."""

REPEATS = 6
"""Times that this is done, each time with other photos."""

RESAMPLES = 400
"""Bootstrap samples of the photos that an interval rests on."""

INTERVAL = (2.5, 97.5)
"""Its ends in per cent of these."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Accuracy by the number of labels.

    Attributes:
        counts: Shape (S,), labels that heads have learned from, rising.
        accuracy: Shape (S,), how accurate they were on the other labelled photos, 0 to 1.
        expected_count: Twice as many labels as there are.
        expected: The accuracy that the fitted curve gives for so many.
        interval: Its 95 % interval.
    """

    counts: NDArray[np.intp]
    accuracy: NDArray[np.float64]
    expected_count: int
    expected: float
    interval: tuple[float, float]


def learning_curve(values: Values, labels: Positions, groups: NDArray[np.int64], seed: int = 0) -> LearningCurve | None:
    """Fit a power law to the errors of heads that have learned from a part of M labelled photos.

    The error is taken to be b · n ** -c, c at least 0. M. Viering and M. Loog, "The shape of learning curves: a
    review", IEEE TPAMI 45 (2023). The interval comes from resampling the photos that were asked about. None is returned
    for fewer than `FEWEST` photos, or fewer than two of a class.

    Args:
        values: Shape (M, D).
        labels: Shape (M,).
        groups: Shape (M,): photos with the same number look alike, and are never on both sides.
        seed: Fixes which photos are learned from.
    """
    count = len(labels)
    _, of_class = np.unique(labels, return_counts=True)
    if count < FEWEST or len(of_class) < 2 or of_class.min() < 2:
        return None
    learned = np.array([round(share * count) for share in SHARES], np.intp)
    asked, wrong = np.zeros((2, len(learned), count))
    random = np.random.default_rng(seed)
    for _ in range(REPEATS):
        order = random.permutation(count)
        for step, size in enumerate(learned):
            known, others = order[:size], order[size:]
            others = others[~np.isin(groups[others], groups[known])]
            if len(others):
                asked[step, others] += 1
                wrong[step, others] += named(values[known], labels[known], values[others]) != labels[others]
    expected_count = 2 * count
    expected = _extrapolated(learned, asked, wrong, np.ones(count), expected_count)
    weights = random.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    resampled = [_extrapolated(learned, asked, wrong, weight, expected_count) for weight in weights]
    low, high = np.percentile(resampled, INTERVAL)
    accuracy = 1 - wrong.sum(axis=1) / np.maximum(asked.sum(axis=1), 1)
    return LearningCurve(learned, accuracy, expected_count, expected, (float(low), float(high)))


def _extrapolated(
    learned: Positions, asked: NDArray[np.float64], wrong: NDArray[np.float64], weight: NDArray[np.float64], count: int
) -> float:
    """The accuracy that the curve gives for so many labels, each photo weighing so much, (M,)."""
    times, errors = asked @ weight, wrong @ weight
    error = (errors + 0.5) / (times + 1)
    slope, start = np.polyfit(np.log(learned), np.log(error), 1, w=np.sqrt(errors + 0.5))
    slope = min(float(slope), 0.0)
    if slope == 0:
        return float(1 - errors.sum() / max(times.sum(), 1))
    return float(np.clip(1 - np.exp(start + slope * np.log(count)), 0, 1))
