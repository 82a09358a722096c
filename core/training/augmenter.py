"""Augmentations as Keras layers: the same function for training and for the preview of what the network will see."""

from collections.abc import Mapping

import keras

from core.training.augmentations import AUGMENTATIONS


def build_augmenter(strengths: Mapping[str, float], seed: int) -> keras.Sequential | None:
    """The layers for the given strengths, in the order of the table, or None where all are off.

    The result maps float32 photos `(B, S, S, 3)` in [0, 255] to the same shape and range, every photo changed on its
    own, when called with `training=True`. Strengths are those of a checked recipe.
    """
    layers: list[keras.Layer] = []
    for offset, row in enumerate(AUGMENTATIONS):
        if row.key not in strengths:
            continue
        strength = {name: strengths[row.key] for name in row.strength_arguments}
        layers.append(getattr(keras.layers, row.layer)(**strength, **row.arguments, seed=seed + offset))
    return keras.Sequential(layers) if layers else None
