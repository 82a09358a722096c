import pytest

from core.evaluation import diagnosis
from core.evaluation.diagnosis import Finding
from core.recipe.recipe import Recipe
from pages.components.runs.diagnosis_view import (
    SENTENCES,
    WITH_MORE_PHOTOS,
    _freer,
    _half,
    _slower,
    comparison_sentence,
    sentence,
)

RECIPE = Recipe(dataset="/photos/flowers", backbone="efficientnet-b0", unfreeze_point="block6", more_epochs=(4,))
BY_HEART = Finding(diagnosis.MEMORISED, {"training": 1.0, "validation": 0.86, "epoch": 3.0})


def test_each_finding_has_a_sentence() -> None:
    values = dict.fromkeys(("training", "validation", "guess", "times", "count", "photo"), 0.5)
    assert set(diagnosis.KEYS) == set(SENTENCES)
    assert all(sentence([Finding(key, values)]).endswith((".", "?")) for key in diagnosis.KEYS)


def test_how_many_photos_are_needed_is_asked_where_more_training_photos_help() -> None:
    values = dict.fromkeys(("training", "validation", "guess", "times", "count", "photo"), 0.5)
    helped = {key for key in diagnosis.KEYS if "More photos help" in sentence([Finding(key, values)])}
    assert helped == set(WITH_MORE_PHOTOS)


def test_what_belongs_together_is_one_sentence() -> None:
    words = sentence([BY_HEART, Finding(diagnosis.NO_GAIN, {"epoch": 3.0})])
    assert words == (
        "It learned its photos by heart (100 % of them are right, but only 86 % of the validation photos);"
        " fine-tuning brought nothing here. More photos help, or stronger augmentations."
    )
    assert "fine-tuning" not in sentence([BY_HEART])


@pytest.mark.parametrize(
    ("key", "difference", "words"),
    [
        (diagnosis.ALIKE, 0.001, "the same result"),
        (diagnosis.CHANCE, -0.031, "3.1 points below the validation accuracy: with so few photos, chance alone"),
        (diagnosis.CHANCE, 0.031, "3.1 points above"),
        (diagnosis.LOWER, -0.12, "12.0 points below the validation accuracy, more than chance"),
        (diagnosis.HIGHER, 0.12, "easier"),
    ],
)
def test_why_test_and_validation_differ_is_said(key: str, difference: float, words: str) -> None:
    assert words in comparison_sentence(Finding(key, {"difference": difference}))


def test_what_a_button_changes_in_the_recipe() -> None:
    slower, freer = _slower(RECIPE), _freer(RECIPE)
    assert slower.fine_tune_learning_rate == pytest.approx(RECIPE.fine_tune_learning_rate / 3)
    assert freer.unfreeze_point == "block5" and freer.more_epochs == ()
    everything = Recipe(dataset="/photos", backbone="baseline-cnn", unfreeze_point="all", fine_tune_epochs=6)
    assert _freer(everything).fine_tune_epochs == 12
    assert _half(RECIPE) == (3 + 5 + 4) // 2
