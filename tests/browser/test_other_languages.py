"""The choice of a language, in the real app."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Screen, Server, free_port
from tests.catalogues import INCOMPLETE
from tests.conftest import Workplace
from tests.pseudo import CODE, accented, write_catalogue


@pytest.fixture
def other_server(workplace: Workplace, tmp_path: Path) -> Iterator[Server]:
    """A server that knows the pseudo-language, too."""
    started = Server(workplace, free_port(), {"UNFREEZE_LOCALE": str(write_catalogue(tmp_path / "locale"))})
    started.start()
    yield started
    started.kill()


@pytest.fixture
def german_server(workplace: Workplace) -> Iterator[Server]:
    """A server that knows German as far as the Dataset and Train pages go."""
    started = Server(workplace, free_port(), {"UNFREEZE_LOCALE": str(INCOMPLETE)})
    started.start()
    yield started
    started.kill()


def test_a_language_that_is_not_whole_is_spoken_where_it_is_and_english_elsewhere(
    german_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(german_server)
    screen.open("/?lang=de")
    expect(screen.page.get_by_role("heading", name="Dem Computer das Sehen beibringen", exact=True)).to_be_visible()
    chosen = f"lang=de&dataset={quote(str(german_server.workplace.colours))}"
    screen.open(f"/?{chosen}")
    expect(screen.page.get_by_role("heading", name="Fotos je Klasse und Teilmenge", exact=True)).to_be_visible()
    expect(screen.text("Woher die Labels kommen")).to_be_visible()
    expect(screen.text("Zufällig aufgeteilt innerhalb jeder Klasse.")).to_be_visible()
    for look in screen.looks():
        assert not screen.problems(), look
    screen.open(f"/train?{chosen}")
    expect(screen.button("Training starten")).to_be_visible()
    expect(screen.text("Wie lange darf es dauern?")).to_be_visible()
    screen.choose_length("Nach Epochen")
    expect(screen.page.get_by_role("heading", name="Trainierbare Schichten", exact=True)).to_be_visible()
    for look in screen.looks():
        assert not screen.problems(), look
    screen.open(f"/label_check?{chosen}")
    expect(screen.page.get_by_role("heading", name="Label-Prüfung", exact=True)).to_be_visible()
    expect(screen.text("Are the labels right?")).to_be_visible()
    assert not screen.problems()


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
