import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.subsets import SUBSETS, TEST, TRAINING
from core.inference import embeddings_job
from core.inference.embeddings_job import (
    DIED,
    LOCK,
    NO_MODEL,
    PROGRESS,
    EmbeddingsProgress,
    compute_if_missing,
    request,
    retry,
)
from core.inference.prediction import Predictor
from core.processes import children
from core.processes.locks import is_locked, locked
from core.runs.embeddings import read_embeddings
from core.runs.store import Run
from tests.conftest import FinishedRun, eventually, photos_of


@pytest.fixture
def forgetful(finished_run: FinishedRun, tmp_path: Path) -> Run:
    """A copy of the finished run that has kept nothing of its photos, as a former version left it."""
    run = Run(tmp_path / finished_run.run.id)
    shutil.copytree(finished_run.run.folder, run.folder)
    run.embeddings_file.unlink()
    return run


def test_a_finished_run_has_looked_at_every_photo_of_its_split(finished_run: FinishedRun) -> None:
    found = read_embeddings(finished_run.run)
    dataset = finished_run.workplace.colours
    for number, part in enumerate(SUBSETS):
        paths = [str(file.relative_to(dataset)) for file in photos_of(finished_run.run, part)]
        assert list(found.of(number).paths) == paths
    names = finished_run.run.class_names()
    assert [names[label] for label in found.labels] == [path.split("/")[0] for path in found.paths]


def test_what_is_kept_is_what_the_model_says(finished_run: FinishedRun) -> None:
    kept = read_embeddings(finished_run.run).of(TEST)
    probabilities, labels = finished_run.predictions("test")
    np.testing.assert_array_equal(kept.labels, labels)
    np.testing.assert_allclose(kept.probabilities, probabilities, atol=1e-3)
    predictor = Predictor(finished_run.run)
    alone = predictor.predict([predictor.see((finished_run.workplace.colours / kept.paths[0]).read_bytes())])
    np.testing.assert_allclose(kept.probabilities[:1], alone.probabilities, atol=1e-3)
    assert kept.embedding.shape == (len(kept), 128) and np.ptp(kept.embedding, axis=0).max() > 0


