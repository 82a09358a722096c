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
    weights: NDArray[np.float32] | None = None,
) -> tf.data.Dataset:
    """Batches of float32 `(B, *shape)` in the order of the positions; the first batch has the number `first`.

    With them come int32 labels `(B,)`, or, with a softening of K classes, float32 targets `(B, K)`. A batch depends on
    its photos and its number alone, so that an epoch can be taken up in the middle.

    With weights `(N,)`, how much each photo counts, labels are followed by those of the batch, float32 `(B,)`; targets
    are multiplied by them before photos are mixed, which comes to the same, as cross-entropy is linear in the targets.
    """

    def read(chosen: NDArray[np.int64], step: Any) -> tuple[NDArray[Any], ...]:
        inputs, counted = gather(chosen).astype(np.float32), None if weights is None else weights[chosen]
        if softening:
            return softening(inputs, labels[chosen], int(step), counted)
        return (inputs, labels[chosen]) if counted is None else (inputs, labels[chosen], counted)

    kind, truth_shape = (tf.float32, (None, softening.classes)) if softening else (tf.int32, (None,))
    kinds, shapes = [tf.float32, kind], [(None, *shape), truth_shape]
    if weights is not None and not softening:
        kinds, shapes = [*kinds, tf.float32], [*shapes, (None,)]

    def to_batch(step: Any, chosen: Any) -> tuple[Any, ...]:
        made = tf.numpy_function(read, [chosen, step], kinds, stateful=False)
        return tuple(tf.ensure_shape(each, wanted) for each, wanted in zip(made, shapes, strict=True))

    # Nothing here is left to tf.data to tune; its tuner wakes up at most once a minute, and Python, whenever it frees
    # the iterator of a pass that has ended, would wait for it in the middle of training.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64))
    return dataset.batch(batch_size).enumerate(first).map(to_batch).prefetch(2).with_options(options)
