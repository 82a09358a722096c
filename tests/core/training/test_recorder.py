import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import TrainingDiverged
from core.recipe.phases import Phase
from core.runs.messages import Message
from core.runs.store import RUNNING, Run, RunStore
from core.training.budget.cost_model import VALIDATION_SHARE
from core.training.budget.remaining_time import Estimator
from core.training.recorder import SMOOTHING, WRITE_SECONDS, Recorder

HEAD = Phase("head", 2, 1e-2, "none", 1.0)
FINE = Phase("fine-tune", 3, 1e-4, "block6", 2.0)

KEYS = {"phase", "epoch", "step", "position", "partial", "seconds", "learning_rate"}
"""What every row holds."""

TRAINING_KEYS = KEYS | {"loss", "accuracy", "images_per_second"}
VALIDATION_KEYS = KEYS | {"version", "val_loss", "val_accuracy"}

CACHING = Message("caching-off")


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """A recorder with its run and its clock."""

    run: Run
    clock: Clock
    recorder: Recorder

    def step(self, epoch: int, step: int, loss: float = 1.0, accuracy: float = 0.5, after: float = 1.0) -> None:
        """A training step that begins at once and ends after some seconds."""
        self.recorder.begin_step()
        self.clock.now += after
        self.recorder.end_step(epoch, step, loss, accuracy, 0.01)

    def rows(self) -> list[dict[str, Any]]:
        return self.run.read_metrics()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    clock = Clock()
    run = RunStore(tmp_path / "runs").create(lambda making: None)
    recorder = Recorder(run, clock)
    recorder.plan((HEAD, FINE), steps=4, batch_size=8)
    recorder.begin_phase(HEAD, CACHING)
    return Scene(run, clock, recorder)


def test_a_recorder_goes_on_from_the_status_and_says_that_training_runs(scene: Scene) -> None:
    status = scene.recorder.status
    assert (status.state, status.started, status.epochs) == (RUNNING, 1000.0, 5)
    assert (status.phase, status.message, status.progress) == ("head", Message("train-head"), 0.0)
    assert status.caching == CACHING
    with scene.run.held():
        assert scene.run.read_status() == status


def test_rows_have_a_schema_and_positions_go_on_over_the_phases(scene: Scene) -> None:
    for phase in (HEAD, FINE):
        scene.recorder.begin_phase(phase, CACHING)
        for epoch in range(phase.epochs):
            for step in range(1, 5):
                scene.step(epoch, step)
            scene.clock.now += 2
            scene.recorder.end_validation(epoch, 4, 0.5, 0.75, 2.0, 0.01, -1)
    rows = scene.rows()
    training, validation = ([row for row in rows if ("loss" in row) == which] for which in (True, False))
    assert all(row.keys() == TRAINING_KEYS for row in training)
    assert all(row.keys() == VALIDATION_KEYS for row in validation)
    assert [row["position"] for row in training] == [n / 4 for n in range(1, 21)]
    assert [row["position"] for row in validation] == [1, 2, 3, 4, 5]
    assert [row["epoch"] for row in validation] == [1, 2, 3, 4, 5]
    assert [row["epoch"] for row in training] == [epoch for epoch in range(1, 6) for _ in range(4)]
    assert [row["step"] for row in training] == [1, 2, 3, 4] * 5
    assert [row["phase"] for row in validation] == ["head"] * 2 + ["fine-tune"] * 3
    assert not any(row["partial"] for row in rows)
    assert [row["seconds"] for row in rows if row["epoch"] == 1] == [1, 2, 3, 4, 6]
    assert {row["learning_rate"] for row in rows} == {0.01}


def test_the_status_follows_the_steps(scene: Scene) -> None:
    shares = []
    for phase in (HEAD, FINE):
        scene.recorder.begin_phase(phase, CACHING)
        for epoch in range(phase.epochs):
            for step in range(1, 5):
                scene.step(epoch, step)
                shares.append(scene.recorder.status.progress)
    assert shares == [n / 20 for n in range(1, 21)]
    assert scene.recorder.status.epoch == 5
    assert scene.recorder.status.seconds_left == 0


def test_steps_that_follow_fast_are_written_only_now_and_then_but_the_last_of_an_epoch_always(scene: Scene) -> None:
    scene.clock.now += 10
    scene.step(0, 1)
    for step in (2, 3):
        scene.step(0, step, after=WRITE_SECONDS / 3)
    scene.step(0, 4, after=WRITE_SECONDS / 10)
    assert [row["step"] for row in scene.rows()] == [1, 4]


def test_a_status_that_changes_often_is_written_now_and_then(scene: Scene) -> None:
    written = scene.run.status_file.read_text("utf-8")
    scene.recorder.tell_often(progress=0.25)
    assert scene.run.status_file.read_text("utf-8") == written
    assert scene.recorder.status.progress == 0.25
    scene.clock.now += 2 * WRITE_SECONDS
    scene.recorder.tell_often(message=Message("decoding-photos"))
    with scene.run.held():
        assert (scene.run.read_status().progress, scene.run.read_status().message) == (0.25, Message("decoding-photos"))


