"""From pixels, or from what the frozen part made of them, to batches."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Gather = Callable[[NDArray[np.int64]], NDArray[Any]]
"""From positions of photos `(B,)` to what a network is fed with, `(B, ...)`."""


def batches(
    gather: Gather,
    labels: NDArray[np.int32],
    positions: NDArray[np.intp],
    batch_size: int,
    shape: tuple[int, ...],
    augmenter: keras.Sequential | None = None,
) -> tf.data.Dataset:
    """Batches of float32 `(B, *shape)` with int32 labels `(B,)`, one pass over the positions in their order.

    The order of random changes is fixed by running the augmenter on one batch after the other.
    """

    def read(chosen: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        return gather(chosen).astype(np.float32), labels[chosen]

    def to_batch(chosen: Any) -> tuple[Any, Any]:
        inputs, truth = tf.numpy_function(read, [chosen], (tf.float32, tf.int32), stateful=False)
        inputs = tf.ensure_shape(inputs, (None, *shape))
        if augmenter is not None:
            inputs = augmenter(inputs, training=True)
        return inputs, tf.ensure_shape(truth, (None,))

    # Nothing here is left to tf.data to tune; its tuner wakes up at most once a minute, and Python, whenever it frees
    # the iterator of a pass that has ended, would wait for it in the middle of training.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64))
    return dataset.batch(batch_size).map(to_batch).prefetch(2).with_options(options)
