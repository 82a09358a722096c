"""How well each class fits each photo, by models that have learned neither from the photo nor from its group.

The model is kernel ridge regression on the classes: solved in closed form from sums over photos, so that leaving out
a fold, or two, costs no more than solving once more.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, eigh, solve_triangular

from core.evaluation.similarity import unit_rows
from core.labels import logistic_regression
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

PENALTY = 0.4
"""Of the logistic regression, on directions whose mean squared length is 1."""

MOST_VALUES = 1_000_000
"""Photos times classes from which on there is no logistic regression: it would take longer than all else."""

LANDMARKS = 2048
"""Photos, drawn at random, that all others are compared with. With fewer photos the solution is exact."""

INNER_LANDMARKS = 1024
"""Of them, those that the models without two folds have, of which only the likely labels are taken."""

MOST_IN_SINGLE = 20_000
"""Photos up to which single precision is enough to solve a ridge regression: its condition grows with them."""

MOST_MAPPED = 150_000_000
"""Photos times landmarks: with more photos there are fewer landmarks, so that they fit into memory."""

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


class Fold(NamedTuple):
    """What a fold's models say.

    Attributes:
        photos: Positions of its n photos.
        scores: Shape (n, K): how well each class fits each, about 1 for what it is, 0 for the others.
        known: Positions of the m photos that its model has learned from.
        likely: Shape (m, K): the probability of each of their true classes, by which it was taught.
    """

    photos: Labels
    scores: Values
    known: Labels
    likely: Values


def scores(
    features: NDArray[np.generic], labels: Labels, classes: int, folds: Labels, seed: int, on_progress: Progress
) -> Values:
    """How well each class fits each photo, shape (N, K), as `by_fold` finds it and with its arguments."""
    found = np.zeros((len(labels), classes), np.float32)
    for fold in by_fold(features, labels, classes, folds, seed, on_progress):
        found[fold.photos] = fold.scores
    return found


def by_fold(
    features: NDArray[np.generic], labels: Labels, classes: int, folds: Labels, seed: int, on_progress: Progress
) -> Iterator[Fold]:
    """Judge the photos of each fold by a model that has learned from the others.

    It learns from what the labels of its photos probably are in truth, judged by models that have learned from neither
    their folds nor this one (`core.labels.label_noise`). Without that, wrong labels would vouch for each other. No
    label of a fold has any part in how its photos are scored.

    Args:
        features: Shape (N, D).
        labels: Shape (N,).
        classes: K.
        folds: Shape (N,): the fold of each photo.
        seed: Fixes which photos are landmarks.
        on_progress: Receives the number of models fitted and of all; may raise to stop.
    """
    order = np.argsort(folds, kind="stable")
    ends = np.searchsorted(folds[order], np.arange(int(folds.max()) + 2))
    parts = [slice(first, last) for first, last in pairwise(ends) if last > first]
    flat = _flattened(features, order)
    ridge = _Ridge(_compared(flat, seed), np.eye(classes, dtype=np.float32)[labels[order]], parts)
    linear = len(labels) * classes <= MOST_VALUES
    flat = flat / max(float(np.sqrt(np.einsum("nd,nd->n", flat, flat).mean())), 1e-6) if linear else flat[:0]
    numbers = range(len(parts))
    pairs = list(combinations(numbers, 2)) if len(parts) > 2 else []
    total = len(pairs) + len(parts)
    on_progress(0, total)
    inner: dict[tuple[int, int], Values] = {}
    for done, (one, other) in enumerate(pairs, 1):
        inner[one, other], inner[other, one] = ridge.predictions((one, other))
        on_progress(done, total)
    for fold in numbers if len(parts) > 1 else ():
        others = [number for number in numbers if number != fold]
        known, likely, sharpness = order[_joined(parts, others)], None, 0.0
        if pairs:
            found = np.concatenate([inner.pop((fold, number)) for number in others])
            likely, _, sharpness = likely_true(found, labels[known])
        taught = np.eye(classes, dtype=np.float32)[labels[known]] if likely is None else likely
        [judged] = ridge.predictions((fold,), taught)
        if linear and sharpness:
            weights, biases = logistic_regression.fitted(flat[_joined(parts, others)], taught, PENALTY)
            judged += (flat[parts[fold]] @ weights + biases) / sharpness
        yield Fold(order[parts[fold]], judged, known, taught)
        on_progress(len(pairs) + fold + 1, total)


def _joined(parts: Sequence[slice], numbers: Sequence[int]) -> Labels:
    return np.concatenate([np.arange(parts[number].start, parts[number].stop) for number in numbers])


class _Ridge:
    """Ridge regressions of targets (N, K) on values (N, M), each without one or two parts of the photos.

    They are solved from sums over photos, from which those of a part are taken off.
    """

    def __init__(self, values: Values, targets: Values, parts: Sequence[slice]) -> None:
        kind = np.float32 if len(values) <= MOST_IN_SINGLE else np.float64
        self._values, self._targets, self._parts = values, targets, parts
        self._products = [values[part].T @ values[part] for part in parts]
        self._all_products = np.zeros((values.shape[1], values.shape[1]), kind)
        for product in self._products:
            self._all_products += product
        self._all_products[np.diag_indices(values.shape[1])] += RIDGE
        self._sums = [values[part].sum(axis=0) for part in parts]
        self._both = [values[part].T @ targets[part] for part in parts]

    def predictions(self, without: tuple[int, ...], targets: Values | None = None) -> list[Values]:
        """For the parts without which is learned; the last one first. `targets` take the place of those of the rest.

        Without two parts, only the first `INNER_LANDMARKS` values are looked at.
        """
        width = INNER_LANDMARKS if len(without) > 1 else LANDMARKS
        products = self._all_products[:width, :width].copy()
        for number in without:
            products -= self._products[number][:width, :width]
        rest = [number for number in range(len(self._parts)) if number not in without]
        sums = np.sum([self._sums[number][:width] for number in rest], axis=0)
        if targets is None:
            mean = np.concatenate([self._targets[self._parts[number]] for number in rest]).mean(axis=0)
            both = np.sum([self._both[number][:width] for number in rest], axis=0)
        else:
            mean, both, first = targets.mean(axis=0), 0.0, 0
            for number in rest:
                values = self._values[self._parts[number], :width]
                both += values.T @ targets[first : first + len(values)]
                first += len(values)
        factor = cho_factor(products.T, overwrite_a=True, check_finite=False)  # symmetric, and so it is not copied
        weights = cho_solve(factor, both - np.outer(sums, mean), check_finite=False).astype(np.float32)
        return [self._values[self._parts[number], :width] @ weights + mean for number in reversed(without)]


def _flattened(features: NDArray[np.generic], order: Labels) -> Values:
    """Principal directions of features in an order, (N, at most `DIRECTIONS`), weaker ones made a little stronger."""
    blocks = [order[start : start + BLOCK] for start in range(0, len(order), BLOCK)]
    mean = sum(unit_rows(features[rows]).sum(axis=0, dtype=np.float64) for rows in blocks) / len(order)
    mean = np.asarray(mean, np.float32)
    products = np.zeros((len(mean), len(mean)))
    for rows in blocks:
        centred = unit_rows(features[rows]) - mean
        products += centred.T @ centred
    least = max(0, len(mean) - DIRECTIONS)
    found = (products / len(order)).astype(np.float32)
    variances, directions = eigh(found, subset_by_index=(least, len(mean) - 1), check_finite=False)
    variances, directions = variances[::-1], directions[:, ::-1]
    there = variances > 1e-6 * max(float(variances[0]), 1e-12)
    scale = np.where(there, np.where(there, variances, 1) ** -FLATTENING, 0)
    scaled = (directions * scale).astype(np.float32)
    flattened = np.empty((len(order), scaled.shape[1]), np.float32)
    for start, rows in enumerate(blocks):
        flattened[start * BLOCK : start * BLOCK + len(rows)] = (unit_rows(features[rows]) - mean) @ scaled
    return flattened


def _compared(values: Values, seed: int) -> Values:
    """Features (N, M) whose products are a Gaussian kernel, by M landmarks.

    C. Williams and M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS 13 (2001).
    """
    random = np.random.default_rng(seed)
    count = min(LANDMARKS, len(values), max(1, MOST_MAPPED // len(values)))
    landmarks = values[random.choice(len(values), count, replace=False)]
    between = _squared_distances(landmarks, landmarks)
    width = float(np.median(between[~np.tri(len(between), dtype=bool)])) if len(between) > 1 else 0.0
    falls = np.float32(WIDTH / (width if width > 0 else 1.0))
    kernel = _falling(between, falls).astype(np.float64)
    kernel[np.diag_indices_from(kernel)] += 1e-4  # copies of a photo would make it singular
    root = cholesky(kernel.T, lower=True, overwrite_a=True, check_finite=False).astype(np.float32)
    mapped = np.empty((len(values), len(landmarks)), np.float32)
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        to_landmarks = _falling(_squared_distances(values[rows], landmarks), falls).T
        mapped[rows] = solve_triangular(root, to_landmarks, lower=True, overwrite_b=True, check_finite=False).T
    return mapped


def _falling(distances: Values, falls: np.float32) -> Values:
    """The kernel of squared distances, in their place."""
    distances *= -falls
    return np.exp(distances, out=distances)


def _squared_distances(one: Values, other: Values) -> Values:
    distances = one @ (-2 * other.T)
    distances += np.einsum("nd,nd->n", one, one)[:, None]
    distances += np.einsum("nd,nd->n", other, other)
    return np.asarray(np.maximum(distances, 0, out=distances))