def test_a_run_that_has_kept_nothing_is_looked_at_on_request(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in finished_run.workplace.variables().items():
        monkeypatch.setenv(name, value)
    assert request(forgetful) == EmbeddingsProgress()
    eventually(lambda: request(forgetful) is None, "the photos were looked at")
    eventually(lambda: not is_locked(forgetful.folder / LOCK), "the process ended")
    before, after = read_embeddings(finished_run.run), read_embeddings(forgetful)
    assert after.paths == before.paths
    np.testing.assert_array_equal(after.embedding, before.embedding)


def test_photos_that_are_gone_are_left_out(forgetful: Run, finished_run: FinishedRun, tmp_path: Path) -> None:
    dataset = shutil.copytree(finished_run.workplace.colours, tmp_path / "colours")
    recipe = json.loads(forgetful.recipe_file.read_text("utf-8"))
    forgetful.recipe_file.write_text(json.dumps({**recipe, "dataset": str(dataset)}), "utf-8")
    gone = photos_of(forgetful, "test")[0]
    gone.unlink()
    compute_if_missing(forgetful, replace(finished_run.workplace.settings, dataset_roots=(tmp_path.resolve(),)))
    assert len(read_embeddings(forgetful)) == len(read_embeddings(finished_run.run)) - 1
    assert str(gone.relative_to(dataset)) not in read_embeddings(forgetful).paths


def test_a_failure_is_kept_and_can_be_tried_again(forgetful: Run, finished_run: FinishedRun) -> None:
    settings = finished_run.workplace.settings
    compute_if_missing(forgetful, replace(settings, dataset_roots=(settings.home / "datasets",)))
    failed = request(forgetful)
    assert failed is not None and str(finished_run.workplace.colours) in failed.error
    retry(forgetful)
    compute_if_missing(forgetful, settings)
    assert request(forgetful) is None


def test_where_there_is_no_room_for_all_some_training_photos_have_none(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_them = read_embeddings(finished_run.run)
    few = int((all_of_them.parts != TRAINING).sum()) + 5
    monkeypatch.setattr(embeddings_job, "MOST_BYTES", few * 2 * all_of_them.embedding.shape[1])
    compute_if_missing(forgetful, finished_run.workplace.settings)
    found = read_embeddings(forgetful)
    assert len(found) == few and len(found.of(TRAINING)) == 5


def test_a_model_that_changes_meanwhile_is_not_described_by_the_old_one(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter((1, 2))
    monkeypatch.setattr(embeddings_job, "_version", lambda run: next(versions))
    compute_if_missing(forgetful, finished_run.workplace.settings)
    assert not forgetful.embeddings_file.exists()


def aged(run: Run) -> Run:
    """The run, as if whoever reported progress last had done so long ago."""
    os.utime(run.folder / PROGRESS, (1, 1))
    return run


def is_computing(run: Run) -> bool:
    """Whether a process has the folder of the run among its arguments."""
    found = False
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            found |= str(run.folder).encode() in (entry / "cmdline").read_bytes().split(b"\0")
    return found


def test_an_unexpected_failure_is_shown_once_and_is_not_tried_again_by_itself(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in finished_run.workplace.variables().items():
        monkeypatch.setenv(name, value)
    classes = forgetful.classes_file.read_text("utf-8")
    forgetful.classes_file.write_text(json.dumps({"class_names": ["blue", "no such class"]}), "utf-8")
    request(forgetful)
    eventually(lambda: bool((found := request(forgetful)) and found.error), "the failure is kept")
    failed = request(aged(forgetful))
    assert failed is not None and failed.error.startswith("An unexpected ValueError (tuple.index")
    assert request(aged(forgetful)) == failed
    eventually(lambda: not is_computing(forgetful), "nobody tries again")
    assert "ValueError: tuple.index" in forgetful.log_tail()
    forgetful.classes_file.write_text(classes, "utf-8")
    retry(forgetful)
    assert request(forgetful) == EmbeddingsProgress()
    eventually(lambda: request(forgetful) is None, "a person has asked for it again")


def test_a_process_that_dies_without_a_message_is_a_failure(forgetful: Run, finished_run: FinishedRun) -> None:
    with locked(forgetful.folder / LOCK, 1):
        assert request(forgetful) == EmbeddingsProgress(), "somebody is at work"
        (forgetful.folder / PROGRESS).write_text(json.dumps({"done": 64, "total": 300, "error": ""}), "utf-8")
        assert request(aged(forgetful)) == EmbeddingsProgress(64, 300)
    (forgetful.folder / PROGRESS).touch()
    assert request(forgetful) == EmbeddingsProgress(64, 300), "somebody may have just begun"
    assert request(aged(forgetful)) == EmbeddingsProgress(error=DIED) == request(aged(forgetful))
    assert not is_computing(forgetful)
    compute_if_missing(forgetful, finished_run.workplace.settings)
    assert request(forgetful) is None, "a trainer that goes on with the run is not kept from it"


def test_a_process_that_cannot_be_started_is_a_failure(forgetful: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "PYTHON", "/no/such/python")
    failed = request(forgetful)
    assert failed is not None and "could not be started (No such file" in failed.error
    assert request(forgetful) == failed


def test_a_run_without_a_model_is_a_failure_only_where_its_embeddings_are_asked_for(
    forgetful: Run, finished_run: FinishedRun
) -> None:
    shutil.rmtree(forgetful.serving_folder)
    compute_if_missing(forgetful, finished_run.workplace.settings)
    assert not (forgetful.folder / PROGRESS).exists()
    request(forgetful)
    eventually(lambda: request(forgetful) == EmbeddingsProgress(error=NO_MODEL), "the failure is kept")
