"""Runs of a real pretrained network whose frozen part is computed once; most in this process, which adds nothing."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import portalocker
import pytest
from numpy.typing import NDArray

from core.data.images import decode
from core.data.subsets import SUBSETS
from core.export.network import trained_network
from core.inference.embeddings_job import compute
from core.inference.prediction import Predictor
from core.models import efficientnet_lite
from core.models.backbones import FEATURES, backbone
from core.models.build import build_model
from core.models.heads import FLATTEN, Head
from core.models.openvino_runtime import BATCH
from core.models.weights import look_up
from core.recipe import plan
from core.recipe.augmentations import Choice
from core.recipe.plan import ORIGINAL
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.reports.card_facts import read_card_facts
from core.runs.embeddings import read_embeddings
from core.runs.messages import Message
from core.runs.store import CRASHED, FINISHED, PAUSED, STOPPED, Run
from core.settings import Settings
from core.training import finishing, network, preparation
from core.training.checkpoint import Checkpoints
from core.training.codegen.run_history import read_run_history
from core.training.feature_cache.cache import LOCK, PHOTOS, RECORD_BYTES
from core.training.feature_cache.extraction import FrozenOutputs
from core.training.feature_cache.kept_graphs import KeptGraph
from core.training.fitting import seconds_of_step
from core.training.inputs.batches import batches
from core.training.inputs.photos import Gather
from core.training.interruption import StopAsked
from core.training.loop import train
from core.training.network import feature_cache, prepare
from core.training.recorder import Recorder
from core.training.transfer.run_export import exported_bytes
from tests.conftest import PATIENCE, Workplace, eventually, kill_trainer, photos_of, trainer, write_colours
from tests.thorough import cases

LITE = backbone("efficientnet-lite0")
ONCE = Message("cached")
pytestmark = pytest.mark.usefixtures("shallow_lite")
TIMES = ("seconds", "images_per_second")


class Watched(FrozenOutputs):
    """Outputs that remember what was asked of them."""

    last: "Watched"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.gathered: list[tuple[str, int]] = []
        Watched.last = self

    def gather(self, boundary: str, version: int) -> Gather:
        """As it is, and remembered."""
        self.gathered.append((boundary, version))
        return super().gather(boundary, version)


@dataclass(frozen=True)
class Place:
    """An installation with a few photos."""

    workplace: Workplace

    def new_run(self, **choices: Any) -> Run:
        usual = {"backbone": LITE.key, "unfreeze_point": "block7", "head_epochs": 2, "fine_tune_epochs": 2}
        usual |= {"head_start": "random"}  # runs that keep nothing have no other, and are compared with
        return self.workplace.new_run(**{**usual, **choices})

    def carried_out(self, run: Run, settings: Settings | None = None, prepared: KeptGraph | None = None) -> "Done":
        """Let this process be the trainer of a run, and see why each phase is cached or not."""
        reasons: dict[str, Message] = {}
        begin_phase = Recorder.begin_phase

        def remember(self: Recorder, phase: Any, caching: Message) -> None:
            reasons[phase.name] = caching
            begin_phase(self, phase, caching)

        with pytest.MonkeyPatch.context() as patch, run.held():
            patch.setattr(Recorder, "begin_phase", remember)
            patch.setattr(preparation, "FrozenOutputs", Watched)
            train(run, settings or self.workplace.settings, prepared)
        return Done(run, reasons, Watched.last)


@dataclass(frozen=True)
class Done:
    """A run that has ended: its folder, why each phase was cached or not, and the outputs that it used."""

    run: Run
    caching: Mapping[str, Message]
    outputs: Watched

    @cached_property
    def status(self) -> Any:
        return self.run.read_status()

    def ends(self) -> list[dict[str, Any]]:
        """The last training row and the validation row of each epoch, but for what depends on time."""
        rows = self.run.read_metrics()
        last = [row for row in rows if "val_loss" in row or row["position"] == round(row["position"])]
        return [{key: row[key] for key in row if key not in TIMES} for row in last]


def place_in(folder: Path, per_class: int = 10) -> Place:
    return Place(Workplace(folder / "home", write_colours(folder / "photos" / "colours", per_class)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return place_in(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def kept(place: Place) -> Done:
    """A run with cached outputs, head and last block, nothing in the feature cache before."""
    return place.carried_out(place.new_run())


@pytest.fixture(scope="module")
def again(place: Place, kept: Done) -> Done:
    """The same run once more, with everything in the feature cache, whose outputs for the test are not believed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finishing, "AGREEMENT", -1.0)
        return place.carried_out(place.new_run())


