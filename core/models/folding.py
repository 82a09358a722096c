"""Folding of BatchNorm: a network that computes the same as another one in less time, and is trained in its place.

On a CPU, a step of fine-tuning EfficientNet loses much of its time outside the convolutions (profile of B0 with
everything learning, two cores): BatchNorm as a step of its own, and swish's gradient as five passes over memory.
The folded network shares every weight with its original, so whatever it learns the original has learned, too.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


@tf.function(jit_compile=True, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
def _swish_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Derivative of x sigmoid(x) times `upstream`, compiled to a single pass over memory."""
    share = tf.sigmoid(x)
    return upstream * (share * (1 + x * (1 - share)))


@tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
def _swish(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    return tf.nn.silu(x), lambda upstream: _swish_gradient(x, upstream)


class Swish(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """x sigmoid(x), with a gradient that goes over memory once."""

    def call(self, inputs: tf.Tensor, mask: Any = None) -> tf.Tensor:
        """Apply it."""
        return _swish(inputs)


class FoldedConvolution(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """A convolution and the frozen BatchNorm behind it in one.

    With BatchNorm's scale s = gamma / sqrt(variance + epsilon), convolving with W s and adding beta - mean s is the
    same as convolving with W and normalising. W itself stays what learns, so gradients, and with them every step of
    the optimizer, are those of the original.
    """

    def __init__(self, convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> None:
        """Share the weights of both; the norm's must not change any more."""
        super().__init__(name=f"folded_{convolution.name}")
        self.convolution = convolution
        self._by_channel = isinstance(convolution, keras.layers.DepthwiseConv2D)
        self._scale, self._shift = _scale_and_shift(norm)
        self.built = True

    def call(self, inputs: tf.Tensor, mask: Any = None) -> tf.Tensor:
        """Convolve, scale and shift."""
        layer = self.convolution
        kernel = layer.kernel * self._scale.reshape((1, 1, -1, 1) if self._by_channel else (1, 1, 1, -1))
        convolve = keras.ops.depthwise_conv if self._by_channel else keras.ops.conv
        result = convolve(inputs, kernel, strides=layer.strides, padding=layer.padding)
        shift = self._shift if layer.bias is None else layer.bias * self._scale + self._shift
        return tf.nn.bias_add(result, shift)


class PassThrough(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """Where a layer was whose work another one does now; unlike `Identity` it takes the mask that the layer took."""

    def call(self, inputs: tf.Tensor, mask: Any = None) -> tf.Tensor:
        """Hand on what comes."""
        return inputs


def folded_network(model: keras.Model) -> keras.Model:
    """Build the folded network of a flat functional model, not compiled.

    Only what is frozen is folded, so it must be known what learns: call `core.models.trainable.choose_learning` before.
    Weights are shared; layers that have nothing to gain, Dropout among them, are the very same.
    """
    norms = _folded_norms(model)
    absorbed = {norm.name for norm in norms.values()}

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in norms:
            return FoldedConvolution(layer, norms[layer.name])
        if layer.name in absorbed:
            return PassThrough(name=f"passed_{layer.name}")
        if isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.silu:
            return Swish(name=f"swish_{layer.name}")
        return layer

    return keras.models.clone_model(model, clone_function=replace)


def _folded_norms(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The frozen BatchNorm behind each convolution that nothing else reads, by the convolution's name."""
    readers: dict[str, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in _inputs(layer):
            readers.setdefault(tensor._keras_history.operation.name, []).append(layer)
    found = {}
    for layer in model.layers:
        reading = readers.get(layer.name, [])
        if _can_fold(layer) and len(reading) == 1 and _is_frozen_norm(reading[0]):
            found[layer.name] = reading[0]
    return found


def _is_frozen_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable


def _inputs(layer: keras.layers.Layer) -> list[keras.KerasTensor]:
    return [] if isinstance(layer, keras.layers.InputLayer) else keras.tree.flatten(layer.input)


def _can_fold(layer: keras.layers.Layer) -> bool:
    plain = type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return (
        plain
        and layer.activation is keras.activations.linear
        and layer.dilation_rate == (1, 1)
        and getattr(layer, "groups", 1) == 1
        and getattr(layer, "depth_multiplier", 1) == 1
        and layer.data_format == "channels_last"
    )


def _scale_and_shift(norm: keras.layers.BatchNormalization) -> tuple[NDArray[Any], NDArray[Any]]:
    """What a frozen norm multiplies by and adds, in the precision of its weights."""
    weights = {variable.name: keras.ops.convert_to_numpy(variable) for variable in norm.weights}
    scale = weights.get("gamma", 1.0) / np.sqrt(weights["moving_variance"] + norm.epsilon)
    shift = weights.get("beta", 0.0) - weights["moving_mean"] * scale
    return scale, shift
