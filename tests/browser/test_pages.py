"""Every page in three states: nothing yet, a run that is going, a run that has finished."""

import csv
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from core.runs.store import CRASHED, Label, Run
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import LONG, FinishedRun, Workplace, eventually, trainer, write_colours

PAGES = {
    "/": "Teach your computer to see",
    "/collect": "Collect",
    "/label": "Label",
    "/augmentations": "Augmentations",
    "/train": "Train",
    "/runs": "Runs",
    "/compare": "Compare",
    "/evaluate": "Evaluate",
    "/predict": "Predict",
    "/label_check": "Label check",
    "/export": "Export",
}


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where nothing has happened yet, with a folder listed twice; tests must not change that."""
    base = tmp_path_factory.mktemp("empty")
    place = Workplace(base / "home", write_colours(base / "photos" / "colours"))
    twice = os.pathsep.join(2 * [str(place.colours.parent)])
    started = Server(place, free_port(), {"UNFREEZE_DATASETS": twice})
    started.start()
    yield started
    started.kill()


@pytest.mark.thorough
def test_nothing_yet(empty_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(empty_server)
    for path, title in PAGES.items():
        screen.open(path)
        expect(screen.page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        for look in screen.looks():
            assert not screen.problems(), (path, look)
            assert not barriers(screen.page), (path, look)
    for look, place in zip(screen.looks(), ("stSidebar", "stMain"), strict=True):
        screen.open("/runs")
        screen.page.get_by_test_id(place).get_by_role("link", name="Photos").click()
        expect(screen.page.get_by_role("heading", name=PAGES["/"], exact=True)).to_be_visible()
        assert not screen.problems(), look


def test_an_exception_is_noticed_even_if_it_does_not_stay(
    empty_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(empty_server)
    screen.open("/runs")
    screen.page.evaluate("""() => {
        const node = document.createElement("div");
        node.dataset.testid = "stException";
        node.textContent = "KeyError";
        document.querySelector("[data-testid=stApp]").append(node);
        setTimeout(() => node.remove(), 50);
    }""")
    expect(screen.page.get_by_test_id("stException")).to_have_count(0)
    screen.until(lambda: bool(screen.seen), "the exception was told")
    assert "KeyError" in screen.exceptions()[0]
    screen.seen.clear()


def test_a_text_that_is_too_pale_is_noticed(empty_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(empty_server)
    screen.open("/runs")
    screen.page.evaluate("""() => {
        const text = document.createElement("p");
        text.textContent = "pale";
        text.style.color = "#999999";
        document.querySelector("[data-testid=stMainBlockContainer]").prepend(text);
    }""")
    [found] = barriers(screen.page)
    assert "color-contrast" in found and "pale" in found


def test_a_phone_s_sidebar_closes_when_somebody_has_chosen_where_to_go(
    empty_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(empty_server, width=400)
    screen.open("/")
    expect(screen.page.get_by_role("link", name="Runs")).not_to_be_in_viewport()
    screen.page.get_by_test_id("stExpandSidebarButton").click()
    expect(screen.page.get_by_role("link", name="Runs")).to_be_in_viewport()
    screen.page.get_by_role("link", name="Runs").click()
    expect(screen.page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(screen.page.get_by_role("link", name="Compare")).not_to_be_in_viewport()


@pytest.fixture
def going(workplace: Workplace) -> Iterator[Run]:
    """A run that has measured something and will not end by itself."""
    run = workplace.new_run(**LONG)
    with trainer(run, workplace.environment()):
        eventually(lambda: len(run.read_metrics()) > 3, f"the run began:\n{run.log_tail()}")
        yield run


@pytest.mark.thorough
def test_while_a_run_is_going(server: Server, going: Run, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    for path in PAGES:
        screen.open(f"{path}?dataset={server.workplace.colours}")
        assert not screen.problems(), path
    screen.open("/runs")
    expect(screen.text("Training")).to_be_visible()
    expect(screen.page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    screen.press("Open")
    expect(screen.text("Training everything from scratch")).to_be_visible()
    screen.open("/train")
    expect(screen.text("A run is in progress")).to_be_visible()
    screen.open(f"/?dataset={server.workplace.colours}")
    expect(screen.page.get_by_role("link", name=re.compile("^Photos ✓ colours$"))).to_be_visible()
    step = screen.page.get_by_role("link", name=re.compile("^Train [0-9]+ % · best "))
    expect(step).to_be_visible()
    before = step.inner_text()
    screen.until(lambda: step.inner_text() != before, "the step says what has changed since")
    step.click()
    expect(screen.text("Training everything from scratch")).to_be_visible()
    assert f"run={going.id}" in screen.page.url


@pytest.mark.thorough
def test_a_killed_trainer_is_called_crashed_and_its_run_goes_on(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    run = workplace.new_run(**LONG)
    screen = new_screen(server)
    with trainer(run, workplace.environment()) as child:
        eventually(run.has_checkpoint, "an epoch ended")
        screen.open(f"/train?run={run.id}")
        expect(screen.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        child.send_signal(signal.SIGKILL)
        expect(screen.text("The training process ended unexpectedly")).to_be_visible()
    assert run.read_status().state == CRASHED
    expect(screen.page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    expect(screen.text("at most one epoch")).to_be_visible()
    assert not screen.problems()
    reached = len(run.read_metrics())
    screen.press("Resume")
    expect(screen.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    eventually(lambda: len(run.read_metrics()) > reached + 2, f"training goes on:\n{run.log_tail()}")
    screen.page.get_by_role("button", name="Stop", exact=True).click()
    expect(screen.text("accuracy on the test photos")).to_be_visible()


@pytest.fixture
def finished_server(finished_run: FinishedRun) -> Iterator[Server]:
    """A server where one run has finished."""
    started = Server(finished_run.workplace, free_port())
    started.start()
    yield started
    started.kill()


def test_with_a_finished_run(
    finished_server: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(finished_server)
    of_dataset = [f"{path}?dataset={finished_run.workplace.colours}" for path in PAGES]
    for path in (*of_dataset, f"/train?run={finished_run.run.id}"):
        screen.open(path)
        for look in screen.looks():
            assert not screen.problems(), (path, look)
            assert not barriers(screen.page), (path, look)
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    screen.open("/runs")
    expect(screen.text("baseline CNN on colours")).to_be_visible()
    screen.open("/predict")
    expect(screen.page.get_by_role("button", name="Start the camera")).to_be_visible()
    screen.open("/")
    screen.page.get_by_role("button", name=re.compile("^colours · [0-9.]+ %$")).click()
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    expect(screen.page.get_by_role("link", name=re.compile("✓ [0-9.]+ %$")).first).to_be_visible()
    assert f"run={finished_run.run.id}" in screen.page.url


HOSTILE = {"blue": "![x](https:evil.example) <b>x", "red": " [a](https:evil.example) www.evil.example a<br>b"}
"""What two classes are called, each a trap for whatever takes names for Markdown or HTML."""

TRAP = "![x](https:/evil.example/p.png)"

DRAWN = """() => [...document.querySelectorAll("[src], [href]")].filter(
    node => new URL(node.getAttribute("src") ?? node.getAttribute("href"), location).host.includes("evil.example")
).length"""


@pytest.fixture
def hostile_server(finished_run: FinishedRun, tmp_path: Path) -> Iterator[Server]:
    """A server with a finished run whose classes, photos, folder and name are hostile, and a broken photo."""
    place = Workplace(tmp_path / "home", tmp_path / "photos" / TRAP)
    for name, hostile in HOSTILE.items():
        shutil.copytree(finished_run.workplace.colours / name, place.colours / hostile)
    (place.colours / HOSTILE["red"] / "![x](https:evil.example).png").write_bytes(b"no photo")
    run = Run(place.store.root / finished_run.run.id)
    shutil.copytree(finished_run.run.folder, run.folder)
    recipe = json.loads(run.recipe_file.read_text("utf-8"))
    run.recipe_file.write_text(json.dumps({**recipe, "dataset": str(place.colours)}), "utf-8")
    (run.folder / "classes.json").write_text(json.dumps({"class_names": list(HOSTILE.values())}), "utf-8")
    with run.split_file.open(newline="") as file:
        rows = [
            [HOSTILE[name] + path[len(name) :], HOSTILE[name], part] for path, name, part in list(csv.reader(file))[1:]
        ]
    with run.split_file.open("w", newline="") as file:
        csv.writer(file).writerows([["file", "class", "part"], *rows])
    with np.load(run.embeddings_file) as file:
        arrays = dict(file)
    paths = "".join(f"{text}\n" for text in arrays["paths"].tobytes().decode().splitlines())
    for name, hostile in HOSTILE.items():
        paths = re.sub(f"^{name}/", f"{hostile}/", paths, flags=re.MULTILINE)
    arrays["paths"] = np.frombuffer(paths.encode(), np.uint8)
    np.savez(run.embeddings_file, **arrays)
    run.write_label(Label(f"{TRAP} **bold**"))
    started = Server(place, free_port(), {"UNFREEZE_DATASETS": str(tmp_path / "photos")})
    started.start()
    yield started
    started.kill()


@pytest.mark.thorough
def test_no_name_is_markdown_and_nothing_leaves_this_server(
    hostile_server: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(hostile_server, own=True)
    asked: list[str] = []
    blocked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    screen.page.on("console", lambda message: blocked.append(message.text) if "Policy" in message.text else None)

    def check() -> None:
        screen.settle()
        elsewhere = [url for url in asked if urlsplit(url).netloc not in ("", urlsplit(hostile_server.address).netloc)]
        assert not elsewhere and not blocked and not screen.page.evaluate(DRAWN), screen.page.url
        assert not screen.problems()

    dataset, trap = quote(str(hostile_server.workplace.colours)), quote(TRAP)
    for path in PAGES:
        screen.open(f"{path}?dataset={dataset}")
        check()
    for path in (
        f"/?dataset=/{trap}",
        f"/predict?folder=/{trap}",
        f"/train?run={trap}",
        f"/train?run={finished_run.run.id}",
    ):
        screen.open(path)
        check()
    expect(screen.text(f"{TRAP} **bold**")).to_be_visible()
    screen.open(f"/?dataset={dataset}")
    for view in ("Left out", "Photos", "Overview"):
        screen.page.get_by_role("radio", name=view).click()
        check()
        if view == "Photos":
            expect(screen.page.locator(".cell .title").first).to_have_text(HOSTILE["red"])
    expect(screen.text(HOSTILE["blue"])).to_be_visible()
    expect(screen.page.locator(".ytick").get_by_text("a<br>b")).to_be_visible()
    screen.open("/evaluate")
    for section in screen.page.get_by_role("radio").all_inner_texts():
        screen.page.get_by_role("radio", name=section).first.click()
        check()
    screen.open("/predict")
    good = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 10, 10)).save(good, "PNG")
    sent = ((f"{HOSTILE['blue']}.png", good.getvalue()), ("www.evil.example.png", b"no photo"))
    screen.send_photos([FilePayload(name=name, mimeType="image/png", buffer=content) for name, content in sent])
    expect(screen.text("1 of 2 files could not be used")).to_be_visible()
    check()


@pytest.mark.thorough
def test_augmentations_are_drawn_and_carried_to_training(
    idle_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(idle_server)
    screen.open(f"/augmentations?dataset={idle_server.workplace.colours}")
    expect(screen.text("version 4")).to_be_visible()
    expect(screen.page.get_by_test_id("stMain").locator("img")).to_have_count(10)
    screen.press("None")
    expect(screen.text("Nothing is switched on: every epoch")).to_be_visible()
    screen.page.get_by_role("tab", name="Mixtures").click()
    screen.page.get_by_text("AugMix", exact=True).click()
    screen.settle()
    for slider in ("At most", "Share of photos"):
        screen.page.get_by_role("slider", name=slider).press("ArrowRight")
        screen.settle()
    expect(screen.text("ms per photo on this computer")).to_be_visible()
    expect(screen.text("ms a photo on this machine")).to_be_visible()
    expect(screen.text("31 %")).to_be_visible()
    screen.press("Train with these")
    screen.unfold("Change how it learns")
    expect(screen.text("augmix")).to_be_visible()
    expect(screen.text("ms a photo on this machine")).to_be_visible()
    screen.follow("Change them")
    screen.page.get_by_role("tab", name="Mixtures").click()
    expect(screen.page.get_by_role("switch", name="AugMix")).to_be_checked()
    expect(screen.page.get_by_role("slider", name="At most")).to_have_value("31")
    assert not screen.problems()


def test_deleting_asks_twice(server: Server, workplace: Workplace, new_screen: Callable[..., Screen]) -> None:
    run = workplace.new_run()
    run.write_status(run.read_status().__class__(state="stopped", created=1.0, ended=2.0))
    screen = new_screen(server)
    screen.open("/runs")
    screen.press("Delete")
    screen.press("Keep it")
    assert run.folder.exists()
    screen.press("Delete")
    screen.press("Delete for good")
    eventually(lambda: not run.folder.exists(), "the run is gone")
    expect(screen.text("There are no runs yet.")).to_be_visible()


def test_bad_paths_and_lost_runs_get_a_sentence(idle_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(idle_server)
    screen.open("/")
    screen.press("Choose a folder")
    screen.page.get_by_label("Folder with one subfolder for each class", exact=True).fill("/etc")
    screen.press("Open the folder")
    expect(screen.text("outside the folders that may be read")).to_be_visible()
    screen.open("/?dataset=/nowhere/at/all")
    expect(screen.text("outside the folders that may be read")).to_be_visible()
    screen.press("Choose another")
    expect(screen.text("Use the digits")).to_be_visible()
    screen.open("/train?run=20200101-000000-0000")
    expect(screen.text("There is no run")).to_be_visible()
    screen.press("Start a new run")
    expect(screen.page).not_to_have_url(re.compile("run="))
    screen.open("/train?run=../../etc")
    expect(screen.text("There is no run")).to_be_visible()
    assert not screen.problems()
