"""Spreading: labels go from labelled photos to those that are like them, and from these to others."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import cg

from core.data.subsets import TRAINING
from core.inference.out_of_distribution import OutOfDistributionDetector, are_out_of_distribution
from core.labelling.head import LinearHead, cross_validated
from core.labelling.pool import LEFT_OUT, Labels, Pool
from core.runs.embeddings import Embeddings

REACH = 0.9
"""How much of a label goes on from one photo to the next; 0.99, the usual figure, lets large classes flood others."""

EXACT = 1e-5
"""Residual, as a share of the right-hand side, at which the solution is exact enough."""

MOST_ROUNDS = 200
"""Rounds of the method of conjugate gradients."""

OFFERED_BELOW = 15
"""Labels a class, on average, from which on spreading brings nothing more."""

MOST_LEFT_OUT = 150
"""Labelled photos, drawn from more, that the check leaves out, one at a time."""

LIKELY = 0.5
"""The probability of its class above which a spread label is shown to be confirmed: nine in ten of these are right."""

UNEQUAL = 8.0
"""How many times as many photos the largest class is estimated to have as the smallest where a warning is given."""

LEAST_SHARE = 1e-12


@dataclass(frozen=True, eq=False)
class SpreadLabels:
    """What labels have spread to, for N photos and K classes.

    Attributes:
        probabilities: Shape (N, K), rows sum to 1; all alike where no label has come.
        strangers: Shape (N,), whether a photo is unlike all that are labelled.
        right, head_right: How many of the photos that were left out got their own label from the others by spreading,
            and from a linear head.
        left_out: How many these were.
    """

    probabilities: NDArray[np.float64]
    strangers: NDArray[np.bool_]
    right: int
    head_right: int
    left_out: int

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """The most probable class of each photo, shape (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    @cached_property
    def certainty(self) -> NDArray[np.float64]:
        """One minus the entropy of each photo's probabilities over its greatest value, shape (N,), 0 to 1."""
        return certainty_of(self.probabilities)

    @property
    def helps(self) -> bool:
        """Whether spreading names the photos that were left out as well as a head that learns from labels alone."""
        return self.left_out > 0 and self.right >= self.head_right

    @property
    def imbalance(self) -> float:
        """How many times as many photos the largest class is estimated to have as the smallest, strangers apart."""
        sizes = np.bincount(self.labels[~self.strangers], minlength=self.probabilities.shape[1])
        return float(sizes.max() / max(1, sizes.min()))

    @property
    def unequal(self) -> bool:
        """Whether the classes seem so unequal that spreading may do harm: 16 : 1 costs two points of accuracy."""
        return self.imbalance >= UNEQUAL


def certainty_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """One minus the entropy of probabilities (N, K) over log K, shape (N,), 0 to 1."""
    entropy = -(probabilities * np.log(np.maximum(probabilities, LEAST_SHARE))).sum(axis=1)
    return np.asarray(np.clip(1 - entropy / np.log(max(2, probabilities.shape[1])), 0, 1))


def is_offered(labels: Labels) -> bool:
    """Whether there are two classes with labels, and few enough labels for spreading to bring something.

    Confirmed ones do not count: whoever has begun to confirm can go on.
    """
    present = int((labels.counts > 0).sum())
    return present >= 2 and int(labels.judging.sum()) < OFFERED_BELOW * len(labels.classes)


def spread(pool: Pool, labels: Labels) -> SpreadLabels:
    """Spread labels through the graph of nearest neighbours, and check by leaving each out that it helps.

    Raises:
        ValueError: Fewer than two classes have labels.
    """
    if int((labels.counts > 0).sum()) < 2:
        raise ValueError("labels can be spread once two classes have some")
    spreading = eye_array(len(pool), format="csr") - REACH * pool.graph
    right, head_right, left_out = _left_out_one_at_a_time(pool, labels, spreading)
    strangers = _strangers(pool, labels)
    return SpreadLabels(_shares(spreading, labels), strangers, right, head_right, left_out)


def head_of(pool: Pool, labels: Labels, found: SpreadLabels | None = None) -> LinearHead:
    """A head that learns from the labelled photos and, where labels were spread, from the others by their certainty.

    Strangers, and photos that somebody has left out, have no part in it.

    Raises:
        ValueError: Fewer than two classes have labels.
    """
    if found is None:
        return LinearHead.fit(pool.values[labels.labelled], labels.known, len(labels.classes))
    weights = np.where(found.strangers | (labels.values == LEFT_OUT), 0, found.certainty)
    used = np.flatnonzero(weights > 0)
    return LinearHead.fit(pool.values[used], found.labels[used], len(labels.classes), weights[used])


def _shares(spreading: csr_array, labels: Labels) -> NDArray[np.float64]:
    """Solve for each class how much of its labels comes to each photo; each class sends out as much as the others.

    D. Zhou et al., "Learning with local and global consistency", NIPS 16 (2004).
    """
    shares = np.zeros((len(labels.values), len(labels.classes)))
    for number, count in enumerate(labels.counts):
        if count:
            shares[:, number] = _solved(spreading, (labels.values == number) / count)
    sums = shares.sum(axis=1, keepdims=True)
    alike = (labels.counts > 0) / (labels.counts > 0).sum()
    found = np.where(sums > LEAST_SHARE, shares / np.maximum(sums, LEAST_SHARE), alike)
    found[labels.labelled] = np.eye(len(labels.classes))[labels.known]
    return np.asarray(found, np.float64)


def _left_out_one_at_a_time(pool: Pool, labels: Labels, spreading: csr_array) -> tuple[int, int, int]:
    """How many labelled photos get their label back from the others by spreading, and from heads; and of how many.

    What comes to a photo from each other one is a row of the inverse, which is symmetric: one solution for each.
    """
    known, labelled = labels.known, labels.labelled
    judged = cross_validated(pool.values[labelled], known, pool.groups[labelled], labels.judging)
    if judged is None:
        return 0, 0, 0
    places = np.flatnonzero(labels.judging)
    tried = np.random.default_rng(0).permutation(len(places))[:MOST_LEFT_OUT]
    right = 0
    for place in places[tried]:
        reached = _solved(spreading, np.arange(len(pool)) == labelled[place])[labelled]
        reached[pool.groups[labelled] == pool.groups[labelled[place]]] = 0
        counts = np.maximum(labels.counts - np.eye(len(labels.classes), dtype=int)[known[place]], 1)
        shares = np.bincount(known, reached, len(labels.classes)) / counts
        right += int(shares.max() > 0 and shares.argmax() == known[place])
    return right, int(judged.right[tried].sum()), len(tried)


def _solved(spreading: csr_array, wanted: NDArray[np.generic]) -> NDArray[np.float64]:
    found, _ = cg(spreading, wanted.astype(np.float64), rtol=EXACT, maxiter=MOST_ROUNDS)
    return np.asarray(np.maximum(found, 0), np.float64)


def _strangers(pool: Pool, labels: Labels) -> NDArray[np.bool_]:
    """Which photos are further from the labelled ones than these are from each other, by the score of predictions."""
    rows, known = labels.labelled, labels.known
    probabilities = np.eye(len(labels.classes), dtype=np.float32)[known]
    paths = tuple(pool.paths[i] for i in rows)
    parts = np.full(len(rows), TRAINING, np.int8)
    reference = Embeddings(paths, known.astype(np.int32), parts, pool.features[rows], probabilities)
    scores = OutOfDistributionDetector.fit(reference).ood_scores(pool.features)
    found = are_out_of_distribution(scores)
    found[rows] = False
    return found
