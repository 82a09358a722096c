"""Which photos of a dataset probably have a wrong label, found from features without training a network.

All are functions of arrays. N is the number of photos, D the number of features of each, K the number of classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FOLDS = 5
"""Parts that photos are divided into; each is judged by a model that has learned from the others."""

STRENGTH = 1.0
"""The inverse of the regularisation: C of scikit-learn's logistic regression, on features of length 1."""

AGREE, DISAGREE, UNSURE = "agree", "disagree", "unsure"
"""The verdicts on a claimed label."""

CONFIDENT = 0.8
"""The least probability of another class at which a claimed label is contradicted."""

UNLIKELY = 0.1
"""The greatest probability of a claimed label at which it is contradicted."""

LIKELY = 0.5
"""The least probability of a claimed label, as the most probable one, at which it is confirmed."""

BLOCK = 1024
"""Queries that are compared with all photos at once: it bounds the memory."""

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Progress = Callable[[int, int], None]


def nothing(done: int, total: int) -> None:
    """Take a report of progress and do nothing with it."""


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """What the features say about the labels of N photos.

    Attributes:
        probabilities: Shape (N, K), rows sum to 1: of each class, by a model that has not learned from the photo, nor
            from any photo of its group.
        quality: Shape (N,), values in [0, 1]: low where the given label is suspect.
        suggested: Shape (N,), the class that the evidence speaks for; the given one where nothing speaks against it.
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
    """Judge every label by a model that has learned from other photos, with confident learning.

    Photos are divided into five folds; for each, a logistic regression learns from the others. A photo counts as
    suspect as in C. Northcutt, L. Jiang and I. Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70 (2021), see `suspects`.

    Args:
        features: Shape (N, D): what a frozen network makes of each photo, pooled.
        labels: Shape (N,), 0..K-1: the given ones.
        class_count: K, at least 2.
        groups: Shape (N,): photos with one number, such as copies and look-alikes, are never judged by each other.
            None: each photo for itself.
        seed: Fixes which photos come into which fold.
        on_progress: Hears how many models have been fitted, of how many; may raise to break off.

    Raises:
        ValueError: The shapes do not fit together, or there are fewer than two photos.
    """
    given = np.asarray(labels, np.intp)
    values = _unit(features)
    if values.shape[:1] != given.shape or len(given) < 2 or given.min() < 0 or given.max() >= class_count:
        raise ValueError(f"features {values.shape} do not fit labels {given.shape} of {class_count} classes")
    numbers = np.arange(len(given)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    folds = divide(given, numbers, seed)
    probabilities, judged = _out_of_sample(values, given, class_count, folds, on_progress)
    own = np.where(judged, probabilities[np.arange(len(given)), given], 1.0)
    suggested = np.where(judged, probabilities.argmax(axis=1), given)
    found = suspects(probabilities, given)
    found = found[judged[found] & (suggested[found] != given[found])]
    return LabelIssues(probabilities, own, suggested, found[np.argsort(own[found], kind="stable")])


def divide(labels: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """The fold of each photo, shape (N,): classes spread evenly, groups kept together, at least two folds.

    A group goes with the class of its first photo.
    """
    _, first = np.unique(groups, return_index=True)
    order = np.lexsort((np.random.default_rng(seed).random(len(first)), labels[first]))
    of_group = np.empty(len(first), np.intp)
    of_group[order] = np.arange(len(first)) % min(FOLDS, max(2, len(first)))
    return of_group[np.unique(groups, return_inverse=True)[1]]


def suspects(probabilities: Floats, labels: NDArray[np.intp]) -> Positions:
    """Positions of photos whose label is probably wrong: confident learning, pruned by noise rate.

    A photo belongs confidently to a class when the probability of it reaches the mean that photos with this label
    have. Counting those for each pair of given and confident class, and scaling each row to the number of photos with
    that label, estimates how many photos of class i belong to class j; as many are taken, those where the
    probability of j exceeds that of i most (sections 3.1 and 3.2 of the article).
    """
    count, classes = probabilities.shape
    sizes = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(count), labels]
    thresholds = np.bincount(labels, own, classes) / np.maximum(sizes, 1)
    reached = np.where((probabilities >= thresholds) & (sizes > 0), probabilities, -1.0)
    best = reached.argmax(axis=1)
    sure = reached.max(axis=1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[sure], best[sure]), 1)
    joint *= (sizes / np.maximum(joint.sum(axis=1), 1))[:, None]
    taken = np.zeros(count, bool)
    for i, j in zip(*np.nonzero(joint), strict=True):
        if i != j:
            members = np.flatnonzero(labels == i)
            margin = probabilities[members, j] - probabilities[members, i]
            taken[members[np.argsort(-margin, kind="stable")[: round(joint[i, j])]]] = True
    return np.flatnonzero(taken)


def nearest(queries: ArrayLike, features: ArrayLike, k: int) -> tuple[Positions, NDArray[np.float32]]:
    """The k photos most like each query, the most alike first.

    Args:
        queries: Shape (Q, D).
        features: Shape (N, D).
        k: How many; fewer come back where there are fewer photos.

    Returns:
        Positions (Q, k) in `features`, and cosine similarities (Q, k) in [-1, 1].
    """
    others, asked = _unit(features), _unit(queries)
    k = min(k, len(others))
    positions = np.zeros((len(asked), k), np.intp)
    similarity = np.zeros((len(asked), k), np.float32)
    for start in range(0, len(asked), BLOCK):
        rows = slice(start, start + BLOCK)
        found = asked[rows] @ others.T
        chosen = np.argpartition(-found, k - 1, axis=1)[:, :k] if k else positions[rows]
        order = np.argsort(-np.take_along_axis(found, chosen, axis=1), axis=1, kind="stable")
        positions[rows] = np.take_along_axis(chosen, order, axis=1)
        similarity[rows] = np.clip(np.take_along_axis(found, positions[rows], axis=1), -1, 1)
    return positions, similarity


def verdicts(probabilities: ArrayLike, claimed: ArrayLike, strange: ArrayLike) -> list[str]:
    """What a model says to the labels that somebody claims for photos: `AGREE`, `DISAGREE` or `UNSURE`.

    It agrees where the claimed class is the most probable and more probable than all others together, and disagrees
    where the claimed class has a probability of at most 0.1 and another one of at least 0.8. Probabilities being
    calibrated, one in two of the photos that it is just enough to agree on would be wrong, and one in five of
    those that it is just enough to disagree on. On strange photos it is never sure.

    Args:
        probabilities: Shape (Q, K), calibrated.
        claimed: Shape (Q,), 0..K-1.
        strange: Shape (Q,), whether a photo is like none that the model has learned from.
    """
    values, labels = np.asarray(probabilities), np.asarray(claimed, np.intp)
    own, best = values[np.arange(len(labels)), labels], values.max(axis=1, initial=0.0)
    found = np.full(len(labels), UNSURE, object)
    found[(own >= LIKELY) & (own >= best)] = AGREE
    found[(own <= UNLIKELY) & (best >= CONFIDENT)] = DISAGREE
    found[np.asarray(strange, bool)] = UNSURE
    return [str(verdict) for verdict in found]


def _out_of_sample(
    values: NDArray[np.float32], labels: NDArray[np.intp], classes: int, folds: NDArray[np.intp], on_progress: Progress
) -> tuple[Floats, NDArray[np.bool_]]:
    """Probabilities (N, K), and whether (N,) the others hold the photo's class, so that it can be judged at all."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    probabilities = np.zeros((len(labels), classes))
    judged = np.zeros(len(labels), bool)
    count = int(folds.max()) + 1
    for fold in range(count):
        on_progress(fold, count)
        inside, learned = folds == fold, np.unique(labels[folds != fold])
        judged[inside] = np.isin(labels[inside], learned)
        if len(learned) == 1:
            probabilities[inside, learned[0]] = 1
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=300).fit(values[~inside], labels[~inside])
        probabilities[np.ix_(inside, learned)] = model.predict_proba(values[inside])
    on_progress(count, count)
    return probabilities, judged


def _unit(features: ArrayLike) -> NDArray[np.float32]:
    values = np.asarray(features, np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(values, np.where(length > 0, length, 1), dtype=np.float32)
    return unit
