from typing import Any

import pytest

from core.evaluation import diagnosis
from core.evaluation.diagnosis import (
    ALIKE,
    APART,
    CHANCE,
    FEW,
    GUESSING,
    HIGHER,
    IMPROVING,
    JUMPING,
    LOWER,
    MEMORISED,
    NO_GAIN,
    SOUND,
    UNDERFITTED,
    Finding,
    History,
    diagnose,
)

Epoch = tuple[str, float, float, float]
"""Phase, training accuracy, validation loss, validation accuracy."""


def history(*epochs: Epoch, photos: int = 200, guess: float = 0.1) -> History:
    rows: list[dict[str, Any]] = []
    for number, (phase, accuracy, loss, validated) in enumerate(epochs, 1):
        rows.append({"phase": phase, "epoch": number, "accuracy": accuracy})
        rows.append({"phase": phase, "epoch": number, "val_loss": loss, "val_accuracy": validated})
    return History(rows, photos, guess)


HEAD = [("head", 0.80, 0.60, 0.80), ("head", 0.86, 0.50, 0.84), ("head", 0.88, 0.49, 0.85)]
FINE = [("fine-tune", 0.90, 0.42, 0.87), ("fine-tune", 0.92, 0.40, 0.88), ("fine-tune", 0.92, 0.395, 0.885)]


def keys(*epochs: Epoch, photos: int = 200, guess: float = 0.1) -> list[str]:
    return [found.key for found in diagnose(history(*epochs, photos=photos, guess=guess))]


def test_a_run_in_which_all_went_well_is_sound() -> None:
    assert keys(*HEAD, *FINE) == [SOUND]
    assert diagnose(history()) == (), "nothing is said before the first validation"


def test_memorised_takes_a_gap_that_chance_does_not_explain() -> None:
    apart = [*HEAD, ("fine-tune", 0.99, 0.41, 0.86), ("fine-tune", 1.0, 0.44, 0.86)]
    [found] = diagnose(history(*apart))
    assert found == Finding(MEMORISED, {"training": 1.0, "validation": 0.86, "epoch": 4.0})
    assert MEMORISED not in keys(*apart, photos=12), "one of twelve photos is eight points"
    assert MEMORISED not in keys(*HEAD, ("fine-tune", 0.99, 0.41, 0.95)), "nearly as good on new photos"
    assert MEMORISED not in keys(*HEAD, ("fine-tune", 0.93, 0.41, 0.83)), "not by heart"


def test_training_and_validation_are_apart_where_chance_does_not_explain_it() -> None:
    assert keys(*HEAD, ("fine-tune", 0.9, 0.47, 0.75)) == [APART]
    assert APART not in keys(*HEAD, ("fine-tune", 0.9, 0.47, 0.75), photos=12)
    assert APART not in keys(*HEAD, ("fine-tune", 0.9, 0.42, 0.86)), "four points"
    assert APART not in keys(*HEAD, ("fine-tune", 0.99, 0.41, 0.86)), "memorised says more"


def test_fine_tuning_that_takes_nothing_off_the_loss_brought_nothing() -> None:
    [found] = diagnose(history(*HEAD, ("fine-tune", 0.88, 0.50, 0.85), ("fine-tune", 0.89, 0.52, 0.85)))
    assert found == Finding(NO_GAIN, {"epoch": 3.0})
    assert keys(*HEAD, ("fine-tune", 0.89, 0.488, 0.85)) == [NO_GAIN], "a hundredth is nothing"
    assert NO_GAIN not in keys(*HEAD, ("fine-tune", 0.9, 0.47, 0.85))
    assert NO_GAIN not in keys(*HEAD), "there was no fine-tuning"


def test_both_are_found_together_the_more_important_first() -> None:
    assert keys(*HEAD, ("fine-tune", 0.99, 0.55, 0.84), ("fine-tune", 1.0, 0.6, 0.84)) == [MEMORISED, NO_GAIN]


