"""Photos as buttons: opened, selected, decided about and undone with keys alone, and with a finger."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, ReviewStore
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server

TARGET = 44
FOCUSED = """() => {
    let node = document.activeElement;
    while (node && node.shadowRoot) node = node.shadowRoot.activeElement;
    return (node && node.dataset && node.dataset.id) || "";
}"""


def open_photos(screen: Screen) -> Locator:
    """The photos of the first class."""
    screen.open(f"/?dataset={screen.server.workplace.colours}")
    screen.page.get_by_role("radio", name="Photos").click()
    screen.settle()
    photos = screen.page.get_by_role("listbox", name="Photos of blue").get_by_role("option")
    expect(photos).to_have_count(15)
    return photos


def made(server: Server) -> tuple[Decision, ...]:
    """What was decided."""
    place = server.workplace
    return ReviewStore(place.settings.reviews_folder).read(place.colours).decisions


def size(found: Locator) -> tuple[float, float]:
    """Width and height of a target."""
    box = found.bounding_box()
    assert box is not None
    return box["width"], box["height"]


def test_keys_alone_select_decide_undo_and_open(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server, own=True)
    told: list[object] = []
    screen.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: told.append(frame)))
    photos, press = open_photos(screen), screen.page.keyboard.press
    selected = screen.page.get_by_role("listbox").get_by_role("option", selected=True)
    while not screen.page.evaluate(FOCUSED):
        press("Tab")
    told.clear()
    press("ArrowRight")
    for _ in range(2):
        press("Shift+ArrowRight")
    expect(selected).to_have_count(3)
    expect(screen.text("3 selected")).to_be_visible()
    screen.settle()
    assert not told, "moving and selecting is no matter of the server"
    assert not barriers(screen.page)
    press("x")
    expect(photos).to_have_count(12)
    screen.settle()
    assert len(told) == 1
    [decision] = made(server)
    assert decision.action == EXCLUDE and list(decision.photos) == [f"blue/0{number}.png" for number in (1, 2, 3)]
    assert screen.page.evaluate(FOCUSED) == "blue/04.png"
    press("z")
    expect(photos).to_have_count(15)
    assert not made(server)

    press("Enter")
    expect(screen.page.get_by_role("dialog").get_by_role("img", name="blue/04.png, labelled blue")).to_be_visible()
    screen.settle()
    assert not barriers(screen.page)
    press("Escape")
    screen.until(lambda: screen.page.evaluate(FOCUSED) == "blue/04.png", "the photo has the focus again")

    for _ in range(3):
        press("k")
    screen.until(lambda: len(made(server)) == 3, "three quick decisions were all taken over")
    assert [(each.action, *each.photos) for each in made(server)] == [
        (KEEP, f"blue/0{number}.png") for number in (4, 5, 6)
    ]
    expect(screen.page.get_by_role("option", name="correct")).to_have_count(3)

    press("m")
    choice = screen.page.get_by_role("combobox", name="Move")
    expect(choice).to_be_focused()
    choice.select_option("red")
    press("Tab")
    press("Enter")
    expect(photos).to_have_count(14)
    assert (made(server)[-1].action, made(server)[-1].label, *made(server)[-1].photos) == (
        RELABEL,
        "red",
        "blue/07.png",
    )
    assert not screen.problems()


@pytest.mark.thorough
def test_on_a_phone_there_are_three_columns_and_targets_for_a_finger(
    server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(server, width=400, dark=True)
    photos = open_photos(screen)
    boxes = [found.bounding_box() for found in photos.all()[:4]]
    rows = [box["y"] for box in boxes if box]
    assert rows[0] == rows[1] == rows[2] < rows[3]
    corner = photos.nth(1).locator(".tick")
    assert min(size(photos.first)) >= TARGET and min(size(corner)) >= TARGET
    corner.click()
    photos.nth(4).click(modifiers=["Shift"])
    expect(screen.text("4 selected")).to_be_visible()
    expect(screen.page.get_by_role("dialog")).to_have_count(0)
    controls = screen.page.locator(".bar").locator("button, select").all()
    assert len(controls) == 6 and all(min(size(each)) >= TARGET for each in controls)
    assert not screen.problems() and not barriers(screen.page)
    screen.press("None")
    expect(screen.page.get_by_role("listbox").get_by_role("option", selected=True)).to_have_count(0)
    photos.nth(2).click()
    expect(screen.page.get_by_role("dialog").get_by_text("3 of 15")).to_be_visible()
    screen.page.get_by_role("dialog").get_by_role("button", name="Leave it out").click()
    screen.settle()
    expect(photos).to_have_count(14)
    assert [list(decision.photos) for decision in made(server)] == [["blue/02.png"]]
