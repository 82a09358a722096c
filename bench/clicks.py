"""How soon a click is answered on each page, in Chromium, on the real app, beside a run that trains.

    uv run python -m bench.clicks FOLDER [--photos 3000] [--runs 300] [--rounds 5] [--minutes 4] [--page NAME …]

FOLDER holds photos, one subfolder for each class. So many of them are copied to a temporary place; a short run is
trained there, multiplied as a store grows over a school year, and another run is started that goes on while the usual
widgets of each page are clicked. A click lasts from the pointer's press until what it asks for is on the page and the
script has ended, by the browser's own clock. Prints a Markdown table with a row for each page, and the slowest clicks.
Rounds end when the minutes are over. `--alone` has nothing train meanwhile, `--each` prints every click.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Error, Locator, Page, expect, sync_playwright

from core.data.images import PHOTO_SUFFIXES
from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.processes import children
from core.recipe.augmentations import default_augmentations
from core.recipe.recipe import Recipe
from core.runs.queue import Queue
from core.runs.store import ACTIVE, RUNNING, Run
from core.training.launch import launch
from tests.browser.conftest import CHROMIUM, FLAGS, Screen, Server, free_port
from tests.conftest import Workplace, end_processes_of, eventually

VIEWPORT = {"width": 1280, "height": 900}
TOO_LONG_MS = 15_000
"""What a click that is never answered counts."""

SLOWEST = 10
PATIENCE_MS = 10_000
"""How long to look for what is to be clicked, once the page is drawn."""

BETWEEN_MS = 250
"""A pause between clicks, as no hand is faster."""

SMALL_FILES = ("recipe.json", "classes.json", "status.json", "environment.json", "metrics.jsonl", "split.csv")

WAIT = """([words, client]) => {
  const app = document.querySelector('[data-testid=stApp]');
  window.clickAnswered = new Promise((resolve) => {
    let began = null, busy = client;
    const there = () => document.evaluate(`boolean(//text()[contains(., "${words}")])`, document, null,
      XPathResult.BOOLEAN_TYPE, null).booleanValue;
    const look = () => {
      if (began === null) return;
      if (app.dataset.testScriptState === 'running') { busy = true; return; }
      if (!busy || (words && !there())) return;
      watch.disconnect();
      requestAnimationFrame(() => resolve(performance.now() - began));
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true,
      attributeFilter: ['data-test-script-state', 'aria-selected']});
    const press = () => { began = performance.now(); busy = client; };
    document.addEventListener('pointerdown', press, {capture: true, once: true});
    document.addEventListener('keydown', press, {capture: true, once: true});
  });
}"""
"""Have the page measure the next click: milliseconds until the script has ended with these words on show."""


ANSWERED = "(most) => Promise.race([window.clickAnswered, new Promise((end) => setTimeout(() => end(most), most))])"


@dataclass(frozen=True)
class Click:
    """A click that somebody does often.

    Attributes:
        name: What is clicked, in the table.
        find: Where it is.
        words: What is on the page once it is answered; empty where the end of the script has to do.
        key: A key to press there in place of the click.
        first: What has to be opened before, and does not count.
        client: Whether the browser answers it alone.
    """

    name: str
    find: Callable[[Page], Locator]
    words: str = ""
    key: str = ""
    first: Callable[[Page], Locator] | None = None
    client: bool = False


def radio(name: str, words: str = "") -> Click:
    """One of several views."""
    found = re.compile(f"^{re.escape(name)}")
    return Click(name, lambda page: page.get_by_test_id("stMain").get_by_role("radio", name=found).first, words)


def button(name: str, words: str = "") -> Click:
    """A button whose label begins so."""
    found = re.compile(f"^{re.escape(name)}")
    return Click(name, lambda page: page.get_by_test_id("stMain").get_by_role("button", name=found).first, words)


def last_button(name: str, words: str = "") -> Click:
    """The last button of this name."""
    return Click(name, lambda page: page.get_by_test_id("stMain").get_by_role("button", name=name).last, words)


def tab(name: str) -> Click:
    """A tab."""
    return Click(f"tab {name}", lambda page: page.get_by_role("tab", name=name).first, client=True)


def fold(name: str) -> Click:
    """What is folded away below a title that begins so."""
    return Click(name, lambda page: page.get_by_test_id("stExpander").locator("summary").filter(has_text=name).first)


def option(box: str, number: int) -> Click:
    """Another choice of a box."""
    return Click(
        f"{box}, choice {number}",
        lambda page: page.get_by_role("option").nth(number - 1),
        first=lambda page: page.get_by_test_id("stSelectbox").filter(has_text=box).get_by_role("combobox").first,
    )


def switch(name: str) -> Click:
    """A switch."""
    return Click(name, lambda page: page.get_by_test_id("stCheckbox").filter(has_text=name).locator("label").first)


PAGES: Mapping[str, tuple[str, tuple[Click, ...]]] = {
    "Dataset": (
        "/?dataset={dataset}",
        (
            radio("Photos", "Class"),
            option("Class", 2),
            button("Next page"),
            radio("Checks"),
            radio("Left out"),
            radio("Decisions"),
            radio("Overview", "Sizes and shapes"),
        ),
    ),
    "Collect": ("/collect", (radio("ZIP file"), radio("Camera"))),
    "Augmentations": (
        "/augmentations?dataset={dataset}",
        (switch("Rotation"), tab("Colour"), tab("Geometry"), button("Other photos"), switch("Rotation")),
    ),
    "Train": (
        "/train?dataset={dataset}",
        (
            radio("10 min"),
            radio("By epochs"),
            option("Variant", 2),
            fold("Expert"),
            tab("Head"),
            switch("Give rare classes more weight"),
            option("Variant", 1),
            radio("5 min"),
        ),
    ),
    "Run": (
        "/train?run={going}",
        (fold("Loss, learning rate and speed"), button("Rename", "Save name"), button("Close"), fold("Loss, learning")),
    ),
    "Runs": ("/runs", (button("Show more"), last_button("Delete", "Delete for good"), button("Keep it"))),
    "Compare": (
        "/compare?dataset={dataset}",
        (radio("Side by side"), radio("Start a comparison", "Queue"), radio("Series")),
    ),
    "Predict": ("/predict?run={finished}", (radio("Folder"), radio("Camera"), radio("Photos"))),
    "Evaluate": (
        "/evaluate?run={finished}",
        (
            radio("Mistakes", "Confusion matrix"),
            radio("Most wrong"),
            radio("Least sure"),
            radio("Confidence", "What if it can abstain?"),
            radio("Heat maps"),
            radio("Map", "Closest classes"),
            radio("Validation photos"),
            radio("Test photos"),
            radio("Overview"),
        ),
    ),
    "Label check": (
        "/label_check?dataset={dataset}",
        (
            button("Next"),
            button("Keep"),
            button("Undo"),
            radio("Many at once"),
            radio("One at a time"),
            radio("Outliers"),
            radio("Suspects"),
        ),
    ),
    "Export": ("/export?run={finished}", (radio("Move this run"), radio("Model"))),
}
"""Address and clicks of each page, in the order of somebody at work; each round ends where it began."""


def answered(page: Page, click: Click) -> float | None:
    """Milliseconds until a click is answered; None where there is nothing to click."""
    try:
        if click.first:
            click.first(page).click(timeout=PATIENCE_MS)
        place = click.find(page)
        place.wait_for(state="attached", timeout=PATIENCE_MS)
        if place.is_disabled():
            return None
        page.evaluate(WAIT, [click.words, click.client])
        if click.key:
            place.press(click.key)
        else:
            place.click(timeout=PATIENCE_MS, force=True)
        return float(page.evaluate(ANSWERED, TOO_LONG_MS))
    except Error:
        return None


def copy_photos(source: Path, into: Path, count: int) -> Path:
    """Copy so many photos, an equal share of each class, and give class and order as they are."""
    folders = sorted(path for path in source.iterdir() if path.is_dir())
    found = {each: sorted(file for file in each.iterdir() if file.suffix.lower() in PHOTO_SUFFIXES) for each in folders}
    taken = [(place, file) for files in found.values() for place, file in enumerate(files)]
    for _, file in sorted(taken, key=lambda pair: pair[0])[:count]:
        (into / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, into / file.parent.name)
    return into


def begin(place: Workplace, **choices: object) -> Run:
    """Start a run of the real trainer on all photos."""
    folder = scan(place.colours, roots=[place.colours]).folder
    usual = {"head_epochs": 1, "fine_tune_epochs": 1, "unfreeze_point": "block7", "validate_every": 0}
    recipe = Recipe(str(place.colours), "efficientnet-lite0", **{**usual, **choices})  # type: ignore[arg-type]
    return launch(Queue(place.store), recipe, folder, assign_subsets(folder.labels, seed=recipe.split_seed))


def multiply(place: Workplace, run: Run, count: int) -> None:
    """Copies of a run, without its model, with names of the days before."""
    for number in range(count):
        day = time.strftime("%Y%m%d-%H%M%S", time.localtime(time.time() - 3600 * (number + 1)))
        folder = place.store.root / f"{day}-{number % 65536:04x}"
        folder.mkdir()
        for name in SMALL_FILES:
            if (run.folder / name).exists():
                shutil.copy(run.folder / name, folder)


def prepare(place: Workplace, copies: int) -> Run:
    """The run that is evaluated, and its copies, unless they are there from before."""
    done = [run for run in place.store.runs() if run.embeddings_file.exists()]
    if done:
        return done[0]
    run = begin(place)
    eventually(lambda: run.state not in ACTIVE, "the first run has ended")
    eventually(run.embeddings_file.exists, "its embeddings are there")
    multiply(place, run, copies)
    return run


def make_ready(screen: Screen, name: str) -> None:
    """What a page needs before its clicks: the label check has to be made."""
    if name == "Label check":
        check = screen.page.get_by_role("button", name="Check the labels", exact=True)
        if check.count():
            check.click()
            screen.page.get_by_role("radio", name="Outliers").wait_for(timeout=240_000)
            screen.settle()


def measure(
    screen: Screen, addresses: Mapping[str, str], names: Sequence[str], rounds: int, until: float
) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of each click by page and name, over so many rounds, or fewer when the time is over."""
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for name in names:
            if number and time.monotonic() > until:
                return found
            path, clicks = PAGES[name]
            screen.page.goto(screen.server.address + path.format(**addresses))
            app = screen.page.get_by_test_id("stApp")
            expect(app).to_have_attribute("data-test-script-state", "notRunning")
            make_ready(screen, name)
            screen.page.wait_for_timeout(1500 if number else 4000)
            for click in clicks:
                taken = answered(screen.page, click)
                if taken is not None:
                    found.setdefault((name, click.name), []).append(taken)
                elif not number:
                    print(f"(not found on {name}: {click.name})")
                screen.page.wait_for_timeout(BETWEEN_MS)
    return found


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(values, 95))


