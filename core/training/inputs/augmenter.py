"""Augmentations as they are computed: the same for training and for the preview of what the network will see."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

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


class Versions:
    """Augmented versions of photos, each a function of the photo, the choices, the seed and its number alone.

    So a cached version equals one that is made again, whichever photos are made with it. Threads may ask at
    the same time.
    """

    def __init__(self, choices: Mapping[str, Choice], seed: int, shape: tuple[int, ...]) -> None:
        """Prepare versions of photos of this shape."""
        if not choices:
            raise ValueError("versions need at least one augmentation")
        self._choices, self._seed = dict(choices), seed
        kinds = tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 2), tf.int64)
        self._augment = tf.function(augmenter(choices), input_signature=kinds)

    def name(self, number: int) -> str:
        """What tells version `number` from all others, as text."""
        chosen = {key: asdict(choice) for key, choice in self._choices.items()}
        return json.dumps({"augmentations": chosen, "seed": self._seed, "version": number}, sort_keys=True)

    def make(self, photos: NDArray[np.uint8], digests: Sequence[bytes], number: int) -> NDArray[np.float32]:
        """Version `number` of photos `(B, S, S, 3)` with these digests: float32, same shape, in [0, 255]."""
        name = self.name(number)
        seeds = np.array([_seed_of(digest, name) for digest in digests], np.int64).reshape(-1, 2)
        augmented: NDArray[np.float32] = self._augment(photos.astype(np.float32), seeds).numpy()
        return augmented


def seeds_from(seed: int, count: int) -> NDArray[np.int64]:
    """Seeds for as many photos, `(count, 2)`, which follow from one seed."""
    return np.random.default_rng(seed).integers(0, 2**32, (count, 2))


def _seed_of(digest: bytes, name: str) -> tuple[int, int]:
    drawn = hashlib.blake2b(digest + name.encode(), digest_size=8).digest()
    return int.from_bytes(drawn[:4], "little"), int.from_bytes(drawn[4:], "little")
