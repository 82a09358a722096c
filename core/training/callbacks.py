"""The bridge from Keras' `fit` to the run folder; thin on purpose."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from core.runs.store import Run
from core.training.recorder import Recorder


class StopAsked(Exception):
    """The run was asked to stop while nothing was being trained."""


SAVING_SHARE = 0.05
"""How much of the time may go into writing models; what is better in between waits in memory."""


class RunCallback(keras.callbacks.Callback):
    """Feeds the recorder, keeps the best model by validation loss, and stops when asked to.

    A stop is looked for at every batch, also while validating: Keras would otherwise run the whole validation pass.
    """

    def __init__(self, run: Run, recorder: Recorder, classifier: keras.Model) -> None:
        """Watch one call of `fit` after another, on networks that share the weights of the classifier.

        `rate`, which gives the learning rate of each step of a phase from 0, is to be set before each phase.
        """
        super().__init__()
        self._run, self._recorder, self._classifier = run, recorder, classifier
        self._saving_seconds, self._saved = 0.0, float("-inf")
        self._waiting: list[tuple[keras.Variable, NDArray[np.float32]]] = []
        self._epoch = self._step = 0
        self._sums = (0.0, 0.0)
        self._validation_began = self._validation_seconds = 0.0
        self.stopped = False
        self.rate: Callable[[int], float] = lambda step: 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start to count again."""
        self._epoch, self._step, self._sums = epoch, 0, (0.0, 0.0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the learning rate, and start the clock."""
        steps = self.params["steps"] or 0
        self.model.optimizer.learning_rate.assign(self.rate(self._epoch * steps + batch))
        self._recorder.begin_step()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record the batch; Keras gives means over the epoch so far, and the batch's own values follow from them."""
        self._step = batch + 1
        means = logs or {}
        sums = (float(means["loss"]) * self._step, float(means["accuracy"]) * self._step)
        loss, accuracy = (new - old for new, old in zip(sums, self._sums, strict=True))
        self._sums = sums
        self._recorder.end_step(self._epoch, self._step, loss, accuracy, self._learning_rate())
        self._look_for_stop()

    def on_test_begin(self, logs: Any = None) -> None:
        """Start the clock of the validation."""
        self._validation_began = time.perf_counter()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look for a stop."""
        self._look_for_stop()

    def on_test_end(self, logs: Any = None) -> None:
        """Stop the clock of the validation."""
        self._validation_seconds = time.perf_counter() - self._validation_began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the epoch, and keep the model if it is the best so far."""
        if self.stopped:
            self._recorder.end_partial_epoch(epoch, self._step, self._learning_rate())
            return
        values = logs or {}
        improved = self._recorder.end_epoch(
            epoch,
            float(values["val_loss"]),
            float(values["val_accuracy"]),
            self._validation_seconds,
            self._learning_rate(),
        )
        if improved:
            self._keep()

    def settle(self) -> None:
        """Write the best model if it is not written yet; the network goes on from the weights that it has."""
        if self._waiting:
            present = [(variable, variable.numpy()) for variable, _ in self._waiting]
            _assign(self._waiting)
            self._save()
            _assign(present)

    def _keep(self) -> None:
        if (time.perf_counter() - self._saved) * SAVING_SHARE >= self._saving_seconds:
            self._save()
        else:
            self._waiting = [(variable, variable.numpy()) for variable in self.model.trainable_variables]

    def _save(self) -> None:
        began = time.perf_counter()
        save_model(self._classifier, self._run.best_file)
        self._saved = time.perf_counter()
        self._saving_seconds = self._saved - began
        self._waiting = []

    def _look_for_stop(self) -> None:
        if self._run.stop_requested():
            self.stopped = self.model.stop_training = self.model.stop_evaluating = True

    def _learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def _assign(values: list[tuple[keras.Variable, NDArray[np.float32]]]) -> None:
    for variable, value in values:
        variable.assign(value)


def save_model(model: keras.Model, file: Path) -> None:
    """Write a model so that a crash leaves the old one or the new one."""
    temporary = file.with_name(f"writing-{file.name}")
    model.save(temporary, include_optimizer=False)
    os.replace(temporary, file)
