"""Moving runs and datasets to other computers."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.training.transfer.run_export import exported_bytes
from tests.browser.conftest import Screen, Server
from tests.conftest import FinishedRun, Workplace


def test_a_run_is_imported_from_another_computer(
    server: Server,
    workplace: Workplace,
    finished_run: FinishedRun,
    new_screen: Callable[..., Screen],
    tmp_path: Path,
) -> None:
    file, broken = tmp_path / "run.zip", tmp_path / "broken.zip"
    file.write_bytes(exported_bytes(finished_run.run))
    broken.write_bytes(b"PK\x03\x04 nothing")
    screen = new_screen(server)
    screen.open("/runs")
    screen.page.get_by_text("Import a run from another computer").click()
    chosen = screen.page.get_by_test_id("stFileUploaderDropzoneInput")
    chosen.set_input_files(broken)
    screen.press("Import run")
    expect(screen.text("cut off")).to_be_visible()
    screen.page.get_by_role("button", name="Remove broken.zip").click()
    expect(screen.page.get_by_role("button", name="Import run")).to_have_count(0)
    chosen.set_input_files(file)
    screen.press("Import run")
    expect(screen.text("Imported. It can predict and be compared.")).to_be_visible()
    assert [run.id for run in workplace.store.runs()] == [finished_run.run.id]
    screen.page.get_by_role("button", name="Open run").click()
    screen.settle()
    expect(screen.page.get_by_test_id("test-accuracy")).to_be_visible()
    expect(screen.text("(imported)")).to_be_visible()
    screen.page.get_by_text("Move this run to another computer").click()
    with screen.page.expect_download() as begun:
        screen.press("Export this run")
    with zipfile.ZipFile(begun.value.path()) as again:
        assert {"recipe.json", "weights.npz", "manifest.json"} <= set(again.namelist())
    assert not screen.problems()


@pytest.mark.thorough
def test_a_dataset_is_exported_with_its_corrections(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(server)
    screen.open(f"/?dataset={workplace.colours}")
    screen.page.get_by_text("Export this dataset").click()
    with screen.page.expect_download() as begun:
        screen.page.get_by_role("radio", name="Table (CSV)").click()
        screen.press("Download the table")
    rows = begun.value.path().read_text("utf-8-sig").splitlines()
    assert rows[0] == "file,class,part,decision,because" and len(rows) == 31
    screen.page.get_by_role("radio", name="New dataset").click()
    screen.settle()
    screen.press("Export")
    expect(screen.text("Exported 30 photos to")).to_be_visible()
    made = workplace.settings.datasets_folder / "colours corrected"
    assert len(list(made.rglob("*.png"))) == 30
    screen.press("Open it")
    expect(screen.text(str(made))).to_be_visible()
    assert not screen.problems()
