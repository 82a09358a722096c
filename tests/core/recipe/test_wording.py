from dataclasses import replace
from typing import Any

import pytest

from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.recipe.wording import describe_recipe, what_it_adapts_to

RECIPE = Recipe(
    dataset="/photos/flowers",
    backbone="efficientnet-b0",
    unfreeze_point="block6",
    augmentations={"rotation": Choice(0.05, 0.5), "flip_horizontal": Choice(1, 0.3), "zoom": Choice(0.15)},
    head_learning_rate=0.01,
)


def test_choices_are_named_as_people_name_them() -> None:
    words = describe_recipe(RECIPE)
    assert words["variant"] == "EfficientNet-B0"
    assert words["unfreeze point"] == "from block6"
    assert words["learning rate, head"] == "0.01"
    assert words["class weights"] == "no" and words["training photos per class"] == "all"
    assert describe_recipe(replace(RECIPE, photos_per_class=5))["training photos per class"] == "5"
    assert words["additional epochs"] == "none" and words["unfreeze layer"] == "–"
    assert words["dataset"] == "flowers"


def test_augmentations_are_rows_with_strength_and_frequency() -> None:
    words = describe_recipe(RECIPE)
    assert words["rotation"] == "18°, half of the photos"
    assert words["flip left–right"] == "30 % of the photos"
    assert words["zoom"] == "15 %, all photos"
    assert "augmentations" not in words and "version" not in words


@pytest.mark.parametrize(
    ("choices", "photos", "sentence"),
    [
        (
            {"early_stopping": 3},
            500,
            "About 100 training photos a class: the head learns first, then the network from"
            " block6 on, as long as that helps.",
        ),
        (
            {"unfreeze_point": "all"},
            500,
            "About 100 training photos a class: the head learns first, then the whole network.",
        ),
        (
            {"unfreeze_point": "none", "fine_tune_epochs": 0},
            20,
            "About 4 training photos a class: only the head learns, too few to fine-tune.",
        ),
        ({"fine_tune_epochs": 0}, 500, "About 100 training photos a class: only the head learns."),
        (
            {"weights": "random", "unfreeze_point": "all"},
            5,
            "About 1 training photo a class: everything learns from the start, for nothing is pretrained.",
        ),
    ],
)
def test_what_learns_is_said_with_the_number_of_photos(choices: dict[str, Any], photos: int, sentence: str) -> None:
    assert what_it_adapts_to(replace(RECIPE, **choices), photos, 5) == sentence
