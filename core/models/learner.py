"""Choosing what learns, and making of it the network that `fit` is called on. Only the trainer may import this."""

import keras

from core.models.backbones import HEAD, Backbone
from core.models.build import set_drop_connect
from core.models.frozen import part_above
from core.models.twin import twin_of


def choose_learning(
    model: keras.Model, backbone: Backbone, point: str, *, drop_connect: float = 0.0, from_scratch: bool = False
) -> None:
    """Set what learns in a model from an unfreeze point on; takes effect in what is compiled after it.

    The head always learns. What is frozen computes as it does for predictions: BatchNorm uses its stored statistics,
    no block is skipped. BatchNorm stays frozen above the unfreeze point, too, unless there are no statistics worth
    keeping: training from scratch.

    Args:
        model: A model of `core.models.build.build_model`.
        backbone: The backbone that it was built with.
        point: One of `backbone.unfreeze_points`.
        drop_connect: Chance that the last block is skipped in a step, see `set_drop_connect`.
        from_scratch: Whether the weights are random, so that BatchNorm must learn, too.

    Raises:
        RecipeError: The backbone has no such point.
    """
    learning = {HEAD, *backbone.trainable_blocks(point)}
    never = (
        keras.layers.Normalization if from_scratch else (keras.layers.BatchNormalization, keras.layers.Normalization)
    )
    set_drop_connect(model, drop_connect)
    for layer in model.layers:
        inside = backbone.block_of(layer.name) in learning
        layer.trainable = inside and not isinstance(layer, never)
        if isinstance(layer, keras.layers.Dropout) and not inside:
            layer.rate = 0.0


def learner_of(
    model: keras.Model, backbone: Backbone, boundary: str, optimizer: keras.optimizers.Optimizer
) -> keras.Model:
    """Make, compiled, what to train in a model's place, of what `choose_learning` chose.

    Args:
        model: The model.
        backbone: The backbone that it was built with.
        boundary: Where to cut, as `core.models.frozen.tensor_at` takes it; empty for the whole network.
        optimizer: A fresh optimizer: its state belongs to the weights that learn.

    Returns:
        A model that shares the weights, takes photos or the outputs at the boundary, and gives probabilities (B, K).

    Raises:
        RecipeError: The network cannot be cut there.
    """
    learner = twin_of(part_above(model, backbone, boundary) if boundary else model)
    learner.compile(
        optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return learner
