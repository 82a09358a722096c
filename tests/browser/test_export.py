import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.export import jobs
from core.export.formats import export_format
from core.export.jobs import LOCK
from core.processes.locks import is_locked
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun, eventually


@pytest.fixture
def finished_server(finished_run: FinishedRun) -> Iterator[Server]:
    """A server where one run has finished."""
    started = Server(finished_run.workplace, free_port())
    started.start()
    yield started
    started.kill()


def test_a_format_is_made_proven_and_downloaded(
    finished_server: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen], tmp_path: Path
) -> None:
    screen, run = new_screen(finished_server), finished_run.run
    screen.open(f"/export?run={run.id}")
    card = screen.page.locator(".st-key-export-openvino")
    expect(card.get_by_text("Not made yet")).to_be_visible()
    card.get_by_role("button", name="Make", exact=True).click()
    expect(card.get_by_text("Same prediction")).to_be_visible()
    expect(card.get_by_text("100 % of")).to_be_visible()
    with screen.page.expect_download() as download:
        card.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        assert any(name.endswith("/certificate.json") for name in archive.namelist())
    card.get_by_role("button", name="Details").click()
    expect(screen.page.get_by_text("Parity certificate: PASSED")).to_be_visible()
    if export_format("onnx").missing:
        expect(screen.page.locator(".st-key-export-onnx").get_by_text("--extra onnx")).to_be_visible()
    assert not screen.problems()
    eventually(lambda: not is_locked(run.exports_folder / LOCK), "the process ended")
    jobs.zip_file(run, export_format("openvino")).unlink()
