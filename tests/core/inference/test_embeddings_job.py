import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.subsets import SUBSETS, TEST, TRAINING
from core.inference import embeddings_job
from core.inference.embeddings_job import LOCK, Looking, look_again, request, try_again
from core.inference.prediction import Predictor
from core.processes.locks import is_locked
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
    assert request(forgetful) == Looking()
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
    look_again(forgetful, replace(finished_run.workplace.settings, dataset_roots=(tmp_path.resolve(),)))
    assert len(read_embeddings(forgetful)) == len(read_embeddings(finished_run.run)) - 1
    assert str(gone.relative_to(dataset)) not in read_embeddings(forgetful).paths


def test_what_goes_wrong_is_said_and_can_be_tried_again(forgetful: Run, finished_run: FinishedRun) -> None:
    settings = finished_run.workplace.settings
    look_again(forgetful, replace(settings, dataset_roots=(settings.home / "datasets",)))
    said = request(forgetful)
    assert said is not None and str(finished_run.workplace.colours) in said.error
    try_again(forgetful)
    look_again(forgetful, settings)
    assert request(forgetful) is None


def test_where_there_is_no_room_for_all_some_training_photos_have_none(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_them = read_embeddings(finished_run.run)
    few = int((all_of_them.parts != TRAINING).sum()) + 5
    monkeypatch.setattr(embeddings_job, "MOST_BYTES", few * 2 * all_of_them.embedding.shape[1])
    look_again(forgetful, finished_run.workplace.settings)
    found = read_embeddings(forgetful)
    assert len(found) == few and len(found.of(TRAINING)) == 5


def test_a_model_that_changes_meanwhile_is_not_described_by_the_old_one(
    forgetful: Run, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter((1, 2))
    monkeypatch.setattr(embeddings_job, "_version", lambda run: next(versions))
    look_again(forgetful, finished_run.workplace.settings)
    assert not forgetful.embeddings_file.exists()
