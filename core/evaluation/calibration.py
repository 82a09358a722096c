"""Calibration: whether confidence matches accuracy, temperature scaling, and selective prediction.

Functions of arrays: probabilities `(N, K)`, each row summing to 1, and labels `(N,)`, whole numbers 0..K-1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from core.formatting import whole
from core.language import tr

BINS = 10
"""Into how many equal steps of confidence photos are sorted."""

TEMPERATURES = (0.05, 20.0)
"""The least and the greatest temperature that is tried."""

CLOSE = 0.02
"""As far apart confidence and accuracy may be, as shares of 1, for people to take them for the same."""

TINY = 1e-8
"""What stands for a smaller probability: half precision, in which probabilities may be kept, ends there."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Accuracy by confidence, in equal steps; only the M steps that hold photos, the lowest confidence first.

    Attributes:
        confidence: (M,), mean probability of the predicted class.
        accuracy: (M,), share of photos whose predicted class is right.
        counts: (M,), how many photos there are.

    Raises:
        ValueError: The shapes do not fit, or a step is empty.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        if not self.confidence.shape == self.accuracy.shape == self.counts.shape or not self.counts.all():
            shapes = f"{self.confidence.shape}, {self.accuracy.shape}, {self.counts.shape}"
            raise ValueError(f"the steps of a reliability diagram must hold photos and fit each other: {shapes}")

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between confidence and accuracy over all photos, 0..1.

        Source: M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        total = self.counts.sum()
        return float((self.counts * np.abs(self.confidence - self.accuracy)).sum() / total) if total else 0.0


@dataclass(frozen=True, eq=False)
class Coverage:
    """Accuracy of a model that answers only from a confidence on; the strictest of M thresholds first.

    Attributes:
        limit: (M,), the thresholds of confidence, falling.
        share: (M,), the share of photos with an answer (coverage), rising to 1.
        accuracy: (M,), the share of those whose answer is right.

    Raises:
        ValueError: The shapes do not fit.
    """

    limit: NDArray[np.float64]
    share: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        if not self.limit.shape == self.share.shape == self.accuracy.shape:
            raise ValueError(f"limits {self.limit.shape} do not fit {self.share.shape} and {self.accuracy.shape}")

    def at_least(self, share: float) -> int:
        """The strictest threshold with at least this coverage, 0..1, as a position."""
        return int(np.searchsorted(self.share, share - 1e-12))


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature that makes probabilities of held-out photos most fitting; 1 where there are no photos.

    Above 1 the model is overconfident, below 1 underconfident. The most probable class does not change. It is the
    temperature with the lowest cross-entropy, as in C. Guo et al., "On calibration of modern neural networks", ICML
    2017. Of N photos, the label counts (N + 1) / (N + 2) and the most probable other class the rest, as in J. Platt,
    "Probabilistic outputs for support vector machines", 1999: else a model that is right about all of a few photos
    would become certain.
    """
    logits, known = _logits(probabilities), np.asarray(labels)
    if not len(known) or logits.shape[1] < 2:
        return 1.0
    rows = np.arange(len(known))
    others = logits.copy()
    others[rows, known] = -np.inf
    other, rest = others.argmax(1), 1 / (len(known) + 2)

    def cross_entropy(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(((1 - rest) * scores[rows, known] + rest * scores[rows, other]).mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=(low, high), method="bounded").x))


def with_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return the probabilities `(N, K)` at another temperature, above 0; at 1 they are what they were."""
    return np.asarray(softmax(_logits(probabilities) / temperature, axis=1), dtype=np.float64)


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
    """Sort photos by confidence into equal steps from 0 to 1, and count how often the model is right in each.

    A confidence on a border counts to the step below, as in Guo et al. 2017.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    sure, right = found.max(1), found.argmax(1) == np.asarray(labels)
    step = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(step, minlength=bins)
    held = counts > 0
    sums = (np.bincount(step, values, bins)[held] for values in (sure, right))
    confidence, accuracy = (total / counts[held] for total in sums)
    return Reliability(confidence, accuracy, counts[held])


def coverage(probabilities: ArrayLike, labels: ArrayLike) -> Coverage:
    """Return the accuracy of a model that can abstain below a confidence, for every threshold.

    It is the risk-coverage curve of R. El-Yaniv and Y. Wiener, "On the foundations of noise-free selective
    classification", JMLR 11 (2010), with accuracy, 1 - risk. Photos of equal confidence go together.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    sure, right = found.max(1), found.argmax(1) == np.asarray(labels)
    order = np.argsort(-sure, kind="stable")
    falling, accepted = sure[order], np.arange(1, len(sure) + 1)
    last = np.append(np.diff(falling) != 0, True)[: len(sure)]
    accuracy = np.cumsum(right[order]) / accepted
    return Coverage(falling[last], accepted[last] / max(1, len(sure)), accuracy[last])


def _logits(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Logits that give these probabilities; they are known up to a number for each photo."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), TINY))


def trust(found: Reliability) -> str:
    """Whether a model is overconfident, underconfident or neither, on average over all photos, as a sentence."""
    claimed = float(np.average(found.confidence, weights=found.counts))
    true = float(np.average(found.accuracy, weights=found.counts))
    values = {"confidence": whole(claimed), "accuracy": whole(true)}
    if abs(claimed - true) <= CLOSE:
        return tr(
            "On average it is {confidence} confident and right {accuracy} of the time: its percentages can be trusted.",
            **values,
        )
    if claimed > true:
        return tr(
            "On average it is {confidence} confident and right {accuracy} of the time: it is overconfident.", **values
        )
    return tr(
        "On average it is {confidence} confident and right {accuracy} of the time: it is underconfident.", **values
    )