def test_loss_and_accuracy_are_smoothed_from_the_first_batch_on_and_across_phases(scene: Scene) -> None:
    scene.step(0, 1, loss=2.0, accuracy=0.0)
    scene.step(0, 2, loss=1.0, accuracy=1.0)
    scene.recorder.begin_phase(FINE, CACHING)
    scene.step(0, 1, loss=0.0, accuracy=1.0)
    kept = SMOOTHING
    second = kept * 2 + (1 - kept) * 1
    assert [row["loss"] for row in scene.rows()] == pytest.approx([2, second, kept * second], abs=1e-6)
    assert [row["accuracy"] for row in scene.rows()] == pytest.approx([0, 1 - kept, kept * (1 - kept) + 1 - kept])


def test_the_best_epoch_is_the_one_of_least_validation_loss_over_all_phases(scene: Scene) -> None:
    assert scene.recorder.end_validation(0, 4, 0.75, 0.5, 1.0, 0.01, 0)
    assert not scene.recorder.end_validation(1, 4, 0.75, 0.9, 1.0, 0.01, 0)
    scene.recorder.begin_phase(FINE, CACHING)
    assert not scene.recorder.end_validation(0, 4, 0.8, 0.95, 1.0, 0.01, 0)
    assert scene.recorder.end_validation(1, 4, 0.5, 0.625, 1.0, 0.01, 0)
    status = scene.recorder.status
    assert (status.best_epoch, status.best_val_loss, status.best_val_accuracy) == (4, 0.5, 0.625)
    with scene.run.held():
        assert scene.run.read_status() == status


def test_an_epoch_that_was_cut_short_is_marked(scene: Scene) -> None:
    scene.recorder.begin_phase(FINE, CACHING)
    scene.step(1, 1)
    scene.recorder.end_partial_epoch(1, 1, 0.005)
    row = scene.rows()[-1]
    assert row.keys() == KEYS
    assert (row["partial"], row["epoch"], row["step"], row["position"]) == (True, 4, 1, 3.25)
    assert scene.recorder.status.best_epoch is None


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training_with_advice(scene: Scene, loss: float) -> None:
    scene.recorder.begin_phase(FINE, CACHING)
    scene.recorder.begin_step()
    with pytest.raises(TrainingDiverged) as caught:
        scene.recorder.end_step(1, 4, loss, 0.5, learning_rate=0.0)
    assert str(caught.value) == (
        f"The loss became {loss} in epoch 4: the steps were too large. "
        "Start again with a learning rate ten times smaller than 1.0e-04."
    )
    assert scene.rows() == []


def test_a_validation_loss_that_is_no_number_is_never_the_best(scene: Scene) -> None:
    with pytest.raises(TrainingDiverged, match="The validation loss became nan in epoch 1"):
        scene.recorder.end_validation(0, 4, math.nan, 0.5, 1.0, 0.01, 0)
    assert scene.recorder.status.best_epoch is None and scene.rows() == []


def test_steps_before_any_phase_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    recorder = Recorder(RunStore(tmp_path).create(lambda making: None))
    recorder.plan((HEAD,), steps=4, batch_size=8)
    recorder.begin_step()
    with pytest.raises(RuntimeError, match="begin_phase"):
        recorder.end_step(0, 1, 1.0, 0.5, 0.01)


def test_nothing_is_known_of_what_remains_before_the_first_step() -> None:
    assert Estimator((HEAD, FINE), steps=4).seconds_left(HEAD, 0, 0) is None


def test_what_remains_is_steps_and_validations_of_this_phase_and_guesses_for_the_next() -> None:
    estimator, whole = Estimator((HEAD, FINE), steps=4), 1 + VALIDATION_SHARE
    estimator.step(HEAD, 3.0)
    assert estimator.seconds_left(HEAD, 0, 1) == pytest.approx((1.75 * 12 + 3 * 24) * whole)
    estimator.validation(HEAD, 10.0)
    assert estimator.seconds_left(HEAD, 0, 4) == pytest.approx(12 + 10 + 3 * 24 * whole)
    assert estimator.seconds_left(HEAD, 1, 2) == pytest.approx((12 + 10) / 2 + 3 * 24 * whole)
    estimator.step(FINE, 5.0)
    assert estimator.seconds_left(FINE, 0, 1) == pytest.approx(2.75 * 20 * whole)
    estimator.validation(FINE, 4.0)
    assert estimator.seconds_left(FINE, 2, 2) == pytest.approx(24 / 2)
    assert estimator.seconds_left(FINE, 3, 0) == 0


