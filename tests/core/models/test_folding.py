from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from core.models.backbones import Backbone, backbone
from core.models.build import build_model
from core.models.folding import FoldedConvolution, PassThrough, Swish, folded_network
from core.models.heads import Head
from core.models.trainable import choose_learning, learner_of
from tests.conftest import FAMILIES
from tests.thorough import cases

SIDE = 32
STEPS = 2
TOLERANCE = 1e-4
"""How far two ways to compute the same in float32 may be apart, relative to their length."""

CLOSE = 1e-6
"""The same where networks compute in float64, but for the head's probabilities."""

LABELS = np.array([0, 1, 2, 0])

Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture
def exactly() -> Iterator[None]:
    """Networks built inside compute in float64.

    Whether two networks learn the same cannot be judged in float32: how much of a gradient is rounding depends on the
    processor's instructions, and Adam makes a step of full size even of a gradient that is rounding alone.
    """
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(usual)


def photos(count: int, side: int = SIDE, seed: int = 1) -> NDArray[np.float32]:
    """Coarse patterns, each photo with another one, because a network takes all fine noise for the same."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3))
    return coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2).astype(np.float32)


def lively(key: str, dropout: float = 0.0) -> tuple[keras.Model, Backbone]:
    """A classifier of tiny photos with random weights, whose BatchNorm and biases do something, as if it had learned.

    Statistics are those of photos. Scales are smaller and shifts larger than those of a fresh network, so that
    rounding grows little from layer to layer.
    """
    keras.utils.set_random_seed(0)
    row = replace(backbone(key), resolution=SIDE)
    model = build_model(row, Head(dropout=dropout), 3, None)
    random = np.random.default_rng(0)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.gamma.assign(random.uniform(0.2, 0.7, norm.gamma.shape))
        norm.beta.assign(random.normal(0, 0.6, norm.beta.shape))
        norm.momentum = 0.0
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    model(photos(16), training=True)
    for norm, usual in zip(norms, momentum, strict=True):
        norm.momentum = usual
        norm.moving_variance.assign(norm.moving_variance * random.uniform(0.9, 1.2, norm.gamma.shape))
    kernel = model.get_layer("head").kernel
    kernel.assign(random.normal(0, 0.02, kernel.shape))  # small, so that a step changes the loss by little
    return model, row


def answer(model: keras.Model, inputs: Any) -> NDArray[np.float32]:
    return np.asarray(model(inputs, training=False))


def distance(got: Any, expected: Any) -> float:
    """How far arrays are apart, relative to the length of the second."""
    got, expected = np.asarray(got), np.asarray(expected)
    return float(np.linalg.norm(got - expected) / max(float(np.linalg.norm(expected)), 1e-12))


def state(model: keras.Model) -> dict[Any, NDArray[Any]]:
    """Everything that a model holds, seeds of Dropout too."""
    return {id(variable): np.asarray(keras.ops.convert_to_numpy(variable)).copy() for variable in model.variables}


def reset(model: keras.Model, values: dict[Any, NDArray[Any]]) -> None:
    for variable in model.variables:
        variable.assign(values[id(variable)])


def train(network: keras.Model, model: keras.Model) -> tuple[list[float], Arrays, Arrays]:
    """Losses, first gradients and the model's weights after steps on a network that shares them."""
    losses, first = [], {}
    optimizer, variables = keras.optimizers.SGD(1e-3, momentum=0.9), network.trainable_variables
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            probabilities = network(photos(4), training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(LABELS, probabilities))
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        if step == 0:
            first = {variable.path: value.numpy() for variable, value in zip(variables, gradients, strict=True)}
        optimizer.apply(gradients, variables)
        losses.append(float(loss))
    return losses, first, {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.weights}


