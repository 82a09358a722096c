"""Metrics as TensorBoard reads them, written by TensorFlow alone: TensorBoard itself need not be installed."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import SummaryMetadata

SCALARS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second")


class Logs:
    """A run's logs: one scalar for each measure, over the number of training steps."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder; a run that goes on adds a file."""
        self._writer = tf.summary.create_file_writer(str(folder))
        self._kind = SummaryMetadata(
            plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
        )

    def __enter__(self) -> "Logs":
        """Nothing is to be done."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        self._writer.close()

    def write(self, row: Mapping[str, Any], step: int) -> None:
        """Add what a line of the metrics holds, at a step counted from the beginning of the run."""
        with self._writer.as_default():
            for name in SCALARS:
                if name in row:
                    tf.summary.write(name, tf.constant(row[name], tf.float32), step=step, metadata=self._kind)
        if "val_loss" in row:
            self._writer.flush()
