import json
import shutil
import zipfile
from pathlib import Path

import pytest

from command_line.main import main
from core.export.formats import export_format
from core.export.jobs import NOT_MADE, UNDER_WAY, read_exports, zip_file
from core.runs.store import Run
from tests.conftest import FinishedRun, Workplace, eventually


@pytest.fixture
def mine(finished_run: FinishedRun, here: Workplace) -> Run:
    """A copy of the finished run, which may be changed, with its photos in reach."""
    shutil.copytree(finished_run.run.folder, here.store.root / finished_run.run.id)
    shutil.rmtree(here.colours)
    run = here.store.get(finished_run.run.id)
    photos = shutil.copytree(finished_run.workplace.colours, here.colours)
    run.recipe_file.write_text(json.dumps({**run.recipe_values(), "dataset": str(photos)}), "utf-8")
    return run


def test_a_proven_model_is_written_and_not_made_twice(
    mine: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.zip"
    assert main(["export", "latest", "openvino", "-o", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(file) and said["certificate"]["equal_top1"] == 1
    with zipfile.ZipFile(file) as archive:
        assert any(name.endswith("predict.py") for name in archive.namelist())
    before = zip_file(mine, export_format("openvino")).stat().st_mtime_ns
    assert main(["export", "latest", "openvino", "-o", str(tmp_path / "again.zip")]) == 0
    assert "Verified on" in capsys.readouterr().out
    assert zip_file(mine, export_format("openvino")).stat().st_mtime_ns == before
    assert main(["export", "latest", "openvino", "-o", str(file)]) == 1
    assert "already" in capsys.readouterr().err


def test_ctrl_c_takes_the_request_back(
    mine: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("command_line.export.time.sleep", press_ctrl_c)
        assert main(["export", "latest", "openvino", "-o", str(tmp_path / "model.zip")]) == 130
    assert "Interrupted" in capsys.readouterr().err
    eventually(lambda: read_exports(mine)["openvino"].state not in UNDER_WAY, "the export ended")
    assert read_exports(mine)["openvino"].state == NOT_MADE and not list(tmp_path.glob("*.zip"))


def test_a_whole_run_is_a_format_too(
    after_a_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "latest", "run", "-o", str(tmp_path / "run.zip")]) == 0
    assert f"contains the run {after_a_run.run.id}" in capsys.readouterr().out
    assert zipfile.is_zipfile(tmp_path / "run.zip")
