"""A linear head on frozen features: fitted to a few labels within a moment, and judged by cross-validation.

Scikit-learn is imported only where it is used: loading it takes as long as the rest of the server together.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.evaluation.metrics import accuracy_interval

PENALTY = 1.0
"""Weight of half the squared coefficients, on values of the length that `core.labelling.pool` gives them."""

MOST_ROUNDS = 200
"""Rounds of L-BFGS."""

MOST_FOLDS = 20
"""Folds of the cross-validation; with fewer photos each is left out alone."""

FEWEST_JUDGED = 6
"""Labelled photos below which nothing is said of a head."""

Values = NDArray[np.float32]
Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Multinomial logistic regression with an L2 penalty, on D values, for K classes of which some may be unknown.

    Attributes:
        model: What was fitted, a `LogisticRegression` of scikit-learn.
        classes: K.
    """

    model: Any
    classes: int

    @classmethod
    def fit(
        cls, values: Values, labels: Positions, classes: int, weights: NDArray[np.floating] | None = None
    ) -> "LinearHead":
        """Fit a head to M photos.

        Args:
            values: Shape (M, D), see `core.labelling.pool.Pool.as_values`.
            labels: Shape (M,), 0..K-1.
            classes: K.
            weights: Shape (M,), how much each photo counts, 0 to 1; None for all alike.

        Raises:
            ValueError: All labels are the same.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1 / PENALTY, max_iter=MOST_ROUNDS)
        with threadpool_limits(1), warnings.catch_warnings():  # see `core.evaluation.embedding_map`
            warnings.simplefilter("ignore", ConvergenceWarning)
            return cls(model.fit(values, labels, weights), classes)

    def probabilities(self, values: Values) -> NDArray[np.float64]:
        """The probability of each class for Q photos (Q, D), shape (Q, K); 0 for classes that it does not know."""
        found = np.zeros((len(values), self.classes))
        if len(values):
            found[:, self.model.classes_] = self.model.predict_proba(values)
        return found


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """How heads did on labelled photos that they had not learned from.

    Attributes:
        right: Shape (M,), whether each of the M photos was named rightly.
    """

    right: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """The share of them, 0 to 1."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, see `core.evaluation.metrics.accuracy_interval`."""
        return accuracy_interval(int(self.right.sum()), len(self.right))


def cross_validated(
    values: Values, labels: Positions, groups: NDArray[np.int64], judging: NDArray[np.bool_] | None = None
) -> CrossValidated | None:
    """Judge each of M labelled photos by a head that has learned neither from it nor from what looks like it.

    A photo that is the only one of its class cannot be named rightly, and counts as wrong. Nothing is said, and None
    returned, by fewer than `FEWEST_JUDGED` photos, or of a single class.

    Args:
        values: Shape (M, D).
        labels: Shape (M,).
        groups: Shape (M,): photos with the same number look alike.
        judging: Shape (M,): the photos that are judged; the others are only learned from. None for all.
    """
    from sklearn.model_selection import GroupKFold

    apart = len(np.unique(groups))
    judged = np.ones(len(labels), bool) if judging is None else judging
    if judged.sum() < FEWEST_JUDGED or apart < 2 or len(np.unique(labels)) < 2:
        return None
    right = np.zeros(len(labels), bool)
    for known, asked in GroupKFold(min(MOST_FOLDS, apart), shuffle=True, random_state=0).split(values, None, groups):
        right[asked] = named(values[known], labels[known], values[asked]) == labels[asked]
    return CrossValidated(right[judged])


def named(values: Values, labels: Positions, asked: Values) -> Positions:
    """The class that a head fitted to photos (M, D) and labels (M,) gives to others (Q, D), shape (Q,)."""
    if len(np.unique(labels)) < 2:
        return np.full(len(asked), labels[0], np.intp)
    return np.asarray(LinearHead.fit(values, labels, int(labels.max()) + 1).model.predict(asked), np.intp)
