"""Pages in other languages: nothing is left in English, longer words break nothing, and a choice stays."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.language import languages, reading, tr
from core.runs.store import Run
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server, free_port
from tests.browser.reading import every_view, texts, unfold
from tests.browser.test_pages import PAGES
from tests.catalogues import glossary, latin_runs
from tests.conftest import LONG, FinishedRun, Workplace, eventually, trainer
from tests.pseudo import CODE, accented, write_catalogue

NAMES = re.compile(
    r"\S*[/\\]\S*|\S+\.\w{2,5}\b|\b(?:colours|blue|red|baseline CNN|EfficientNet|Unfreeze|Streamlit"
    r"|TensorFlow SavedModel|TensorFlow|TensorBoard|Keras|LiteRT|OpenVINO|ImageNet|Python)\b"
)
"""What is called so in every language: paths, files, classes, networks and libraries."""


def plain(found: Iterable[str]) -> list[str]:
    """The texts of pages in the pseudo-language in which words stand without accents."""
    return sorted(text for text in found if re.search(r"(?<![\w-])[A-Za-z]?[a-z]{3,}(?![\w-])", NAMES.sub("·", text)))


def english(found: Iterable[str]) -> list[str]:
    """The texts in which three Latin words or more follow one another, apart from what the glossary allows."""
    allowed = glossary().same
    return sorted(text for text in found if any(run not in allowed for run in latin_runs(NAMES.sub("·", text))))


@pytest.fixture
def place(finished_run: FinishedRun, tmp_path: Path) -> Workplace:
    """A workplace with a finished run of its own."""
    copied = Workplace(tmp_path / "home", finished_run.workplace.colours)
    shutil.copytree(finished_run.run.folder, copied.store.root / finished_run.run.id)
    return copied


@pytest.fixture
def other_server(place: Workplace, tmp_path: Path) -> Iterator[Server]:
    """A server for it that knows the pseudo-language, too."""
    started = Server(place, free_port(), {"UNFREEZE_LOCALE": str(write_catalogue(tmp_path / "locale"))})
    started.start()
    yield started
    started.kill()


@pytest.fixture
def going(place: Workplace) -> Iterator[Run]:
    """A run beside the finished one that has measured something and will not end by itself."""
    run = place.new_run(**LONG)
    with trainer(run, place.environment()):
        eventually(lambda: len(run.read_metrics()) > 3, f"the run began:\n{run.log_tail()}")
        yield run


@pytest.mark.thorough
def test_longer_words_break_no_page_and_nothing_is_left_in_english(
    other_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(other_server)
    run = other_server.workplace.store.runs()[0]
    of_dataset = [f"{path}?lang={CODE}&dataset={other_server.workplace.colours}" for path in PAGES]
    for path in (f"/?lang={CODE}", *of_dataset, f"/train?lang={CODE}&run={run.id}"):
        screen.open(path)
        unfold(screen)
        assert plain(texts(screen)) == [], path
        for look in screen.looks():
            assert not screen.problems(), (path, look)
            assert not barriers(screen.page), (path, look)
        screen.page.set_viewport_size({"width": 1280, "height": 1000})


@pytest.mark.thorough
@pytest.mark.parametrize("code", [code for code in languages() if code != "en"])
def test_every_view_of_every_page_is_translated(
    code: str, other_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(other_server)
    colours, run = other_server.workplace.colours, other_server.workplace.store.runs()[0]
    for path in (*PAGES, *(f"{path}?dataset={colours}" for path in PAGES), f"/train?run={run.id}"):
        screen.open(f"{path}{'&' if '?' in path else '?'}lang={code}")
        for view, found in enumerate(every_view(screen)):
            assert english(found) == [], (path, view)
            assert not screen.problems(), (path, view)
    for path in ("/?dataset=/nowhere", "/?dataset=/etc", "/train?run=20200101-000000-0000", "/predict?folder=/nowhere"):
        screen.open(f"{path}&lang={code}")
        assert english(texts(screen)) == [], path
    with reading(code):
        check, photos = tr("Check the labels"), tr("Photos")
    screen.open(f"/label_check?dataset={colours}&lang={code}")
    screen.press(check)
    screen.page.get_by_test_id("stMain").get_by_role("radio").first.wait_for()
    for view, found in enumerate(every_view(screen)):
        assert english(found) == [], ("label check", view)
    screen.open(f"/predict?run={run.id}&lang={code}")
    screen.page.get_by_role("radio", name=photos, exact=True).click()
    screen.settle()
    screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [colours / "red" / "00.png", Path(__file__)]
    )
    screen.page.locator(".uf-bars").first.wait_for()
    for view, found in enumerate(every_view(screen)):
        assert english(found) == [], ("predictions", view)


@pytest.mark.thorough
@pytest.mark.parametrize("code", [code for code in languages() if code != "en"])
def test_a_run_is_watched_in_two_languages(
    code: str, other_server: Server, going: Run, new_screen: Callable[..., Screen]
) -> None:
    english_screen, screen = new_screen(other_server), new_screen(other_server)
    english_screen.open(f"/train?run={going.id}")
    for path in (f"/train?run={going.id}", "/runs", f"/?dataset={other_server.workplace.colours}", "/train"):
        screen.open(f"{path}{'&' if '?' in path else '?'}lang={code}")
        assert english(texts(screen)) == [], path
    expect(english_screen.text("Training everything from scratch")).to_be_visible()
    with reading(code):
        pause = tr("Pause")
    screen.open(f"/train?run={going.id}&lang={code}")
    screen.press(pause)
    expect(english_screen.text("Paused")).to_be_visible()
    assert english(texts(screen)) == []


def test_a_choice_of_a_language_survives_a_reload_and_goes_with_the_address(
    other_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(other_server)
    screen.open("/runs")
    expect(screen.page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    screen.page.get_by_role("combobox", name="Language").click()
    screen.page.get_by_role("option", name="Esperanto").click()
    expect(screen.page.get_by_role("heading", name=accented("Runs"), exact=True)).to_be_visible()
    assert f"lang={CODE}" in screen.page.url
    screen.page.reload()
    expect(screen.page.get_by_role("heading", name=accented("Runs"), exact=True)).to_be_visible()
    screen.page.get_by_test_id("stSidebar").get_by_role("link", name=accented("Export"), exact=True).click()
    expect(screen.page.get_by_role("heading", name=accented("Export"), exact=True)).to_be_visible()
    another = new_screen(other_server)
    another.page.goto(screen.page.url)
    expect(another.page.get_by_role("heading", name=accented("Export"), exact=True)).to_be_visible()
