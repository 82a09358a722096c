import keras
import numpy as np
import pytest

from core.errors import RecipeError
from core.models.heads import Head, attach, features_of


@pytest.mark.parametrize("shape", [(4, 4, 6), (6,)])
def test_a_head_gives_probabilities_from_maps_and_from_features(shape: tuple[int, ...]) -> None:
    features = keras.Input(shape)
    model = keras.Model(features, attach(features, Head(), 3))
    answer = np.asarray(model(np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")))
    assert answer.shape == (5, 3) and answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-6)
    assert [layer.name for layer in model.layers[1:]] == ["pool", "head_dropout", "head"][len(shape) == 1 :]
    assert features_of(model) is features


def test_dropout_is_the_heads() -> None:
    features = keras.Input((6,))
    model = keras.Model(features, attach(features, Head(dropout=0.5), 2))
    assert model.get_layer("head_dropout").rate == 0.5


@pytest.mark.parametrize("dropout", [-0.1, 0.91, float("nan")])
def test_dropout_out_of_range_is_refused(dropout: float) -> None:
    with pytest.raises(RecipeError, match=r"dropout is .* but must be between 0 and 0.9"):
        Head(dropout=dropout)


def test_one_class_is_no_classifier() -> None:
    with pytest.raises(RecipeError, match="asked for 1 classes, but needs at least 2"):
        attach(keras.Input((6,)), Head(), 1)
