"""The training script of a run on its page: to read and to download."""

import ast
import zipfile
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun


def test_the_script_of_a_run_is_shown_and_downloaded(
    finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    server = Server(finished_run.workplace, free_port())
    server.start()
    try:
        screen = new_screen(server)
        screen.open(f"/train?run={finished_run.run.id}")
        screen.page.get_by_text("Training script").click()
        expect(screen.text("in plain Keras. Its first lines")).to_be_visible()
        expect(screen.page.get_by_test_id("stCode").last).to_contain_text("in plain Keras")
        with screen.page.expect_download() as waiting:
            screen.page.get_by_role("button", name="Download with everything it needs (ZIP)").click()
        with zipfile.ZipFile(waiting.value.path()) as archive:
            ast.parse(archive.read("train.py"))
            assert archive.read("split.csv") == finished_run.run.split_file.read_bytes()
        assert not screen.problems()
    finally:
        server.kill()
