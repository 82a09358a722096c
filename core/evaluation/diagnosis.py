"""What a run's metrics tell about how it learned: rules over its history, as keys and values without sentences.

The thresholds are rules of thumb, chosen so that chance alone, with so few validation photos, triggers none of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from core.evaluation.comparison import newcombe_interval
from core.evaluation.metrics import accuracy_interval
from core.recipe.phases import FINE_TUNE, HEAD

GUESSING, JUMPING, MEMORISED, APART, UNDERFITTED, IMPROVING, NO_GAIN, FEW, SOUND = KEYS = (
    "guessing",
    "jumping",
    "memorised",
    "apart",
    "underfitted",
    "improving",
    "no-gain",
    "few",
    "sound",
)
ALIKE, CHANCE, LOWER, HIGHER = "alike", "chance", "lower", "higher"

FEW_PHOTOS = 30
"""Fewer validation photos than that: one photo more or less is three points or more."""

NEARLY_ALL, GAP = 0.95, 0.05
"""Training accuracy from which on photos count as memorised, and by how much validation must then be below it; the
whole interval of the validation accuracy must be below the first."""

LOW = 0.8
"""Training accuracy below which a model has not even learned what it trains on."""

JUMP, JUMPS = 1.5, 2
"""By what factor the validation loss must rise from one validation to the next, and how often, to call it jumping."""

GAIN = 0.05
"""Share by which the validation loss must fall over the last quarter of the validations to call it still improving."""

NOTHING = 0.02
"""Share of the validation loss that fine-tuning must at least take away to have brought something."""

ALIKE_POINTS = 0.005
"""Accuracies that differ by less are told as the same."""


@dataclass(frozen=True)
class Finding:
    """What a rule has found.

    Attributes:
        key: One of the names above.
        values: What a sentence may name: shares of 1, counts, epochs from 1.
    """

    key: str
    values: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class History:
    """What a run has measured, as far as it is judged.

    Attributes:
        rows: The lines of its metrics, oldest first.
        validation_photos: How many there are, at least 1.
        guess: Share of them that always naming their most frequent class gets right.
    """

    rows: Sequence[Mapping[str, Any]]
    validation_photos: int
    guess: float

    @property
    def validations(self) -> list[Mapping[str, Any]]:
        """The lines that hold a validation."""
        return [row for row in self.rows if "val_loss" in row and "val_accuracy" in row]

    @property
    def kept(self) -> Mapping[str, Any]:
        """The validation whose model is kept: the first with the lowest loss; raises `ValueError` if there is none."""
        return min(self.validations, key=lambda row: float(row["val_loss"]))

    @property
    def training_accuracy(self) -> float | None:
        """The last that was measured in training, smoothed; None where there is none."""
        return next((float(row["accuracy"]) for row in reversed(self.rows) if "accuracy" in row), None)

    def interval(self, accuracy: float) -> tuple[float, float]:
        """The 95 % interval of an accuracy on the validation photos."""
        return accuracy_interval(round(accuracy * self.validation_photos), self.validation_photos)


def diagnose(history: History) -> tuple[Finding, ...]:
    """What stands out, the most important first; `SOUND` where nothing does, empty before the first validation."""
    if not history.validations:
        return ()
    rules = (_guessing, _jumping, _memorised, _apart, _underfitted, _improving, _no_gain, _few)
    found = tuple(each for rule in rules if (each := rule(history)) is not None)
    return found or (Finding(SOUND, _accuracies(history)),)


def _guessing(history: History) -> Finding | None:
    """No better than always naming the most frequent class."""
    accuracy = float(history.kept["val_accuracy"])
    low = history.interval(accuracy)[0]
    halfway = (1 + history.guess) / 2
    if low > history.guess or accuracy >= halfway or history.validation_photos < FEW_PHOTOS:
        return None
    return Finding(GUESSING, {"accuracy": accuracy, "guess": history.guess})


def _jumping(history: History) -> Finding | None:
    """The validation loss rises in leaps that cost photos: the steps are too large."""
    jumps = sum(
        after["phase"] == before["phase"]
        and after["val_loss"] > JUMP * before["val_loss"]
        and after["val_accuracy"] < before["val_accuracy"]
        for before, after in pairwise(history.validations)
    )
    return Finding(JUMPING, {"times": jumps}) if jumps >= JUMPS else None


def _memorised(history: History) -> Finding | None:
    """Nearly all training photos right, and validation photos clearly less."""
    training, last = history.training_accuracy, float(history.validations[-1]["val_accuracy"])
    if training is None or training < NEARLY_ALL or training - last < GAP or history.interval(last)[1] >= NEARLY_ALL:
        return None
    return Finding(MEMORISED, {"training": training, "validation": last, "epoch": float(history.kept["epoch"])})


def _apart(history: History) -> Finding | None:
    """Validation photos clearly less right than training photos, which are not all right either."""
    training, last = history.training_accuracy, float(history.validations[-1]["val_accuracy"])
    if training is None or training - last < GAP or history.interval(last)[1] >= training or _memorised(history):
        return None
    return Finding(APART, {"training": training, "validation": last})


def _underfitted(history: History) -> Finding | None:
    """Not even the training photos are right, and it has stopped getting better."""
    training, last = history.training_accuracy, float(history.validations[-1]["val_accuracy"])
    if training is None or training >= LOW or training - last >= GAP or last >= LOW or _improving(history):
        return None
    return Finding(UNDERFITTED, {"training": training, "validation": last})


def _improving(history: History) -> Finding | None:
    """The last validation is the best, and clearly better than a while before."""
    losses = [float(row["val_loss"]) for row in history.validations]
    back = max(1, len(losses) // 4)
    if len(losses) < 3 or losses[-1] > min(losses) or losses[-1] > (1 - GAIN) * losses[-1 - back]:
        return None
    last = history.validations[-1]
    if float(last["val_accuracy"]) > 1 - 0.5 / history.validation_photos:  # there is nothing left to gain
        return None
    return Finding(IMPROVING, {"epochs": float(last["epoch"]), "accuracy": float(last["val_accuracy"])})


def _no_gain(history: History) -> Finding | None:
    """Fine-tuning has not brought the validation loss below that of the head alone."""
    head, fine = (
        [float(row["val_loss"]) for row in history.validations if row["phase"] == phase] for phase in (HEAD, FINE_TUNE)
    )
    if not head or not fine or min(fine) < (1 - NOTHING) * min(head):
        return None
    return Finding(NO_GAIN, {"epoch": float(history.kept["epoch"])})


def _few(history: History) -> Finding | None:
    """So few validation photos that their accuracy says little."""
    count = history.validation_photos
    return Finding(FEW, {"count": count, "photo": 1 / count}) if count < FEW_PHOTOS else None


def _accuracies(history: History) -> dict[str, float]:
    values = {"validation": float(history.kept["val_accuracy"])}
    training = history.training_accuracy
    return values if training is None else {**values, "training": training}


def compare_with_validation(correct: int, count: int, accuracy: float, validation_photos: int) -> Finding:
    """Why the accuracy on test photos differs from that on validation photos, by which the kept epoch was chosen.

    Args:
        correct, count: How many of how many test photos are classified correctly.
        accuracy: The share of validation photos that are.
        validation_photos: How many these are, at least 1.

    Returns:
        `ALIKE`, `CHANCE` where the 95 % interval of the difference (Newcombe's) holds 0, `LOWER` or `HIGHER`; with the
        difference, test minus validation.
    """
    found = newcombe_interval(correct, count, round(accuracy * validation_photos), validation_photos)
    values = {"difference": found.difference, "photos": float(min(count, validation_photos))}
    if abs(found.difference) < ALIKE_POINTS:
        return Finding(ALIKE, values)
    if found.low <= 0 <= found.high:
        return Finding(CHANCE, values)
    return Finding(LOWER if found.difference < 0 else HIGHER, values)
