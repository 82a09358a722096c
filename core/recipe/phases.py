"""The phases of a run: stretches of epochs in which the same blocks learn."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.runs.messages import Message

HEAD, FINE_TUNE, FROM_SCRATCH = "head", "fine-tune", "from scratch"

PHASE_KEYS = {HEAD: "train-head", FINE_TUNE: "fine-tune", FROM_SCRATCH: "train-all"}
"""The kinds of phases, with the keys of their messages."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with the same blocks learning.

    Attributes:
        name: What tells it from the other phases of a run.
        epochs: At least 1.
        learning_rate: Its peak.
        unfreeze_point: As in the recipe.
        relative_cost: Seconds of a step in relation to the other phases, a first guess until steps were measured.
        kind: A key of `PHASE_KEYS`; the name, if that is one.
        unfreeze_layer: As in the recipe.
        added: 0, or which of the phases that were added after the run had ended, from 1.
    """

    name: str
    epochs: int
    learning_rate: float
    unfreeze_point: str
    relative_cost: float
    kind: str = ""
    unfreeze_layer: str = ""
    added: int = 0

    def __post_init__(self) -> None:
        """Take the name for the kind where none is given."""
        object.__setattr__(self, "kind", self.kind or self.name)

    @property
    def learning(self) -> tuple[str, str]:
        """What learns: equal for phases in which the same layers do."""
        return self.unfreeze_point, self.unfreeze_layer

    @property
    def message(self) -> Message:
        """What is going on, for the person who watches."""
        key = PHASE_KEYS[self.kind]
        if self.added:
            return Message(f"{key}-added", {"number": self.added})
        return Message(key) if self.name == self.kind else Message(f"{key}-from", {"point": self.unfreeze_point})


def phase_of_epoch(phases: Sequence[Phase], epoch: int) -> Phase:
    """The phase that an epoch of a run, from 1, belongs to: the first before they begin, the last after all."""
    for phase in phases[:-1]:
        if epoch <= phase.epochs:
            return phase
        epoch -= phase.epochs
    return phases[-1]
