"""Takes the pictures in `docs/images` from the real app: every page, light and dark, wide and narrow.

    uv run python -m tests.browser.take_screenshots [--home FOLDER] [--dataset FOLDER] [--into FOLDER]

`--home` names an `UNFREEZE_HOME` that already holds a finished run; the sample of digits is used unless another dataset
is given. A run is started for the pictures of live curves and stopped again.
"""

import argparse
import io
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from core.data.intake.sample import write_sample
from core.runs.queue import Queue
from core.runs.store import ACTIVE, FINISHED, QUEUED, Run, RunStore
from core.settings import settings_from
from tests.browser.conftest import CHROMIUM, FLAGS, PATIENCE_MS, Screen, Server, free_port
from tests.conftest import Workplace, eventually

LOOKS = {
    "light": (1280, False),
    "dark": (1280, True),
    "light-narrow": (400, False),
    "dark-narrow": (400, True),
}
TALLEST = 2400
SCANNING = re.compile("Listing the folders|Checking every photo|Comparing the photos")


@dataclass
class Photographer:
    """Opens pages in every look and keeps their pictures."""

    browser: Browser
    server: Server
    into: Path

    def take(
        self,
        name: str,
        path: str,
        uploads: list[Path] | None = None,
        wait: int = 1500,
        choose: tuple[str, ...] = (),
        unfold: tuple[str, ...] = (),
        until: str = ".uf-bars",
    ) -> None:
        """Take one page in every look, after these views of it were chosen, and these folds opened, one by one.

        With uploads, what comes of them is there once `until` is.
        """
        for look, (width, dark) in LOOKS.items():
            context = self.browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
            )
            screen = Screen(self.server, context.new_page())
            screen.open(path)
            expect(screen.page.get_by_text(SCANNING)).to_have_count(0)
            for view in choose:
                begins = re.compile(f"^{re.escape(view)}")  # "Map" is in "Heat maps", and some names end with a count
                screen.page.get_by_test_id("stMain").get_by_role("radio", name=begins).first.click(force=True)
                screen.settle()
            for fold in unfold:
                screen.page.get_by_test_id("stExpander").get_by_text(fold, exact=True).first.click()
                screen.settle()
            if uploads:
                screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(uploads)
                screen.page.locator(until).first.wait_for()
            screen.page.wait_for_timeout(wait)
            height = screen.page.get_by_test_id("stMain").evaluate("node => node.scrollHeight")
            screen.page.set_viewport_size({"width": width, "height": max(900, min(TALLEST, int(height)))})
            screen.page.wait_for_timeout(700)
            screen.settle()
            keep(screen.page.screenshot(), self.into / f"{name}-{look}.png")
            context.close()


def keep(picture: bytes, file: Path) -> None:
    """Save a picture with 256 colours: a third of the size, and nobody sees the difference."""
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256).save(file, optimize=True)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=settings_from().home)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    chosen = parser.parse_args()
    home = chosen.home.resolve()
    dataset = chosen.dataset or write_sample(home / "datasets")
    place = Workplace(home, dataset)
    chosen.into.mkdir(parents=True, exist_ok=True)
    server = Server(place, free_port())
    server.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            all_pages(Photographer(browser, server, chosen.into), dataset, place.store)
        finally:
            server.kill()