@pytest.fixture(scope="module")
def plain(place: Place) -> Done:
    """The same run without anything kept."""
    return place.carried_out(place.new_run(views=0))


@contextmanager
def shards_held(place: Place) -> Iterator[None]:
    """Hold every shard there is, as another run would."""
    locks = [portalocker.Lock(file, "a") for file in place.workplace.settings.feature_cache_folder.glob(f"*/{LOCK}")]
    assert locks
    for lock in locks:
        lock.acquire()
    yield
    for lock in locks:
        lock.release()


def differs(layer: keras.Layer, model: keras.Model) -> bool:
    """Whether a layer's weights are not those of the layer of the same name."""
    pairs = zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True)
    return any((mine != theirs).any() for mine, theirs in pairs)


def assert_near(one: list[dict[str, Any]], other: list[dict[str, Any]], most: float) -> None:
    """Every metric of every epoch is the same to within `most`; what is no metric is the same."""
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            expected = pytest.approx(theirs[key], rel=0, abs=most) if isinstance(value, float) else theirs[key]
            assert value == expected, (key, mine, theirs)


def test_kept_outputs_give_the_metrics_of_an_uncached_run_for_the_head_and_for_fine_tuning(
    kept: Done, plain: Done
) -> None:
    assert (kept.status.state, plain.status.state) == (FINISHED, FINISHED), (kept.status, plain.status)
    assert [row["phase"] for row in kept.ends() if "val_loss" in row] == ["head"] * 2 + ["fine-tune"] * 2
    assert_near(kept.ends(), plain.ends(), most=1e-4)
    assert kept.status.test_accuracy == plain.status.test_accuracy


@pytest.mark.thorough
def test_what_was_prepared_before_the_run_came_changes_nothing(tmp_path: Path, kept: Done) -> None:
    elsewhere = place_in(tmp_path)
    settings = elsewhere.workplace.settings
    prepared = prepare(LITE.key, settings, feature_cache(settings))
    assert prepared is not None
    done = elsewhere.carried_out(elsewhere.new_run(), prepared=prepared)
    assert done.outputs.computed == kept.outputs.computed and done.outputs.frozen.graph is prepared.graph
    assert_near(done.ends(), kept.ends(), most=1e-5)


def test_a_network_without_weights_here_cannot_be_prepared(place: Place) -> None:
    settings = place.workplace.settings
    assert prepare("efficientnet-b7", settings, feature_cache(settings)) is None


def test_each_phase_says_whether_it_is_cached_and_why(kept: Done, plain: Done) -> None:
    assert kept.caching == {"head": ONCE, "fine-tune": ONCE} and kept.status.caching == ONCE
    as_asked = Message("caching-off")
    assert plain.caching == {"head": as_asked, "fine-tune": as_asked} and plain.status.caching == as_asked
    assert (plain.outputs.computed, plain.outputs.gathered) == (0, [])


def test_each_photo_goes_through_the_frozen_part_once(kept: Done) -> None:
    photos = sum(len(photos_of(kept.run, part)) for part in SUBSETS)
    assert (kept.outputs.computed, set(kept.outputs.gathered)) == (photos, {(FEATURES, -1), ("block7", -1)})
    assert ORIGINAL == -1


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_metrics_also_when_everything_is_in_the_cache(kept: Done, again: Done) -> None:
    assert again.ends() == kept.ends()
    assert again.outputs.computed == 0 and again.caching == kept.caching
    assert again.status.test_accuracy == kept.status.test_accuracy


