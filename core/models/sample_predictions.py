"""What a network answers photo by photo while Keras evaluates it. Only the trainer may import this module."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class Answers(keras.metrics.Metric):  # type: ignore[misc, unused-ignore]
    """Takes note of the answers to the last photos that were seen since the last reset, in their order.

    As a metric it is handed what is computed anyway, so that nothing is computed twice.
    """

    def __init__(self, count: int) -> None:
        """Keep the answers to so many photos; those to further ones are lost."""
        super().__init__(name="answers")
        self._count = count
        # One row more, for what comes after the last one, as training brings it.
        self._rows = self.add_variable((count + 1, 3), "zeros", name="rows")
        self._seen = self.add_variable((), "zeros", dtype="int32", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take labels (B,) or shares of classes (B, K), and probabilities (B, K)."""
        shares = ops.convert_to_tensor(y_true)
        hard = len(shares.shape) < 2 or shares.shape[-1] == 1
        labels = ops.cast(ops.reshape(shares, (-1,)) if hard else ops.argmax(shares, axis=-1), "int32")
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "float32")
        given = ops.squeeze(ops.take_along_axis(y_pred, labels[:, None], axis=1), axis=1)
        rows = ops.stack([predicted, ops.max(y_pred, axis=-1), given], axis=1)
        places = ops.minimum(self._seen + ops.arange(ops.shape(y_pred)[0]), self._count)
        self._rows.assign(ops.scatter_update(self._rows, places[:, None], rows))
        self._seen.assign_add(ops.shape(y_pred)[0])

    def result(self) -> Any:
        """How many photos were seen; Keras wants a number."""
        return ops.cast(self._seen, "float32")

    def reset_state(self) -> None:
        """Begin with the first photo again."""
        self._seen.assign(0)

    def rows(self) -> NDArray[np.float32]:
        """The answers, `(count, 3)`: predicted class, its probability, and that of the class that was given."""
        return np.array(ops.convert_to_numpy(self._rows)[: self._count], np.float32)
