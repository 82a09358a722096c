"""Augmentations as Keras layers: the same function for training and for the preview of what the network will see."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.training import layers
from core.training.augmentations import AUGMENTATIONS, Augmentation, Choice
from core.training.layers import Sometimes


def build_augmenter(choices: Mapping[str, Choice], seed: int) -> keras.Sequential | None:
    """The layers for what is chosen, in the order of the table, or None where all are off.

    The result maps float32 photos `(B, S, S, 3)` in [0, 255] to the same shape and range, every photo changed on its
    own, when called with `training=True`. Choices are those of a checked recipe.
    """
    chosen = [
        Sometimes(
            _layer(row, choices[row.key].strength, seed + offset),
            choices[row.key].probability,
            seed + len(AUGMENTATIONS) + offset,
        )
        for offset, row in enumerate(AUGMENTATIONS)
        if row.key in choices
    ]
    return keras.Sequential(chosen) if chosen else None


def _layer(row: Augmentation, strength: float, seed: int) -> keras.Layer:
    made = getattr(layers, row.layer, None) or getattr(keras.layers, row.layer)
    strengths = dict.fromkeys(row.strength_arguments, strength)
    layer: keras.Layer = made(**strengths, **row.arguments, **({"seed": seed} if row.has_strength else {}))
    return layer


class Versions:
    """Augmented versions of photos, each a function of the photo, the choices, the seed and its number alone.

    So a version that is kept is the one that would be made anew, whichever photos are made with it. Threads may ask at
    the same time.
    """

    def __init__(self, choices: Mapping[str, Choice], seed: int, shape: tuple[int, ...]) -> None:
        """Prepare versions of photos of this shape."""
        self._choices, self._seed, self._shape = dict(choices), seed, shape
        self._mine = threading.local()

    def name(self, number: int) -> str:
        """What tells version `number` from all others, as text."""
        chosen = {key: asdict(choice) for key, choice in self._choices.items()}
        return json.dumps({"augmentations": chosen, "seed": self._seed, "version": number}, sort_keys=True)

    def make(self, photos: NDArray[np.uint8], digests: Sequence[bytes], number: int) -> NDArray[np.float32]:
        """Version `number` of photos `(B, S, S, 3)` with these digests: float32, same shape, in [0, 255]."""
        if not hasattr(self._mine, "change"):
            self._mine.change = self._changer()  # layers hold random states, so each thread has its own
        seeds = [_seed_of(digest, self.name(number)) for digest in digests]
        changed: NDArray[np.float32] = self._mine.change(photos.astype(np.float32), np.array(seeds, np.uint32)).numpy()
        return changed

    def _changer(self) -> tf.types.experimental.GenericFunction:
        augmenter = build_augmenter(self._choices, self._seed)
        if augmenter is None:
            raise ValueError("versions need at least one augmentation")
        augmenter.build((None, *self._shape))
        states = [variable for variable in augmenter.variables if "seed_generator" in variable.path]

        def one(given: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            photo, seeds = given
            for number, state in enumerate(states):
                state.assign(tf.cast(tf.stack([seeds[0] + tf.cast(number, seeds.dtype), seeds[1]]), state.dtype))
            return augmenter(photo[None], training=True)[0]

        kinds = tf.TensorSpec((None, *self._shape), tf.float32), tf.TensorSpec((None, 2), tf.uint32)
        return tf.function(
            lambda photos, seeds: tf.map_fn(
                one, (photos, seeds), fn_output_signature=tf.float32, parallel_iterations=1
            ),
            input_signature=kinds,
        )


def _seed_of(digest: bytes, name: str) -> tuple[int, int]:
    drawn = hashlib.blake2b(digest + name.encode(), digest_size=8).digest()
    return int.from_bytes(drawn[:4], "little"), int.from_bytes(drawn[4:], "little")
