"""Per-sample predictions of a network while Keras evaluates it. Only the trainer may import this module."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class SamplePredictions(keras.metrics.Metric):  # type: ignore[misc, unused-ignore]
    """Records the predictions for the first photos since the last reset, in their order.

    As a metric it gets what is computed anyway, so nothing is computed twice.
    """

    def __init__(self, count: int) -> None:
        """Keep the predictions for so many photos; those for further ones are dropped."""
        super().__init__(name="sample_predictions")
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
        """The predictions, `(count, 3)`: predicted class, its probability, and that of the class that was given."""
        return np.array(ops.convert_to_numpy(self._rows)[: self._count], np.float32)
