"""What a run records for its watchers: metrics line by line, and a status with an estimate of the time that remains."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from core.errors import TrainingDiverged
from core.language import tr, tr_mark
from core.recipe.phases import Phase
from core.runs.messages import NO_MESSAGE, Message
from core.runs.prediction_history import validations
from core.runs.store import ACTIVE, RUNNING, Run, Status
from core.training.budget.remaining_time import Estimator

WRITE_SECONDS = 0.4
"""How often at most the run folder is written to while batches go by."""

SMOOTHING = 0.9
"""Weight of the past in the exponential moving average of the training loss and accuracy of single batches."""

BEST = ("best_epoch", "best_val_loss", "best_val_accuracy")

LOSS_DIVERGED = tr_mark(
    "The loss became {loss} in epoch {epoch}: the steps were too large. Start again with a learning rate ten times"
    " smaller than {rate}."
)
VALIDATION_LOSS_DIVERGED = tr_mark(
    "The validation loss became {loss} in epoch {epoch}: the steps were too large. Start again with a learning rate ten"
    " times smaller than {rate}."
)
"""What is told where one of them is not a number."""


def begun(before: Status, now: float) -> Status:
    """The status of a run that begins or goes on now (seconds since 1970); the queue may have begun to count before."""
    if before.state in ACTIVE and before.started and not before.ended:
        return replace(before, state=RUNNING)
    spent = before.seconds(now) if before.ended else before.spent
    return replace(before, state=RUNNING, started=now, ended=None, spent=spent)


class Recorder:
    """Writes metrics and status of one run; knows nothing of Keras.

    Attributes:
        validations: How many there were.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.time) -> None:
        """Go on from the status that the run has."""
        self._run, self._clock = run, clock
        self._status = begun(run.read_status(), clock())
        self._rows = self.validations = 0
        self._phases: tuple[Phase, ...] = ()
        self._phase: Phase | None = None
        self._written = 0.0
        self._step_began = 0.0
        self._computing_began, self._computing = 0.0, NO_MESSAGE
        self._smooth: tuple[float, ...] | None = None
        self._log: Callable[[Mapping[str, Any], int], None] | None = None

    @property
    def status(self) -> Status:
        """The status as last told."""
        return self._status

    @property
    def seconds(self) -> float:
        """How long the run has been going, without its pauses."""
        return self._status.seconds(self._clock())

    @property
    def best_loss(self) -> float | None:
        """The lowest validation loss so far."""
        return self._status.best_val_loss

    def facts(self) -> dict[str, Any]:
        """All that must be known to go on from this moment, as JSON values."""
        best = {name: getattr(self._status, name) for name in BEST}
        return {"best": best, "spent": self.seconds, "smooth": self._smooth, "rows": self._rows}

    def go_on_from(self, facts: Mapping[str, Any] | None) -> None:
        """Resume from what `facts` gave, or start over; what was recorded since then is forgotten."""
        known = facts or {"best": dict.fromkeys(BEST), "spent": 0.0, "smooth": None, "rows": 0}
        spent = max(self._status.spent, known["spent"])  # what came after the last checkpoint is lost with a crash
        self._rows = known["rows"]
        self._smooth = tuple(known["smooth"]) if known["smooth"] else None
        self._run.keep_metrics(self._rows)
        self.validations = len(validations(self._run))
        self.tell(**known["best"], spent=spent)

    def tell(self, **changes: Any) -> None:
        """Change the status and write it at once."""
        self._status = replace(self._status, **changes)
        self._run.write_status(self._status)
        self._written = self._clock()

    def tell_often(self, **changes: Any) -> None:
        """Change the status, and write it unless that was done a moment ago."""
        self._status = replace(self._status, **changes)
        if self._clock() - self._written > WRITE_SECONDS:
            self.tell()

    def log_to(self, write: Callable[[Mapping[str, Any], int], None]) -> None:
        """Hand every line of the metrics to somebody else, too, with the number of the training step."""
        self._log = write

    def plan(self, phases: tuple[Phase, ...], steps: int, batch_size: int, validations: float = 1.0) -> None:
        """Say what is to come: the phases, and the steps and validations in each epoch."""
        self._phases, self._steps, self._batch_size = phases, steps, batch_size
        self.estimator = Estimator(phases, steps, validations)
        self.tell(epochs=sum(phase.epochs for phase in phases))

    def change_plan(self, phases: tuple[Phase, ...]) -> None:
        """Say that there will be more or fewer epochs than planned."""
        self._phases = phases
        self.estimator.plan(phases)
        self.tell(epochs=sum(phase.epochs for phase in phases))

    def begin_phase(self, phase: Phase, caching: Message) -> None:
        """Enter one of the planned phases, which trains on cached outputs or not."""
        self._phase = phase
        self.tell(phase=phase.kind, caching=caching, message=phase.message, progress=self._share(0, 0))

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """An epoch of the phase begins, from 0, or goes on after so many steps."""
        phase = self._present()
        number = self._epochs_before() + epoch + 1
        self.tell(phase=phase.kind, message=phase.message, epoch=number, progress=self._share(epoch, step))

    def begin_computing(self, message: Message) -> None:
        """The frozen part is about to be computed for some photos."""
        self._computing_began, self._computing = self._clock(), message
        self.tell(message=message, progress=self._status.progress if self._phase else 0.0)

    def computing(self, done: int, total: int, seconds_left: float | None = None) -> None:
        """So many of the photos went through the frozen part, and this is what remains of the whole run."""
        seconds = self._clock() - self._computing_began
        rate = done / seconds if seconds > 0 else None
        share = done / max(1, total)
        if self._phase is None:
            self.tell_often(progress=share, images_per_second=rate)
        else:  # the bar shows how far the epochs are
            message = replace(self._computing, values={**self._computing.values, "share": round(share, 2)})
            self.tell_often(message=message, images_per_second=rate, seconds_left=seconds_left)

    def tell_first(self, accuracy: float, training: int, validation: int) -> None:
        """A first head, fitted to so many photos, has this accuracy on so many validation photos."""
        seconds = self._status.first_seconds
        if seconds is None:
            seconds = round(self.seconds, 2)
        self.tell(first_accuracy=accuracy, first_training=training, first_validation=validation, first_seconds=seconds)

    def begin_step(self) -> None:
        """A training step begins."""
        self._step_began = time.perf_counter()

    def end_step(self, epoch: int, step: int, loss: float, accuracy: float, learning_rate: float) -> None:
        """A training step ended: its epoch in the phase, from 0, its number, from 1, and the batch's loss and accuracy.

        Raises `TrainingDiverged` when the loss is not a number any more.
        """
        self._check_finite(LOSS_DIVERGED, loss, epoch)
        seconds = time.perf_counter() - self._step_began
        phase = self._present()
        if step < self._steps or self._steps == 1:  # the last batch of an epoch may be smaller
            self.estimator.step(phase, seconds)
        old_loss, old_accuracy = self._smooth or (loss, accuracy)
        self._smooth = (
            SMOOTHING * old_loss + (1 - SMOOTHING) * loss,
            SMOOTHING * old_accuracy + (1 - SMOOTHING) * accuracy,
        )
        if self._clock() - self._written < WRITE_SECONDS and step < self._steps:
            return
        rate = self._batch_size / self.estimator.step_seconds(phase)
        self._append(epoch, step, learning_rate, loss=self._smooth[0], accuracy=self._smooth[1], images_per_second=rate)
        self.tell(
            epoch=self._epochs_before() + epoch + 1,
            progress=self._share(epoch, step),
            seconds_left=self.estimator.seconds_left(phase, epoch, step),
            images_per_second=rate,
        )

    def end_validation(
        self, epoch: int, step: int, val_loss: float, val_accuracy: float, val_seconds: float, rate: float, version: int
    ) -> bool:
        """A validation ended after a step of an epoch, which saw this version of the photos (-1: as they are).

        Returns whether it is the best so far by validation loss. Raises `TrainingDiverged` when the validation loss is
        not a number: the last step spoilt the model.
        """
        self._check_finite(VALIDATION_LOSS_DIVERGED, val_loss, epoch)
        self.estimator.validation(self._present(), val_seconds)
        self._append(epoch, step, rate, version=version, val_loss=val_loss, val_accuracy=val_accuracy)
        self.validations += 1
        best = self._status.best_val_loss
        improved = best is None or val_loss < best
        if improved:
            number = self._epochs_before() + epoch + 1
            self.tell(best_epoch=number, best_val_loss=val_loss, best_val_accuracy=val_accuracy)
        return improved

    def end_partial_epoch(self, epoch: int, step: int, rate: float) -> None:
        """An epoch was cut short; it is marked, so that nobody takes it for a whole one.

        A run that goes on forgets the mark.
        """
        self._append(epoch, step, rate, partial=True)
        self._rows -= 1

    def _append(self, epoch: int, step: int, rate: float, *, partial: bool = False, **values: float) -> None:
        number = self._epochs_before() + epoch
        row = {
            "phase": self._present().kind,
            "epoch": number + 1,
            "step": step,
            "position": round(number + step / self._steps, 4),
            "partial": partial,
            "seconds": round(self.seconds, 2),
            "learning_rate": rate,
            **{name: round(value, 6) for name, value in values.items()},
        }
        self._run.append_metrics(row)
        self._rows += 1
        if self._log is not None:
            self._log(row, number * self._steps + step)

    def _check_finite(self, diverged: str, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise TrainingDiverged(
                tr(
                    diverged,
                    loss=str(loss),
                    epoch=self._epochs_before() + epoch + 1,
                    rate=f"{self._present().learning_rate:.1e}",
                )
            )

    def _present(self) -> Phase:
        if self._phase is None:
            raise RuntimeError("begin_phase comes before any step")
        return self._phase

    def _epochs_before(self) -> int:
        names = [phase.name for phase in self._phases]
        return sum(phase.epochs for phase in self._phases[: names.index(self._present().name)])

    def _share(self, epoch: int, step: int) -> float:
        total = sum(phase.epochs for phase in self._phases) * self._steps
        return ((self._epochs_before() + epoch) * self._steps + step) / total
