import keras
import numpy as np
import pytest

from core.errors import RecipeError
from core.models.backbones import backbone
from core.models.heads import POOLING_LAYERS, Head, attach, feature_width, features_of, pooled_features_of


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


@pytest.mark.parametrize("pooling", POOLING_LAYERS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_pooling_makes_features_of_a_map(pooling: str, batch_norm: bool) -> None:
    features = keras.Input((4, 4, 6))
    model = keras.Model(features, attach(features, Head(pooling=pooling, batch_norm=batch_norm), 3))
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 6)).astype("float32")
    read = np.asarray(keras.Model(features, pooled_features_of(model))(maps))
    expected = {"average": maps.mean(axis=(1, 2)), "max": maps.max(axis=(1, 2)), "flatten": maps.reshape(2, -1)}
    np.testing.assert_allclose(read, expected[pooling], rtol=1e-5, atol=1e-6)
    assert ("head_norm" in [layer.name for layer in model.layers]) is batch_norm
    assert features_of(model) is features


def test_the_seed_fixes_the_first_weights_whatever_was_built_before() -> None:
    def first(seed: int) -> np.ndarray:
        features = keras.Input((6,))
        kernel = keras.Model(features, attach(features, Head(seed=seed), 3)).get_layer("head").get_weights()[0]
        return np.asarray(kernel)

    one = first(4)
    keras.layers.Dense(3).build((None, 7))
    np.testing.assert_array_equal(first(4), one)
    assert (first(5) != one).any()


def test_a_flattened_map_is_as_wide_as_it_is() -> None:
    b0 = backbone("efficientnet-b0")
    widths = {pooling: feature_width(b0, pooling) for pooling in POOLING_LAYERS}
    assert widths == dict.fromkeys(POOLING_LAYERS, 1280) | {"flatten": 7 * 7 * 1280}
    assert feature_width(backbone("baseline-cnn"), "flatten") == 128


def test_a_pooling_that_there_is_not_is_refused() -> None:
    with pytest.raises(RecipeError, match="pooling is 'median', but must be one of average, max, flatten"):
        Head(pooling="median")
