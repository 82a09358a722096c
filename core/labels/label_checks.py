"""Which photos of a dataset probably have a wrong label, found from features without training a network.

All are functions of arrays. N is the number of photos, D the number of features of each, K the number of classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.evaluation.similarity import nearest
from core.labels.held_out import Progress, divide, scores
from core.labels.label_noise import likely_true

AGREE, DISAGREE, UNSURE = "agree", "disagree", "unsure"
"""The verdicts on a given label."""

CONFIDENT = 0.8
"""The least probability of another class at which a given label is contradicted."""

UNLIKELY = 0.1
"""The greatest probability of a given label at which it is contradicted."""

LIKELY = 0.5
"""The least probability of a given label, as the most probable one, at which it is confirmed."""

DOUBTFUL = 0.5
"""The probability of the given label below which it is a suspect."""

OUTLYING = 0.5
"""The outlyingness from which on a photo is an outlier."""

USUAL = 1.645
"""Standard deviations above the median up to which a photo is no outlier: of normally spread ones, 5 % are beyond."""

REFERENCES, MOST_COMPARED = 10_000, 300_000_000
"""Most photos among which neighbours are looked for to find outliers, and most pairs of photos compared for that."""

FEWEST = 10
"""The fewest photos of a class for statistics of their own."""

Floats = NDArray[np.floating]
Positions = NDArray[np.intp]


def nothing(done: int, total: int) -> None:
    """Take a report of progress and do nothing with it."""


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """The evidence of the features about the labels of N photos.

    Attributes:
        probabilities: Shape (N, K), rows sum to 1: of each true class, by a model that has learned neither from the
            photo nor from its group.
        quality: Shape (N,), values in [0, 1]: low where the given label is suspect.
        suggested: Shape (N,), the class that the evidence is for; the given one where there is no evidence against it.
        suspects: Shape (M,), positions of photos whose label is probably wrong, most suspect first.

    Raises:
        ValueError: The four do not fit together.
    """

    probabilities: Floats
    quality: Floats
    suggested: Positions
    suspects: Positions

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        count = len(self.probabilities)
        if self.probabilities.ndim != 2 or self.quality.shape != (count,) or self.suggested.shape != (count,):
            raise ValueError("probabilities must be (N, K), quality and suggested (N,)")
        if len(self.suspects) and not 0 <= self.suspects.min() <= self.suspects.max() < count:
            raise ValueError(f"suspects must be positions of {count} photos")


def find_label_issues(
    features: ArrayLike,
    labels: ArrayLike,
    class_count: int,
    groups: ArrayLike | None = None,
    seed: int = 0,
    on_progress: Progress = nothing,
) -> LabelIssues:
    """Judge every label by a model that has learned from other photos.

    Photos are divided into five folds, and each fold is scored by kernel ridge regression on the others, whose own
    labels are corrected first where they are probably wrong (`core.labels.held_out`). From scores and labels, it is
    estimated how often labels of each class are given to photos of each other (`core.labels.label_noise`). `quality`
    is the probability that the given label is the true class; below a half, the label is a suspect, if another class
    is more probable. A photo whose class no other fold holds cannot be judged: its quality is 1.

    Only the scores are out of sample in the strict sense: sharpness and rates of wrong labels are estimated from all
    photos together.

    Args:
        features: Shape (N, D): pooled features of a frozen network.
        labels: Shape (N,), 0..K-1: the given ones.
        class_count: K, at least 2.
        groups: Shape (N,): photos with one number, such as copies and near duplicates, are never judged by each other.
            None: each photo for itself.
        seed: Fixes the folds.
        on_progress: Receives the number of models fitted and of all; may raise to stop.

    Raises:
        ValueError: The shapes do not fit together, or there are fewer than two photos.
    """
    values, given = np.asarray(features), np.asarray(labels, np.intp)
    if values.shape[:1] != given.shape or len(given) < 2 or given.min() < 0 or given.max() >= class_count:
        raise ValueError(f"features {values.shape} do not fit labels {given.shape} of {class_count} classes")
    numbers = np.arange(len(given)) if groups is None else np.asarray(groups, np.intp)
    found = scores(values, given, class_count, divide(given, numbers, seed), seed, on_progress)
    return issues_from(found, given, numbers, seed)


def issues_from(found: Floats, given: Positions, groups: Positions, seed: int = 0) -> LabelIssues:
    """Judge every label by scores of models that have learned neither from the photo nor from its group.

    Args:
        found: Shape (N, K): how well each class fits.
        given: Shape (N,), 0..K-1: the given labels.
        groups: Shape (N,), as `find_label_issues` takes them.
        seed: Fixed the folds.
    """
    after, before, _ = likely_true(np.asarray(found, np.float32), given)
    judged = _can_be_judged(given, divide(given, groups, seed), found.shape[1])
    quality = np.where(judged, after[np.arange(len(given)), given], 1.0)
    suggested = np.where(judged, after.argmax(axis=1), given)
    suspects = np.flatnonzero((quality < DOUBTFUL) & (suggested != given))
    return LabelIssues(before, quality, suggested, suspects[np.argsort(quality[suspects], kind="stable")])


def outlyingness(features: ArrayLike, labels: ArrayLike, k: int = 15) -> Floats:
    """How far each photo is from all others, shape (N,), in [0, 1]; outliers are those from `OUTLYING` on.

    The mean cosine distance to the k nearest other photos, of whatever class, as a logarithm. It is compared with
    those of photos with the same label: by how many standard deviations s it exceeds their median, the deviation
    being estimated from the median absolute one. The result is s / (s + 1.645) for s > 0, else 0; of normally spread
    photos, one in twenty reaches a half. A label with fewer than ten photos is compared with all photos. Of more than
    10,000 photos, neighbours are looked for among 10,000 at most that are evenly spaced, and among fewer where there
    would be more than 300 million pairs.

    k should exceed the size of any group of similar outliers, which are neighbours of each other.

    Args:
        features: Shape (N, D).
        labels: Shape (N,).
        k: How many neighbours.
    """
    values, given = np.asarray(features), np.asarray(labels, np.intp)
    if len(values) < 2:
        return np.zeros(len(values))
    references = min(REFERENCES, max(k + 1, MOST_COMPARED // len(values)))
    chosen = np.arange(0, len(values), -(-len(values) // references))
    positions, similarity = nearest(values, values[chosen], min(k + 1, len(chosen)))
    others = chosen[positions] != np.arange(len(values))[:, None]
    others[others.all(axis=1), -1] = False
    distance = np.log(np.maximum(np.average(1 - similarity, axis=1, weights=others), 1e-6))
    beyond = _deviations(distance, np.arange(len(values)), np.arange(len(values)))
    for label in np.unique(given):
        members = np.flatnonzero(given == label)
        if len(members) >= FEWEST:
            beyond[members] = _deviations(distance, members, members)
    beyond = np.maximum(beyond, 0)
    return np.asarray(beyond / (beyond + USUAL))


def _deviations(values: Floats, asked: Positions, reference: Positions) -> Floats:
    middle = np.median(values[reference])
    deviation = 1.4826 * np.median(np.abs(values[reference] - middle))
    return np.asarray((values[asked] - middle) / max(deviation, 1e-6))


def verdicts(probabilities: ArrayLike, given: ArrayLike, out_of_distribution: ArrayLike) -> list[str]:
    """A model's verdicts on the given labels of photos: `AGREE`, `DISAGREE` or `UNSURE`.

    It agrees where the given class is the most probable and more probable than all others together, and disagrees
    where the given class has a probability of at most 0.1 and another one of at least 0.8. Probabilities being
    calibrated, half of the verdicts are wrong at the limit of agreeing, and one in five at the limit of disagreeing.
    On photos unlike the training photos it is never sure.

    Args:
        probabilities: Shape (Q, K), calibrated.
        given: Shape (Q,), 0..K-1.
        out_of_distribution: Shape (Q,), whether a photo is unlike the training photos.
    """
    values, labels = np.asarray(probabilities), np.asarray(given, np.intp)
    own, best = values[np.arange(len(labels)), labels], values.max(axis=1, initial=0.0)
    found = np.full(len(labels), UNSURE, object)
    found[(own >= LIKELY) & (own >= best)] = AGREE
    found[(own <= UNLIKELY) & (best >= CONFIDENT)] = DISAGREE
    found[np.asarray(out_of_distribution, bool)] = UNSURE
    return [str(verdict) for verdict in found]


def _can_be_judged(labels: Positions, folds: Positions, classes: int) -> NDArray[np.bool_]:
    """Whether another fold than the photo's holds its class, shape (N,)."""
    pairs = np.zeros((classes, int(folds.max()) + 1), bool)
    pairs[labels, folds] = True
    judged: NDArray[np.bool_] = pairs.sum(axis=1)[labels] > 1
    return judged
