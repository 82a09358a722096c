import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line.main import main
from core.evaluation.calibration import with_temperature
from core.inference.decision import temperature_of
from core.inference.prediction import Predictor
from tests.conftest import FinishedRun, photos_of


def test_photos_of_a_folder_an_archive_and_by_name_are_predicted(
    after_a_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = photos_of(after_a_run.run, "test")
    inside = tmp_path / "some"
    inside.mkdir()
    for number, file in enumerate(files[:2]):
        shutil.copy(file, inside / f"{number}.png")
    (inside / "notes.txt").write_text("no photo")
    packed = shutil.make_archive(str(tmp_path / "more"), "zip", inside)
    alone = str(shutil.copy(files[2], tmp_path / "alone.png"))
    assert main(["predict", "latest", str(inside), packed, alone, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in found["photos"]] == ["0.png", "1.png", "0.png", "1.png", alone]
    predictor = Predictor(after_a_run.run)
    said = predictor.predict([predictor.see(file.read_bytes()) for file in (*files[:2], *files[:3])])
    rows = [[row["probabilities"][name] for name in predictor.class_names] for row in found["photos"]]
    calibrated = with_temperature(said.probabilities, temperature_of(after_a_run.run))
    np.testing.assert_allclose(rows, calibrated, atol=1e-5)
    assert [row["class"] for row in found["photos"]] == [said.top(i, 1)[0][0] for i in range(5)]
    assert {entry["why"] for entry in found["left_out"]} == {".txt files are not photos"}
    assert {row["unlike_training"] for row in found["photos"]} <= {True, False}


def test_people_get_a_table_and_photos_unlike_the_training_photos_are_marked(
    after_a_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 40), "lime").save(tmp_path / "odd.png")
    assert main(["predict", after_a_run.run.id, str(tmp_path / "odd.png"), str(tmp_path / "gone.jpg")]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split() == ["file", "class", "probability", "note"]
    assert "unlike the training photos" in said.out
    assert f"not used: {tmp_path / 'gone.jpg'}: the file is no longer there" in said.out


def test_what_gives_no_photo_has_failed(
    after_a_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "latest", str(tmp_path / "gone.zip")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("no photo")
    assert main(["predict", "latest", str(tmp_path / "notes.txt")]) == 1
    assert "not photos" in capsys.readouterr().out
    assert main(["predict", "no-such-run", str(tmp_path)]) == 1
    assert "There is no run" in capsys.readouterr().err
