import io
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from command_line.main import main
from core.runs.store import FINISHED
from tests.conftest import FinishedRun, Workplace
from tests.core.training.transfer.exported_runs import exported_without_model


def said_as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_runs_are_listed_for_people_and_for_programs(
    after_a_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = after_a_run.run
    assert main(["runs"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["id", "state", "test"] and row.split()[:2] == [run.id, "finished"]
    assert main(["runs", "list", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert facts["id"] == run.id and facts["test_accuracy"] == run.read_status().test_accuracy


@pytest.mark.parametrize("part", [slice(None), slice(0, 15), slice(-4, None)])
def test_one_run_is_shown_by_a_part_of_its_id(
    part: slice, after_a_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "show", after_a_run.run.id[part], "--json"]) == 0
    found = said_as_json(capsys)
    assert (found["id"], found["recipe"]) == (after_a_run.run.id, after_a_run.run.recipe_values())


def test_the_latest_run_is_shown_in_words(after_a_run: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", "latest"]) == 0
    said = capsys.readouterr().out
    assert "finished" in said and '"baseline-cnn"' in said


def test_a_run_is_exported_and_nothing_is_overwritten(
    after_a_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "export", "latest", "--json"]) == 0
    file = Path(str(said_as_json(capsys)["file"]))
    assert file == tmp_path / f"unfreeze-run-{after_a_run.run.id}.zip"
    before = file.read_bytes()
    assert main(["runs", "export", "latest"]) == 1
    assert "already" in capsys.readouterr().err and file.read_bytes() == before
    assert main(["runs", "export", "latest", "-o", str(tmp_path / "missing" / "a.zip")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_run_is_imported_with_its_photos_and_deleted(
    here: Workplace, finished_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.zip"
    file.write_bytes(exported_without_model(finished_run.run, tmp_path / "copy"))
    shutil.rmtree(here.colours)
    shutil.copytree(finished_run.workplace.colours, here.colours.with_name("moved"))
    assert main(["runs", "import", str(file), "--dataset", str(here.colours.with_name("moved")), "--json"]) == 0
    found = said_as_json(capsys)
    assert found["run"] == finished_run.run.id and str(found["photos"]).endswith("moved")
    assert main(["runs", "delete", str(found["run"]), "--yes"]) == 0
    assert "is deleted" in capsys.readouterr().out and here.store.runs() == []


class Keyboard(io.StringIO):
    """A person at a terminal, who types this."""

    def isatty(self) -> bool:
        return True


def test_a_run_is_deleted_only_after_a_yes(
    here: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = here.new_run()
    run.write_status(replace(run.read_status(), state=FINISHED))
    for typed in (io.StringIO("y\n"), Keyboard("\n"), Keyboard("no\n"), Keyboard("")):
        monkeypatch.setattr(sys, "stdin", typed)
        assert main(["runs", "delete", run.id]) == 1
        said = capsys.readouterr().err
        assert "was not deleted" in said and "--yes" in said and here.store.runs() == [run]
    monkeypatch.setattr(sys, "stdin", Keyboard("y\n"))
    assert main(["runs", "delete", run.id]) == 0
    assert f"Delete the run {run.id}" in capsys.readouterr().err and here.store.runs() == []


def test_an_empty_name_deletes_nothing(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    run = here.new_run()
    run.write_status(replace(run.read_status(), state=FINISHED))
    for name in ("", " "):
        assert main(["runs", "delete", name, "--yes"]) == 2
        assert "The argument which is empty" in capsys.readouterr().err
    assert here.store.runs() == [run]


def test_what_is_no_exported_run_is_refused(
    here: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.zip").write_text("no run")
    assert main(["runs", "import", str(tmp_path / "run.zip")]) == 1
    assert "no ZIP archive" in capsys.readouterr().err
    assert main(["runs", "import", str(tmp_path / "gone.zip")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main(["runs"]) == 0
    assert "no runs yet" in capsys.readouterr().out