def test_test_photos_are_answered_from_cached_outputs_as_by_the_graph_and_as_by_keras(
    kept: Done, again: Done, plain: Done
) -> None:
    answers = []
    for done in (kept, again, plain):
        with np.load(done.run.predictions_file("test")) as file:
            answers.append((file["probabilities"], file["labels"]))
    test = photos_of(kept.run, "test")
    pixels = np.stack([decode(file, LITE.resolution) for file in test]).astype(np.float32)
    model = keras.models.load_model(kept.run.best_file, safe_mode=True)
    np.testing.assert_allclose(answers[0][0], model(pixels, training=False), rtol=0, atol=1e-4)
    for probabilities, labels in answers[1:]:
        np.testing.assert_allclose(probabilities, answers[0][0], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(labels, answers[0][1])


def test_a_head_that_starts_from_regression_is_good_at_once(place: Place, kept: Done) -> None:
    choices = {"head_epochs": 1, "fine_tune_epochs": 0, "head_learning_rate": 1e-6}
    first = place.carried_out(place.new_run(**choices, head_start="regression")).ends()[-1]
    assert first["val_loss"] < kept.ends()[1]["val_loss"] and first["val_accuracy"] == 1
    at_random = place.carried_out(place.new_run(**choices)).ends()[-1]
    assert at_random["val_loss"] > 5 * first["val_loss"]


def test_embeddings_follow_from_cached_outputs(kept: Done, place: Place) -> None:
    found = read_embeddings(kept.run)
    compute(kept.run, place.workplace.settings)
    expected = read_embeddings(kept.run)
    assert found.paths == expected.paths and len(found) == sum(len(photos_of(kept.run, part)) for part in SUBSETS)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.parts, expected.parts)
    np.testing.assert_allclose(found.embedding, expected.embedding, rtol=0, atol=2e-2)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=2e-3)


def test_a_first_accuracy_comes_before_keras_where_the_graph_is_kept(
    place: Place, kept: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, tell_first = threading.Event(), Recorder.tell_first

    def tell(self: Recorder, *found: Any) -> None:
        tell_first(self, *found)
        told.set()

    def load() -> None:
        assert told.wait(PATIENCE), "nothing was told while Keras was being loaded"

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "tell_first", tell)
        patch.setattr(network, "load_keras", load)
        augmented = {"rotation": Choice(0.1)}
        done = place.carried_out(place.new_run(augmentations=augmented, head_epochs=1, fine_tune_epochs=0))
    assert done.status.state == FINISHED, done.status.error
    assert done.outputs.gathered[0] == (FEATURES, ORIGINAL), "a photo as it is needs no Keras"


def test_a_first_head_tells_a_first_accuracy(kept: Done, again: Done) -> None:
    status = kept.status
    assert 0 <= status.first_accuracy <= 1 and status.first_seconds > 0
    assert status.first_training == len(photos_of(kept.run, "training"))
    assert status.first_validation == len(photos_of(kept.run, "validation"))


def test_the_head_and_what_comes_from_the_unfreeze_point_on_has_learned_and_nothing_else(
    kept: Done, place: Place
) -> None:
    learned = keras.models.load_model(kept.run.best_file, safe_mode=True)
    published = build_model(LITE, Head(), 2, look_up(LITE, place.workplace.settings))
    changed = {LITE.block_of(layer.name) for layer in learned.layers if differs(layer, published)}
    best = {"head"} if kept.status.best_epoch <= 2 else {"block7", "top_conv", "head"}
    assert changed == best


def test_without_room_a_run_is_not_cached_and_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = place.workplace.settings
    tight = replace(settings, limits=replace(settings.limits, feature_cache_bytes=1000))
    run = place.new_run(head_epochs=1, fine_tune_epochs=0)

    def that_is_enough(self: Recorder, epoch: int, step: int = 0) -> None:
        raise StopAsked

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "begin_epoch", that_is_enough)
        done = place.carried_out(run, tight)
    assert done.status.caching.key == "no-room" and done.status.caching.values["bytes"]
    assert (done.status.state, done.outputs.computed) == (STOPPED, 0), done.status.error


def test_while_somebody_else_holds_a_shard_a_run_is_not_cached_and_says_so(place: Place, kept: Done) -> None:
    with shards_held(place):
        done = place.carried_out(place.new_run(head_epochs=1, fine_tune_epochs=0))
    assert done.status.state == FINISHED, done.status.error
    assert done.status.caching.key == "cache-failed"


@pytest.fixture(scope="module")
def stopped(place: Place) -> Done:
    """An augmented run with two versions, in which any further one is cheap, stopped amid its last epoch."""
    run = place.new_run(
        augmentations={"rotation": Choice(0.1), "brightness": Choice(0.2)}, views=2, head_epochs=3, fine_tune_epochs=3
    )
    end_step = Recorder.end_step

    def stop_at_the_end(self: Recorder, epoch: int, *more: Any) -> None:
        end_step(self, epoch, *more)
        if self.status.phase == "fine-tune" and epoch == 2:
            run.request_stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "end_step", stop_at_the_end)
        patch.setattr(plan, "FRESH_FROM", 0.0)
        return place.carried_out(run)


