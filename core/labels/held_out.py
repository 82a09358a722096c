"""How well each class fits each photo, by models that have learned neither from the photo nor from its group.

The model is kernel ridge regression on the classes: solved in closed form, so that five folds cost seconds, and so that
its prediction for each training photo, had that been left out, costs nothing more.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from core.evaluation.similarity import unit_rows
from core.labels.label_noise import likely_true

FOLDS = 5
"""Folds; each is predicted by a model that has learned from the others."""

RIDGE = 0.5
"""Weight of the squared coefficients, in relation to the kernel's 1 on the diagonal."""

WIDTH = 2.0
"""The kernel falls to exp(-2) at the median squared distance of two photos."""

DIRECTIONS = 512
"""Principal directions of the features that are used."""

FLATTENING = 0.125
"""Directions are divided by their variance to this power, so that rare differences count a little more."""

LANDMARKS = 2048
"""Photos, drawn at random, that all others are compared with. With fewer photos the solution is exact."""

BLOCK = 4096
"""Photos that are computed with at once: it bounds the memory."""

Values = NDArray[np.float32]
Labels = NDArray[np.intp]
Progress = Callable[[int, int], None]


def divide(labels: Labels, groups: Labels, seed: int) -> Labels:
    """The fold of each photo, shape (N,): classes spread evenly, groups kept together, at least two folds.

    A group goes with the class of its first photo.
    """
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((np.random.default_rng(seed).random(len(first)), labels[first]))
    of_group = np.empty(len(first), np.intp)
    of_group[order] = np.arange(len(first)) % min(FOLDS, max(2, len(first)))
    return of_group[numbers]


def scores(
    features: NDArray[np.generic], labels: Labels, classes: int, folds: Labels, seed: int, on_progress: Progress
) -> Values:
    """How well each class fits each photo, shape (N, K): about 1 for what it is, 0 for the others.

    A model learns twice: from the given labels, and then from what the labels of its photos probably are in truth,
    judged by leaving each of them out (`core.labels.label_noise`). Without that, wrong labels would vouch for each
    other. No label of a fold has any part in how its photos are scored.

    Args:
        features: Shape (N, D).
        labels: Shape (N,).
        classes: K.
        folds: Shape (N,): the fold of each photo.
        seed: Fixes which photos are landmarks.
        on_progress: Receives the number of folds done and of all; may raise to stop.
    """
    mapped = _compared(_flattened(unit_rows(features)), seed)
    products = (mapped.T @ mapped).astype(np.float64)
    found = np.zeros((len(labels), classes), np.float32)
    count = int(folds.max()) + 1
    on_progress(0, count)
    for fold in range(count):
        inside = folds == fold
        if inside.any() and not inside.all():
            ours = mapped[inside]
            found[inside] = _judged(mapped[~inside], labels[~inside], classes, products - ours.T @ ours, ours)
        on_progress(fold + 1, count)
    return found


def _judged(known: Values, labels: Labels, classes: int, products: NDArray[np.float64], unseen: Values) -> Values:
    """Scores of unseen photos, from labels that were first corrected as far as the known photos themselves allow."""
    products[np.diag_indices_from(products)] += RIDGE
    inverse = cho_solve(cho_factor(products), np.eye(len(products))).astype(np.float32)
    targets = np.eye(classes, dtype=np.float32)[labels]
    left_out = _left_out(known, targets, inverse)
    targets = likely_true(left_out, labels)[0].astype(np.float32)
    mean = targets.mean(axis=0)
    answer: Values = unseen @ (inverse @ (known.T @ (targets - mean))) + mean
    return answer


def _left_out(known: Values, targets: Values, inverse: Values) -> Values:
    """The prediction for each photo, had the model not learned from it.

    The residual divided by one minus the leverage: R. D. Cook, "Detection of influential observation in linear
    regression", Technometrics 19 (1977).
    """
    mean = targets.mean(axis=0)
    fitted = known @ (inverse @ (known.T @ (targets - mean))) + mean
    blocks = [known[start : start + BLOCK] for start in range(0, len(known), BLOCK)]
    leverage = np.concatenate([((rows @ inverse) * rows).sum(axis=1) for rows in blocks])
    left_out: Values = targets - (targets - fitted) / np.maximum(1 - leverage, 1e-3)[:, None]
    return left_out


def _flattened(values: Values) -> Values:
    """The principal directions of features, shape (N, at most `DIRECTIONS`), the weaker ones made a little stronger."""
    centred = values - values.mean(axis=0)
    variances, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(values))
    variances, directions = variances[::-1][:DIRECTIONS], directions[:, ::-1][:, :DIRECTIONS]
    there = variances > 1e-7 * max(float(variances[0]), 1e-12)
    scale = np.where(there, np.where(there, variances, 1) ** -FLATTENING, 0)
    flattened: Values = centred @ (directions * scale).astype(np.float32)
    return flattened


def _compared(values: Values, seed: int) -> Values:
    """Features (N, M) whose products are a Gaussian kernel, by M landmarks.

    C. Williams and M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS 13 (2001).
    """
    random = np.random.default_rng(seed)
    landmarks = values[np.sort(random.choice(len(values), min(LANDMARKS, len(values)), replace=False))]
    between = _squared_distances(landmarks, landmarks)
    width = float(np.median(between[np.triu_indices(len(between), 1)])) if len(between) > 1 else 0.0
    falls = WIDTH / (width if width > 0 else 1.0)
    kernel = np.exp(-falls * between.astype(np.float64))
    kernel[np.diag_indices_from(kernel)] += 1e-4  # copies of a photo would make it singular
    root = cholesky(kernel, lower=True).astype(np.float32)
    mapped = np.empty((len(values), len(landmarks)), np.float32)
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        to_landmarks = np.exp(-falls * _squared_distances(landmarks, values[rows]))
        mapped[rows] = solve_triangular(root, to_landmarks, lower=True, check_finite=False).T
    return mapped


def _squared_distances(one: Values, other: Values) -> Values:
    found = np.einsum("nd,nd->n", one, one)[:, None] + np.einsum("nd,nd->n", other, other) - 2 * one @ other.T
    distances: Values = np.maximum(found, 0)
    return distances
