"""Where a network looks: what each place of its last map adds to each class's logit, as tensors of the network itself.

Everything behind the last map is linear, or linear piece by piece, so the gradient of a logit times the map, summed
over the channels, takes the logit apart without a rest. Behind average pooling that is the class activation map (Zhou
et al., "Learning deep features for discriminative localization", CVPR 2016), else the gradient-based HiResCAM (Draelos
and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations", arXiv 2011.08891). Only the trainer may import
this module.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class _Linear(NamedTuple):
    """Kernel (D, K) and bias (K,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


def activation_maps(model: keras.Model) -> keras.KerasTensor:
    """The maps (B, h, w, K) of a classifier of `core.models.build`, whose means over h and w are the logits."""
    layers = {layer.name: layer for layer in model.layers}
    head = _head(layers)
    pool = layers.get("pool")
    if pool is None:
        return _behind_a_layer(layers, head)
    ways = {
        keras.layers.GlobalAveragePooling2D: _behind_average,
        keras.layers.GlobalMaxPooling2D: _behind_maximum,
        keras.layers.Flatten: _behind_nothing,
    }
    return ways[type(pool)](pool.input, head)


def _head(layers: dict[str, keras.layers.Layer]) -> _Linear:
    """What makes logits of pooled features; a BatchNorm before the head is folded into it."""
    kernel, bias = layers["head"].get_weights()
    norm = layers.get("head_norm")
    if norm is None:
        return _Linear(kernel, bias)
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return _Linear(kernel * scale[:, None], bias + (beta - mean * scale) @ kernel)


def _behind_average(x: keras.KerasTensor, head: _Linear) -> keras.KerasTensor:
    return ops.matmul(x, head.kernel) + head.bias


def _behind_maximum(x: keras.KerasTensor, head: _Linear) -> keras.KerasTensor:
    """The maximum of a channel counts where it is; where several places share it, each counts for its share."""
    places = ops.cast(ops.equal(x, ops.amax(x, axis=(1, 2), keepdims=True)), "float32")
    shares = places / ops.sum(places, axis=(1, 2), keepdims=True)
    return ops.matmul(x * shares, head.kernel) * _area(x) + head.bias


def _behind_nothing(x: keras.KerasTensor, head: _Linear) -> keras.KerasTensor:
    kernel = head.kernel.reshape(*x.shape[1:], -1)
    return ops.einsum("bhwc,hwck->bhwk", x, kernel) * _area(x) + head.bias


def _behind_a_layer(layers: dict[str, keras.layers.Layer], head: _Linear) -> keras.KerasTensor:
    """Behind flattening and a dense layer with ReLU, which is linear for a photo: units that are 0 pass nothing on."""
    x, dense = layers["flatten"].input, layers["dense"]
    kernel, bias = dense.get_weights()
    awake = ops.cast(ops.greater(dense.output, 0), "float32")
    gradient = ops.expand_dims(awake, -1) * head.kernel  # (B, units, K)
    by_place = ops.einsum("bhwc,hwcu->bhwu", x, kernel.reshape(*x.shape[1:], -1))
    maps = ops.einsum("bhwu,buk->bhwk", by_place, gradient) * _area(x)
    rest = ops.einsum("bu,uk->bk", awake * bias, head.kernel) + head.bias
    return maps + ops.reshape(rest, (-1, 1, 1, rest.shape[-1]))


def _area(x: keras.KerasTensor) -> int:
    return int(x.shape[1] * x.shape[2])
