from dataclasses import replace

from core.recipe.recipe import Recipe
from core.reports.training import choices, phases

RECIPE = Recipe(dataset="/photos/zoo", unfreeze_point="block6", fine_tune_epochs=5)


def test_choices_that_matter_or_were_changed_come_first() -> None:
    found = choices(replace(RECIPE, momentum=0.5))
    shown = dict(found.shown)
    assert shown["variant"] == "EfficientNet-B0" and shown["momentum"] == "0.5" and shown["seed"] == "0"
    assert "weight decay 0.004" in found.usual and "mixup" in found.unused
    assert not any(title in shown for title in found.unused)


def test_phases_are_those_of_the_recipe() -> None:
    assert phases(RECIPE) == [
        ("Training the head", "3", "head only", "0.01"),
        ("Fine-tuning", "5", "from block6", "0.0001"),
    ]
    (only,) = phases(replace(RECIPE, weights="random"))
    assert only[2] == "everything"
