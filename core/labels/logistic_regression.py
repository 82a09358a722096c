"""Logistic regression on shares of classes, by L-BFGS: scikit-learn takes labels alone, and double precision."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

MOST_ROUNDS = 25
"""Rounds of L-BFGS; what comes after changes no average precision of docs/label-checks.md by more than 0.001."""

BLOCK = 4096
"""Photos that are computed with at once: it bounds the memory."""

Values = NDArray[np.float32]


def fitted(values: Values, targets: Values, penalty: float, rounds: int = MOST_ROUNDS) -> tuple[Values, Values]:
    """Weights (D, K) and biases (K,) under which values (N, D) make targets (N, K) most likely.

    Minimises the cross-entropy, summed over photos, plus half the penalty times the sum of the squared weights, in at
    most so many rounds. A row of targets holds the shares of the classes, times how much the photo counts.
    """
    shape = values.shape[1] + 1, targets.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = flat.reshape(shape)
        weights, biases = both[:-1].astype(np.float32), both[-1].astype(np.float32)
        total, slope = penalty / 2 * float((both[:-1] ** 2).sum()), np.zeros(shape)
        slope[:-1] = penalty * both[:-1]
        for start in range(0, len(values), BLOCK):
            rows, wanted = values[start : start + BLOCK], targets[start : start + BLOCK]
            logits = rows @ weights + biases
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits)
            sums = shares.sum(axis=1, keepdims=True)
            counted = wanted.sum(axis=1, keepdims=True)
            total += float((np.log(sums) * counted).sum() - (wanted * logits).sum())
            error = shares / sums * counted - wanted
            slope[:-1] += rows.T @ error
            slope[-1] += error.sum(axis=0)
        return total, slope.ravel()

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    both = found.x.reshape(shape).astype(np.float32)
    return both[:-1], both[-1]
