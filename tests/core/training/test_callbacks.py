from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import TrainingDiverged
from core.models.sample_predictions import SamplePredictions
from core.recipe.phases import Phase
from core.recipe.recipe import Recipe
from core.runs.messages import Message
from core.runs.prediction_history import read_predictions
from core.runs.store import Run, RunStore
from core.training.callbacks import RunCallback, save_model
from core.training.fitting import optimizer_of
from core.training.inputs.batches import batches
from core.training.recorder import Recorder
from core.training.schedule import Schedule

STEPS = 5
EPOCHS = 4
VALIDATION_BATCHES = 3
PHASES = (Phase("head", EPOCHS, 0.01, "none", 1.0), Phase("fine-tune", EPOCHS, 0.01, "all", 1.0))
CONSTANT = Recipe(dataset="d", schedule="constant")
CACHING = Message("all-trainable")


class Saboteur(keras.callbacks.Callback):  # type: ignore[misc]
    """Does something at a chosen moment, before the callback under test hears of that moment; counts batches."""

    def __init__(self, moment: str, epoch: int, batch: int, act: Callable[[keras.Model], None]) -> None:
        super().__init__()
        self._when, self._act = (moment, epoch, batch), act
        self._epoch = 0
        self.seen: dict[str, int] = {"train": 0, "test": 0}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._at("train", batch)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._at("test", batch)

    def _at(self, moment: str, batch: int) -> None:
        self.seen[moment] += 1
        if (moment, self._epoch, batch) == self._when:
            self._act(self.model)


@dataclass
class Scene:
    """A tiny model in training, and the run that is told of it."""

    run: Run
    recorder: Recorder
    callback: RunCallback
    model: keras.Model

    def fit(self, *others: keras.callbacks.Callback) -> dict[str, list[float]]:
        """Train epoch by epoch until something ends it; returns what Keras reports."""
        history: dict[str, list[float]] = {}
        for epoch in range(EPOCHS):
            self.callback.begin_stretch(epoch, 0, STEPS * 2, 2, -1)
            for name, values in self.fit_once(epoch, *others).history.items():
                history.setdefault(name, []).extend(values)
            if self.callback.interrupted:
                break
        return history

    def fit_once(self, epoch: int, *others: keras.callbacks.Callback) -> Any:
        pixels = np.random.default_rng(0).integers(0, 256, (STEPS * 2, 4, 4, 3), dtype=np.uint8)
        labels = (np.arange(len(pixels)) % 2).astype(np.int32)
        order = np.random.default_rng(1).permutation(len(pixels))
        source = batches(pixels.__getitem__, labels, order, 2, (4, 4, 3))
        validation = batches(pixels.__getitem__, labels, np.arange(VALIDATION_BATCHES), 1, (4, 4, 3))
        watching = [*others, self.callback]
        return self.model.fit(
            source,
            validation_data=validation,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=watching,
            verbose=0,
        )

    def stops(self, moment: str, epoch: int, batch: int) -> Saboteur:
        return Saboteur(moment, epoch, batch, lambda model: self.run.request_stop())

    def spoils(self, moment: str, epoch: int, batch: int) -> Saboteur:
        def spoil(model: keras.Model) -> None:
            model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()])

        return Saboteur(moment, epoch, batch, spoil)

    def validation_rows(self) -> list[dict[str, Any]]:
        return [row for row in self.run.read_metrics() if "val_loss" in row]


def weights_of(model: keras.Model) -> NDArray[np.float32]:
    return np.concatenate([value.ravel() for value in model.get_weights()])


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    predictions = SamplePredictions(VALIDATION_BATCHES)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy", predictions])
    run = RunStore(tmp_path / "runs").create(lambda making: None)
    recorder = Recorder(run)
    recorder.plan(PHASES, STEPS, 2)
    recorder.begin_phase(PHASES[0], CACHING)
    callback = RunCallback(run, recorder, model, predictions)
    callback.begin_phase(Schedule(CONSTANT, 0.01, EPOCHS, STEPS), STEPS)
    return Scene(run, recorder, callback, model)


def test_every_epoch_is_recorded_as_keras_reports_it(scene: Scene) -> None:
    history = scene.fit()
    assert not scene.callback.interrupted
    assert [row["val_loss"] for row in scene.validation_rows()] == pytest.approx(history["val_loss"], abs=1e-5)
    assert [row["val_accuracy"] for row in scene.validation_rows()] == pytest.approx(history["val_accuracy"], abs=1e-5)
    status = scene.recorder.status
    assert status.best_epoch == 1 + int(np.argmin(history["val_loss"]))
    assert status.best_val_loss == pytest.approx(min(history["val_loss"]))