def test_an_epoch_that_was_measured_as_a_whole_counts_instead_of_its_steps_unless_it_took_far_longer() -> None:
    estimator = Estimator((HEAD,), steps=4)
    estimator.epoch(HEAD, 5.0)
    assert estimator.epoch_seconds(HEAD) == pytest.approx(4 * (1 + VALIDATION_SHARE)), "there was no step to judge by"
    estimator.step(HEAD, 3.0)
    assert estimator.epoch_seconds(HEAD) == 5.0
    estimator.epoch(HEAD, 500.0)
    assert estimator.epoch_seconds(HEAD) == pytest.approx(1.5 * 12 * (1 + VALIDATION_SHARE) + 1)


def test_photos_to_come_count_once_it_is_known_how_fast_they_go_and_so_does_the_end() -> None:
    estimator = Estimator((HEAD,), steps=4)
    estimator.pending, estimator.finishing = 300, 8.0
    assert estimator.seconds_left(HEAD, 0, 0) is None
    estimator.step(HEAD, 1.0)
    estimator.validation(HEAD, 1.0)
    assert estimator.seconds_left(HEAD, 0, 0) == pytest.approx(2 * 5 + 8)
    estimator.photos_per_second = 30.0
    assert estimator.seconds_left(HEAD, 0, 0) == pytest.approx(2 * 5 + 8 + 10)
    estimator.pending = 0
    assert estimator.seconds_left(HEAD, 2, 0) == pytest.approx(8)


def test_the_estimate_falls_with_every_step() -> None:
    estimator = Estimator((HEAD, FINE), steps=4)
    estimator.finishing = 3.0
    left = []
    for phase in (HEAD, FINE):
        for epoch in range(phase.epochs):
            for step in range(1, 5):
                estimator.step(phase, phase.relative_cost)
                left.append(estimator.seconds_left(phase, epoch, step) or 0.0)
            estimator.validation(phase, 4 * phase.relative_cost * VALIDATION_SHARE)
            estimator.epoch(phase, 4 * phase.relative_cost * (1 + VALIDATION_SHARE))
    assert left == sorted(left, reverse=True) and len(set(left)) == len(left)
    assert left[-1] == pytest.approx(3.0)


def test_a_step_that_was_measured_before_its_phase_begins_counts_for_it() -> None:
    estimator = Estimator((HEAD, FINE), steps=4)
    estimator.step(HEAD, 1.0)
    estimator.step(FINE, 0.25)
    assert estimator.seconds_left(HEAD, 2, 0) == pytest.approx(3 * 4 * 0.25 * (1 + VALIDATION_SHARE))


def test_a_changed_plan_changes_the_epochs_and_what_remains(scene: Scene) -> None:
    scene.recorder.estimator.step(HEAD, 1.0)
    before = scene.recorder.estimator.seconds_left(HEAD, 0, 4) or 0.0
    scene.recorder.change_plan((HEAD, replace(FINE, epochs=1)))
    assert scene.recorder.status.epochs == 3
    after = scene.recorder.estimator.seconds_left(HEAD, 0, 4) or 0.0
    assert 0 < after < before
    scene.recorder.begin_phase(replace(FINE, epochs=1), CACHING)
    scene.step(0, 4)
    assert scene.recorder.status.progress == 1.0


def test_computing_tells_how_far_it_is_and_how_fast_and_an_epoch_takes_the_word_back(scene: Scene) -> None:
    scene.recorder.begin_computing(Message("computing-version", {"number": 2}))
    before = scene.recorder.status.progress
    scene.clock.now += 4
    scene.recorder.computing(20, 80, seconds_left=33.0)
    status = scene.recorder.status
    assert status.message == Message("computing-version", {"number": 2, "share": 0.25})
    assert status.progress == before, "epochs move the bar"
    assert (status.images_per_second, status.seconds_left) == (5.0, 33.0)
    scene.recorder.begin_epoch(1)
    status = scene.recorder.status
    assert (status.phase, status.message, status.progress) == ("head", Message("train-head"), 0.2)


def test_the_first_look_says_when_it_first_came_and_later_looks_only_what_they_found(scene: Scene) -> None:
    began = scene.clock.now
    scene.clock.now = began + 7
    scene.recorder.tell_first(0.75, 200, 104)
    scene.clock.now = began + 30
    scene.recorder.tell_first(0.8, 600, 104)
    status = scene.recorder.status
    assert (status.first_accuracy, status.first_training, status.first_validation) == (0.8, 600, 104)
    assert status.first_seconds == 7


def test_the_first_step_of_a_phase_compiles_and_is_forgotten_at_the_second() -> None:
    estimator = Estimator((HEAD,), steps=4)
    estimator.step(HEAD, 30.0)
    assert estimator.step_seconds(HEAD) == 30
    estimator.step(HEAD, 1.0)
    assert estimator.step_seconds(HEAD) == 1
    estimator.step(HEAD, 2.0)
    assert estimator.step_seconds(HEAD) == pytest.approx(1.1)
    assert estimator.seconds_left(HEAD, 0, 3) == pytest.approx(1.25 * 4 * 1.1 * (1 + VALIDATION_SHARE))
