"""The report: made on the page, opened as a file without a network, filled in and printed."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun

PAGES = range(3, 12)
"""How many sheets of paper a report of two classes may take."""


def downloaded(finished_run: FinishedRun, new_screen: Callable[..., Screen], to: Path) -> Path:
    """The report of the finished run, as somebody takes it from the page."""
    server = Server(finished_run.workplace, free_port())
    server.start()
    try:
        screen = new_screen(server)
        screen.open(f"/train?run={finished_run.run.id}")
        screen.page.get_by_text("Report to read, print and hand in").click()
        screen.press("Make the report")
        with screen.page.expect_download() as download:
            screen.page.get_by_role("button", name="Download the report (HTML)").click()
        download.value.save_as(to)
        assert not screen.problems()
    finally:
        server.kill()
    return to


def test_a_report_is_made_filled_in_and_printed(
    finished_run: FinishedRun, new_screen: Callable[..., Screen], chromium: Browser, tmp_path: Path
) -> None:
    file = downloaded(finished_run, new_screen, tmp_path / "report.html")
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Model card")).to_be_visible()
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    fill_in(page)
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) in PAGES
    assert re.search(rb"/MediaBox \[0 0 59[45]", printed), "A4"
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert said == []
    context.close()


def fill_in(page: Page) -> None:
    """Type a name and what was noticed, as somebody does who hands it in."""
    page.get_by_role("textbox", name="Name").fill("Ada")
    page.get_by_role("textbox", name="What surprised me").fill("It took a tulip for a rose.")
    expect(page.get_by_text("It took a tulip for a rose.")).to_be_visible()