def assert_same_training(folded: keras.Model, model: keras.Model) -> None:
    before = state(model)
    losses, gradients, weights = train(model, model)
    reset(model, before)
    folded_losses, folded_gradients, folded_weights = train(folded, model)
    np.testing.assert_allclose(folded_losses, losses, rtol=CLOSE)
    assert folded_gradients.keys() == gradients.keys() and gradients
    assert max(distance(folded_gradients[path], gradients[path]) for path in gradients) < CLOSE
    assert max(distance(folded_weights[path], weights[path]) for path in weights) < CLOSE
    assert losses[-1] != losses[0]


@pytest.mark.usefixtures("exactly")
@pytest.mark.parametrize("key", cases(FAMILIES, "efficientnet-lite0"))
def test_a_folded_network_computes_and_learns_as_its_original_with_every_norm_folded(key: str) -> None:
    model, row = lively(key)
    choose_learning(model, row, "all")
    folded = folded_network(model)
    norms_folded = [layer for layer in folded.layers if isinstance(layer, FoldedConvolution)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms_folded) == len(norms) == sum(isinstance(layer, PassThrough) for layer in folded.layers)
    expected = answer(model, photos(4))
    assert np.ptp(expected, axis=0).max() > 0.01, "the photos must not all look the same to the model"
    assert distance(answer(folded, photos(4)), expected) < CLOSE
    assert_same_training(folded, model)


@pytest.mark.thorough
@pytest.mark.usefixtures("exactly")
def test_a_folded_network_leaves_out_the_same_blocks_and_features_by_the_same_seeds() -> None:
    model, row = lively("efficientnet-lite0", dropout=0.3)
    choose_learning(model, row, "block2", drop_connect=0.2)
    folded = folded_network(model)
    before = state(model)
    noisy = [np.asarray(model(photos(4), training=True)) for _ in range(2)]
    assert distance(*noisy) > 1e-3, "Dropout must do something"
    reset(model, before)
    assert distance(folded(photos(4), training=True), noisy[0]) < CLOSE
    reset(model, before)
    assert_same_training(folded, model)


@pytest.mark.thorough
@pytest.mark.usefixtures("exactly")
def test_from_scratch_nothing_is_folded_and_norms_learn_the_same() -> None:
    model, row = lively("efficientnet-lite0")
    choose_learning(model, row, "all", from_scratch=True)
    folded = folded_network(model)
    assert not any(isinstance(layer, FoldedConvolution | PassThrough) for layer in folded.layers)
    means = model.get_layer("block3a_project_bn").moving_mean.numpy()
    assert_same_training(folded, model)
    assert not np.array_equal(model.get_layer("block3a_project_bn").moving_mean.numpy(), means)


