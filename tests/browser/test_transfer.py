"""Runs and datasets that go elsewhere."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from core.training.transfer import packed
from tests.browser.conftest import Screen, Server
from tests.conftest import FinishedRun, Workplace


def test_a_run_comes_in_from_another_computer(
    server: Server,
    workplace: Workplace,
    finished_run: FinishedRun,
    new_screen: Callable[..., Screen],
    tmp_path: Path,
) -> None:
    file, broken = tmp_path / "run.zip", tmp_path / "broken.zip"
    file.write_bytes(packed(finished_run.run))
    broken.write_bytes(b"PK\x03\x04 nothing")
    screen = new_screen(server)
    screen.open("/runs")
    screen.page.get_by_text("Import a run from another computer").click()
    chosen = screen.page.get_by_test_id("stFileUploaderDropzoneInput")
    chosen.set_input_files(broken)
    screen.press("Import it")
    expect(screen.text("cut off")).to_be_visible()
    screen.page.get_by_role("button", name="Remove broken.zip").click()
    expect(screen.page.get_by_role("button", name="Import it")).to_have_count(0)
    chosen.set_input_files(file)
    screen.press("Import it")
    expect(screen.text("Imported. It can predict and be compared.")).to_be_visible()
    assert [run.id for run in workplace.store.runs()] == [finished_run.run.id]
    screen.page.get_by_role("button", name="Open it").click()
    screen.settle()
    expect(screen.page.get_by_test_id("test-accuracy")).to_be_visible()
    expect(screen.text("(imported)")).to_be_visible()
    assert not screen.problems()