def write_faulty(dataset: Path, into: Path) -> Path:
    """Write some of the photos of a dataset once more, with the faults that people's folders have."""
    for folder in sorted(path for path in dataset.iterdir() if path.is_dir())[:4]:
        (into / folder.name).mkdir(parents=True)
        for photo in sorted(folder.iterdir())[:40]:
            shutil.copy(photo, into / folder.name)
    first, second, third, _ = sorted(path for path in into.iterdir())
    photos = sorted(first.iterdir())
    shutil.copy(photos[3], second / "seen before.png")
    shutil.copy(photos[5], first / "copy of another.png")
    for photo in sorted(third.iterdir())[4:8]:
        Image.open(photo).convert("RGB").resize((50, 50)).save(third / f"{photo.stem}, smaller.jpg", quality=60)
    Image.open(photos[8]).point(lambda value: value // 9).save(second / "at night.png")
    Image.open(photos[9]).resize((900, 60)).save(third / "a strip.png")
    Image.open(photos[10]).resize((20, 20)).save(first / "tiny.png")
    (first / "download.jpg").write_text("<!DOCTYPE html><html>404 not found</html>")
    (first / "cut off.png").write_bytes(photos[12].read_bytes()[:300])
    (second / "empty.jpg").touch()
    (second / "notes.txt").write_text("a list")
    return into


def all_pages(photographer: Photographer, dataset: Path, store: RunStore) -> None:
    """Every page, in every state that it has."""
    finished = next(run for run in store.runs() if run.read_status().state == FINISHED)
    classes = sorted(folder for folder in dataset.iterdir() if folder.is_dir())
    uploads = [sorted(folder.iterdir())[7] for folder in classes[:4]]
    photographer.take("dataset-empty", "/")
    photographer.take("dataset", f"/?dataset={dataset}")
    faulty = write_faulty(dataset, dataset.parent / "digits with faults")
    for view in ("Checks", "Photos", "Left out"):
        photographer.take(f"dataset-{view.lower().replace(' ', '-')}", f"/?dataset={faulty}", choose=(view,))
    photographer.take("dataset-faults", f"/?dataset={faulty}")
    photographer.take("collect", "/collect")
    photographer.take("collect-zip", "/collect", choose=("ZIP file",))
    shutil.rmtree(faulty)
    photographer.take("augmentations", f"/augmentations?dataset={dataset}", wait=9000)
    photographer.take("train", f"/train?dataset={dataset}")
    chosen = ("By epochs",)
    photographer.take("train-epochs", f"/train?dataset={dataset}", choose=chosen)
    photographer.take("train-expert", f"/train?dataset={dataset}", choose=chosen, unfold=("Expert",))
    photographer.take("train-layers", f"/train?dataset={dataset}", choose=chosen, unfold=("Every layer",), wait=15_000)
    photographer.take("train-finished", f"/train?run={finished.id}")
    photographer.take("compare-new", f"/compare?dataset={dataset}", choose=("Start a comparison",))
    photographer.take("evaluate", f"/evaluate?run={finished.id}")
    for section in ("Mistakes", "Confidence", "Heat maps", "Training dynamics", "Map"):
        name = f"evaluate-{section.lower().replace(' ', '-')}"
        photographer.take(name, f"/evaluate?run={finished.id}", choose=(section,), wait=5000)
    photographer.take("predict", f"/predict?run={finished.id}", uploads, choose=("Photos",))
    photographer.take("export", f"/export?run={finished.id}")
    take_label_check(photographer, dataset, finished, uploads)
    take_labelling(photographer, dataset)
    context = photographer.browser.new_context()
    screen = Screen(photographer.server, context.new_page())
    screen.open(f"/train?dataset={dataset}")
    screen.by_epochs()
    epochs = screen.page.get_by_label("Epochs for fine-tuning", exact=True)
    epochs.fill("60")  # so that it still goes when the last picture is taken
    epochs.press("Enter")
    screen.settle()
    screen.press("Start training")
    run = store.runs()[0]
    eventually(lambda: any(row["epoch"] >= 3 for row in run.read_metrics()), "the third epoch began")
    photographer.take("train-running", f"/train?run={run.id}", wait=3000)
    screen.open(f"/train?dataset={dataset}")
    screen.press("Start training")
    photographer.take("runs", "/runs")
    waiting = next(each for each in store.runs() if each.read_status().state == QUEUED)
    Queue(store).cancel(waiting)
    run.request_pause()
    eventually(lambda: run.read_status().state not in ACTIVE, "the run paused")
    photographer.take("train-paused", f"/train?run={run.id}")
    store.delete(run.id)


def take_label_check(photographer: Photographer, dataset: Path, finished: Run, photos: list[Path]) -> None:
    """The check of a dataset, once it has been made, and of photos whose folders claim a label, one of them wrong."""
    screen = Screen(photographer.server, photographer.browser.new_context().new_page())
    screen.page.set_default_timeout(PATIENCE_MS)
    screen.open(f"/label_check?dataset={dataset}")
    photographer.take("label-check-empty", f"/label_check?dataset={dataset}")
    screen.press("Check the labels")
    screen.page.get_by_role("radio", name="Outliers").wait_for()
    photographer.take("label-check", f"/label_check?dataset={dataset}")
    for view in ("Many at once", "Outliers"):
        photographer.take(f"label-check-{view.split()[0].lower()}", f"/label_check?dataset={dataset}", choose=(view,))
    archive = photographer.into / "claims.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for photo, claimed in zip(photos, [*photos[:-1], photos[0]], strict=True):
            file.write(photo, f"{claimed.parent.name}/{photo.parent.name}-{photo.name}")
    claims = f"/label_check?run={finished.id}"
    photographer.take(
        "label-check-claims", claims, [archive], choose=("Photos with given labels",), until="text=/agree, /"
    )
    archive.unlink()


def take_labelling(photographer: Photographer, dataset: Path) -> None:
    """A heap of photos without classes: before it begins, while photos are asked about, and while labels spread."""
    heap = dataset.parent / "unsorted digits"
    heap.mkdir(exist_ok=True)
    names: dict[str, str] = {}
    for folder in sorted(each for each in dataset.iterdir() if each.is_dir())[:4]:
        for source in sorted(folder.iterdir())[:40]:
            file = heap / f"scan-{len(names):04d}{source.suffix}"
            shutil.copyfile(source, file)
            names[file.name] = folder.name
    page = f"/label?dataset={heap}"
    photographer.take("label-empty", page)
    screen = Screen(photographer.server, photographer.browser.new_context().new_page())
    screen.page.set_default_timeout(PATIENCE_MS)
    screen.open(page)
    classes = sorted(set(names.values()))
    screen.page.get_by_role("textbox", name="Classes, one in each line").fill("\n".join(classes))
    screen.press("Begin")
    photo = screen.page.locator(".st-key-photo-to-label img")
    for _ in range(14):
        asked = photo.get_attribute("alt") or ""
        screen.page.keyboard.press(str(1 + classes.index(names[asked])))
        expect(photo).not_to_have_attribute("alt", asked)
        screen.settle()
    photographer.take("label", page)
    photographer.take("label-confirm", page, choose=("Confirm",))
    shutil.rmtree(heap)


if __name__ == "__main__":
    main()
