"""Where the head starts: at the logistic regression on the frozen features, instead of at random weights.

A head that begins at random needs some hundred steps; few photos give a handful in an epoch. What fine-tuning begins
with matters as much: a half-trained head distorts the features it is put on (Kumar et al., "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", arXiv 2202.10054).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.labels.logistic_regression import fitted

SQUARED_LENGTH = 0.01
"""Mean square of a feature's distance from its mean to which features are scaled, so that one penalty suits all."""

PENALTY = 0.001
"""Of the squared weights, on features scaled so, for each photo; within the bounds below."""

LEAST_PENALTY, MOST_PENALTY = 0.01, 0.1

MOST_ROUNDS = 300
"""Of L-BFGS; so many that the solution is that of any other solver."""


def penalty_for(photos: float) -> float:
    """The penalty for so many training photos; one that counts half is half a photo."""
    return min(MOST_PENALTY, max(LEAST_PENALTY, PENALTY * photos))


def regression_head(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    classes: int,
    weights: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The kernel (D, K) and the bias (K,) of a head with softmax, by logistic regression with an L2 penalty.

    Args:
        features: (N, D), of training photos.
        labels: (N,), in [0, K).
        classes: Number of classes K.
        weights: (N,), how much each photo counts; None if all do alike.
    """
    middle = features.mean(axis=0)
    scale = np.float32(np.sqrt(SQUARED_LENGTH / max(1e-12, float(((features - middle) ** 2).mean()))))
    targets = np.eye(classes, dtype=np.float32)[labels]
    if weights is not None:
        targets *= weights[:, None]
    kernel, bias = fitted((features - middle) * scale, targets, penalty_for(float(targets.sum())), MOST_ROUNDS)
    kernel = kernel * scale
    return kernel, bias - middle @ kernel


def beside_learned(
    learned: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]], known: Sequence[int]
) -> list[NDArray[np.float32]]:
    """A head, kernel (D, K) and bias (K,), in which some classes keep what they have learned and the others start.

    Softmax does not change when all classes get the same added, so learned columns and those of a regression are on
    scales of their own. The learned ones are moved together, such that their mean is that of the regression's for the
    same classes.

    Args:
        learned: Kernel and bias of the head that has learned the known classes.
        found: Those of the regression, of all classes.
        known: The numbers of the classes that keep theirs, each in [0, K).
    """
    places, result = list(known), [np.array(each) for each in found]
    for new, old in zip(result, learned, strict=True):
        if places:
            mine = old[..., places]
            shift = new[..., places].mean(axis=-1, keepdims=True) - mine.mean(axis=-1, keepdims=True)
            new[..., places] = mine + shift
    return result
