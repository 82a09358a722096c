import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from command_line.main import main
from core.data.images import MAX_PIXELS
from core.export import writers
from core.export.formats import export_format
from core.export.network import trained_network
from core.export.package import write_package
from core.inference.batch import BatchJob
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE, decide, read_decision_rule
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.inference.sources import uploaded
from core.recipe.run_recipe import read_recipe
from core.runs.embeddings import read_embeddings
from core.settings import Limits
from pages.components.predict.model import Model
from pages.components.predict.results import table_of
from pages.components.predict.sentences import answer
from pages.components.predict.sources import live_answer
from pages.components.shared.run_descriptions import LoadedRun
from tests.conftest import PATIENCE, FinishedRun, photos_of

PHOTOS = 9
"""One more than fit into a request, so that a batch is computed as batches are."""


@pytest.fixture(scope="module")
def model(finished_run: FinishedRun) -> Model:
    """The finished run's model as the page uses it."""
    run = finished_run.run
    rule = read_decision_rule(run)
    detector = OutOfDistributionDetector.fit(read_embeddings(run), rule.temperature)
    return Model(LoadedRun(run, run.read_status(), read_recipe(run)), Predictor(run), rule, detector)


@pytest.fixture(scope="module")
def photos(finished_run: FinishedRun) -> list[bytes]:
    """Test photos and mixtures of two, about which the model is less confident."""
    known = [np.asarray(Image.open(file).convert("RGB"), np.float32) for file in photos_of(finished_run.run, "test")]
    mixtures = [share * known[0] + (1 - share) * known[-1] for share in np.linspace(0, 1, PHOTOS - len(known[:3]))]
    return [as_png(pixels) for pixels in (*known[:3], *mixtures)]


def as_png(pixels: NDArray[np.float32]) -> bytes:
    """A photo as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def predicted(model: Model, photos: list[bytes], few: int) -> BatchJob:
    """A job that has predicted the photos, so many of them in this process."""
    job = BatchJob(model.predictor, model.shown.run.serving_folder, MAX_PIXELS, few=few)
    files = [(f"{number}.png", io.BytesIO(photo)) for number, photo in enumerate(photos)]
    job.add(lambda stop: uploaded(files, Limits()))
    assert job.wait(PATIENCE)
    return job


def exported_rows(model: Model, folder: Path, export: Path) -> list[dict[str, object]]:
    """What the exported script says of a folder of photos."""
    chosen = export_format("openvino")
    export.mkdir()
    write_package(export, chosen, model.shown.run, model.predictor, sorted(folder.iterdir()))
    getattr(writers, chosen.write)(trained_network(model.shown.run), export / chosen.model, np.zeros((0,), np.uint8))
    command = [sys.executable, "predict.py", "--json", str(folder)]
    lines = subprocess.run(command, cwd=export, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def test_page_camera_batch_command_line_and_export_give_the_same_answers(
    finished_run: FinishedRun,
    model: Model,
    photos: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    for number, photo in enumerate(photos):
        (tmp_path / "photos" / f"{number}.png").write_bytes(photo)
    for name, value in finished_run.workplace.variables().items():
        monkeypatch.setenv(name, value)

    page = table_of(model, job := predicted(model, photos, few=PHOTOS), job.batch())
    names, found = model.predictor.class_names, page.decisions
    apart = [predicted(model, [photo], few=1).batch().probabilities[0] for photo in photos]
    child = predicted(model, photos, few=0).batch()
    live = [live_answer(model, photo, MAX_PIXELS) for photo in photos]
    assert main(["predict", model.shown.run.id, str(tmp_path / "photos"), "--json"]) == 0
    terminal = json.loads(capsys.readouterr().out)["photos"]
    script = exported_rows(model, tmp_path / "photos", tmp_path / "export")

    assert len(page) == len(terminal) == len(script) == PHOTOS
    for probabilities in (np.stack(apart), child.probabilities):
        others = decide(probabilities, model.rule)
        assert others.predicted.tolist() == found.predicted.tolist()
        np.testing.assert_allclose(others.confidence, found.confidence, atol=1e-6)
        assert others.unsure.tolist() == found.unsure.tolist()
    for i in range(PHOTOS):
        label, confidence, unsure = names[found.predicted[i]], found.confidence[i], bool(found.unsure[i])
        assert live[i][0] == answer(str(found.kinds[i]), label) and live[i][1][0][0] == label
        assert live[i][1][0][1] == pytest.approx(confidence, abs=1e-6)
        assert (terminal[i]["class"], terminal[i]["unsure"]) == (label, unsure)
        assert terminal[i]["unlike_training"] == bool(found.out_of_distribution[i])
        assert terminal[i]["probability"] == pytest.approx(confidence, abs=1e-6)
        assert (script[i]["class"], script[i]["unsure"]) == (label, unsure)
        assert script[i]["confidence"] == pytest.approx(confidence, abs=1e-6)


def test_without_a_detector_no_photo_is_unlike_the_training_photos(model: Model, photos: list[bytes]) -> None:
    alone = Model(model.shown, model.predictor, model.rule, None)
    look = model.predictor.predict_one(model.predictor.see(photos[0]))
    assert alone.decide(look).kinds[0] != OUT_OF_DISTRIBUTION
    assert alone.decide(look).unsure[0] == (alone.decide(look).kinds[0] == UNSURE)
    assert alone.key == model.key and model.shown.run.id in model.key
