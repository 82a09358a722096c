"""A heap of photos is labelled by keyboard alone, its labels spread, and it can be trained on."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from core.data.pseudo_labels import read_pseudo_csv
from core.data.review import EXCLUDE, RELABEL, ReviewStore
from core.data.scan.layout import BY_HAND, Layout
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server
from tests.conftest import Workplace

KEYS = {"red": "1", "blue": "2"}


def tab_to(screen: Screen, wanted: Locator) -> None:
    """Press Tab until something has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(80):
        if wanted.evaluate("node => node === document.activeElement || node.contains(document.activeElement)"):
            return
        screen.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def enter(screen: Screen, name: str) -> None:
    """Press a button by keyboard, and wait for what it brings."""
    tab_to(screen, screen.page.get_by_role("button", name=name).first)
    key(screen, "Enter")


def key(screen: Screen, name: str) -> None:
    screen.page.keyboard.press(name)
    screen.settle()


def on_show(screen: Screen) -> str:
    """The path of the photo that is asked about."""
    return photo(screen).get_attribute("alt") or ""


def photo(screen: Screen) -> Locator:
    return screen.page.locator(".st-key-photo-to-label img")


def answer(screen: Screen, name: str) -> str:
    """Press a key, and wait for another photo; returns the path of the first."""
    path = on_show(screen)
    screen.page.keyboard.press(name)
    expect(photo(screen)).not_to_have_attribute("alt", path)
    screen.settle()
    return path


def test_a_heap_becomes_a_dataset_by_keyboard_alone(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    reviews = ReviewStore(workplace.settings.reviews_folder)
    screen = new_screen(server)
    screen.open(f"/label?dataset={workplace.colours}")
    expect(screen.text("The subfolders of this folder look like classes")).to_be_visible()
    tab_to(screen, screen.page.get_by_role("textbox", name="Classes, one in each line"))
    screen.page.keyboard.type("red")
    enter(screen, "Begin")
    expect(screen.text("Name at least two classes")).to_be_visible()
    tab_to(screen, screen.page.get_by_role("textbox", name="Classes, one in each line"))
    screen.page.keyboard.press("Control+End")
    screen.page.keyboard.type("\nblue")
    enter(screen, "Begin")
    expect(screen.text("What is it?")).to_be_visible()
    screen.settle()
    assert reviews.read(workplace.colours).layout == Layout(BY_HAND)
    assert reviews.read(workplace.colours).classes == ("red", "blue")
    assert not barriers(screen.page)

    first = answer(screen, KEYS[on_show(screen).partition("/")[0]])
    [decision] = reviews.read(workplace.colours).decisions
    assert (decision.action, decision.label, list(decision.photos)) == (RELABEL, first.partition("/")[0], [first])
    key(screen, "z")
    assert on_show(screen) == first and not reviews.read(workplace.colours).decisions
    skipped = answer(screen, "s")
    left_out = answer(screen, "x")
    assert reviews.read(workplace.colours).standing()[left_out].action == EXCLUDE
    labelled = [answer(screen, KEYS[on_show(screen).partition("/")[0]]) for _ in range(9)]
    assert len({*labelled, skipped, left_out}) == 11
    expect(screen.text("right with 8 labelled photos")).to_be_visible()
    screen.page.reload()
    expect(screen.text("9 labelled photos")).to_be_visible()

    tab_to(screen, screen.page.get_by_role("radio", name="Label", exact=True))
    key(screen, "ArrowRight")
    key(screen, "Space")
    expect(screen.text("Mark those that are not")).to_be_visible()
    wrong = screen.page.get_by_role("checkbox").first
    tab_to(screen, wrong)
    screen.page.keyboard.press("Space")
    expect(wrong).to_be_checked()
    photos = screen.page.get_by_test_id("stForm").locator("[data-testid=stImage] img")
    marked, *others = [each.get_attribute("alt") or "" for each in photos.all()]
    key(screen, "Control+Enter")
    screen.until(lambda: len(reviews.read(workplace.colours).decisions) == 11, "they are confirmed")
    confirmed = reviews.read(workplace.colours).decisions[-1]
    assert set(confirmed.photos) == set(others) and marked not in confirmed.photos
    assert {path.partition("/")[0] for path in others} == {confirmed.label}

    enter(screen, f"Train on these {9 + len(others)} photos")
    expect(screen.text(f"{9 + len(others)} photos in 2 classes")).to_be_visible()
    unlabelled = 30 - 9 - 1 - len(others)
    switch = screen.page.get_by_role("switch", name=f"Use the {unlabelled} unlabelled photo")
    expect(switch).not_to_be_checked()
    tab_to(screen, switch)
    key(screen, "Space")
    expect(screen.text(f"of the {unlabelled} are learned from")).to_be_visible()
    assert not barriers(screen.page)
    enter(screen, "Start training")
    expect(screen.text("It also learns from")).to_be_visible()
    [run] = workplace.store.runs()
    run.request_stop()
    assert run.recipe_values()["unlabelled"] is True
    pseudo, labelled_paths = read_pseudo_csv(run.pseudo_file), {*labelled, *others}
    assert len(labelled_paths) == 9 + len(others) and not labelled_paths & {*pseudo.paths, left_out}
    assert not screen.problems()


@pytest.mark.thorough
def test_a_folder_without_classes_leads_to_labelling(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(server, width=400, dark=True)
    screen.open(f"/?dataset={workplace.colours / 'red'}")
    screen.follow("Label the photos by hand")
    screen.page.get_by_role("textbox", name="Classes, one in each line").fill("a\nb")
    screen.press("Begin")
    expect(screen.text("What is it?")).to_be_visible()
    assert not screen.problems() and not barriers(screen.page)
    screen.open(f"/?dataset={workplace.colours / 'red'}")
    expect(screen.text("so far 0 of 15 have a label")).to_be_visible()
    screen.open("/label")
    expect(screen.text("Choose a folder of photos")).to_be_visible()
    assert not screen.problems()
