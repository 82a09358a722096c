"""How often labels of one class are given to photos of another, and which given label is probably a wrong one.

The model: a photo's true class j has the probability softmax(t · scores)_j, and a photo of class j is given the label i
with the probability T_ji. Sharpness t and matrix T are those under which the given labels are the most likely, found by
expectation maximisation. Without T, difficult photos could not be distinguished from mislabelled ones.

Sources: A. Dawid and A. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied
Statistics 28 (1979), with one observer; J. Goldberger and E. Ben-Reuven, "Training deep neural networks using a noise
adaptation layer", ICLR 2017; T. Minka, "Estimating a Dirichlet distribution", MIT (2000), for the prior's strength.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, softmax

ROUNDS = 20
"""Of expectation maximisation. With few photos, many more would make t small enough to explain wrong labels away."""

PRIORS = (30.0, 100.0, 300.0, 1000.0)
"""Photos of each class that are thought to have been seen with wrong labels spread evenly, besides the real ones.

The number is taken under which the labels are the most likely: few, where classes are taken for each other unevenly.
"""

USUAL_PRIOR, MOST_TAKEN = 300.0, 100
"""The number for more classes than these, where looking for it would take too long."""

FIRST_SHARE, LEAST_SHARE, GREATEST_SHARE = 0.05, 0.005, 0.4
"""Of wrong labels: where the search begins, and where it ends; beyond, nothing would be left to learn from."""

FIRST_SHARPNESS, SHARPNESS = 20.0, (0.1, 50.0)
"""Where the search for t begins, rather too sure, so that clear contradictions count as wrong labels; its limits."""

MOST_VALUES = 4_000_000
"""Photos times classes from which t and T are found; of more photos, every second, every third and so on is taken."""

Matrix = NDArray[np.float64]
Values = NDArray[np.float32]
Labels = NDArray[np.intp]


class Likely(NamedTuple):
    """Probabilities of each true class.

    Attributes:
        after: Shape (N, K): knowing the given label.
        before: Shape (N, K): not knowing it.
        sharpness: By which scores are multiplied, t.
    """

    after: Values
    before: Values
    sharpness: float


def likely_true(scores: Values, labels: Labels) -> Likely:
    """Probabilities of each true class, from scores and given labels.

    Args:
        scores: Shape (N, K): how well each class fits, by a model that has not learned from the photo.
        labels: Shape (N,): the given ones.
    """
    step = -(-scores.size // MOST_VALUES)
    sharpness, given_as = _fitted(scores[::step], labels[::step])
    before: Values = softmax(np.float32(sharpness) * scores, axis=1)
    after = before * given_as.T[labels].astype(np.float32)
    after /= after.sum(axis=1, keepdims=True)
    return Likely(after, before, sharpness)


def _fitted(scores: Values, labels: Labels) -> tuple[float, Matrix]:
    """Sharpness t, and T (K, K) with rows that sum to 1."""
    sharpness, given_as = FIRST_SHARPNESS, _evenly(FIRST_SHARE, scores.shape[1])
    for _ in range(ROUNDS):
        before = softmax(np.float32(sharpness) * scores, axis=1)
        after = before * given_as.T[labels].astype(np.float32)
        after /= after.sum(axis=1, keepdims=True)
        given_as = _counted(after, labels)
        sharpness = _sharper(sharpness, scores, before, after)
    return sharpness, given_as


def _counted(after: Values, labels: Labels) -> Matrix:
    """T, from how many photos of each class have each label; it is drawn to wrong labels that are spread evenly."""
    classes = after.shape[1]
    order = np.argsort(labels, kind="stable")
    present, first = np.unique(labels[order], return_index=True)
    counts = np.zeros((classes, classes))
    counts[:, present] = np.add.reduceat(after[order].astype(np.float64), first, axis=0).T
    share = np.clip(1 - np.trace(counts) / len(labels), LEAST_SHARE, GREATEST_SHARE)
    expected = _evenly(float(share), classes)
    priors = PRIORS if classes <= MOST_TAKEN else (USUAL_PRIOR,)
    prior = max(priors, key=lambda each: _evidence(counts, each * expected))
    drawn: Matrix = (counts + prior * expected) / (counts.sum(axis=1, keepdims=True) + prior)
    return drawn


def _evidence(counts: Matrix, prior: Matrix) -> float:
    """The logarithm of how likely counts (K, K) are where each row of T has a Dirichlet prior with these parameters."""
    rows = gammaln(prior.sum(axis=1)) - gammaln((prior + counts).sum(axis=1))
    return float(rows.sum() + (gammaln(prior + counts) - gammaln(prior)).sum())


def _sharper(sharpness: float, scores: Values, before: Values, after: Values) -> float:
    """A step of Newton's method for log t, at most by half, towards what makes `after` the most likely."""
    mean = (before * scores).sum(axis=1)
    slope = sharpness * float(((after * scores).sum(axis=1) - mean).mean())
    bend = sharpness**2 * float(((before * scores**2).sum(axis=1) - mean**2).mean())
    return float(np.clip(sharpness * np.exp(np.clip(slope / (bend + 1e-9), -0.5, 0.5)), *SHARPNESS))


def _evenly(share: float, classes: int) -> Matrix:
    spread = np.full((classes, classes), share / max(classes - 1, 1))
    np.fill_diagonal(spread, 1 - share if classes > 1 else 1)
    return spread
