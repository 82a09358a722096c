"""Runs that were paused, stopped, killed or extended go on as if nothing had happened; most in this process."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from core.inference.prediction import Predictor
from core.models.heads import POOLING_LAYERS
from core.models.serving import ServingGraph
from core.recipe.augmentations import AUGMENTATION_OF, Choice
from core.recipe.phases import Phase
from core.recipe.recipe import OPTIMIZERS, SCHEDULES, Recipe
from core.runs.messages import Message, text_of
from core.runs.store import CRASHED, FAILED, FINISHED, PAUSED, STOPPED, Run, Status
from core.training import recorder
from core.training.checkpoint import Checkpoints
from core.training.loop import train
from core.training.recorder import Recorder
from tests.conftest import Workplace, eventually, kill_trainer, photos_of, trainer, write_colours
from tests.thorough import cases

pytestmark = pytest.mark.usefixtures("shallow_lite")
TIMES = ("seconds", "images_per_second")
LITE = {
    "backbone": "efficientnet-lite0",
    "unfreeze_point": "block7",
    "head_epochs": 2,
    "fine_tune_epochs": 2,
    "head_start": "random",  # so that these few photos leave something to learn
}
TURNED = {"rotation": Choice(0.1), "brightness": Choice(0.2, 0.5)}

SMALL_STEPS = {"head_epochs": 2, "fine_tune_epochs": 1, "batch_size": 4}
"""Three epochs of six steps of the baseline, which learns in them."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """An installation for all these tests: what the frozen part computes for one serves the next."""
    base = tmp_path_factory.mktemp("resuming")
    return Workplace(base / "home", write_colours(base / "photos" / "colours"))


def go(run: Run, workplace: Workplace) -> Status:
    """Let this process be the trainer of a run until it ends or pauses."""
    with run.held():
        train(run, workplace.settings)
    return run.read_status()


@pytest.fixture(scope="module")
def small(workplace: Workplace) -> Run:
    """A run of three epochs that nobody has interrupted; tests must not change it."""
    run = workplace.new_run(**SMALL_STEPS)
    assert go(run, workplace).state == FINISHED, run.read_status().error
    return run


def ask(monkeypatch: pytest.MonkeyPatch, what: Callable[[Run], None], epoch: int, step: int) -> None:
    """Have somebody ask for something after this step of this epoch, counted over the whole run."""
    end_step = Recorder.end_step

    def and_ask(self: Recorder, number: int, done: int, *more: Any) -> None:
        end_step(self, number, done, *more)
        if (self._epochs_before() + number, done) == (epoch, step):
            what(self._run)

    monkeypatch.setattr(Recorder, "end_step", and_ask)


def interrupted(run: Run, workplace: Workplace, what: Callable[[Run], None], epoch: int, step: int) -> Status:
    """Carry a run out with an interruption, and forget what was asked for."""
    with pytest.MonkeyPatch.context() as patch:
        ask(patch, what, epoch, step)
        status = go(run, workplace)
    run.clear_requests()
    return status


def ends(run: Run) -> list[dict[str, Any]]:
    """What does not depend on time of the rows that every run writes."""
    rows = [row for row in run.read_metrics() if "val_loss" in row or row["position"] == round(row["position"])]
    return [{key: row[key] for key in row if key not in TIMES} for row in rows]


def weights_of(run: Run) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = keras.models.load_model(run.best_file, safe_mode=True).get_weights()
    return found


def assert_same_outcome(one: Run, other: Run) -> None:
    assert_same_ends(ends(one), ends(other))
    for mine, theirs in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for name in ("best_epoch", "best_val_loss", "best_val_accuracy", "test_correct", "epochs", "epoch"):
        assert getattr(one.read_status(), name) == getattr(other.read_status(), name), name


def assert_same_ends(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """Rows are the same to the last digit, but for the loss of single batches, which comes from rounded means."""
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            rounded = key in ("loss", "accuracy")
            assert value == (pytest.approx(theirs[key], abs=1e-5) if rounded else theirs[key]), (key, mine, theirs)


CASES: dict[str, dict[str, Any]] = {
    "baseline": SMALL_STEPS,
    "mixing, averages and smoothing": {
        **SMALL_STEPS,
        "mixup": 0.4,
        "cutmix": 1.0,
        "label_smoothing": 0.1,
        "ema": 0.999,
        "optimizer": "adamw",
        "class_weights": True,
        "unlabelled": True,
        "augmentations": TURNED,
    },
    "validation amid epochs, plateau, no shuffling": {
        **SMALL_STEPS,
        "validate_every": 4,
        "steps_per_epoch": 5,
        "schedule": "plateau",
        "plateau_patience": 1,
        "optimizer": "sgd",
        "shuffle": False,
    },
    "kept outputs": {**LITE, "augmentations": TURNED, "views": 2, "dropout": 0.4, "unlabelled": True},
    "gradual": {**LITE, "gradual": True, "fine_tune_epochs": 3, "head_batch_norm": True, "drop_connect": 0.5},
}


INTERRUPTIONS = {"baseline": ((0, 2), (1, 1), (2, 1)), "kept outputs": ((1, 1), (2, 1)), "gradual": ((3, 1),)}
"""Epoch and step of the pauses, where it is not one in the second epoch."""


@pytest.mark.parametrize("name", cases(CASES, "baseline", "mixing, averages and smoothing"))
def test_a_run_that_was_paused_goes_on_bit_for_bit(workplace: Workplace, small: Run, name: str) -> None:
    whole, parted = small, workplace.new_run(**CASES[name])
    if name != "baseline":
        whole = workplace.new_run(**CASES[name])
        assert go(whole, workplace).state == FINISHED, whole.read_status().error
    for epoch, step in INTERRUPTIONS.get(name, ((1, 1),)):
        status = interrupted(parted, workplace, Run.request_pause, epoch, step)
        assert (status.state, status.error) == (PAUSED, ""), status
        assert status.message == Message("paused", {"epoch": epoch + 1, "epochs": status.epochs})
        assert status.ended is not None
        assert not any(row["partial"] for row in parted.read_metrics())
    if name == "kept outputs":  # what the frozen part made may have gone meanwhile
        for file in workplace.settings.feature_cache_folder.rglob("*"):
            if file.is_file():
                file.unlink()
    status = go(parted, workplace)
    assert status.state == FINISHED and status.spent > 0, status.error
    assert_same_outcome(parted, whole)
    assert not parted.work_folder.exists()


@pytest.mark.thorough
def test_a_pause_before_anything_was_learned_begins_anew(workplace: Workplace) -> None:
    run = workplace.new_run(**SMALL_STEPS)
    run.request_pause()
    status = go(run, workplace)
    assert (status.state, status.message) == (PAUSED, Message("paused-before-training"))
    assert not run.has_checkpoint()
    run.clear_requests()
    assert go(run, workplace).state == FINISHED


@pytest.mark.parametrize("step", cases([2, 6], 2))
def test_a_run_that_was_stopped_can_go_on_as_if_it_had_not_been(workplace: Workplace, small: Run, step: int) -> None:
    stopped = workplace.new_run(**SMALL_STEPS)
    status = interrupted(stopped, workplace, Run.request_stop, 1, step)
    assert status.state == STOPPED and status.test_accuracy is not None
    assert stopped.read_metrics()[-1]["partial"]
    assert Predictor(stopped).class_names == ("blue", "red")
    assert go(stopped, workplace).state == FINISHED
    assert_same_outcome(stopped, small)
    assert not any(row["partial"] for row in stopped.read_metrics())


def test_a_run_that_is_killed_anywhere_loses_an_epoch_at_most_and_ends_as_if_it_had_not_been(
    workplace: Workplace, small: Run
) -> None:
    killed = workplace.new_run(**SMALL_STEPS)
    chance = random.Random(5)
    for _ in range(3):
        with trainer(killed, workplace.environment()) as child:
            seen = len(killed.read_metrics())
            eventually(lambda: child.poll() is not None or len(killed.read_metrics()) > seen, "training goes on")  # noqa: B023
            time.sleep(chance.random())
            kill_trainer(child, killed)
        reached = max((row["position"] for row in killed.read_metrics() if "loss" in row), default=0)
        if killed.read_status().state == FINISHED:
            break
        assert killed.read_status().state == CRASHED
        found = Checkpoints(killed.checkpoints_folder).read()
        kept = found.facts["epochs_done"] if found else 0
        assert reached - kept <= 1
    if killed.read_status().state != FINISHED:
        assert go(killed, workplace).state == FINISHED
    assert_same_outcome(killed, small)


@pytest.mark.thorough
def test_a_finished_run_can_train_more_epochs(workplace: Workplace) -> None:
    run = workplace.new_run(**LITE, schedule="constant")
    assert go(run, workplace).state == FINISHED
    before, seconds = ends(run), run.read_status().seconds(0)
    for added in ((2,), (2, 1)):
        recipe = replace(Recipe.from_values(run.recipe_values()), more_epochs=added)
        run.recipe_file.write_text(recipe.to_json(), "utf-8")
        status = go(run, workplace)
        assert status.state == FINISHED, status.error
        assert status.epochs == status.epoch == 4 + sum(added)
        assert_same_ends(ends(run)[: len(before)], before)
        assert {row["phase"] for row in run.read_metrics() if row["epoch"] > 4} == {"fine-tune"}
        assert status.spent >= seconds
        losses = {row["epoch"]: row["val_loss"] for row in run.read_metrics() if "val_loss" in row}
        assert sorted(losses) == list(range(1, 5 + sum(added)))
        assert status.best_epoch == min(losses, key=lambda epoch: losses[epoch])
    long = workplace.new_run(**{**LITE, "fine_tune_epochs": 5}, schedule="constant")
    assert go(long, workplace).state == FINISHED
    assert_same_ends(ends(long), ends(run))  # the optimizer went on where it was


def test_added_epochs_begin_at_the_peak_rate_again(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "WRITE_SECONDS", 0.0)
    run = workplace.new_run(**{**SMALL_STEPS, "more_epochs": (1,)})
    assert go(run, workplace).state == FINISHED
    rates = {row["position"]: row["learning_rate"] for row in run.read_metrics() if "loss" in row}
    last, first = rates[3.0], rates[min(position for position in rates if position > 3)]
    assert last < 1e-4 < first == pytest.approx(1e-3)


def test_other_weights_than_those_it_began_with_are_refused(workplace: Workplace) -> None:
    run = workplace.new_run(**LITE)
    interrupted(run, workplace, Run.request_pause, 2, 1)
    kept = Checkpoints(run.checkpoints_folder)
    found = kept.read()
    assert found is not None
    kept.write(replace(found, facts={**found.facts, "weights": "of another file"}))
    status = go(run, workplace)
    assert status.state == FAILED and "began with other pretrained weights" in status.error


def test_early_stopping_ends_a_phase_and_the_next_one_begins(workplace: Workplace) -> None:
    run = workplace.new_run(**{**LITE, "head_epochs": 50, "fine_tune_epochs": 50}, early_stopping=2)
    status = go(run, workplace)
    assert status.state == FINISHED and status.epochs < 100
    phases = [row["phase"] for row in run.read_metrics() if "val_loss" in row]
    assert 3 <= phases.count("head") < 50 and 2 <= phases.count("fine-tune") < 50
    assert len(phases) == status.epochs == status.epoch


@pytest.mark.thorough
def test_steps_per_epoch_and_validations_every_so_many_steps(workplace: Workplace) -> None:
    run = workplace.new_run(**SMALL_STEPS, steps_per_epoch=10, validate_every=4)
    assert go(run, workplace).state == FINISHED
    rows = run.read_metrics()
    assert [row["position"] for row in rows if "val_loss" in row] == [0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.0]
    assert max(row["step"] for row in rows) == 10
    seldom = workplace.new_run(**SMALL_STEPS, validate_every=11)
    assert go(seldom, workplace).state == FINISHED
    validated = [row["position"] for row in seldom.read_metrics() if "val_loss" in row]
    assert validated == [pytest.approx(11 / 6, abs=1e-4), 3.0]


@pytest.mark.parametrize(("optimizer", "schedule"), zip(OPTIMIZERS, cycle(SCHEDULES)))
def test_every_optimizer_and_every_schedule_learns(workplace: Workplace, optimizer: str, schedule: str) -> None:
    rates = {"sgd": 0.05, "rmsprop": 3e-3}
    choices = {**LITE, "fine_tune_epochs": 0, "head_epochs": 6, "head_learning_rate": rates.get(optimizer, 1e-2)}
    run = workplace.new_run(**choices, optimizer=optimizer, schedule=schedule, warm_up_epochs=0.5)
    status = go(run, workplace)
    assert status.state == FINISHED, status.error
    losses = [row["val_loss"] for row in run.read_metrics() if "val_loss" in row]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(("pooling", "batch_norm"), zip(POOLING_LAYERS, cycle((True, False))))
def test_every_head_learns_and_predicts_the_same_in_keras_and_in_the_graph(
    workplace: Workplace, pooling: str, batch_norm: bool
) -> None:
    run = workplace.new_run(**{**LITE, "fine_tune_epochs": 0}, pooling=pooling, head_batch_norm=batch_norm)
    status = go(run, workplace)
    assert status.state == FINISHED and (status.test_accuracy or 0) >= 0.8, status
    model = keras.models.load_model(run.best_file, safe_mode=True)
    photos = np.stack([Predictor(run).see(file.read_bytes()) for file in photos_of(run, "test")])
    with np.load(run.predictions_file("test")) as file:
        np.testing.assert_allclose(file["probabilities"], np.asarray(model(photos.astype(np.float32))), atol=1e-3)


@pytest.mark.thorough
def test_random_weights_are_used_when_they_were_asked_for(workplace: Workplace) -> None:
    run = workplace.new_run(backbone="efficientnet-lite0", weights="random", head_epochs=0)
    status = go(run, workplace)
    assert (status.state, status.epochs) == (FINISHED, 1), status.error
    assert run.recipe_values()["weights"] == "random"
    assert {row["phase"] for row in run.read_metrics()} == {"from scratch"}
    assert ServingGraph(run.serving_folder).resolution == 224


@pytest.mark.thorough
def test_an_unfreeze_layer_spares_what_comes_before_it_in_its_block(workplace: Workplace) -> None:
    layer = "block7a_project_conv"
    run = workplace.new_run(**{**LITE, "head_epochs": 0, "unfreeze_layer": layer}, fine_tune_learning_rate=1e-2)
    assert go(run, workplace).state == FINISHED, run.read_status().error
    other = workplace.new_run(**{**LITE, "head_epochs": 0, "fine_tune_epochs": 1}, fine_tune_learning_rate=1e-8)
    assert go(other, workplace).state == FINISHED
    learned, as_it_was = (keras.models.load_model(each.best_file, safe_mode=True) for each in (run, other))
    changed = {
        each.name
        for each in learned.layers
        if any(
            np.abs(mine - theirs).max() > 1e-5
            for mine, theirs in zip(each.get_weights(), as_it_was.get_layer(each.name).get_weights(), strict=True)
        )
    }
    assert changed == {layer, "top_conv", "head"}


@pytest.mark.thorough
def test_gradual_unfreezing_frees_one_block_after_the_other(workplace: Workplace) -> None:
    run = workplace.new_run(
        **{**LITE, "unfreeze_point": "block6", "head_epochs": 1, "fine_tune_epochs": 3}, gradual=True
    )
    messages: list[str] = []
    begin_phase = Recorder.begin_phase

    def remember(self: Recorder, phase: Phase, caching: Message) -> None:
        messages.append(text_of(phase.message))
        begin_phase(self, phase, caching)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "begin_phase", remember)
        assert go(run, workplace).state == FINISHED
    assert messages == ["Training the head", "Fine-tuning from top_conv", "Fine-tuning from block7", "Fine-tuning"]
    assert [row["phase"] for row in run.read_metrics() if "val_loss" in row] == ["head"] + ["fine-tune"] * 3


def test_logs_for_tensorboard_hold_every_measure_and_can_be_left_out(workplace: Workplace, small: Run) -> None:
    run = small
    [file] = run.tensorboard_folder.iterdir()
    found: dict[str, dict[int, float]] = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars" or event.step > 0
            found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    validated = {row["epoch"] * 6: row["val_loss"] for row in run.read_metrics() if "val_loss" in row}
    assert found["val_loss"] == pytest.approx(validated, abs=1e-6)
    assert set(found) >= {"loss", "accuracy", "val_accuracy", "learning_rate"}
    without = workplace.new_run(head_epochs=1, fine_tune_epochs=0, tensorboard=False)
    go(without, workplace)
    assert not without.tensorboard_folder.exists()


@pytest.mark.thorough
def test_flips_and_more_work_on_the_plain_way_as_on_the_kept_one(workplace: Workplace) -> None:
    """Every epoch with a version of its own is the same, whether it goes through the whole network or is kept."""
    rows = {key: AUGMENTATION_OF[key].choice() for key in ("flip_horizontal", "zoom")}
    choices = {**LITE, "head_epochs": 2, "fine_tune_epochs": 0, "augmentations": rows}
    kept, plain = workplace.new_run(**choices, views=2), workplace.new_run(**choices, views=0)
    assert go(kept, workplace).state == go(plain, workplace).state == FINISHED
    for mine, theirs in zip(ends(kept), ends(plain), strict=True):
        for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
            if name in mine:
                assert mine[name] == pytest.approx(theirs[name], abs=2e-2)
    assert json.loads(plain.status_file.read_text())["way"] != json.loads(kept.status_file.read_text())["way"]
