"""Augmented versions of photos, by number. Names and seeds need no TensorFlow, which is loaded to make one."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.recipe.augmentations import Choice


class Versions:
    """Augmented versions of photos, each a function of the photo, the choices, the seed and its number alone.

    So a cached version equals one that is made again, whichever photos are made with it. Threads may ask at
    the same time.
    """

    def __init__(self, choices: Mapping[str, Choice], seed: int, shape: tuple[int, ...]) -> None:
        """Prepare versions of photos of this shape."""
        if not choices:
            raise ValueError("versions need at least one augmentation")
        self._choices, self._seed, self._shape = dict(choices), seed, shape
        self._making, self._made = threading.Lock(), None

    def name(self, number: int) -> str:
        """What tells version `number` from all others, as text."""
        chosen = {key: asdict(choice) for key, choice in self._choices.items()}
        return json.dumps({"augmentations": chosen, "seed": self._seed, "version": number}, sort_keys=True)

    def make(self, photos: NDArray[np.uint8], digests: Sequence[bytes], number: int) -> NDArray[np.float32]:
        """Version `number` of photos `(B, S, S, 3)` with these digests: float32, same shape, in [0, 255]."""
        name = self.name(number)
        seeds = np.array([_seed_of(digest, name) for digest in digests], np.int64).reshape(-1, 2)
        augmented: NDArray[np.float32] = self._augment()(photos.astype(np.float32), seeds).numpy()
        return augmented

    def _augment(self) -> Any:
        with self._making:
            if self._made is None:
                from core.training.inputs.augmenter import augmenting_function

                self._made = augmenting_function(self._choices, self._shape)
            return self._made


def _seed_of(digest: bytes, name: str) -> tuple[int, int]:
    drawn = hashlib.blake2b(digest + name.encode(), digest_size=8).digest()
    return int.from_bytes(drawn[:4], "little"), int.from_bytes(drawn[4:], "little")