def tell(found: Mapping[tuple[str, str], Sequence[float]], each: bool) -> None:
    """Print the tables."""
    print("| page | clicks | median | p95 | slowest click, its median |\n|---|---|---|---|---|")
    for page in dict.fromkeys(name for name, _ in found):
        own = {click: values for (name, click), values in found.items() if name == page}
        everything = [value for values in own.values() for value in values]
        slowest = max(own, key=lambda click: statistics.median(own[click]))
        print(
            f"| {page} | {len(everything)} | {statistics.median(everything):.0f} ms | {p95(everything):.0f} ms |"
            f" {slowest}, {statistics.median(own[slowest]):.0f} ms |"
        )
    everything = [value for values in found.values() for value in values]
    print(f"| all | {len(everything)} | {statistics.median(everything):.0f} ms | {p95(everything):.0f} ms | |")
    if each:
        print("\n| page | click | median | worst |\n|---|---|---|---|")
        for (page, click), values in found.items():
            print(f"| {page} | {click} | {statistics.median(values):.0f} ms | {max(values):.0f} ms |")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--page", nargs="*", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--base", type=Path, help="where to keep photos and runs for the next time")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--each", action="store_true")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no trainer is left behind
    until = time.monotonic() + 60 * chosen.minutes
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        base = (chosen.base or Path(temporary)).resolve()
        place = Workplace(base / "home", base / "photos" / "many")
        os.environ.update(place.variables(TF_CPP_MIN_LOG_LEVEL="2"))
        children.PYTHON = sys.executable
        if not place.colours.is_dir():
            copy_photos(chosen.folder, place.colours, chosen.photos)
        finished = prepare(place, chosen.runs)
        server = Server(place, free_port(), afresh=True)
        try:
            going = finished
            if not chosen.alone:
                mirrored = default_augmentations(finished.class_names())
                going = begin(place, unfreeze_point="block6", fine_tune_epochs=400, augmentations=mirrored)
                eventually(lambda: going.state == RUNNING and bool(going.read_metrics()), "the second run trains")
            server.start()
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            screen = Screen(server, browser.new_context(viewport=VIEWPORT).new_page())  # type: ignore[arg-type]
            addresses = {"dataset": str(place.colours), "finished": finished.id, "going": going.id}
            screen.page.set_default_timeout(240_000)
            screen.page.goto(f"{server.address}/?dataset={place.colours}")
            screen.page.get_by_role("radio", name="Overview").wait_for()
            found = measure(screen, addresses, chosen.page, chosen.rounds, until)
            tell(found, chosen.each)
            browser.close()
        finally:
            server.kill()
            end_processes_of(place)
            if going is not finished:
                shutil.rmtree(going.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
