"""From pixels, or from cached outputs of the frozen part, to batches."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.training.inputs.mixing import Softening
from core.training.inputs.photos import Gather


def batches(
    gather: Gather,
    labels: NDArray[np.int32],
    positions: NDArray[np.intp],
    batch_size: int,
    shape: tuple[int, ...],
    softening: Softening | None = None,
    first: int = 0,
) -> tf.data.Dataset:
    """Batches of float32 `(B, *shape)` in the order of the positions; the first batch has the number `first`.

    With them come int32 labels `(B,)`, or, with a softening of K classes, float32 targets `(B, K)`. A batch depends on
    its photos and its number alone, so that an epoch can be taken up in the middle.
    """

    def read(chosen: NDArray[np.int64], step: Any) -> tuple[NDArray[np.float32], NDArray[Any]]:
        inputs = gather(chosen).astype(np.float32)
        return softening(inputs, labels[chosen], int(step)) if softening else (inputs, labels[chosen])

    kind, truth_shape = (tf.float32, (None, softening.classes)) if softening else (tf.int32, (None,))

    def to_batch(step: Any, chosen: Any) -> tuple[Any, Any]:
        inputs, truth = tf.numpy_function(read, [chosen, step], (tf.float32, kind), stateful=False)
        return tf.ensure_shape(inputs, (None, *shape)), tf.ensure_shape(truth, truth_shape)

    # Nothing here is left to tf.data to tune; its tuner wakes up at most once a minute, and Python, whenever it frees
    # the iterator of a pass that has ended, would wait for it in the middle of training.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64))
    return dataset.batch(batch_size).enumerate(first).map(to_batch).prefetch(2).with_options(options)
