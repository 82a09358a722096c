"""Runs that start from the model of an earlier one, with real networks on tiny photos."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.errors import RecipeError, RunError
from core.models.backbones import backbone
from core.models.build import build_model
from core.models.heads import EarlierHead, Head
from core.models.weights import WeightsFile
from core.recipe.recipe import Recipe
from core.recipe.start_point import read_start_point, start_point_from
from core.runs.store import FAILED, FINISHED, PAUSED, Label, Run
from core.training.checkpoint import Checkpoints
from core.training.head_start import beside_learned
from core.training.launch import create_run
from core.training.loop import train
from core.training.network import feature_cache
from tests.conftest import Workplace, write_colours

LITE: dict[str, Any] = {
    "backbone": "efficientnet-lite0",
    "unfreeze_point": "block7",
    "head_epochs": 1,
    "fine_tune_epochs": 1,
    "fine_tune_learning_rate": 1e-3,
}
TUNED = {**LITE, "head_epochs": 0, "fine_tune_epochs": 2}
"""Whatever is best, it is a model whose backbone has learned."""

STILL: dict[str, Any] = {
    **LITE,
    "head_learning_rate": 1e-7,
    "fine_tune_learning_rate": 1e-8,
    "dropout": 0.0,
    "drop_connect": 0.0,
}
"""With these a run ends, but for what is below all rounding, at what it began with."""


def carried_out(run: Run, place: Workplace) -> Run:
    with run.held():
        train(run, place.settings)
    status = run.read_status()
    assert status.state == FINISHED, status.error
    return run


def saved(file: Path) -> keras.Model:
    return keras.models.load_model(file, compile=False)


def head_of(file: Path) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = saved(file).get_layer("head").get_weights()
    return found


def frozen_of(file: Path) -> str:
    from core.models.frozen import weights_hash

    return weights_hash(saved(file), backbone("efficientnet-lite0"))


@pytest.fixture(scope="module")
def place(shallow_lite: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    base = tmp_path_factory.mktemp("starting")
    yield Workplace(base / "home", write_colours(base / "photos" / "colours"))


@pytest.fixture(scope="module")
def earlier(place: Workplace) -> Run:
    """A finished run on blue and red photos."""
    run = carried_out(place.new_run(**TUNED), place)
    run.write_label(Label("blue & red"))
    return run


@pytest.fixture(scope="module")
def others(place: Workplace) -> Path:
    """Photos of three classes, of which one is a class of the earlier run, with the same photos."""
    root = place.colours.parent / "others"
    shutil.copytree(place.colours / "blue", root / "blue")
    write_colours(place.colours.parent / "more", per_class=12, side=44)
    for name, source in (("green", "red"), ("violet", "blue")):
        shutil.move(place.colours.parent / "more" / source, root / name)
    return root


def run_on(place: Workplace, root: Path, **choices: Any) -> Run:
    folder = scan(root, roots=[root]).folder
    recipe = replace(place.recipe(**choices), dataset=str(root))
    return create_run(place.store, recipe, folder, assign_subsets(folder.labels, seed=recipe.split_seed))


def test_a_run_begins_with_the_model_of_the_earlier_one(place: Workplace, earlier: Run) -> None:
    run = carried_out(place.new_run(**STILL, start_from=earlier.id), place)
    assert run.start_file.read_bytes() == earlier.best_file.read_bytes()
    for ours, theirs in zip(saved(run.best_file).get_weights(), saved(earlier.best_file).get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    first = next(row for row in run.read_metrics() if "val_loss" in row)
    assert first["val_loss"] == pytest.approx(earlier.read_status().best_val_loss, abs=1e-3)
    start = read_start_point(run)
    assert start is not None
    assert (start.run, start.name, start.class_names) == (earlier.id, "blue & red", ("blue", "red"))
    status = run.read_status()
    assert (status.seen_test, status.seen_validation, status.seen_unknown) == (0, 0, 0), "the split is the same"


def test_features_of_other_weights_are_never_shared(place: Workplace, earlier: Run) -> None:
    cache = feature_cache(place.settings)
    kept = {folder.name for folder in cache.root.iterdir()}
    run = carried_out(place.new_run(**TUNED, start_from=earlier.id), place)
    facts = [Checkpoints(each.checkpoints_folder).facts()["weights"] for each in (earlier, run)]
    assert facts[0] != facts[1] == frozen_of(run.start_file)
    for folder in cache.root.iterdir():
        if folder.name not in kept and (folder / "key.json").exists():
            assert json.loads((folder / "key.json").read_text("utf-8"))["key"]["weights"] == facts[1]
    plain = carried_out(place.new_run(**TUNED), place)
    rows = [[row["val_loss"] for row in each.read_metrics() if "val_loss" in row] for each in (earlier, run, plain)]
    assert rows[0] == rows[2], "what the other run has cached changes nothing"
    assert rows[1] != rows[0]


def test_other_classes_keep_what_is_known_and_photos_seen_before_are_counted(
    place: Workplace, earlier: Run, others: Path
) -> None:
    run = carried_out(run_on(place, others, **STILL, split_seed=11, start_from=earlier.id), place)
    assert head_of(run.best_file)[0].shape[1] == 3
    from_earlier = read_start_point(run)
    assert from_earlier is not None
    assert from_earlier.columns(Recipe("d"), ("blue", "green", "violet")) == (0, -1, -1)
    learned = {place.colours / file for part in from_earlier.learned for file in part.files}
    test = [row.split(",")[0] for row in run.split_file.read_text("utf-8").splitlines() if row.endswith(",test")]
    expected = sum(file.startswith("blue/") and place.colours / file in learned for file in test)
    status = run.read_status()
    assert status.seen_test == expected > 0
    assert status.seen_unknown == 0
    assert status.test_accuracy is not None and status.test_accuracy > 0.6, "green and violet begin by regression"
    again = carried_out(place.new_run(**LITE, split_seed=11, start_from=run.id), place)
    further = read_start_point(again)
    assert further is not None and len(further.learned) == 2, "photos of the run before that one count, too"


def test_columns_of_known_classes_keep_their_differences() -> None:
    random = np.random.default_rng(0)
    learned, found = ([random.normal(size=shape).astype(np.float32) for shape in ((5, 4), (4,))] for _ in range(2))
    kernel, bias = beside_learned(learned, found, [1, 3])
    np.testing.assert_allclose(kernel[:, 3] - kernel[:, 1], learned[0][:, 3] - learned[0][:, 1], atol=1e-5)
    np.testing.assert_allclose(bias[3] - bias[1], learned[1][3] - learned[1][1], atol=1e-5)
    np.testing.assert_array_equal(kernel[:, [0, 2]], found[0][:, [0, 2]])
    np.testing.assert_allclose(kernel.mean(axis=1), found[0].mean(axis=1), atol=1e-5)
    for ours, theirs in zip(beside_learned(learned, found, []), found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_head_of_a_file_is_taken_over_class_by_class(place: Workplace, earlier: Run) -> None:
    chosen, file = backbone("efficientnet-lite0"), WeightsFile(earlier.best_file, "a run")
    theirs = head_of(earlier.best_file)
    model = build_model(chosen, Head(seed=1), 3, file, EarlierHead(Head(), 2, (-1, 1, 0)))
    fresh = build_model(chosen, Head(seed=1), 3, file)
    for ours, new, old in zip(
        model.get_layer("head").get_weights(), fresh.get_layer("head").get_weights(), theirs, strict=True
    ):
        np.testing.assert_array_equal(ours[..., 1], old[..., 1])
        np.testing.assert_array_equal(ours[..., 2], old[..., 0])
        np.testing.assert_array_equal(ours[..., 0], new[..., 0])


@pytest.mark.thorough
@pytest.mark.parametrize("head", [{"pooling": "max"}, {"head_batch_norm": True}])
def test_another_head_begins_anew_on_the_earlier_network(place: Workplace, earlier: Run, head: dict[str, Any]) -> None:
    run = carried_out(place.new_run(**LITE, **head, start_from=earlier.id), place)
    start = read_start_point(run)
    assert start is not None
    assert start.columns(Recipe.from_values(run.recipe_values()), ("blue", "red")) == (-1, -1)
    assert Checkpoints(run.checkpoints_folder).facts()["weights"] == frozen_of(earlier.best_file)


@pytest.mark.thorough
def test_a_learned_head_begins_at_its_own_rate(place: Workplace, earlier: Run, others: Path) -> None:
    choices = {**LITE, "head_learning_rate": 1e-4, "views": 0, "head_epochs": 1, "fine_tune_epochs": 0}
    known = carried_out(place.new_run(**choices, start_from=earlier.id), place)
    partly = carried_out(run_on(place, others, **choices, start_from=earlier.id), place)
    peaks = [max(row["learning_rate"] for row in run.read_metrics()) for run in (known, partly)]
    assert peaks == pytest.approx([1e-4, 1e-3], rel=0.01)


@pytest.mark.thorough
def test_the_earlier_run_may_be_deleted_and_the_run_still_resumes(place: Workplace) -> None:
    earlier = carried_out(place.new_run(**LITE, seed=7), place)
    whole = carried_out(place.new_run(**LITE, start_from=earlier.id), place)
    run = place.new_run(**LITE, start_from=earlier.id)
    place.store.delete(earlier.id)
    run.request_pause()
    with run.held():
        train(run, place.settings)
    assert run.read_status().state == PAUSED
    run.clear_requests()
    carried_out(run, place)
    losses = [[row["val_loss"] for row in each.read_metrics() if "val_loss" in row] for each in (whole, run)]
    assert losses[0] == losses[1]
    with pytest.raises(RecipeError, match=r"does not exist; it may have been deleted\. Choose another run"):
        place.new_run(**LITE, start_from=earlier.id)


def test_a_changed_start_ends_the_run_with_a_sentence(place: Workplace, earlier: Run) -> None:
    run = place.new_run(**LITE, start_from=earlier.id)
    with run.start_file.open("ab") as file:
        file.write(b"!")
    with run.held():
        train(run, place.settings)
    assert run.read_status().state == FAILED
    assert "that this run starts from are damaged or gone" in run.read_status().error


@pytest.mark.thorough
def test_a_time_budget_keeps_the_network_that_it_starts_from(place: Workplace, earlier: Run) -> None:
    run = carried_out(place.new_run(**LITE, minutes=1, start_from=earlier.id), place)
    assert json.loads(run.settled_recipe_file.read_text("utf-8"))["backbone"] == "efficientnet-lite0"
    assert Checkpoints(run.checkpoints_folder).facts()["weights"] == frozen_of(earlier.best_file)


def test_what_cannot_be_started_from_is_refused(place: Workplace, earlier: Run) -> None:
    waiting = place.new_run(**LITE)
    for choices, complaint in (
        ({**LITE, "start_from": waiting.id}, "has no model yet: it has not finished"),
        ({**LITE, "start_from": earlier.id, "weights": "random"}, "either from random weights or from the model"),
        ({"unfreeze_point": "all", "start_from": earlier.id}, "always starts from random weights"),
        ({"backbone": "efficientnet-b0", "start_from": earlier.id}, "fit the same variant only: choose EfficientNet-L"),
    ):
        with pytest.raises(RecipeError, match=complaint):
            place.new_run(**{"unfreeze_point": "none", **choices})
    with pytest.raises(RecipeError, match="must be the id of a run, or empty"):
        Recipe("d", start_from="../elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        {"run": "../.."},
        {"backbone": "of mine"},
        {"pooling": "none"},
        {"sha256": "0"},
        {"class_names": ["one"]},
        {"class_names": ["one", "one"]},
        {"class_names": ["one", 2]},
        {"learned": [{"dataset": "/d", "files": ["../../etc/passwd"]}]},
        {"learned": [{"dataset": "/d", "files": ["/etc/passwd"]}]},
        {"learned": [3]},
        {"from_nothing": "no"},
        {"name": "x" * 300},
    ],
)
def test_a_description_that_is_not_possible_is_refused(place: Workplace, earlier: Run, change: dict[str, Any]) -> None:
    run = place.new_run(**LITE, start_from=earlier.id)
    values = json.loads(run.start_facts_file.read_text("utf-8"))
    found = read_start_point(run)
    assert found is not None and start_point_from(values) == found
    with pytest.raises(ValueError, match=r"."):
        start_point_from({**values, **change})
    run.start_facts_file.write_text(json.dumps({**values, **change}), "utf-8")
    with pytest.raises(RunError, match="starts from cannot be read"):
        read_start_point(run)
