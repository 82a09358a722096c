"""How the error falls with the number of training photos, and what twice as many would bring.

The error is taken to follow a power law with a floor, error = a · n^(−b) + c, as C. Cortes et al., "Learning curves:
asymptotic values and rate of convergence", NIPS 6 (1993), propose. T. Viering and M. Loog, "The shape of learning
curves: a review", IEEE TPAMI 45 (2023), find it among the forms that fit and extrapolate best. It holds near the sizes
that were measured, and promises nothing for many times as many photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import DataError
from core.language import tr

LEAST_SIZES = 3
"""Different numbers of photos without which three parameters cannot be told."""

EXPONENTS = np.geomspace(0.05, 2.0, 75)
"""The exponents b that are tried. Hestness et al., "Deep learning scaling is predictable, empirically" (2017), found
0.07 to 0.35 for large networks; a pretrained one on few photos learns faster."""

SAMPLES = 1000
"""Of the parametric bootstrap (B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993, chapter 6)."""

TIMES = 2.0
"""How many times as many photos are asked about."""


@dataclass(frozen=True)
class Point:
    """The result of one run.

    Attributes:
        photos: Training photos per class, in the mean; more than 0.
        correct, count: How many of how many photos it classified correctly.
    """

    photos: float
    correct: int
    count: int


@dataclass(frozen=True)
class Curve:
    """Error = a · n^(−b) + c for n training photos per class; a and c are 0 or more, b is one of `EXPONENTS`."""

    a: float
    b: float
    c: float

    def accuracy(self, photos: ArrayLike) -> NDArray[np.float64]:
        """The share that is classified correctly with so many training photos per class; both `(N,)`."""
        error = self.a * np.asarray(photos, float) ** -self.b + self.c
        return np.clip(1 - error, 0.0, 1.0)


@dataclass(frozen=True)
class Forecast:
    """What so many photos per class would bring: a share of 1 with its 95 % interval."""

    photos: float
    accuracy: float
    low: float
    high: float


def fit(points: Sequence[Point]) -> Curve:
    """Fit the curve by least squares, each result weighted by its binomial variance.

    Raises:
        DataError: There are fewer than three different numbers of photos, or a result is impossible.
    """
    sizes, errors, counts = _arrays(points)
    a, b, c = _fitted(sizes, errors[None, :], counts)
    return Curve(float(a[0]), float(b[0]), float(c[0]))


def forecast(points: Sequence[Point], times: float = TIMES, seed: int = 0) -> Forecast:
    """What the curve says for so many times as many photos per class as the most that were measured.

    The interval is by a parametric bootstrap: results are drawn from the fitted curve, and fitted again. Where results
    lie further from the curve than binomial chance explains, as other seeds let them, they are drawn as if from
    accordingly fewer photos. That the form of the curve is right is taken for granted.

    Raises what `fit` does.
    """
    sizes, errors, counts = _arrays(points)
    at = times * float(sizes.max())
    curve = fit(points)
    expected = 1 - curve.accuracy(sizes)
    freedom = len(points) - 3
    chance = _variance(expected, counts)
    excess = max(1.0, float(((errors - expected) ** 2 / chance).sum()) / freedom) if freedom else 1.0
    worth = np.maximum(1, np.round(counts / excess)).astype(np.int64)
    drawn = np.random.default_rng(seed).binomial(worth, expected, (SAMPLES, len(points))) / worth
    a, b, c = _fitted(sizes, drawn, worth)
    low, high = np.percentile(np.clip(1 - (a * at**-b + c), 0.0, 1.0), (2.5, 97.5))
    middle = float(curve.accuracy(at))
    return Forecast(at, middle, min(middle, float(low)), max(middle, float(high)))


def _arrays(points: Sequence[Point]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Photos per class, shares of errors, and how many photos these are of, each `(K,)`."""
    odd = next((each for each in points if each.photos <= 0 or not 0 <= each.correct <= max(each.count, 0)), None)
    if odd is not None or any(each.count == 0 for each in points):
        raise DataError(tr("A result must be of one photo or more, and of a run with training photos."))
    sizes = np.array([each.photos for each in points], float)
    if len(np.unique(sizes)) < LEAST_SIZES:
        raise DataError(
            tr(
                "A curve needs runs with {least} different numbers of training photos; there are {found}. Compare more"
                " numbers of photos per class.",
                least=LEAST_SIZES,
                found=len(np.unique(sizes)),
            )
        )
    counts = np.array([each.count for each in points], np.int64)
    return sizes, 1 - np.array([each.correct for each in points]) / counts, counts


def _variance(errors: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of shares, which one more error and one more success keep from 0."""
    share = (errors * counts + 1) / (counts + 2)
    variance: NDArray[np.float64] = share * (1 - share) / counts
    return variance


def _fitted(
    sizes: NDArray[np.float64], errors: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit S sets of errors `(S, K)` at K sizes: a, b and c, each `(S,)`.

    For a given exponent the curve is linear in a and c, so each exponent is solved exactly, with neither below 0.
    """
    weights = 1 / _variance(errors, counts)
    total, mean = weights.sum(1), (weights * errors).sum(1)
    best, found = np.full(len(errors), np.inf), np.zeros((3, len(errors)))
    for b in EXPONENTS:
        falling = (sizes / sizes.min()) ** -b
        once, twice = (weights * falling).sum(1), (weights * falling**2).sum(1)
        mixed = (weights * falling * errors).sum(1)
        a = (total * mixed - once * mean) / (total * twice - once**2)
        c = (mean - a * once) / total
        a = np.where(c < 0, mixed / twice, a)
        c = np.where(c < 0, 0.0, c)
        c = np.where(a < 0, mean / total, c)
        a = np.maximum(a, 0.0)
        loss = (weights * (errors - a[:, None] * falling - c[:, None]) ** 2).sum(1)
        better = loss < best
        best[better] = loss[better]
        found[:, better] = np.array([a * sizes.min() ** b, np.full_like(a, b), c])[:, better]
    return found[0], found[1], found[2]
