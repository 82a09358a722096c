"""Augmentations as they are computed: the same for training and for the preview of what the network will see."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.recipe.augmentations import AUGMENTATIONS, Augmentation, Choice
from core.training.inputs import transforms
from core.training.inputs.transforms import Draws

AT_ONCE = 4
"""Photos that are augmented at the same time."""

Chosen = Sequence[tuple[Augmentation, Choice]]


def augmenter(choices: Mapping[str, Choice]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that augments photos as chosen, in the order of the table.

    It takes float32 photos `(B, S, S, 3)` in [0, 255] and whole numbers `(B, 2)`, a seed for each, and returns photos
    of the same shape and range. What becomes of a photo depends on it and on its seed alone. Choices are those of a
    checked recipe.
    """
    chosen = [(row, choices[row.key]) for row in AUGMENTATIONS if row.key in choices]
    warps = [each for each in chosen if each[0].warps]
    others = [each for each in chosen if not each[0].warps]

    def one(given: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        photo, draws = given[0], Draws(given[1])
        photo = _warped(photo, warps, draws) if warps else photo
        for row, choice in others:
            photo = _sometimes(photo, row, choice, draws)
        return photo

    return lambda photos, seeds: tf.map_fn(
        one, (photos, seeds), fn_output_signature=tf.float32, parallel_iterations=AT_ONCE
    )


def _warped(photo: tf.Tensor, rows: Chosen, draws: Draws) -> tf.Tensor:
    """The photo after all geometric transforms in one: several would blur it, and take longer."""
    whole, moved = tf.eye(3), tf.constant(False)
    for row, choice in rows:
        takes_part = draws.uniform(0, 1) < choice.probability
        matrix = getattr(transforms, row.key)(photo.shape[0], choice.strength, draws)
        whole, moved = whole @ tf.where(takes_part, matrix, tf.eye(3)), moved | takes_part
    return tf.cond(moved, lambda: _clipped(transforms.warp(photo, whole)), lambda: photo)


def _sometimes(photo: tf.Tensor, row: Augmentation, choice: Choice, draws: Draws) -> tf.Tensor:
    [seed] = tf.unstack(draws.seeds(1))

    def augmented() -> tf.Tensor:
        return _clipped(getattr(transforms, row.key)(photo, choice.strength, Draws(seed)))

    if choice.probability == 1:
        return augmented()
    return tf.cond(draws.uniform(0, 1) < choice.probability, augmented, lambda: photo)


def _clipped(photo: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(photo, 0, 255)


def augmenting_function(choices: Mapping[str, Choice], shape: tuple[int, ...]) -> Any:
    """`augmenter` for photos of this shape, traced once."""
    kinds = tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 2), tf.int64)
    return tf.function(augmenter(choices), input_signature=kinds)


def seeds_from(seed: int, count: int) -> NDArray[np.int64]:
    """Seeds for as many photos, `(count, 2)`, which follow from one seed."""
    return np.random.default_rng(seed).integers(0, 2**32, (count, 2))
