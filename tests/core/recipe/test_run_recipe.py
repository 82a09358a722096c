"""What a person chose for a run, and what it trains by."""

import json
from pathlib import Path

import pytest

from core.errors import RecipeError
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import SETTLED, chosen_recipe, read_recipe, settle
from core.runs.store import Run, RunStore

CHOSEN = Recipe(
    dataset="photos",
    minutes=5,
    batch_size=8,
    backbone="efficientnet-lite0",
    unfreeze_point="block7",
    unfreeze_layer="block7a_project_conv",
)
FITTED = Recipe(
    dataset="photos",
    minutes=5,
    batch_size=8,
    backbone="efficientnet-lite0",
    unfreeze_point="block6",
    views=2,
    head_epochs=4,
    fine_tune_epochs=9,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).create(lambda making: _write(making, CHOSEN))


def _write(run: Run, recipe: Recipe) -> None:
    run.recipe_file.write_text(recipe.to_json(), "utf-8")


def test_a_run_trains_by_what_was_chosen_until_something_is_settled(run: Run) -> None:
    assert chosen_recipe(run) == read_recipe(run) == CHOSEN


def test_what_is_settled_is_trained_and_what_was_chosen_stays(run: Run) -> None:
    before = run.recipe_file.read_bytes()
    settle(run, FITTED)
    assert (chosen_recipe(run), read_recipe(run)) == (CHOSEN, FITTED)
    assert run.recipe_file.read_bytes() == before
    assert set(json.loads(run.settled_recipe_file.read_text("utf-8"))) == set(SETTLED)


def test_a_run_with_additional_epochs_keeps_what_was_settled(run: Run) -> None:
    settle(run, FITTED)
    _write(run, Recipe(dataset="photos", batch_size=8, more_epochs=(3,)))
    found = read_recipe(run)
    assert (found.backbone, found.head_epochs, found.more_epochs, found.minutes) == ("efficientnet-lite0", 4, (3,), 0)


def test_a_run_of_version_0_1_0_has_what_was_settled_in_its_recipe(run: Run) -> None:
    _write(run, FITTED)
    assert chosen_recipe(run) == read_recipe(run) == FITTED


@pytest.mark.parametrize("text", ["{", "[]", '{"dataset": "/etc"}', '{"backbone": "unknown"}'])
def test_a_damaged_file_is_named_or_refused(run: Run, text: str) -> None:
    run.settled_recipe_file.write_text(text, "utf-8")
    with pytest.raises(RecipeError):
        read_recipe(run)
    assert chosen_recipe(run) == CHOSEN
