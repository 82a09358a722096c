"""Seconds that clicks on the Dataset page take with many photos, in Chromium, on the real app.

    uv run python -m bench.dataset_page [--photos 100000] [--rounds 3]

Writes that many small photos into a temporary folder, opens it, waits for the first scan, and clicks through the views.
A click is over when its view is drawn and the script has ended. Prints a Markdown table, and how long the page took to
come back in a new browser session and on a freshly started server.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.intake import write_small
from tests.browser.conftest import CHROMIUM, FLAGS, Screen, Server, free_port
from tests.conftest import Workplace

CHART = "Photos per class, and how they will be used"
CLICKS: tuple[tuple[str, Callable[[Page], None], str], ...] = (
    ("Checks", lambda page: page.get_by_role("radio", name="Checks").click(), "split"),
    ("Photos", lambda page: page.get_by_role("radio", name="Photos").click(), "Class"),
    ("next page of photos", lambda page: page.get_by_role("button", name="Next page").click(), "Class"),
    ("Left out", lambda page: page.get_by_role("radio", name="Left out").click(), "left out"),
    ("Decisions", lambda page: page.get_by_role("radio", name="Decisions").click(), "decided"),
    ("Overview", lambda page: page.get_by_role("radio", name="Overview").click(), CHART),
)
QUIET_MS = 20
LOOKING_MS = 2500
"""Before the first click; until then the browser loads what it draws charts with, and a click would wait for that."""


def timed(page: Page, act: Callable[[Page], None], words: str) -> float:
    """Seconds from a click until its words are there and nothing runs any more."""
    app = page.get_by_test_id("stApp")
    began = time.perf_counter()
    act(page)
    page.wait_for_timeout(QUIET_MS)
    expect(page.get_by_test_id("stMain").get_by_text(words).first).to_be_visible()
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    return time.perf_counter() - began


def opened(browser: Browser, server: Server, dataset: Path) -> tuple[Page, float]:
    """A new browser session with the dataset on show, and the seconds that took."""
    page = Screen(server, browser.new_context().new_page()).page
    page.set_default_timeout(1_800_000)
    began = time.perf_counter()
    page.goto(f"{server.address}/?dataset={dataset}")
    expect(page.get_by_test_id("stMain").get_by_text(CHART)).to_be_visible(timeout=1_800_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    return page, time.perf_counter() - began


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        dataset = Path(base) / "photos" / "many"
        write_small(dataset, chosen.photos)
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        server = Server(Workplace(Path(base) / "home", dataset), free_port())
        server.start()
        page, first = opened(browser, server, dataset)
        page.wait_for_timeout(LOOKING_MS)
        seconds: dict[str, list[float]] = {name: [] for name, _, _ in CLICKS}
        for _ in range(chosen.rounds):
            for name, act, words in CLICKS:
                seconds[name].append(timed(page, act, words))
        _, again = opened(browser, server, dataset)
        server.kill()
        server.start()
        _, fresh = opened(browser, server, dataset)
        server.kill()
        browser.close()
    print(f"| click, {chosen.photos:,} photos | median, s | worst, s |\n|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.2f} | {max(values):.2f} |")
    print(f"\nfirst scan {first:.0f} s; new session {again:.1f} s; freshly started server {fresh:.1f} s")


if __name__ == "__main__":
    main()
