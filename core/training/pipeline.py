"""From photos on disk to batches: every photo is decoded once, into a memory-mapped store of bytes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.data.images import MAX_PIXELS, decode
from core.data.walk import check_photo
from core.errors import PhotoError

CHUNK = 64


def decode_all(
    photos: Sequence[Path],
    size: int,
    file: Path,
    roots: Sequence[Path],
    on_photos: Callable[[int], None],
    max_pixels: int = MAX_PIXELS,
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Decode every photo into a new memory-mapped file.

    Returns the pixels, uint8 `(N, size, size, 3)`, and for each photo that could not be decoded its index with the
    reason; its row is zeros and must not be used. What by now leads outside `roots`
    counts as such. `on_photos` hears how many are done, and may raise to give up.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(file, "w+", np.uint8, (len(photos), size, size, 3))
    failures: dict[int, str] = {}

    def decode_one(index: int) -> None:
        try:
            pixels[index] = decode(check_photo(photos[index], roots), size, max_pixels)
        except PhotoError as error:
            failures[index] = str(error)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(photos), CHUNK):
            chunk = range(start, min(start + CHUNK, len(photos)))
            list(pool.map(decode_one, chunk))
            on_photos(chunk.stop)
    return pixels, failures


def batches(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int32],
    indices: NDArray[np.intp],
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
    augmenter: keras.Sequential | None = None,
) -> tf.data.Dataset:
    """Batches of float32 photos `(B, S, S, 3)` in [0, 255] with int32 labels `(B,)`.

    With a seed the order is new in every pass and the same in every run; the order of photos and of the random
    changes is fixed by running the augmenter on one batch after the other.
    """
    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(indices, np.int64))
    if shuffle_seed is not None:
        dataset = dataset.shuffle(len(indices), seed=shuffle_seed)
    shape = pixels.shape[1:]

    def gather(chosen: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        return pixels[chosen], labels[chosen]

    def to_batch(chosen: Any) -> tuple[Any, Any]:
        photos, truth = tf.numpy_function(gather, [chosen], (tf.uint8, tf.int32), stateful=False)
        photos = tf.cast(tf.ensure_shape(photos, (None, *shape)), tf.float32)
        if augmenter is not None:
            photos = augmenter(photos, training=True)
        return photos, tf.ensure_shape(truth, (None,))

    # Nothing here is left to tf.data to tune; its tuner wakes up at most once a minute, and Python, whenever it frees
    # the iterator of a pass that has ended, would wait for it in the middle of training.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.batch(batch_size).map(to_batch).prefetch(2).with_options(options)


def in_chunks(pixels: NDArray[np.uint8], indices: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """The chosen photos, uint8 `(n, S, S, 3)` at a time, so that memory does not grow with their number."""
    for start in range(0, len(indices), CHUNK):
        yield pixels[indices[start : start + CHUNK]]
