from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.runs.messages import Message
from core.runs.store import FINISHED, PAUSED, RUNNING, STOPPED, Label, Run, RunStore, Status
from pages.components.runs.run_text import (
    bar,
    card_facts,
    describe_ending,
    describe_kept_model,
    describe_loss,
    describe_place,
    describe_progress,
    group_runs,
    large_figures,
    reached,
    setting_text,
    training_figures,
)
from pages.components.shared.run_descriptions import LoadedRun

RECIPE = Recipe(dataset="/photos/flowers", backbone="efficientnet-b0", unfreeze_point="block7")
ENDED = Status(state=FINISHED, created=1000.0, started=1000.0, ended=1125.0, epochs=8)
GOING = Status(state=RUNNING, message=Message("train-head"), epoch=2, epochs=8, seconds_left=70.0)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def test_progress_names_what_goes_on_the_epoch_and_the_time_left() -> None:
    assert describe_progress(GOING) == "Training the head · epoch 2 of 8 · about 1 min 10 s left"
    starting = Status(message=Message("sentence", {"text": "[a](b)"}))
    assert describe_progress(starting) == r"\[a\]\(b\)", "what came with an imported run makes no links"


def test_the_bar_of_a_run_shows_the_share_of_all_that_is_done_as_the_sidebar_does() -> None:
    going = replace(GOING, seconds_left=60.0, started=1000.0, created=1000.0, progress=0.9)
    assert bar(going, 1040.0) == going.share_done(1040.0) == 0.4
    assert bar(replace(going, seconds_left=None), 1040.0) == 0.9, "of what it does now, until more is known"
    assert bar(Status(), 0.0) == 0.0


@pytest.mark.parametrize(
    ("before", "text"), [(0, "Next in the queue"), (1, "Second in the queue"), (4, "4 runs ahead of it")]
)
def test_a_place_in_the_queue_is_counted(before: int, text: str) -> None:
    assert describe_place(before) == text


def test_the_large_figures_are_how_good_it_is_and_how_long_it_takes() -> None:
    good = reached(replace(GOING, best_val_accuracy=0.954))
    assert [(value, words) for value, words, _ in good] == [
        ("95.4 %", "accuracy on the validation photos"),
        ("≈ 1 min 10 s", "left · epoch 2 of 8"),
    ]
    assert [value for value, _, _ in reached(Status())] == ["–", "–"], "before anything is known"
    assert reached(replace(GOING, seconds_left=741.0))[1][0] == "≈ 12 min"
    paused = reached(replace(GOING, state=PAUSED, best_val_accuracy=1.0))
    assert [(value, words) for value, words, _ in paused][1:] == [("2 / 8", "epochs")]
    assert 'data-testid="best-accuracy">95.4 %<' in large_figures(good)


def test_figures_that_are_not_known_are_dashes() -> None:
    known = dict(training_figures(replace(GOING, images_per_second=31.6), [{"learning_rate": 0.00025}]))
    assert known["Images per second"] == "32" and known["Learning rate"] == "0.00025"
    unknown = dict(training_figures(Status(), []))
    assert {title for title, value in unknown.items() if value == "–"} == {"Images per second", "Learning rate"}


def test_a_card_says_how_good_and_long_a_run_was_and_that_it_began_at_random() -> None:
    facts = dict(card_facts(replace(ENDED, best_val_accuracy=0.5, test_accuracy=0.25), RECIPE))
    assert (facts["Best validation accuracy"], facts["Test accuracy"]) == ("50.0 %", "25.0 %")
    assert facts["Duration"] == "2 min 05 s" and "Weights" not in facts
    assert "Weights" in dict(card_facts(ENDED, replace(RECIPE, weights="random")))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ENDED, "after 2 min 05 s"),
        (replace(ENDED, state=STOPPED, message=Message("stopped")), "The best model so far is kept, after 2 min 05 s"),
        (
            replace(ENDED, state=PAUSED, message=Message("paused", {"epoch": 3, "epochs": 8})),
            "**Paused in epoch 3 of 8**, after 2 min 05 s; you can resume at any time.",
        ),
    ],
)
def test_an_ending_says_how_and_when(status: Status, text: str) -> None:
    assert describe_ending(status) == text


def test_a_crash_costs_an_epoch_at_most_once_there_is_a_checkpoint(store: RunStore) -> None:
    run = store.create(lambda run: run.checkpoints_folder.mkdir())
    assert "start over" in describe_loss(run)
    (run.checkpoints_folder / "a.npz").touch()
    assert "at most one epoch" in describe_loss(run)


def test_the_model_kept_is_named_by_its_epoch() -> None:
    recipe = Recipe("d", head_epochs=3, fine_tune_epochs=12, early_stopping=3)
    kept = replace(ENDED, best_epoch=5, best_val_accuracy=0.75)
    assert "epoch 5 of 8" in describe_kept_model(recipe, kept)
    assert "before its first validation" in describe_kept_model(recipe, ENDED)
    early = "Training ended 7 epochs early: the validation loss had not improved for 3 epochs."
    assert early in describe_kept_model(recipe, replace(kept, state=FINISHED))
    for other in (replace(recipe, minutes=5), replace(recipe, early_stopping=0), replace(recipe, fine_tune_epochs=5)):
        assert "early" not in describe_kept_model(other, replace(kept, state=FINISHED))


def test_runs_of_a_group_come_together_where_the_newest_of_them_stands(store: RunStore) -> None:
    def loaded(name: str, group: str) -> LoadedRun:
        run = store.create(lambda run: None)
        run.write_label(Label(name, group))
        return LoadedRun(run, ENDED, RECIPE)

    rows = [loaded("a", "sweep"), loaded("b", ""), loaded("c", "sweep"), loaded("d", ""), loaded("e", "other")]
    found = [(group, [_name(row.run) for row in members]) for group, members in group_runs(rows)]
    assert found == [("sweep", ["a", "c"]), ("", ["b"]), ("", ["d"]), ("other", ["e"])]


def _name(run: Run) -> str:
    return run.read_label().name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((), "none"),
        ((3, 2), "3, 2"),
        (["a"], "a"),
        ({}, "none"),
        ({"rotation": Choice(0.1, 0.5)}, "rotation 0.1 (probability 0.5)"),
        (0.00001, "1e-05"),
        (True, "True"),
    ],
)
def test_values_of_settings_are_text(value: Any, text: str) -> None:
    assert setting_text(value) == text