def test_guessing_is_no_better_than_the_most_frequent_class() -> None:
    assert keys(("head", 0.12, 2.3, 0.11), ("head", 0.13, 2.3, 0.12), ("head", 0.12, 2.3, 0.12))[0] == GUESSING
    assert GUESSING not in keys(("head", 0.3, 2.0, 0.25))
    assert keys(("head", 0.7, 0.6, 0.72), guess=0.7)[0] == GUESSING, "seven of ten photos are of one class"
    assert GUESSING not in keys(("head", 1.0, 0.1, 1.0), photos=40, guess=0.95)
    assert GUESSING not in keys(("head", 0.6, 0.6, 0.5), photos=2, guess=0.5), "two photos prove nothing"


def test_a_loss_that_leaps_twice_is_jumping() -> None:
    leaps = [("from scratch", 0.85, loss, 0.95 - loss / 5) for loss in (0.5, 0.9, 0.45, 1.2, 0.5)]
    assert keys(*leaps)[0] == JUMPING
    assert JUMPING not in keys(*leaps[:3]), "once is chance"
    assert JUMPING not in keys(*[("head", 0.85, 0.5 * 1.2**n, 0.9 - n / 50) for n in range(9)]), "it rises steadily"
    assert JUMPING not in keys(*[(*each[:2], each[2] / 100, 1.0) for each in leaps]), "next to nothing, and all right"
    between = [("head", 0.85, 0.4, 0.87), ("fine-tune", 0.85, 0.8, 0.8)]
    assert JUMPING not in keys(*between, *between), "another phase begins anew"


def test_improving_until_the_last_epoch() -> None:
    falling = [("head", 0.85, loss, 0.84) for loss in (0.9, 0.8, 0.7, 0.6)]
    assert keys(*falling) == [IMPROVING]
    assert IMPROVING not in keys(*falling, ("head", 0.85, 0.61, 0.84)), "the last is not the best"
    assert IMPROVING not in keys(*falling, ("head", 0.85, 0.59, 0.84)), "hardly better any more"
    assert IMPROVING not in keys(*[(phase, 1.0, loss, 1.0) for phase, _, loss, _ in falling]), "all are right"
    assert IMPROVING not in keys(*falling[:2]), "two say nothing"


def test_underfitted_is_wrong_about_what_it_trains_on_and_stands_still() -> None:
    stuck = [("head", 0.6, 1.2, 0.58), ("head", 0.61, 1.19, 0.6), ("head", 0.61, 1.19, 0.6)]
    assert keys(*stuck) == [UNDERFITTED]
    assert UNDERFITTED not in keys(*stuck[:2], ("head", 0.65, 0.9, 0.64)), "it still gets better"
    assert UNDERFITTED not in keys(("head", 0.6, 0.5, 0.85)), "strong augmentations make training harder"
    assert UNDERFITTED not in keys(("head", 0.78, 1.2, 0.6))


@pytest.mark.parametrize(("photos", "few"), [(12, True), (29, True), (30, False)])
def test_few_validation_photos_are_said(photos: int, few: bool) -> None:
    assert (FEW in keys(*HEAD, *FINE, photos=photos)) is few


def test_the_kept_validation_is_the_first_with_the_lowest_loss() -> None:
    assert history(*HEAD, ("head", 0.9, 0.49, 0.9)).kept["epoch"] == 3


@pytest.mark.parametrize(
    ("correct", "count", "accuracy", "photos", "key"),
    [
        (180, 200, 0.9, 100, ALIKE),
        (172, 200, 0.9, 100, CHANCE),
        (3, 6, 1.0, 2, CHANCE),
        (300, 400, 0.9, 200, LOWER),
        (396, 400, 0.9, 200, HIGHER),
    ],
)
def test_test_and_validation_differ_by_chance_or_by_more(
    correct: int, count: int, accuracy: float, photos: int, key: str
) -> None:
    found = diagnosis.compare_with_validation(correct, count, accuracy, photos)
    assert found.key == key
    assert found.values["difference"] == pytest.approx(correct / count - accuracy)
