import json
import shutil
from pathlib import Path

import pytest

from command_line.main import main
from core.inference.external_test import kept_tests
from tests.conftest import FinishedRun, Workplace


@pytest.fixture
def others(finished_run: FinishedRun, here: Workplace) -> Path:
    """A folder of photos beside an installation whose only run is finished."""
    shutil.copytree(finished_run.run.folder, here.store.root / finished_run.run.id)
    (here.colours / "red").rename(here.colours / "rouge")
    return here.colours


def test_photos_from_elsewhere_are_evaluated_and_what_does_not_count_is_named(
    others: Path, here: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    (others / "blue" / "broken.jpg").write_bytes(b"text")
    assert main(["evaluate", "latest", str(others)]) == 0
    said = capsys.readouterr().out
    assert "of 15 photos of colours, not from this dataset (95 % interval:" in said
    assert "not counted: 15 photos of class rouge, which the model does not know" in said
    assert "not used: blue/broken.jpg:" in said
    assert main(["evaluate", "latest", str(others), "--class", "rouge=red", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["photos"], found["counted"], found["unknown_classes"]) == (30, 30, {})
    assert [row["photos"] for row in found["classes"]] == [15, 15]
    assert found["accuracy"] == found["correct"] / 30 and len(found["mistakes"]) == 30 - found["correct"]
    low, high = found["interval"]
    assert 0 <= low <= found["accuracy"] <= high <= 1
    [run] = here.store.runs()
    assert len(kept_tests(run, run.read_status().ended)) == 1, "the page has it, too"


def test_a_zip_file_is_evaluated_and_mistakes_of_the_person_are_told(
    others: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = shutil.make_archive(str(tmp_path / "sent"), "zip", others)
    assert main(["evaluate", "latest", packed, "--class", "rouge=green"]) == 1
    assert "The model has no class “green”. Its classes: blue, red." in capsys.readouterr().err
    assert main(["evaluate", "latest", packed, "--class", "blue=", "--class", "rouge=", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["accuracy"] is None
    assert main(["evaluate", "latest", str(tmp_path / "gone")]) == 1
    with pytest.raises(SystemExit):
        main(["evaluate", "latest", str(others), "--class", "rouge"])
