import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import openvino as ov
import pytest
import tensorflow as tf

from core.errors import ExportError, RunBusy
from core.export import jobs, writers
from core.export.exporter import Exporter
from core.export.formats import FORMATS, ExportFormat, export_format
from core.export.jobs import DIED, FAILED, LOCK, MAKING, NOT_MADE, PROVEN, STALE, STARTED, WAITING, Export
from core.export.trial_photos import LEAST
from core.language import language, reading
from core.processes.locks import is_locked, locked
from core.runs.messages import Message, text_of
from core.runs.store import RUNNING, Run, Status
from tests.catalogues import second_language
from tests.conftest import FinishedRun, eventually
from tests.disks import small_disk
from tests.thorough import cases

OPENVINO = export_format("openvino")
HERE = [chosen for chosen in FORMATS if not chosen.missing]


def copied(finished: FinishedRun, into: Path) -> Run:
    run = Run(into / finished.run.id)
    shutil.copytree(finished.run.folder, run.folder)
    return run


@pytest.fixture(scope="module")
def exporter(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """What makes exports of a copy of the finished run."""
    run = copied(finished_run, tmp_path_factory.mktemp("exports"))
    run.exports_folder.mkdir()
    yield Exporter(run, run.exports_folder / "work", finished_run.workplace.settings)


@pytest.fixture
def run(finished_run: FinishedRun, tmp_path: Path) -> Run:
    """A copy of the finished run that nobody has exported."""
    return copied(finished_run, tmp_path)


def test_texts_of_an_export_are_in_the_language_of_whoever_wanted_it(
    run: Run, finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_start", lambda run: None)
    made: list[tuple[str, str]] = []

    def make(exporter: Exporter, chosen: ExportFormat) -> None:
        made.append((chosen.key, language()))
        jobs._write_state(run, chosen, Export(FAILED))

    monkeypatch.setattr(jobs, "make", make)
    with second_language(tmp_path / "locale", "", monkeypatch), reading("zh"):
        jobs.request(run, [OPENVINO])
        with reading("en"):
            jobs.request(run, [export_format("keras")])
            jobs.make_all(run, finished_run.workplace.settings)
    assert dict(made) == {"openvino": "zh", "keras": "en"}


@pytest.mark.parametrize("chosen", cases(HERE, *HERE[:2]), ids=lambda chosen: chosen.key)
def test_every_format_is_proven_by_a_process_that_has_the_zip_alone(exporter: Exporter, chosen: ExportFormat) -> None:
    jobs.make(exporter, chosen)
    made = jobs.read_exports(exporter.run)[chosen.key]
    assert made.state == PROVEN, made.error
    found = made.parity
    assert found and found.photos >= LEAST and found.tested == len(exporter.trial.labels) > 0
    assert any("EXIF" in kind for kind in found.kinds) and "JPEG in CMYK" in found.kinds
    with zipfile.ZipFile(jobs.zip_file(exporter.run, chosen)) as archive:
        names = {name.split("/")[1] for name in archive.namelist()}
    others = {
        "labels.txt",
        "preprocessing.json",
        "decision.json",
        "predict.py",
        "requirements.txt",
        "MODEL_CARD.md",
        "samples",
    }
    assert names >= {chosen.model, *others, "certificate.json", "certificate.txt"}


def test_the_script_answers_people_too(exporter: Exporter, tmp_path: Path) -> None:
    jobs.make(exporter, OPENVINO)
    with zipfile.ZipFile(jobs.zip_file(exporter.run, OPENVINO)) as archive:
        archive.extractall(tmp_path)
    (unpacked,) = tmp_path.iterdir()
    expected = json.loads((unpacked / "samples" / "expected.json").read_text("utf-8"))
    assert len(expected) == 3
    said = [
        subprocess.run(
            [sys.executable, "-I", "predict.py", *photos], cwd=unpacked, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for photos in ([], ["samples/sample-1.jpg"])
    ]
    assert len(said[0]) == 3 and all("largest difference" in line for line in said[0])
    assert said[1][0].startswith("sample-1.jpg: ") and "%" in said[1][0]


def other_normalisation(model: keras.Model, path: Path, photos: np.ndarray) -> None:
    """A writer with the classic mistake: photos are divided by 255 once more."""
    photo = keras.Input(model.input.shape[1:])
    writers.openvino(keras.Model(photo, model(keras.layers.Rescaling(1 / 255)(photo))), path, photos)


def other_order(model: keras.Model, path: Path, photos: np.ndarray) -> None:
    """A writer that mixes the classes up."""
    writers.openvino(keras.Model(model.input, keras.ops.flip(model.output, axis=-1)), path, photos)


def further_input(model: keras.Model, path: Path, photos: np.ndarray) -> None:
    """A writer whose model wants something that nobody gives it, as Keras' own ONNX export of EfficientNet does."""
    specs = [tf.TensorSpec([None, *model.input.shape[1:]]), tf.TensorSpec([1])]
    traced = tf.function(lambda photos, spurious: {"probabilities": model(photos, training=False) * spurious})
    ov.save_model(ov.convert_model(traced.get_concrete_function(*specs)), path)


@pytest.mark.parametrize("fault", [other_normalisation, other_order, further_input])
def test_a_faulty_export_is_caught_and_not_offered(
    exporter: Exporter, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "faulty", fault, raising=False)
    jobs.make(exporter, replace(OPENVINO, write="faulty"))
    found = jobs.read_exports(exporter.run)["openvino"]
    assert found.state == FAILED and found.error
    assert not jobs.zip_file(exporter.run, OPENVINO).exists()


def fills_the_disk(model: keras.Model, path: Path, photos: np.ndarray) -> None:
    """A writer that finds no more room."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))


def test_an_export_that_finds_the_disk_full_says_so_and_leaves_nothing(
    finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "faulty", fills_the_disk, raising=False)
    with small_disk(tmp_path / "disk", "150m") as disk:
        run = Run(disk / finished_run.run.id)
        unused = shutil.ignore_patterns("checkpoints", "timeline", "tensorboard", "exports")
        shutil.copytree(finished_run.run.folder, run.folder, ignore=unused)
        run.exports_folder.mkdir(exist_ok=True)
        exporter = Exporter(run, run.exports_folder / "work", finished_run.workplace.settings)
        jobs.make(exporter, replace(OPENVINO, write="faulty"))
        found = jobs.read_exports(run)["openvino"]
        assert found.state == FAILED and found.error.startswith("The disk is full"), found
        assert [path.name for path in exporter.work.iterdir()] == ["photos"]


def test_exports_are_made_on_request_and_are_out_of_date_once_the_model_changes(
    run: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in finished_run.workplace.variables().items():
        monkeypatch.setenv(name, value)
    assert jobs.read_exports(run)["openvino"] == Export()
    jobs.request(run, [OPENVINO])
    eventually(lambda: jobs.read_exports(run)["openvino"].state not in (WAITING, MAKING), "it was made")
    assert jobs.read_exports(run)["openvino"].state == PROVEN
    eventually(lambda: not is_locked(run.exports_folder / LOCK), "the process ended")
    (run.serving_folder / "graph.xml").touch()
    assert jobs.read_exports(run)["openvino"].state == STALE


def test_what_waits_can_be_cancelled_and_what_died_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Run] = []
    monkeypatch.setattr(jobs, "_start", started.append)
    jobs.request(run, [OPENVINO])
    jobs.request(run, [OPENVINO])
    assert started == [run] and jobs.read_exports(run)["openvino"].state == WAITING
    jobs.cancel(run, OPENVINO)
    assert jobs.read_exports(run)["openvino"].state == NOT_MADE
    jobs._write_state(run, OPENVINO, Export(MAKING, model=jobs.version_of(run)))
    assert jobs.read_exports(run)["openvino"] == Export(FAILED, error=DIED, model=jobs.version_of(run))
    jobs.cancel(run, OPENVINO)
    assert jobs.read_exports(run)["openvino"].state == NOT_MADE


def test_a_process_that_dies_at_its_start_is_a_failure_and_is_not_started_again_by_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Run] = []
    monkeypatch.setattr(jobs, "_start", started.append)
    jobs.request(run, [OPENVINO])
    os.utime(run.exports_folder / STARTED, (1, 1))
    died = Export(FAILED, error=DIED, model=jobs.version_of(run))
    assert jobs.read_exports(run)["openvino"] == died == jobs.read_exports(run)["openvino"]
    assert started == [run]
    jobs.request(run, [OPENVINO])
    assert started == [run, run] and jobs.read_exports(run)["openvino"].state == WAITING


def test_what_a_process_left_unfinished_is_a_failure_while_the_next_one_works(
    run: Run, finished_run: FinishedRun
) -> None:
    run.exports_folder.mkdir()
    jobs._write_state(run, OPENVINO, Export(MAKING, model=jobs.version_of(run)))
    jobs.make_all(run, finished_run.workplace.settings)
    with locked(run.exports_folder / LOCK, 1):
        assert jobs.read_exports(run)["openvino"].error == DIED


def test_a_run_that_is_going_and_a_format_without_its_packages_are_refused(run: Run) -> None:
    absent = replace(OPENVINO, needs=("no_such_module",), extra="onnx")
    with pytest.raises(ExportError, match=r"needs more packages.*--extra onnx"):
        jobs.request(run, [absent])
    with run.held():
        run.write_status(Status(state=RUNNING))
        with pytest.raises(RunBusy, match="still training"):
            jobs.request(run, [OPENVINO])


def test_without_its_photos_an_export_says_what_is_missing(run: Run, finished_run: FinishedRun, tmp_path: Path) -> None:
    recipe = json.loads(run.recipe_file.read_text("utf-8"))
    (tmp_path / "empty").mkdir()
    run.recipe_file.write_text(json.dumps({**recipe, "dataset": str(tmp_path / "empty")}), "utf-8")
    settings = replace(finished_run.workplace.settings, dataset_roots=(tmp_path.resolve(),))
    run.exports_folder.mkdir()
    jobs.make(Exporter(run, run.exports_folder / "work", settings), OPENVINO)
    assert "can no longer be read" in jobs.read_exports(run)["openvino"].error


@pytest.mark.parametrize("stage", ["", "Converting the model"])
def test_a_stage_is_kept_as_a_message_and_that_of_a_former_version_is_shown(stage: str) -> None:
    kept = Export(MAKING, Message("export-verifying"), 3, 9)
    assert Export.from_json(kept.to_json()) == kept
    former = json.loads(kept.to_json()) | {"stage": stage}
    assert text_of(Export.from_json(json.dumps(former)).stage) == stage
