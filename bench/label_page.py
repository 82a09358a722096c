"""Seconds from opening the Label check page to the verdicts on claimed labels, in Chromium, each time on a new server.

    uv run python -m bench.label_page HOME DATASET [--photos 50] [--times 3]

HOME is an `UNFREEZE_HOME` with a finished run on DATASET, whose photos are sent as a ZIP with a folder for each class.
"""

import argparse
import io
import statistics
import time
import zipfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, FilePayload, sync_playwright

from core.data.images import PHOTO_SUFFIXES
from tests.browser.conftest import CHROMIUM, FLAGS, Screen, Server, free_port
from tests.conftest import Workplace


def archive_of(dataset: Path, count: int) -> bytes:
    """A ZIP of so many photos, drawn by chance."""
    photos = sorted(path for path in dataset.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for position in np.random.default_rng(0).permutation(len(photos))[:count]:
            file.write(photos[position], photos[position].relative_to(dataset).as_posix())
    return buffer.getvalue()


def verdicts(browser: Browser, place: Workplace, archive: bytes) -> tuple[float, float]:
    """Seconds from opening the page, and from handing over the archive, to the sentence that sums up the verdicts."""
    server = Server(place, free_port())
    server.start()
    context = browser.new_context()
    try:
        screen = Screen(server, context.new_page())
        opened = time.perf_counter()
        screen.page.goto(f"{server.address}/label_check")
        screen.page.get_by_role("radio", name="Photos with given labels").click()
        screen.page.get_by_test_id("stFileUploaderDropzoneInput").wait_for(state="attached")
        handed_over = time.perf_counter()
        sent: FilePayload = {"name": "claims.zip", "mimeType": "application/zip", "buffer": archive}
        screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sent)
        screen.text(" agree, ").wait_for()
        answered = time.perf_counter()
        print(screen.text(" agree, ").inner_text())
    finally:
        context.close()
        server.kill()
    return answered - opened, answered - handed_over


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    dataset = chosen.dataset.resolve()
    place, archive = Workplace(chosen.home.resolve(), dataset), archive_of(dataset, chosen.photos)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        pairs = [verdicts(browser, place, archive) for _ in range(chosen.times)]
        browser.close()
    for words, seconds in zip(("opening the page", "handing over the ZIP"), zip(*pairs, strict=True), strict=True):
        print(f"from {words} to the verdicts: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