@pytest.mark.thorough
def test_what_a_folded_network_learns_the_original_knows_saves_and_loads(tmp_path: Path) -> None:
    model, row = lively("efficientnet-lite0")
    choose_learning(model, row, "block6")
    names, before = [layer.name for layer in model.layers], answer(model, photos(4))
    folded = learner_of(model, row, "", keras.optimizers.Adam(1e-3))
    folded.fit(photos(4), LABELS, epochs=2, verbose=0)
    learned = answer(model, photos(4))
    assert distance(learned, before) > 0.01
    assert distance(answer(folded, photos(4)), learned) < TOLERANCE
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers] == names
    np.testing.assert_allclose(answer(again, photos(4)), learned, rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_a_second_folded_network_of_the_same_model_folds_what_the_first_learned() -> None:
    model, row = lively("mobilenetv2")
    choose_learning(model, row, "none")
    first = folded_network(model)
    choose_learning(model, row, "all")
    second = folded_network(model)
    model.get_layer("Conv1").kernel.assign(model.get_layer("Conv1").kernel * 1.5)
    expected = answer(model, photos(4))
    for folded in (first, second):
        assert distance(answer(folded, photos(4)), expected) < TOLERANCE
    assert len(first.trainable_weights) == len(second.trainable_weights) == len(model.trainable_weights)


Conv2D, DepthwiseConv2D = keras.layers.Conv2D, keras.layers.DepthwiseConv2D
CONVOLUTIONS: dict[str, tuple[Callable[[], keras.layers.Layer], bool]] = {
    "strides": (lambda: Conv2D(4, 3, strides=2, padding="same"), True),
    "no bias": (lambda: Conv2D(4, 3, use_bias=False), True),
    "each channel alone": (lambda: DepthwiseConv2D(3, padding="same"), True),
    "several for each channel": (lambda: DepthwiseConv2D(3, depth_multiplier=2), False),
    "groups": (lambda: Conv2D(4, 3, groups=2), False),
    "dilated": (lambda: Conv2D(4, 3, dilation_rate=2), False),
    "with an activation": (lambda: Conv2D(4, 3, activation="relu"), False),
    "transposed": (lambda: keras.layers.Conv2DTranspose(4, 3), False),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_whatever_a_convolution_is_like_the_folded_network_gives_the_same(kind: str) -> None:
    make, folds = CONVOLUTIONS[kind]
    inputs = keras.Input((8, 8, 4))
    outputs = keras.layers.BatchNormalization(epsilon=0.01)(make()(inputs))
    assert_same_small(keras.Model(inputs, outputs), folds)


@pytest.mark.parametrize("options", [{"center": False}, {"scale": False}, {"center": False, "scale": False}])
def test_a_norm_without_scale_or_shift_is_folded_too(options: dict[str, bool]) -> None:
    inputs = keras.Input((8, 8, 4))
    outputs = keras.layers.BatchNormalization(**options)(Conv2D(4, 3)(inputs))
    assert_same_small(keras.Model(inputs, outputs), True)


def test_a_convolution_that_something_else_reads_is_not_folded() -> None:
    inputs = keras.Input((8, 8, 4))
    convolved = Conv2D(4, 3)(inputs)
    outputs = keras.layers.Add()([convolved, keras.layers.BatchNormalization()(convolved)])
    assert_same_small(keras.Model(inputs, outputs), False)


def test_a_norm_that_learns_is_not_folded() -> None:
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(Conv2D(4, 3)(inputs)))
    assert not any(isinstance(layer, FoldedConvolution) for layer in folded_network(model).layers)


def assert_same_small(model: keras.Model, folds: bool) -> None:
    random = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([random.uniform(0.2, 2, part.shape) for part in layer.get_weights()])
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    folded = folded_network(model)
    assert any(isinstance(layer, FoldedConvolution) for layer in folded.layers) == folds
    seen = random.normal(size=(2, 8, 8, 4)).astype(np.float32)
    assert distance(answer(folded, seen), answer(model, seen)) < 1e-5


def test_swish_and_its_gradient_are_keras_own_for_values_of_any_size() -> None:
    edges = [-1e30, -1e4, -100, -88, -20, -1e-30, 0, 1e-30, 20, 88, 100, 1e4, 1e30]
    random = np.random.default_rng(0)
    values = np.concatenate([edges, *(random.normal(0, size, 500) for size in (0.1, 1, 10, 1000))]).astype(np.float32)
    upstream = tf.constant(random.normal(0, 3, values.shape).astype(np.float32))
    found = []
    for function in (Swish(), keras.activations.silu):
        x = tf.Variable(values)
        with tf.GradientTape() as tape:
            y = function(x)
        found.append((y.numpy(), tape.gradient(y, x, output_gradients=upstream).numpy()))
    (outputs, gradient), (expected, right) = found
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, right, rtol=1e-4, atol=1e-5)


@pytest.mark.thorough
def test_every_swish_of_a_network_is_replaced() -> None:
    model, row = lively("efficientnet-b0")
    choose_learning(model, row, "block7")
    silus = [layer for layer in model.layers if getattr(layer, "activation", None) is keras.activations.silu]
    plain = [layer for layer in silus if isinstance(layer, keras.layers.Activation)]
    assert plain and sum(isinstance(layer, Swish) for layer in folded_network(model).layers) == len(plain)