@pytest.mark.thorough
def test_epochs_take_each_version_in_turn_and_new_ones_where_they_are_cheap(stopped: Done) -> None:
    head = [version for boundary, version in stopped.outputs.gathered if boundary == FEATURES and version != ORIGINAL]
    fine = [version for boundary, version in stopped.outputs.gathered if boundary == "block7" and version != ORIGINAL]
    first_look, measured = head.pop(0), fine.pop(0)
    assert (first_look, measured) == (0, 0)
    assert head == [0, 1, 0], "two versions in turn"
    assert fine == [3, 4, 5], "then a new one for each epoch of the last phase"
    assert stopped.caching["head"] == Message("cached-versions", {"number": 2})
    names = {json.loads(file.read_text("utf-8"))["key"]["view"] for file in shard_keys(stopped)}
    assert len({name for name in names if "brightness" in name}) == 5


def shard_keys(done: Done) -> list[Path]:
    return list((done.run.folder.parents[1] / "trunk").glob("*/key.json"))


def test_a_stop_amid_fine_tuning_keeps_the_best_model(stopped: Done) -> None:
    status, rows = stopped.status, stopped.run.read_metrics()
    assert (status.state, status.message) == (STOPPED, Message("stopped")), status.error
    assert rows[-1]["partial"] and (rows[-1]["phase"], rows[-1]["epoch"]) == ("fine-tune", 6)
    losses = {row["epoch"]: row["val_loss"] for row in rows if "val_loss" in row}
    assert set(losses) == {1, 2, 3, 4, 5} and status.best_epoch == min(losses, key=lambda epoch: losses[epoch])
    with np.load(stopped.run.predictions_file("validation")) as file:
        sure = file["probabilities"][np.arange(len(file["labels"])), file["labels"]]
    assert np.mean(-np.log(sure)) == pytest.approx(min(losses.values()), abs=2e-2), "up to half precision"
    assert Predictor(stopped.run).resolution == LITE.resolution


