"""The phases of a run: stretches of epochs in which the same blocks learn."""

from dataclasses import dataclass

HEAD, FINE_TUNE, FROM_SCRATCH = "head", "fine-tune", "from scratch"

PHASE_WORDS = {
    HEAD: "Training the head",
    FINE_TUNE: "Fine-tuning",
    FROM_SCRATCH: "Training everything from scratch",
}


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with the same blocks learning.

    Attributes:
        name: What tells it from the other phases of a run.
        epochs: At least 1.
        learning_rate: Its peak.
        unfreeze_point: As in the recipe.
        relative_cost: Seconds of a step in relation to the other phases, a first guess until steps were measured.
        kind: A key of `PHASE_WORDS`; the name, if that is one.
        unfreeze_layer: As in the recipe.
    """

    name: str
    epochs: int
    learning_rate: float
    unfreeze_point: str
    relative_cost: float
    kind: str = ""
    unfreeze_layer: str = ""

    def __post_init__(self) -> None:
        """Take the name for the kind where none is given."""
        object.__setattr__(self, "kind", self.kind or self.name)

    @property
    def learning(self) -> tuple[str, str]:
        """What learns, so that phases with the same can be told."""
        return self.unfreeze_point, self.unfreeze_layer

    @property
    def words(self) -> str:
        """What is going on, for the person who watches."""
        return PHASE_WORDS[self.kind] + self.name.removeprefix(self.kind)
