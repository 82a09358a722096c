import io
import json
import pickle
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.subsets import SUBSETS
from core.errors import RunNotReady, TransferError
from core.evaluation.run_results import measured
from core.evaluation.training_dynamics import read_training_dynamics
from core.inference.decision import least_confidence_of
from core.inference.prediction import Predictor
from core.recipe.recipe import Recipe
from core.runs.embeddings import read_embeddings
from core.runs.messages import Message, text_of
from core.runs.queue import Queue
from core.runs.store import FINISHED, STOPPED, Run, RunStore
from core.settings import Settings
from core.training.launch import extend, resume
from core.training.transfer.rebuild import rebuild
from core.training.transfer.run_export import MANIFEST, WEIGHTS, exported_bytes
from core.training.transfer.run_import import FOLDER, ImportedRun, import_run
from tests.conftest import FinishedRun, photos_of
from tests.core.training.transfer.exported_runs import (
    archive_of,
    changed_json,
    exported_without_model,
    files_of,
    npz,
    without_model,
)


def home_at(folder: Path, finished_run: FinishedRun) -> Settings:
    """Another installation, which cannot reach the photos."""
    return replace(finished_run.workplace.settings, home=folder, dataset_roots=(folder / "datasets",))


@pytest.fixture(scope="module")
def imported(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, ImportedRun]:
    """The finished run, imported by another installation."""
    settings = home_at(tmp_path_factory.mktemp("elsewhere"), finished_run)
    return settings, import_run(io.BytesIO(exported_bytes(finished_run.run)), settings)


