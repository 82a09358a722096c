"""The learning rate of each step of a phase, the momentum of the moving average, and early stopping. No Keras."""

import math
from dataclasses import dataclass
from typing import Any

from core.recipe.recipe import Recipe

SMALLEST_GAIN = 1e-4
"""By how much a validation loss must be below the best so far to count as better."""


@dataclass
class Patience:
    """Counts validations without a better loss.

    Attributes:
        most: How many run it out; 0 for patience without end.
        best: The lowest loss so far.
        waited: Validations since then.
    """

    most: int
    best: float = math.inf
    waited: int = 0

    def runs_out(self, loss: float) -> bool:
        """Take in a validation loss; returns whether patience has run out, and counts from 0 again if so."""
        if loss < self.best - SMALLEST_GAIN:
            self.best, self.waited = loss, 0
            return False
        self.waited += 1
        if not self.most or self.waited < self.most:
            return False
        self.waited = 0
        return True


class Schedule:
    """The learning rate of each step of a phase, and whether the phase should end early.

    Cosine: half a wave from the peak to 0 (Loshchilov and Hutter, "SGDR", arXiv 1608.03983), after a linear rise over
    the warm-up (Goyal et al., arXiv 1706.02677). Plateau: as Keras' ReduceLROnPlateau. Early stopping: as Keras'.
    """

    def __init__(self, recipe: Recipe, peak: float, epochs: int, steps: int) -> None:
        """Plan a phase of so many epochs of so many steps.

        Args:
            recipe: Says which schedule, and how patient.
            peak: The highest learning rate.
            epochs: In the phase, at least 1.
            steps: In an epoch, at least 1.
        """
        self._kind, self._factor = recipe.schedule, recipe.plateau_factor
        self._peak, self._steps, self._ema = peak, epochs * steps, recipe.ema
        self._warm = min(recipe.warm_up_epochs * steps, self._steps - 1)
        self._plateau, self._stopping = Patience(recipe.plateau_patience), Patience(recipe.early_stopping)
        self._drops = 0

    def must_beat(self, loss: float) -> None:
        """Have early stopping count only validations as better that beat this loss, of an earlier phase."""
        self._stopping.best = min(self._stopping.best, loss)

    def rate(self, step: int) -> float:
        """The learning rate of a step of the phase, from 0."""
        if step < self._warm:
            return self._peak * (step + 1) / (self._warm + 1)
        if self._kind == "cosine":
            done = (min(step, self._steps) - self._warm) / (self._steps - self._warm)
            return self._peak * 0.5 * (1 + math.cos(math.pi * done))
        return self._peak * self._factor**self._drops

    def averaging(self, updates: int) -> float:
        """The momentum of the moving average of weights after so many updates of it.

        It rises to the recipe's with the updates, as in TensorFlow's `ExponentialMovingAverage` with `num_updates`: a
        momentum of 0.999 from the start would keep the weights of the first steps for a thousand more.
        """
        return min(self._ema, (1 + updates) / (10 + updates))

    def validated(self, loss: float) -> bool:
        """Take in a validation loss; returns whether the phase should end."""
        if self._kind == "plateau" and self._plateau.runs_out(loss):
            self._drops += 1
        return self._stopping.runs_out(loss)

    def state(self) -> dict[str, Any]:
        """What a resumed phase needs to know, as JSON values."""
        patiences = {"plateau": self._plateau, "stopping": self._stopping}
        known = {name: [each.best, each.waited] for name, each in patiences.items() if math.isfinite(each.best)}
        return {"drops": self._drops, **known}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._drops = int(state["drops"])
        for name, patience in (("plateau", self._plateau), ("stopping", self._stopping)):
            if name in state:
                patience.best, patience.waited = state[name]
