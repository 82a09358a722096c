"""Choosing what learns, and making of it the network that `fit` is called on. Only the trainer may import this."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from core.errors import RecipeError
from core.language import tr
from core.models.backbones import HEAD, Backbone
from core.models.build import set_drop_connect
from core.models.folding import folded_network
from core.models.frozen import part_above
from core.models.sample_predictions import SamplePredictions


def choose_learning(
    model: keras.Model,
    backbone: Backbone,
    point: str,
    *,
    layer: str = "",
    drop_connect: float = 0.0,
    from_scratch: bool = False,
) -> None:
    """Set what learns in a model from an unfreeze point on; takes effect in what is compiled after it.

    The head always learns. What is frozen computes as it does for predictions: BatchNorm uses its stored statistics,
    no block is skipped. BatchNorm stays frozen above the unfreeze point, too, unless there are no statistics worth
    keeping: training from scratch. The head's own BatchNorm always learns.

    Args:
        model: A model of `core.models.build.build_model`.
        backbone: The backbone that it was built with.
        point: One of `backbone.unfreeze_points`.
        layer: The layer of the point's block from which on it learns; empty for the whole block.
        drop_connect: Chance that the last block is skipped in a step, see `set_drop_connect`.
        from_scratch: Whether the weights are random, so that BatchNorm must learn, too.

    Raises:
        RecipeError: The backbone has no such point, or the model no such layer.
    """
    learning = {HEAD, *backbone.trainable_blocks(point)}
    spared = layers_before(model, backbone, layer)
    never = (
        keras.layers.Normalization if from_scratch else (keras.layers.BatchNormalization, keras.layers.Normalization)
    )
    set_drop_connect(model, drop_connect)
    for each in model.layers:
        block = backbone.block_of(each.name)
        inside = block in learning and each.name not in spared
        each.trainable = inside and (block == HEAD or not isinstance(each, never))
        if isinstance(each, keras.layers.Dropout) and not inside:
            each.rate = 0.0


def layers_before(model: keras.Model, backbone: Backbone, layer: str) -> set[str]:
    """The names of the layers that come before a layer, in the order of the model; none for an empty name.

    Raises:
        RecipeError: The model has no such layer.
    """
    if not layer:
        return set()
    names = [each.name for each in model.layers]
    if layer not in names:
        raise RecipeError(
            tr(
                "{network} has no layer {layer}; choose one from the list, or the whole block.",
                network=backbone.name,
                layer=repr(layer),
            )
        )
    return set(names[: names.index(layer)])


def changing(model: keras.Model) -> dict[str, keras.Variable]:
    """What training changes in a model, by name: what learns, statistics beside it, and random states."""
    found = {}
    for layer in model.layers:
        if layer.trainable_variables or isinstance(layer, keras.layers.Dropout):
            found.update({f"{layer.name}/{number}": each for number, each in enumerate(layer.variables)})
    return found


def values_of(variables: dict[str, keras.Variable]) -> dict[str, NDArray[Any]]:
    """Copies of what variables hold, by name."""
    return {name: np.array(variable.numpy()) for name, variable in variables.items()}


def learner_of(
    model: keras.Model,
    backbone: Backbone,
    boundary: str,
    optimizer: keras.optimizers.Optimizer,
    *,
    soft_targets: bool = False,
    predictions: SamplePredictions | None = None,
) -> keras.Model:
    """Make, compiled, what to train in a model's place, of what `choose_learning` chose.

    Args:
        model: The model.
        backbone: The backbone that it was built with.
        boundary: Where to cut, as `core.models.frozen.tensor_at` takes it; empty for the whole network.
        optimizer: A fresh optimizer: its state belongs to the weights that learn.
        soft_targets: Whether targets are shares of classes (B, K); else they are labels (B,).
        predictions: Records the prediction for each photo, if given.

    Returns:
        A model that shares the weights, takes photos or the outputs at the boundary, and gives probabilities (B, K).

    Raises:
        RecipeError: The network cannot be cut there.
    """
    learner = folded_network(part_above(model, backbone, boundary) if boundary else model)
    loss = "categorical_crossentropy" if soft_targets else "sparse_categorical_crossentropy"
    accuracy = keras.metrics.CategoricalAccuracy if soft_targets else keras.metrics.SparseCategoricalAccuracy
    metrics = [accuracy(name="accuracy"), *([predictions] if predictions else [])]
    learner.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)
    # TensorFlow traces a function twice if variables are made in it: those of the metrics and the optimizer are there.
    optimizer.build(learner.trainable_variables)
    return learner
