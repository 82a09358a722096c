"""The bridge from Keras' `fit` to the run folder; thin on purpose."""

import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from core.models.sample_predictions import SamplePredictions
from core.models.trainable import changing, values_of
from core.runs.prediction_history import write_predictions
from core.runs.store import Run
from core.training.recorder import Recorder
from core.training.schedule import Schedule


class RunCallback(keras.callbacks.Callback):
    """Feeds the recorder, keeps the best weights by validation loss, and ends `fit` when asked to.

    A stop is looked for at every batch, also while validating: Keras would otherwise run the whole validation pass. A
    pause takes effect between two steps of training; a validation that has begun is finished first.

    Attributes:
        best: Values of what has learned, by name, as they were at the best validation; empty before the first.
        interrupted: Whether a stop or a pause has ended `fit`.
        over: Whether the schedule says that the phase should end.
        step: Steps of the epoch that are done.
    """

    def __init__(self, run: Run, recorder: Recorder, classifier: keras.Model, predictions: SamplePredictions) -> None:
        """Watch one call of `fit` after another, on networks that share the weights of the classifier.

        `predictions` is a metric of those networks.
        """
        super().__init__()
        self._run, self._recorder, self._classifier, self._predictions = run, recorder, classifier, predictions
        self._epoch = self._first = self._last = self._steps = 0
        self._photos = self._batch_size = 0
        self._version = 0
        self._sums = (0.0, 0.0)
        self._validation_began = self._validation_seconds = 0.0
        self.best: dict[str, NDArray[Any]] = {}
        self._exchanged = False
        self.interrupted = self.over = False
        self.step = 0

    def begin_phase(self, schedule: Schedule, steps: int) -> None:
        """Enter a phase of epochs of so many steps; what learns has been chosen."""
        self.schedule, self._steps, self.over = schedule, steps, False
        if self.best:  # what has begun to learn was, at the best validation, as it is now
            self.best = {**_learned(self._classifier), **self.best}

    @property
    def is_cut_short(self) -> bool:
        """Whether there are steps left in the present stretch."""
        return self.step < self._last

    def begin_stretch(self, epoch: int, first: int, photos: int, batch_size: int, version: int) -> None:
        """The next call of `fit` continues an epoch of the phase.

        Args:
            epoch: Its number in the phase, from 0.
            first: Steps of it that are done.
            photos: How many photos there are in this stretch.
            batch_size: In a step; the last one may have fewer.
            version: Which version of the photos it is.
        """
        self._epoch, self._first, self._version = epoch, first, version
        self._photos, self._batch_size = photos, batch_size
        self.step, self._last = first, first - (-photos // batch_size)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start to count again."""
        self._sums = (0.0, 0.0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the learning rate and the momentum of averages, and start the clock."""
        optimizer = self.model.optimizer
        optimizer.learning_rate.assign(self.schedule.rate(self._epoch * self._steps + self._first + batch))
        if optimizer.use_ema:
            optimizer.ema_momentum.assign(self.schedule.averaging(int(optimizer.iterations.numpy())))
        self._recorder.begin_step()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record the batch; Keras gives means over the photos so far, and the batch's own values follow from them."""
        self.step = self._first + batch + 1
        means, before = logs or {}, batch * self._batch_size
        seen = min(before + self._batch_size, self._photos)
        sums = (float(means["loss"]) * seen, float(means["accuracy"]) * seen)
        loss, accuracy = ((new - old) / (seen - before) for new, old in zip(sums, self._sums, strict=True))
        self._sums = sums
        self._recorder.end_step(self._epoch, self.step, loss, accuracy, self._learning_rate())
        if self._run.stop_requested() or (self._run.pause_requested() and self.is_cut_short):
            self._end_fit()

    def on_test_begin(self, logs: Any = None) -> None:
        """Start the clock of the validation, which is of the averaged weights if there are such."""
        self._validation_began = time.perf_counter()
        _exchange_averages(self.model.optimizer)
        self._exchanged = True

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look for a stop; Keras begins to validate even where training was interrupted."""
        if self.interrupted or self._run.stop_requested():
            self._end_fit()

    def on_test_end(self, logs: Any = None) -> None:
        """Stop the clock of the validation."""
        self._validation_seconds = time.perf_counter() - self._validation_began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the validation if there was one, and keep the weights if they are the best so far."""
        values = logs or {}
        if self.interrupted:
            if self._run.stop_requested():
                self._recorder.end_partial_epoch(self._epoch, self.step, self._learning_rate())
        elif "val_loss" in values:
            self._validated(float(values["val_loss"]), float(values["val_accuracy"]))
        if self._exchanged:
            _exchange_averages(self.model.optimizer)
            self._exchanged = False

    def settle(self) -> None:
        """Go back to the best model, or stay with that of this moment where none was validated, and write it."""
        variables = changing(self._classifier)
        for name, value in self.best.items():
            variables[name].assign(value)
        save_model(self._classifier, self._run.best_file)

    def _validated(self, loss: float, accuracy: float) -> None:
        write_predictions(self._run, self._recorder.validations + 1, self._predictions.rows())
        improved = self._recorder.end_validation(
            self._epoch, self.step, loss, accuracy, self._validation_seconds, self._learning_rate(), self._version
        )
        self.over = self.schedule.validated(loss)
        if improved:
            self.best = _learned(self._classifier)

    def _end_fit(self) -> None:
        self.interrupted = self.model.stop_training = self.model.stop_evaluating = True

    def _learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def _learned(model: keras.Model) -> dict[str, NDArray[Any]]:
    """Copies of what training changes, but for random states."""
    return {name: values for name, values in values_of(changing(model)).items() if values.dtype.kind == "f"}


def _exchange_averages(optimizer: keras.optimizers.Optimizer) -> None:
    """Exchange the weights that learn with their moving averages, if the optimizer keeps such; twice is as before.

    Keras has no public access to them, and `SwapEMAWeights` will not do: it exchanges by adding and subtracting, which
    rounds, and has exchanged them back before the epoch ends, when the averages are kept as the best weights.
    """
    if optimizer.use_ema:
        pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
        for variable, average in pairs:
            present = np.array(variable.numpy())
            variable.assign(average)
            average.assign(present)


def save_model(model: keras.Model, file: Path) -> None:
    """Write a model so that a crash leaves the old one or the new one, without what it was compiled with."""
    temporary = file.with_name(f"writing-{file.name}")
    try:
        keras.Model(model.inputs, model.outputs, name=model.name).save(temporary)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