@pytest.fixture(scope="module")
def small(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an exported run without a model, so that nothing has to be built."""
    return files_of(exported_without_model(finished_run.run, tmp_path_factory.mktemp("copy")))


def test_every_file_is_read_as_before(imported: tuple[Settings, ImportedRun], finished_run: FinishedRun) -> None:
    settings, came = imported
    before, after = finished_run.run, RunStore(settings.runs_folder).get(finished_run.run.id)
    assert came.run == after and came.has_model and came.photos is None
    assert (after.recipe_values(), after.class_names()) == (before.recipe_values(), before.class_names())
    assert after.read_metrics() == before.read_metrics()
    assert after.split_file.read_bytes() == before.split_file.read_bytes()
    status = before.read_status()
    assert after.read_status() == replace(status, message=Message("finished"))
    for part in SUBSETS[1:]:
        np.testing.assert_array_equal(measured(after, part).right, measured(before, part).right)
    np.testing.assert_array_equal(read_embeddings(after).embedding, read_embeddings(before).embedding)
    np.testing.assert_array_equal(read_training_dynamics(after).confidence, read_training_dynamics(before).confidence)


def test_it_predicts_the_same(imported: tuple[Settings, ImportedRun], finished_run: FinishedRun) -> None:
    here, there = Predictor(finished_run.run), Predictor(imported[1].run)
    photos = [here.see(file.read_bytes()) for file in photos_of(finished_run.run, "test")]
    np.testing.assert_allclose(there.predict(photos).probabilities, here.predict(photos).probabilities, atol=1e-6)
    look, same = here.predict_one(photos[0]), there.predict_one(photos[0])
    assert look.maps is not None and same.maps is not None
    np.testing.assert_allclose(same.maps, look.maps, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "kept"), [(b'{"least_confidence": 0.85}', 0.85), (b'{"least_confidence": 9}', 0.6)]
)
def test_the_least_confidence_that_was_chosen_comes_along(
    small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path, content: bytes, kept: float
) -> None:
    packed = io.BytesIO(archive_of({**small, "decision.json": content}))
    assert least_confidence_of(import_run(packed, home_at(tmp_path, finished_run)).run) == kept


def test_it_is_marked_as_imported_and_leaves_no_temporary_files(imported: tuple[Settings, ImportedRun]) -> None:
    settings, came = imported
    assert came.run.is_imported and came.run.read_label().name.endswith("(imported)")
    environment = json.loads(came.run.environment_file.read_text("utf-8"))
    assert came.former_id in environment["imported from"] and environment["keras"]
    assert not (came.run.folder / WEIGHTS).exists()
    assert list((settings.home / FOLDER).iterdir()) == []
    assert "cannot be shown" in came.sentence


def test_it_cannot_be_trained_further(imported: tuple[Settings, ImportedRun]) -> None:
    settings, came = imported
    queue = Queue(RunStore(settings.runs_folder))
    with pytest.raises(RunNotReady, match="trained elsewhere"):
        extend(queue, came.run, 1)
    came.run.write_status(replace(came.run.read_status(), state=STOPPED))
    with pytest.raises(RunNotReady, match="Start a new run"):
        resume(queue, came.run)
    came.run.write_status(replace(came.run.read_status(), state=FINISHED))


def test_a_second_one_gets_another_name(small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path) -> None:
    settings = home_at(tmp_path, finished_run)
    first = import_run(io.BytesIO(archive_of(small)), settings)
    first.run.write_label(replace(first.run.read_label(), name="mine"))
    second = import_run(io.BytesIO(archive_of(small)), settings)
    assert first.run.id == finished_run.run.id != second.run.id
    assert first.run.read_label().name == "mine" and second.former_id == first.run.id
    assert {run.id for run in RunStore(settings.runs_folder).runs()} == {first.run.id, second.run.id}


def test_photos_are_found_where_datasets_are(
    small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    dataset = finished_run.workplace.colours
    settings = replace(home_at(tmp_path, finished_run), dataset_roots=(tmp_path / "datasets", dataset.parent))
    moved = {**small, "recipe.json": changed_json(small["recipe.json"], dataset=f"C:\\Users\\ada\\{dataset.name}")}
    found = import_run(io.BytesIO(archive_of(moved)), settings)
    assert found.photos == dataset and found.run.recipe_values()["dataset"] == str(dataset)
    elsewhere = {**small, "recipe.json": changed_json(small["recipe.json"], dataset="/nowhere/else")}
    assert import_run(io.BytesIO(archive_of(elsewhere)), settings).photos is None
    assert import_run(io.BytesIO(archive_of(elsewhere)), settings, dataset).photos == dataset


def test_labels_that_had_spread_come_along(small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path) -> None:
    spread = b"file,class,certainty\r\nblue/more.png,blue,0.5\r\n"
    recipe = changed_json(small["recipe.json"], unlabelled=True)
    files = {**small, "recipe.json": recipe, "pseudo_labels.csv": spread}
    run = import_run(io.BytesIO(archive_of(files)), home_at(tmp_path, finished_run)).run
    assert run.pseudo_file.read_bytes() == spread
    assert "pseudo_labels.csv" in files_of(exported_bytes(run))


START: dict[str, Any] = {
    "run": "20261130-120000-abcd",
    "name": "an earlier one",
    "backbone": "baseline-cnn",
    "class_names": ["blue", "green"],
    "pooling": "average",
    "head_batch_norm": False,
    "from_nothing": True,
    "sha256": "0" * 64,
    "learned": [{"dataset": "/photos/colours", "files": ["blue/1.png"]}],
}
"""What is known of the model that a run started from."""


def test_what_it_started_from_comes_along(small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path) -> None:
    files = {**small, "start.json": json.dumps(START).encode()}
    run = import_run(io.BytesIO(archive_of(files)), home_at(tmp_path, finished_run)).run
    assert json.loads(run.start_facts_file.read_text("utf-8")) == START
    assert "start.json" in files_of(exported_bytes(run))
    assert not run.start_file.exists()


def test_a_recipe_of_the_first_version_still_opens(
    small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    first = {
        "dataset": "/home/ada/flowers",
        "backbone": "efficientnet-lite0",
        "weights": "imagenet",
        "unfreeze_point": "block6",
        "augmentations": {"flip_horizontal": 1},
        "seed": 7,
        "version": 1,
    }
    kept = ("classes.json", "split.csv", "status.json", MANIFEST)
    files = {"recipe.json": json.dumps(first).encode(), **{name: small[name] for name in kept}}
    run = import_run(io.BytesIO(archive_of(files)), home_at(tmp_path, finished_run)).run
    recipe = Recipe.from_values(run.recipe_values())
    assert (recipe.split_seed, recipe.augmentations["flip_horizontal"].probability) == (7, 0.5)
    assert run.read_label().name == "EfficientNet-Lite0 on flowers (imported)"
    assert run.read_status().state == STOPPED and run.read_metrics() == []


@pytest.mark.parametrize("state", ["running", "starting", "queued", "paused", "crashed", "anything"])
def test_no_imported_run_is_in_progress(
    state: str, small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    values = changed_json(small["status.json"], state=state, test_accuracy=1.0, test_correct=10**6, seconds_left=5)
    error = "[click](http://x) ![](http://x/y.png)"
    caching = {"key": "cache-failed", "values": {"error": error, "[a](b)": 1}}
    values = changed_json(values, error=error, first_validation=None, way=caching, message=error)
    run = import_run(io.BytesIO(archive_of({**small, "status.json": values})), home_at(tmp_path, finished_run)).run
    status = run.read_status()
    assert status.state == STOPPED and status.seconds_left is None and status.first_accuracy is None
    assert status.test_correct == finished_run.run.read_status().test_correct, "counted by the import"
    assert "[" not in status.error + text_of(status.caching) + text_of(status.message)
    assert status.caching.key == "cache-failed" and "click" in text_of(status.caching)


def test_numbers_that_are_too_large_are_dropped(
    small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    files = {**small, "environment.json": b'{"memory": 1' + b"0" * 400 + b', "cores": 2}'}
    run = import_run(io.BytesIO(archive_of(files)), home_at(tmp_path, finished_run)).run
    environment = json.loads(run.environment_file.read_text("utf-8"))
    assert (environment["memory"], environment["cores"]) == ("", 2)


def with_entry(name: str, content: bytes = b"x") -> Callable[[dict[str, bytes]], bytes]:
    return lambda files: archive_of({**files, name: content})


def with_link(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO(archive_of(files))
    link = zipfile.ZipInfo("timeline/900.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return target.getvalue()


def with_twin(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO(archive_of(files))
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("split.csv", "another")
    return target.getvalue()


def cut_off(files: dict[str, bytes]) -> bytes:
    return archive_of(files)[:-100]


def dishonest(files: dict[str, bytes]) -> bytes:
    return archive_of({**files, "metrics.jsonl": files["metrics.jsonl"] + b" "}, listed=False)


def unlisted(files: dict[str, bytes]) -> bytes:
    return archive_of({name: content for name, content in files.items() if name != "test.npz"}, listed=False)


def without(name: str) -> Callable[[dict[str, bytes]], bytes]:
    return lambda files: archive_of({known: content for known, content in files.items() if known != name})


def edited(name: str, **changes: Any) -> Callable[[dict[str, bytes]], bytes]:
    return lambda files: archive_of({**files, name: changed_json(files[name], **changes)})


def manifest(**changes: Any) -> Callable[[dict[str, bytes]], bytes]:
    return lambda files: archive_of(files, **changes)


TWO = np.full((2, 2), 0.5, np.float32)
GOOD_METRICS = '{"phase":"head","epoch":1,"step":1,"position":1,"partial":false,"seconds":1,"learning_rate":1'
PICKLED = pickle.dumps({"a": print})

HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "a path that leads out": (with_entry("../../evil.py"), "not part of an exported run"),
    "an absolute path": (with_entry("/tmp/evil.py"), "not part of an exported run"),
    "a timeline that leads out": (with_entry("timeline/../../1.npy"), "not part of an exported run"),
    "a model of Keras": (with_entry("best.keras"), "“best.keras” in this file cannot be imported"),
    "a graph": (with_entry("serving/graph.xml"), "not part of an exported run"),
    "a link": (with_link, "a link or a device"),
    "two of one name": (with_twin, "occurs twice"),
    "cut off": (cut_off, "cut off"),
    "no archive": (lambda files: b"MZ nothing", "no ZIP archive"),
    "another hash": (dishonest, "SHA-256 differs"),
    "other files than listed": (unlisted, "not those that the manifest lists"),
    "no split": (without("split.csv"), r"split\.csv is missing"),
    "something else": (manifest(format="recipe"), "belongs to something else"),
    "of the future": (manifest(version=99), "Update Unfreeze"),
    "a bomb": (with_entry("metrics.jsonl", b" " * 30_000_000), "times its size"),
    "too large": (with_entry("label.json", np.random.default_rng(0).bytes(1_100_000)), "1.1 MB; at most 1.0 MB"),
    "pickled arrays": (
        with_entry("test.npz", npz(probabilities=np.array([print], object), labels=[0])),
        "not a plain array",
    ),
    "a pickle": (with_entry("test.npz", PICKLED), "no ZIP archive"),
    "too many predictions": (
        with_entry("test.npz", npz(probabilities=np.tile(TWO, (99, 1)), labels=[0] * 198)),
        "test photos",
    ),
    "labels out of range": (with_entry("test.npz", npz(probabilities=TWO, labels=[0, 2])), "test photos"),
    "probabilities out of range": (with_entry("test.npz", npz(probabilities=TWO * 9, labels=[0, 1])), "test photos"),
    "no numbers": (with_entry("test.npz", npz(probabilities=TWO * np.nan, labels=[0, 1])), "test photos"),
    "other arrays": (with_entry("validation.npz", npz(a=TWO)), "expected probabilities, labels"),
    "embeddings of other photos": (
        with_entry(
            "embeddings.npz",
            npz(
                paths=np.frombuffer(b"../../etc/passwd\0", np.uint8),
                labels=[0],
                parts=[0],
                embedding=TWO[:1],
                probabilities=TWO[:1],
            ),
        ),
        "embeddings of this run",
    ),
    "a timeline too long": (with_entry("timeline/9.npy", b""), "one file for each validation"),
    "a recipe with more": (edited("recipe.json", run_this="rm"), "unknown choices: run_this"),
    "a recipe of the future": (edited("recipe.json", version=99), "version 99"),
    "no recipe": (with_entry("recipe.json", b"[1]"), "not a JSON object"),
    "nested without end": (with_entry("recipe.json", b"[" * 100_000), "not valid JSON"),
    "classes unsorted": (edited("classes.json", class_names=["red", "blue"]), "sorted"),
    "classes of a number": (edited("classes.json", class_names=["blue", 7]), "sorted"),
    "classes that its model lacks": (edited("classes.json", class_names=["a", "b"]), "classes that its model lacks"),
    "photos outside": (
        with_entry("split.csv", b"file,class,part\r\n../../etc/passwd,blue,test\r\n"),
        "must stay inside",
    ),
    "a photo of no name": (
        with_entry("split.csv", b'file,class,part\r\n"a\x00b",blue,test\r\n'),
        "zero byte|split",
    ),
    "spread labels of other classes": (
        with_entry("pseudo_labels.csv", b"file,class,certainty\r\na.png,green,1\r\n"),
        "classes that its model lacks",
    ),
    "spread labels outside": (
        with_entry("pseudo_labels.csv", b"file,class,certainty\r\n../../etc/passwd,blue,1\r\n"),
        "leads outside its folder",
    ),
    "spread labels too certain": (
        with_entry("pseudo_labels.csv", b"file,class,certainty\r\na.png,blue,2\r\n"),
        "spread labels of this run cannot be used",
    ),
    "a start that leads outside": (
        with_entry("start.json", json.dumps({**START, "learned": [{"dataset": "/", "files": ["../x"]}]}).encode()),
        "starts from cannot be used",
    ),
    "a start that is no JSON": (
        with_entry("start.json", pickle.dumps(Path("/etc/passwd"))),
        "starts from cannot be used",
    ),
    "no split at all": (with_entry("split.csv", b"\x00\xff"), "split of this run"),
    "a status of text": (edited("status.json", epoch="many"), "epoch = 'many'"),
    "a status with a message of lists": (edited("status.json", way={"key": "a", "values": {"b": []}}), "way"),
    "a status with a huge value": (edited("status.json", way={"key": "a", "values": {"b": 1e300}}), "too many values"),
    "a status of no number": (
        with_entry("status.json", b'{"state": "stopped", "created": NaN}'),
        "NaN is not a number",
    ),
    "a status with a list": (edited("status.json", epoch=[1]), "epoch = 'list'"),
    "a status that is switched on": (edited("status.json", epoch=True), "epoch = 'True'"),
    "an accuracy of three": (edited("status.json", best_val_accuracy=3), "best_val_accuracy"),
    "a year too far": (edited("status.json", created=1e30), "created"),
    "finished without a model": (edited("status.json", state="finished"), "lacks its model"),
    "metrics of text": (with_entry("metrics.jsonl", b"hello\n"), "Line 1 of the metrics"),
    "metrics of another phase": (
        with_entry("metrics.jsonl", GOOD_METRICS.replace("head", "x").encode() + b"}\n"),
        "Line 1",
    ),
    "metrics without a step": (
        with_entry("metrics.jsonl", GOOD_METRICS.replace('"step":1,', "").encode() + b"}\n"),
        "step",
    ),
    "a loss of text": (with_entry("metrics.jsonl", GOOD_METRICS.encode() + b',"val_loss":"x"}\n'), "val_loss = 'x'"),
    "left out, but no list": (with_entry("left_out.json", b'{"a": 1}'), "not a JSON list"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_damaged_and_hostile_files_are_refused_and_leave_nothing(
    case: str, small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    change, words = HOSTILE[case]
    settings = home_at(tmp_path / "home", finished_run)
    with pytest.raises(TransferError, match=words):
        import_run(io.BytesIO(change(dict(small))), settings)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [] and RunStore(settings.runs_folder).runs() == []


def test_a_model_with_other_outputs_is_not_kept(finished_run: FinishedRun, tmp_path: Path) -> None:
    files = files_of(exported_bytes(finished_run.run))
    proof = json.loads(files[MANIFEST])["proof"]
    settings = home_at(tmp_path, finished_run)
    with pytest.raises(TransferError, match="gives other outputs than the exported one"):
        import_run(io.BytesIO(archive_of(files, proof=[row[::-1] for row in proof])), settings)
    assert RunStore(settings.runs_folder).runs() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays.pop("layers/dense/vars/0"), "first is layers/dense/vars/0"),
        (lambda arrays: arrays.update(more=np.zeros(2)), "first is more"),
        (lambda arrays: arrays.update({"layers/dense/vars/0": np.zeros((2, 2), np.float32)}), r"is float32 \(2, 2\)"),
        (lambda arrays: arrays["layers/dense/vars/0"].fill(np.nan), "not finite numbers"),
    ],
)
def test_weights_of_another_network_are_refused(
    change: Callable[[dict[str, Any]], Any], words: str, finished_run: FinishedRun, tmp_path: Path
) -> None:
    run = without_model(finished_run.run, tmp_path)
    files = files_of(exported_bytes(finished_run.run))
    with np.load(io.BytesIO(files[WEIGHTS])) as file:
        arrays = dict(file)
    change(arrays)
    (run.folder / WEIGHTS).write_bytes(npz(**arrays))
    with pytest.raises(TransferError, match=words):
        rebuild(run)
    assert not run.best_file.exists()


def test_no_network_is_built_for_classes_that_have_no_weights(finished_run: FinishedRun, tmp_path: Path) -> None:
    run = without_model(finished_run.run, tmp_path)
    (run.folder / WEIGHTS).write_bytes(files_of(exported_bytes(finished_run.run))[WEIGHTS])
    many = [f"{number:06d}" for number in range(1_000_000)]
    run.classes_file.write_text(json.dumps({"class_names": many}), "utf-8")
    with pytest.raises(TransferError, match="its last layer alone has 128,000,000"):
        rebuild(run)


def test_a_cancelled_import_leaves_nothing(finished_run: FinishedRun, tmp_path: Path) -> None:
    settings = home_at(tmp_path, finished_run)

    def give_up(what: str, share: float | None) -> None:
        if what.startswith("Building"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_run(io.BytesIO(exported_bytes(finished_run.run)), settings, None, give_up)
    assert list((settings.home / FOLDER).iterdir()) == [] and RunStore(settings.runs_folder).runs() == []


def test_an_invalid_id_is_replaced(small: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path) -> None:
    settings = home_at(tmp_path, finished_run)
    came = import_run(io.BytesIO(archive_of(small, id="../../evil")), settings)
    assert came.run.folder.parent == settings.runs_folder
    assert RunStore(settings.runs_folder).runs() == [Run(came.run.folder)]
