"""Seconds from opening the Predict page to the first answer, in Chromium, each time on a freshly started server.

    uv run python -m bench.predict_page HOME PHOTO [--times 5]

HOME is an `UNFREEZE_HOME` with a finished run; PHOTO is uploaded as soon as the page takes it.
"""

import argparse
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, Screen, Server, free_port
from tests.conftest import Workplace


def first_answer(browser: Browser, place: Workplace, photo: Path) -> tuple[float, float]:
    """Seconds from opening the page, and from handing over the photo, to the drawn answer."""
    server = Server(place, free_port())
    server.start()
    context = browser.new_context()
    try:
        page = Screen(server, context.new_page()).page
        opened = time.perf_counter()
        page.goto(f"{server.address}/predict")
        page.get_by_role("radio", name="Photos", exact=True).click()
        page.get_by_test_id("stFileUploaderDropzoneInput").wait_for(state="attached")
        handed_over = time.perf_counter()
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(photo)
        page.locator(".uf-bars").first.wait_for()
        answered = time.perf_counter()
    finally:
        context.close()
        server.kill()
    return answered - opened, answered - handed_over


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    place = Workplace(chosen.home.resolve(), chosen.photo.resolve().parents[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        pairs = [first_answer(browser, place, chosen.photo) for _ in range(chosen.times)]
        browser.close()
    for words, seconds in zip(("opening the page", "handing over the photo"), zip(*pairs, strict=True), strict=True):
        print(f"from {words} to the answer: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
