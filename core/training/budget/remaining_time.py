"""The time that remains of a run: from what it has measured, and for phases not yet begun from their relative cost."""

from core.recipe.phases import Phase
from core.training.budget.cost_model import VALIDATION_SHARE


class Estimator:
    """Seconds that remain, from what was measured, and for phases not yet begun from their relative cost."""

    def __init__(self, phases: tuple[Phase, ...], steps: int, validations: float = 1.0) -> None:
        """Plan so many steps, and validations, in every epoch of every phase."""
        self._phases, self._steps, self._validations = phases, steps, validations
        self._step_seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._epoch_seconds: dict[str, float] = {}
        self._validation_seconds: dict[str, float] = {}
        self.pending = 0
        self.photos_per_second: float | None = None
        self.finishing = 0.0

    def plan(self, phases: tuple[Phase, ...]) -> None:
        """Change how many epochs are to come."""
        self._phases = phases

    def step(self, phase: Phase, seconds: float) -> None:
        """Take a measured step into account, recent ones weighing most.

        The first step of a phase also compiles; it counts only until the second.
        """
        count = self._counts.get(phase.name, 0)
        known = self._step_seconds.get(phase.name, seconds) if count != 1 else seconds
        self._step_seconds[phase.name] = known + (seconds - known) * 0.1
        self._counts[phase.name] = count + 1

    def step_seconds(self, phase: Phase) -> float:
        """Seconds of a step of this phase as measured so far; 1 before any was."""
        return self._step_seconds.get(phase.name) or 1.0

    def validation(self, phase: Phase, seconds: float) -> None:
        """Take a measured pass over the validation part into account."""
        self._validation_seconds[phase.name] = seconds

    def epoch(self, phase: Phase, seconds: float) -> None:
        """Take a whole epoch into account, with its validation and whatever lies between its steps.

        The first one of a phase also compiles; it counts only until the second.
        """
        self._epoch_seconds[phase.name] = seconds

    def epoch_seconds(self, phase: Phase, measured: Phase | None = None) -> float:
        """Seconds of an epoch: as measured, or from its steps, or from those of the `measured` phase."""
        steps = self._steps * self._seconds_of(phase, measured or phase)
        guess = steps + self._validations * self._validation_seconds.get(phase.name, steps * VALIDATION_SHARE)
        whole = self._epoch_seconds.get(phase.name)
        return guess if whole is None or phase.name not in self._step_seconds else min(whole, 1.5 * guess + 1)

    def seconds_left(self, phase: Phase, epochs_done: int, steps_done: int) -> float | None:
        """What remains after so many epochs of this phase and steps of the epoch under way; None before any step."""
        if phase.name not in self._step_seconds:
            return None
        left = self.finishing + (self.pending / self.photos_per_second if self.photos_per_second else 0.0)
        names = [each.name for each in self._phases]
        for later in self._phases[names.index(phase.name) :]:
            present = later.name == phase.name
            epochs = later.epochs - (epochs_done + steps_done / self._steps if present else 0)
            left += max(0.0, epochs) * self.epoch_seconds(later, phase)
        return left

    def _seconds_of(self, later: Phase, measured: Phase) -> float:
        known = self._step_seconds.get(later.name)
        if known is not None:
            return known
        return self._step_seconds.get(measured.name, 1.0) * later.relative_cost / measured.relative_cost
