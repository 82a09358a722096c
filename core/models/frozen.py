"""The frozen part of a network: cut off at the unfreeze point, and computed at the speed of the machine.

On a CPU that is OpenVINO, in float32 or, where the processor has it and the results agree, in bfloat16; on a GPU
TensorFlow in mixed precision, compiled by XLA.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import openvino as ov
import tensorflow as tf
from numpy.typing import NDArray

from core.errors import RecipeError
from core.language import tr
from core.models.backbones import FEATURES, HEAD, LAST_MAP, Backbone
from core.models.build import build_backbone
from core.models.heads import pooled_features_of
from core.models.openvino_runtime import FrozenPart, Receive, filled


def tensor_at(model: keras.Model, backbone: Backbone, boundary: str) -> keras.KerasTensor:
    """The tensor of a classifier at a boundary: `FEATURES`, `LAST_MAP`, or a block's name for what enters that block.

    Raises:
        RecipeError: More than one tensor crosses there, so the network cannot be cut.
    """
    if boundary == FEATURES:
        return pooled_features_of(model)
    if boundary == LAST_MAP:
        return model.get_layer("pool").input
    above = {HEAD, *backbone.trainable_blocks(boundary)}
    crossing = {}
    for layer in model.layers:
        if backbone.block_of(layer.name) in above:
            for tensor in keras.tree.flatten(layer.input):
                source = tensor._keras_history.operation
                if backbone.block_of(source.name) not in above:
                    crossing[source.name] = tensor
    if len(crossing) != 1:
        raise RecipeError(
            tr(
                "{network} cannot be cut before {boundary}: {count} tensors cross there.",
                network=backbone.name,
                boundary=boundary,
                count=len(crossing),
            )
        )
    return next(iter(crossing.values()))


def part_above(model: keras.Model, backbone: Backbone, boundary: str) -> keras.Model:
    """The part of a classifier above a boundary: a model from its outputs to probabilities, sharing all weights."""
    return keras.Model(tensor_at(model, backbone, boundary), model.output, name=f"above_{boundary}")


def weights_hash(model: keras.Model, backbone: Backbone) -> str:
    """What tells the weights of a classifier's backbone from any others: BLAKE2b, 32 hexadecimal digits."""
    total = hashlib.blake2b(digest_size=16)
    for layer in model.layers:
        if backbone.block_of(layer.name) != HEAD:
            for values in layer.get_weights():
                total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def graph_to(
    model: keras.Model, outputs: Mapping[str, keras.KerasTensor], start: keras.KerasTensor | None = None
) -> ov.Model:
    """The OpenVINO graph, in float32, to tensors of a model, by the names given to them.

    Args:
        model: The model.
        outputs: Its tensors to compute, other than `start`.
        start: The tensor `(B, ...)` to compute them from; photos `(B, S, S, 3)`, where it is not given.
    """
    first = model.input if start is None else start
    part = keras.Model(first, dict(outputs))
    given = tf.TensorSpec([None, *first.shape[1:]], tf.float32)
    traced = tf.function(lambda values: part(values, training=False)).get_concrete_function(given)
    return ov.convert_model(traced)


def graph_to_boundaries(model: keras.Model, backbone: Backbone) -> ov.Model:
    """The OpenVINO graph of a classifier from photos to every boundary that it can be cut at.

    It knows nothing of the head: its features are averages, whatever the head reads.
    """
    points = (point for point in backbone.unfreeze_points if point not in ("none", "all"))
    outputs = {name: tensor_at(model, backbone, name) for name in (LAST_MAP, *points)}
    return graph_to(model, {**outputs, FEATURES: keras.layers.GlobalAveragePooling2D()(outputs[LAST_MAP])})


class MixedPrecisionModel:
    """The frozen part on a GPU: TensorFlow in mixed precision, compiled by XLA."""

    precision = "mixed_float16"

    def __init__(self, model: keras.Model, backbone: Backbone, wanted: Sequence[str], *, compiled: bool = True) -> None:
        """Build the backbone of a classifier once more in mixed precision, with the same weights."""
        half = _in_mixed_precision(backbone, model)
        outputs = {name: _same_tensor(half, model, tensor_at(model, backbone, name)) for name in wanted}
        part = keras.Model(half.input, outputs)
        self._run = tf.function(lambda photos: part(photos, training=False), jit_compile=compiled)

    def run_all(self, batches: Iterable[tuple[Any, NDArray[np.float32]]], receive: Receive) -> None:
        """Compute every batch `(n, S, S, 3)` in [0, 255], n ≤ `BATCH`, and hand over its tag and outputs, in order."""
        before: tuple[Any, int, Mapping[str, tf.Tensor]] | None = None
        for tag, photos in batches:
            now = tag, len(photos), self._run(filled(photos))  # returns before the card has computed it
            if before:
                _hand_over(*before, receive)
            before = now
        if before:
            _hand_over(*before, receive)


def on_graphics_card(model: keras.Model, backbone: Backbone) -> Callable[[Sequence[str]], FrozenPart] | None:
    """What makes the part of a classifier up to some boundaries for the graphics card; None where there is none."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    return partial(MixedPrecisionModel, model, backbone)


def _hand_over(tag: Any, count: int, values: Mapping[str, tf.Tensor], receive: Receive) -> None:
    receive(tag, {name: tensor.numpy()[:count].astype(np.float32) for name, tensor in values.items()})


def _in_mixed_precision(backbone: Backbone, model: keras.Model) -> keras.Model:
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build_backbone(backbone)
    finally:
        keras.config.set_dtype_policy(usual)
    for layer, original in zip(half.layers, model.layers, strict=False):
        layer.set_weights(original.get_weights())
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies that set_weights leaves as they were
    return half


def _same_tensor(half: keras.Model, model: keras.Model, tensor: keras.KerasTensor) -> keras.KerasTensor:
    """The tensor of the copy where `tensor` is in the original; pooled where that is pooled."""
    names = [layer.name for layer in model.layers]
    made_by = tensor._keras_history.operation.name
    if made_by == "pool":
        pooling = model.get_layer("pool")
        return type(pooling).from_config({**pooling.get_config(), "dtype": "float32"})(half.output)
    return half.layers[names.index(made_by)].output
