from typing import Any

import pytest

from core.errors import NoRoom
from core.models.backbones import backbone
from core.recipe.augmentations import Choice
from core.recipe.plan import ORIGINAL, PhasePlan, first_versions, plan_phases
from core.recipe.recipe import Recipe
from core.training.inputs.data_loader import DataLoader

B0 = backbone("efficientnet-b0")
NOTHING: Any = None
"""What the choice of versions does not look at."""


def loader_and_plan(**choices: Any) -> tuple[DataLoader, PhasePlan]:
    """A data loader before the first epoch, and the plan of the head."""
    recipe = Recipe(dataset="d", backbone=B0.key, head_epochs=6, **choices)
    plans = plan_phases(recipe, B0, 10, 2, lambda needed: True)
    return DataLoader(recipe, B0, NOTHING, NOTHING, None, first_versions(plans)), plans[0]


def nothing_to_do(version: int) -> None:
    """Every version is cached already."""


def test_versions_are_cached_up_to_the_number_that_was_chosen_and_then_taken_in_turn() -> None:
    loader, head = loader_and_plan(augmentations={"rotation": Choice(0.1)}, views=3)
    computed: list[int] = []
    assert [loader.version(head, epoch, computed.append) for epoch in range(6)] == [0, 1, 2, 0, 1, 2]
    assert loader.made == [0, 1, 2] and computed == [0, 1, 2, 0, 1, 2]


def test_without_room_for_another_version_those_that_are_cached_are_taken_again() -> None:
    loader, head = loader_and_plan(augmentations={"rotation": Choice(0.1)}, views=4)

    def compute(version: int) -> None:
        if version > 1:
            raise NoRoom("The limit is reached.")

    assert [loader.version(head, epoch, compute) for epoch in range(6)] == [0, 1, 0, 1, 0, 1]
    assert loader.made == [0, 1]


def test_a_version_that_was_cached_and_cannot_be_used_any_more_is_an_error() -> None:
    loader, head = loader_and_plan(augmentations={"rotation": Choice(0.1)}, views=1)

    def compute(version: int) -> None:
        raise NoRoom("The disk is full.")

    with pytest.raises(NoRoom, match="disk is full"):
        loader.version(head, 3, compute)


def test_without_augmentation_each_epoch_takes_photos_as_they_are() -> None:
    loader, head = loader_and_plan(augmentations={}, views=4)
    assert [loader.version(head, epoch, nothing_to_do) for epoch in range(3)] == [ORIGINAL] * 3 and loader.made == []


def test_what_is_not_cached_is_augmented_again_for_each_epoch() -> None:
    loader, head = loader_and_plan(augmentations={"rotation": Choice(0.1)}, views=0)
    assert [loader.version(head, epoch, nothing_to_do) for epoch in range(3)] == [0, 1, 2] and loader.made == []
