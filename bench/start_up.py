"""How soon the first page is drawn once a fresh server answers, in a browser that is already open.

    uv run python -m bench.start_up [--times 5]

Every time a new server with an empty home is started, and a new browser session opens each page in turn, the first one
at the very moment when the server first answers. Needs Chromium.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, Server, free_port
from tests.conftest import Workplace, write_colours

PAGES = {
    "/": "Teach your computer to see",
    "/collect": "Collect",
    "/augmentations": "Augmentations",
    "/train": "Train",
    "/predict": "Predict",
}


def drawn(browser: Browser, address: str, title: str) -> float:
    """Seconds from opening a page in a new session to its title."""
    context = browser.new_context()
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address)
    page.get_by_role("heading", name=title, exact=True).first.wait_for()
    seconds = time.perf_counter() - began
    context.close()
    return seconds


def one_server(browser: Browser, folder: Path) -> Iterator[tuple[str, float]]:
    """Page and seconds, for one fresh server."""
    server = Server(Workplace(folder / "home", write_colours(folder / "photos" / "colours")), free_port())
    server.start()
    for path, title in PAGES.items():
        yield path, drawn(browser, server.address + path, title)
    server.kill()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    found: dict[str, list[float]] = {path: [] for path in PAGES}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                for path, seconds in one_server(browser, Path(folder)):
                    found[path].append(seconds)
        browser.close()
    print("| page | median s | worst s |\n|---|---|---|")
    for path, all_times in found.items():
        print(f"| {path} | {statistics.median(all_times):.2f} | {max(all_times):.2f} |")


if __name__ == "__main__":
    main()