def test_predictions_for_each_validation_photo_are_kept(scene: Scene) -> None:
    history = scene.fit()
    epochs, rows = read_predictions(scene.run)
    assert epochs.tolist() == [1, 2, 3, 4] and rows.shape == (EPOCHS, 3, VALIDATION_BATCHES)
    labels = np.arange(VALIDATION_BATCHES) % 2
    right = (rows[:, 0] == labels).mean(axis=1)
    assert right == pytest.approx(history["val_accuracy"])
    assert -np.log(rows[:, 2]).mean(axis=1) == pytest.approx(history["val_loss"], abs=1e-5)
    predicted, confidence, given = rows.transpose(1, 0, 2)
    assert np.where(predicted == labels, given, 1 - given) == pytest.approx(confidence, abs=1e-6)


def test_batches_are_recorded_with_their_own_loss_not_with_the_mean_of_the_epoch(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def end_step(epoch: int, step: int, loss: float, accuracy: float, rate: float) -> None:
        told.append(loss)

    monkeypatch.setattr(scene.recorder, "end_step", end_step)
    means = scene.fit()["loss"]
    by_epoch = np.array(told).reshape(EPOCHS, STEPS)
    np.testing.assert_allclose(by_epoch.mean(axis=1), means, rtol=1e-4)
    assert np.ptp(by_epoch, axis=1).min() > 1e-4


@pytest.mark.parametrize("batch", [0, 2, STEPS - 1])
def test_a_stop_while_training_ends_with_that_batch(scene: Scene, batch: int) -> None:
    stopper = scene.stops("train", 1, batch)
    scene.fit(stopper)
    assert scene.callback.interrupted
    assert stopper.seen == {"train": STEPS + batch + 1, "test": VALIDATION_BATCHES + 1}
    last = scene.run.read_metrics()[-1]
    assert (last["partial"], last["epoch"], last["step"]) == (True, 2, batch + 1)
    assert last["position"] == pytest.approx(1 + (batch + 1) / STEPS)
    assert [row["epoch"] for row in scene.validation_rows()] == [1], "a partial epoch has no validation loss"
    assert [row["partial"] for row in scene.run.read_metrics()].count(True) == 1


def test_a_stop_while_validating_ends_with_that_batch(scene: Scene) -> None:
    stopper = scene.stops("test", 1, 1)
    scene.fit(stopper)
    assert scene.callback.interrupted
    assert stopper.seen == {"train": 2 * STEPS, "test": VALIDATION_BATCHES + 2}
    assert [row["epoch"] for row in scene.validation_rows()] == [1]
    assert scene.run.read_metrics()[-1]["partial"]


def test_a_stop_between_two_calls_of_fit_lets_one_batch_pass(scene: Scene) -> None:
    scene.fit()
    scene.run.request_stop()
    scene.recorder.begin_phase(PHASES[1], CACHING)
    counter = Saboteur("never", 0, 0, lambda model: None)
    scene.fit(counter)
    assert scene.callback.interrupted and counter.seen["train"] == 1
    last = scene.run.read_metrics()[-1]
    assert (last["phase"], last["epoch"], last["step"], last["partial"]) == ("fine-tune", EPOCHS + 1, 1, True)


def test_a_stop_in_the_first_epoch_keeps_no_model_of_its_own(scene: Scene) -> None:
    scene.fit(scene.stops("train", 0, 1))
    assert not scene.callback.best and scene.validation_rows() == []


class Memory(keras.callbacks.Callback):  # type: ignore[misc]
    """Remembers the weights at the end of every epoch, and worsens the model at the beginning of some."""

    def __init__(self, worsens: tuple[int, ...]) -> None:
        super().__init__()
        self._worsens = worsens
        self.weights: list[NDArray[np.float32]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch in self._worsens:
            self.model.set_weights([value * -50 for value in self.model.get_weights()])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.weights.append(weights_of(self.model))


def test_the_best_model_is_kept_whatever_comes_after(scene: Scene) -> None:
    memory = Memory(worsens=(2,))
    scene.fit(memory)
    scene.callback.settle()
    best = scene.recorder.status.best_epoch or 9
    assert best <= 2
    np.testing.assert_array_equal(weights_of(keras.models.load_model(scene.run.best_file)), memory.weights[best - 1])
    assert [path.name for path in scene.run.folder.glob("*best*")] == ["best.keras"]


def test_the_network_goes_back_to_the_best_model(scene: Scene) -> None:
    memory = Memory(worsens=(3,))
    scene.fit(memory)
    best = scene.recorder.status.best_epoch
    assert best == 3, "epochs became better until the model was worsened"
    np.testing.assert_array_equal(weights_of(scene.model), memory.weights[3])
    scene.callback.settle()
    np.testing.assert_array_equal(weights_of(keras.models.load_model(scene.run.best_file)), memory.weights[2])
    np.testing.assert_array_equal(weights_of(scene.model), memory.weights[2])


def test_without_a_validation_the_model_of_this_moment_is_written(scene: Scene) -> None:
    scene.fit(scene.stops("train", 0, 1))
    assert scene.validation_rows() == [] and scene.callback.best == {}
    scene.callback.settle()
    np.testing.assert_array_equal(weights_of(keras.models.load_model(scene.run.best_file)), weights_of(scene.model))


def test_a_pause_ends_with_that_batch_unless_it_is_the_last_before_a_validation(scene: Scene) -> None:
    pauser = Saboteur("train", 1, 2, lambda model: scene.run.request_pause())
    scene.fit(pauser)
    assert scene.callback.interrupted and scene.callback.step == 3 and scene.callback.is_cut_short
    assert not any(row["partial"] for row in scene.run.read_metrics()), "it will be taken up again"
    scene.callback.interrupted = False
    for batch in (0, 1):  # steps 4 and 5 of 5
        scene.run.clear_requests()
        scene.callback.on_epoch_begin(1)
        scene.callback.begin_stretch(1, 3 + batch, 2 * (STEPS - 3 - batch), 2, -1)
        scene.run.request_pause()
        scene.callback.on_train_batch_begin(0)
        scene.callback.on_train_batch_end(0, {"loss": 1.0, "accuracy": 0.5})
        assert scene.callback.interrupted is (batch == 0)
        scene.callback.interrupted = False


def test_moving_averages_are_what_is_validated_and_kept(scene: Scene) -> None:
    recipe = Recipe(dataset="d", optimizer="sgd", momentum=0.0, ema=0.4)
    scene.model.compile(optimizer_of(recipe, 0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    scene.callback.begin_phase(Schedule(recipe, 0.01, EPOCHS, STEPS), STEPS)
    raw: list[NDArray[np.float32]] = []
    averages: list[NDArray[np.float32]] = []

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raw.append(weights_of(self.model))

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            averages.append(weights_of(self.model))

    scene.fit(Watcher())
    expected = raw[0]
    for step, weights in enumerate(raw):
        momentum = min(0.4, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * weights
        if (step + 1) % STEPS == 0:
            validated = averages[step // STEPS * VALIDATION_BATCHES]
            np.testing.assert_allclose(validated, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(weights_of(scene.model), raw[-1])
    scene.callback.settle()
    best = (scene.recorder.status.best_epoch or 9) - 1
    kept = weights_of(keras.models.load_model(scene.run.best_file))
    np.testing.assert_array_equal(kept, averages[best * VALIDATION_BATCHES])


def test_the_learning_rate_is_set_for_every_step_of_a_phase(scene: Scene) -> None:
    schedule = Schedule(Recipe(dataset="d", warm_up_epochs=1.2), 0.01, EPOCHS, STEPS)
    scene.callback.begin_phase(schedule, STEPS)
    seen: list[float] = []

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(float(self.model.optimizer.learning_rate))

    scene.fit(Watcher())
    assert seen == pytest.approx([schedule.rate(step) for step in range(EPOCHS * STEPS)])
    assert len(set(seen)) == EPOCHS * STEPS


def test_a_model_that_is_spoilt_while_training_ends_the_run_and_the_best_stays(scene: Scene) -> None:
    with pytest.raises(TrainingDiverged, match="The loss became nan in epoch 2"):
        scene.fit(scene.spoils("train", 1, 2))
    scene.callback.settle()
    assert np.isfinite(weights_of(keras.models.load_model(scene.run.best_file))).all()


def test_a_model_that_is_spoilt_by_the_last_step_of_an_epoch_is_not_taken_for_the_best(scene: Scene) -> None:
    with pytest.raises(TrainingDiverged, match="The validation loss became nan in epoch 1"):
        scene.fit(scene.spoils("train", 0, STEPS - 1))
    assert not scene.callback.best


def test_a_model_is_replaced_as_a_whole(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(b"an older model")
    save_model(scene.model, file)
    np.testing.assert_array_equal(weights_of(keras.models.load_model(file)), weights_of(scene.model))
    assert [path.name for path in tmp_path.glob("*.keras")] == ["model.keras"]


def test_a_last_batch_with_fewer_photos_is_recorded_with_its_own_loss(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setattr(scene.recorder, "end_step", lambda epoch, step, loss, *more: told.append(loss))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    labels, order = np.array([0, 1, 0, 1, 0], np.int32), np.arange(5)
    scene.model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    scene.callback.begin_phase(Schedule(CONSTANT, 0.0, 1, 2), 2)
    scene.callback.begin_stretch(0, 0, 5, 4, -1)
    source = batches(pixels.__getitem__, labels, order, 4, (4, 4, 3))
    scene.model.fit(source, callbacks=[scene.callback], verbose=0)
    sure = np.asarray(scene.model(pixels.astype(np.float32)))[order, labels]
    assert told == pytest.approx([-np.log(sure[:4]).mean(), -np.log(sure[4])], rel=1e-4)