def test_a_stop_while_computing_ends_at_once_and_what_was_computed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_in(tmp_path, per_class=20)
    run, computing = place.new_run(fine_tune_epochs=0, head_epochs=1), Recorder.computing
    told: list[tuple[int, int]] = []

    def stop_at_once(self: Recorder, done: int, total: int) -> None:
        told.append((done, total))
        computing(self, done, total)
        run.request_stop()

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "computing", stop_at_once)
        stopped = place.carried_out(run)
    assert (stopped.status.state, stopped.status.message) == (STOPPED, Message("stopped-untrained"))
    assert run.read_metrics() == [] and not run.work_folder.exists() and not run.best_file.exists()
    training, validation = (len(photos_of(run, part)) for part in ("training", "validation"))
    test = len(photos_of(run, "test"))
    assert told == [(validation, training + validation + test)]
    cache = place.workplace.settings.feature_cache_folder
    assert sum(file.stat().st_size // RECORD_BYTES for file in cache.glob(f"*/{PHOTOS}")) == validation + BATCH


@pytest.mark.thorough
def test_a_run_that_is_killed_while_computing_leaves_what_the_next_one_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow_lite: Mapping[str, Callable[..., Any]]
) -> None:
    for name, original in shallow_lite.items():
        monkeypatch.setattr(efficientnet_lite, name, original)
    place = place_in(tmp_path, per_class=60)
    run = place.new_run(fine_tune_epochs=0, head_epochs=1)
    cache = place.workplace.settings.feature_cache_folder

    def some_kept() -> bool:
        return any(file.stat().st_size for file in cache.glob(f"*/{PHOTOS}"))

    with trainer(run, place.workplace.environment()) as child:
        eventually(lambda: some_kept() or child.poll() is not None, f"photos were computed: {run.log_tail()}")
        message = run.read_status().message
        kill_trainer(child, run)
    assert (run.read_status().state, message) == (CRASHED, Message("computing-photos"))
    records = sum(file.stat().st_size // RECORD_BYTES for file in cache.glob(f"*/{PHOTOS}"))
    following = place.new_run(fine_tune_epochs=0, head_epochs=1)
    done = place.carried_out(following)
    photos = sum(len(photos_of(following, part)) for part in SUBSETS)
    assert done.status.state == FINISHED and done.caching == {"head": ONCE}
    assert 0 < records < photos and done.outputs.computed == photos - records
    assert done.status.test_accuracy is not None and done.status.test_accuracy >= 0.9


def test_what_a_time_budget_settles_is_trained_and_moved_and_the_recipe_stays_as_chosen(place: Place) -> None:
    run = place.new_run(backbone="efficientnet-b7", minutes=0.01, views=0)
    chosen = run.recipe_file.read_bytes()
    done = place.carried_out(run)
    assert done.status.state == FINISHED, done.status.error
    assert run.recipe_file.read_bytes() == chosen
    trained = read_recipe(run)
    assert (trained.backbone, trained.unfreeze_point, trained.minutes) == (LITE.key, "none", 0.01)
    assert Predictor(run).resolution == LITE.resolution and read_card_facts(run, "a run").backbone == LITE
    assert trained_network(run).count_params() == build_model(LITE, Head(), 2, None).count_params()
    with zipfile.ZipFile(io.BytesIO(exported_bytes(run))) as archive:
        assert Recipe.from_json(archive.read("recipe.json").decode()) == trained
    assert read_run_history(run, place.workplace.settings).backbone == LITE


KINDS: Mapping[str, tuple[dict[str, Any], list[bool]]] = {
    "everything cached, several versions": ({"views": 2}, [True, True]),
    "the head alone, one version": ({"views": 1, "unfreeze_point": "all"}, [True, False]),
    "fine-tuning alone, one version": ({"pooling": FLATTEN, "views": 1}, [False, True]),
    "fine-tuning alone, a new version in each epoch": ({"pooling": FLATTEN, "views": 2}, [False, True]),
    "nothing, photos mixed": ({"mixup": 0.2}, [False, False]),
}
"""Choices for each kind of plan, and whether each of its phases is cached where a flattened head is too wide to be."""


@pytest.mark.parametrize("kind", cases(KINDS, "everything cached, several versions"))
def test_a_run_of_every_kind_of_plan_trains(kind: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    choices, cached = KINDS[kind]
    monkeypatch.setattr(plan, "LARGEST", 0.3)  # so that Lite0's flattened maps are too wide, as B6's really are
    monkeypatch.setattr(plan, "FRESH_FROM", 0.0 if "new version" in kind else 1.0)
    usual = {"augmentations": {"flip_horizontal": Choice(1)}, "head_epochs": 1, "fine_tune_epochs": 2}
    done = place.carried_out(place.new_run(**{**usual, **choices}))
    assert done.status.state == FINISHED, done.status.error
    assert [reason.key.startswith("cached") for reason in done.caching.values()] == cached
    versions = [row["version"] for row in done.run.read_metrics() if "val_loss" in row]
    if kind == "fine-tuning alone, one version":
        assert versions == [0, 0, 0]
    if kind == "fine-tuning alone, a new version in each epoch":
        assert versions == [0, 1, 2]


@pytest.mark.thorough
def test_a_run_that_is_paused_before_anything_is_cached_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LARGEST", 0.3)
    flip = {"flip_horizontal": Choice(1)}
    run = place.new_run(pooling=FLATTEN, views=1, augmentations=flip, head_epochs=2, fine_tune_epochs=1)
    end_step = Recorder.end_step

    def pause(self: Recorder, epoch: int, *more: Any) -> None:
        end_step(self, epoch, *more)
        run.request_pause()

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "end_step", pause)
        assert place.carried_out(run).status.state == PAUSED
    run.clear_requests()
    written = Checkpoints(run.checkpoints_folder).read()
    assert written is not None
    Checkpoints(run.checkpoints_folder).write(replace(written, facts={**written.facts, "versions": []}))  # as in 0.1.0
    assert place.carried_out(run).status.state == FINISHED, run.read_status().error


def small_network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(measured_first: bool) -> NDArray[np.float32]:
    """Weights after a few steps, with or without a measurement before them."""
    model, pixels = small_network(), np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    source = batches(pixels.__getitem__, np.arange(12, dtype=np.int32) % 2, np.arange(12), 4, (4, 4, 3))
    if measured_first:
        before = [value.copy() for value in model.get_weights()]
        assert seconds_of_step(model, source) > 0
        assert all((value == old).all() for value, old in zip(model.get_weights(), before, strict=True))
    model.fit(source, epochs=2, verbose=0)
    return np.concatenate([value.ravel() for value in model.get_weights()])


def test_measuring_a_step_changes_nothing_of_what_follows() -> None:
    np.testing.assert_array_equal(trained(measured_first=True), trained(measured_first=False))
