"""Whether a photo is like those that a model has learned from, and when the model should rather say "unsure".

A model answers with one of its classes whatever it is shown. Two signs tell that an answer is worth little: the
probability of the answer, after temperature scaling, is low; or the photo lies far from all training photos in the
space that the head reads.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.data.subsets import TRAINING, VALIDATION
from core.evaluation.calibration import with_temperature
from core.evaluation.similarity import nearest
from core.runs.embeddings import Embeddings

NEIGHBOURS = 5
"""Training photos that a photo is compared with: those most like it."""

MOST_REFERENCES, MOST_IN_SCALE = 20_000, 2_000
"""Of more training photos, so many drawn by chance are compared with; of these, so many set the scale."""

FALSE_ALARMS = 0.05
"""The share of photos like the training photos that may be called strange."""

ANSWER, UNSURE, OUT_OF_DISTRIBUTION = "answer", "unsure", "something else"
"""What a model may say: one of its classes; that it could be one or another; that it is none of them."""


@dataclass(frozen=True)
class Cost:
    """What it costs to be careful, counted on validation photos.

    Attributes:
        answered: How many are answered.
        right: How many of these answers are right.
        total: How many there are.
    """

    answered: int
    right: int
    total: int


@dataclass(frozen=True, eq=False)
class OutOfDistributionDetector:
    """What is usual for the photos of a run. N training photos, M photos that set the scale, V validation photos.

    Attributes:
        reference: (N, D), embeddings of training photos.
        scale: (M,), distances of validation photos, and of training photos to the others, rising.
        temperature: What the run's probabilities are scaled with.
        confidence: (V,), how sure the model is about each validation photo, after scaling.
        right: (V,), whether it is right about it.
        strange: (V,), how strange it is, 0..1.
    """

    reference: NDArray[np.float32]
    scale: NDArray[np.float32]
    temperature: float
    confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    right: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    strange: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def fit(cls, embeddings: Embeddings, temperature: float) -> "OutOfDistributionDetector":
        """Learn what is usual from the photos of a run; the test part is not looked at.

        A run may have a few dozen validation photos, too few for a threshold that is passed by one in twenty. So
        training photos set the scale, too, each compared with the others.

        Raises:
            ValueError: There are fewer than two training photos.
        """
        training, held_out = embeddings.of(TRAINING), embeddings.of(VALIDATION)
        if len(training) < 2:
            raise ValueError(f"two training photos or more are needed to tell what is usual; got {len(training)}")
        order = np.random.default_rng(0).permutation(len(training))[:MOST_REFERENCES]
        reference = training.embedding[order]
        own = _distance(reference[:MOST_IN_SCALE], reference, skip=1)
        validation = _distance(held_out.embedding, reference)
        scale = np.sort(np.concatenate([own, validation]))
        calibrated = with_temperature(held_out.probabilities, temperature)
        right = held_out.probabilities.argmax(1) == held_out.labels
        return cls(reference, scale, temperature, calibrated.max(1), right, _share_below(scale, validation))

    def ood_scores(self, embedding: ArrayLike) -> NDArray[np.float64]:
        """Return for photos (Q, D) the share of usual photos that are less strange, (Q,), 0..1.

        Strange is what is far from the five nearest training photos, by the mean of one minus the cosine. Source: Y.
        Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022. On one run on flowers and
        one on hot dogs, each shown the other's photos, it told them from test photos with an area under the curve of
        0.99; the Mahalanobis distance (K. Lee et al. 2018) 0.94 and 0.91, the probability of the answer 0.93 and 0.78.
        It was chosen on these very photos.
        """
        return _share_below(self.scale, _distance(np.asarray(embedding, np.float32), self.reference))

    def is_out_of_distribution(self, embedding: ArrayLike, false_alarms: float = FALSE_ALARMS) -> NDArray[np.bool_]:
        """Tell which photos (Q, D) are like none of the training photos, at this share of false alarms, 0..1."""
        return self.ood_scores(embedding) > 1 - false_alarms

    def cost(self, least_confidence: float, false_alarms: float = FALSE_ALARMS) -> Cost:
        """Count what would be answered of the validation photos, and how much of that rightly."""
        answered = (self.confidence >= least_confidence) & (self.strange <= 1 - false_alarms)
        return Cost(int(answered.sum()), int((answered & self.right).sum()), len(answered))


def answers(
    confidence: ArrayLike, ood_score: ArrayLike, least_confidence: float, false_alarms: float = FALSE_ALARMS
) -> NDArray[np.str_]:
    """Return what a model should say of Q photos, (Q,): `ANSWER`, `UNSURE` or `OUT_OF_DISTRIBUTION`.

    Args:
        confidence: (Q,), calibrated probability of the predicted class, 0..1.
        ood_score: (Q,), as `OutOfDistributionDetector.ood_scores` gives it.
        least_confidence: From which confidence on the model answers, 0..1.
        false_alarms: The share of usual photos that may be called strange.
    """
    sure = np.where(np.asarray(confidence) >= least_confidence, ANSWER, UNSURE)
    return np.where(np.asarray(ood_score) > 1 - false_alarms, OUT_OF_DISTRIBUTION, sure)


def _distance(photos: NDArray[np.float32], reference: NDArray[np.float32], skip: int = 0) -> NDArray[np.float32]:
    """Return the mean distance to the nearest, (Q,); `skip` leaves out the nearest, which is the photo itself."""
    _, similarity = nearest(photos, reference, NEIGHBOURS + skip)
    return np.asarray(1 - similarity[:, skip:].mean(1), np.float32)


def _share_below(scale: NDArray[np.float32], distance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of a rising scale that is below each distance, 0..1."""
    return np.asarray(np.searchsorted(scale, distance) / len(scale), np.float64)
