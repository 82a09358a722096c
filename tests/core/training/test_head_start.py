import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.training.head_start import penalty_for, regression_head

D = 40


def clouds(photos: int, classes: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Features of so many photos, one overlapping cloud for each class, far from zero and not of unit size."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(0, 1.0, (classes, D))
    labels = np.arange(photos, dtype=np.int32) % classes
    return (7 + 3 * (centres[labels] + random.normal(0, 1.5, (photos, D)))).astype(np.float32), labels


def shares(features: NDArray[np.float32], head: tuple[NDArray[np.float32], NDArray[np.float32]]) -> NDArray[np.float64]:
    logits = (features @ head[0] + head[1]).astype(np.float64)
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_head_predicts_as_a_logistic_regression_does(classes: int, weighted: bool) -> None:
    features, labels = clouds(60, classes)
    weights = np.random.default_rng(1).uniform(0.1, 1, 60).astype(np.float32) if weighted else None
    head = regression_head(features, labels, classes, weights)
    assert (head[0].shape, head[1].shape) == ((D, classes), (classes,))
    middle = features.mean(axis=0)
    scale = np.sqrt(0.01 / ((features - middle) ** 2).mean())
    inverse = (2 if classes == 2 else 1) / penalty_for(60 if weights is None else weights.sum())
    theirs = LogisticRegression(C=inverse, max_iter=1000, tol=1e-6).fit((features - middle) * scale, labels, weights)
    new, _ = clouds(200, classes, seed=1)
    np.testing.assert_allclose(shares(new, head), theirs.predict_proba((new - middle) * scale), atol=1e-3)


def test_it_is_better_than_guessing_on_photos_it_has_not_seen() -> None:
    head = regression_head(*clouds(30, 3), 3)
    new, truth = clouds(300, 3, seed=2)
    assert (shares(new, head).argmax(axis=1) == truth).mean() > 0.8


def test_features_that_say_nothing_give_the_shares_of_the_classes() -> None:
    labels = np.array([0, 0, 0, 1], np.int32)
    head = regression_head(np.ones((4, D), np.float32), labels, 2)
    np.testing.assert_allclose(shares(np.ones((1, D), np.float32), head), [[0.75, 0.25]], atol=1e-3)
