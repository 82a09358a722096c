"""Photos are collected class by class, with the camera and from files, and nothing that was recorded is lost."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, expect

from core.data.intake.collect import ENOUGH
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server

TWO_HALVES = """navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    canvas.width = 640; canvas.height = 480;
    setInterval(() => {
        pen.fillStyle = "#ff0000"; pen.fillRect(0, 0, 320, 480);
        pen.fillStyle = "#0000ff"; pen.fillRect(320, 0, 320, 480);
    }, 50);
    return canvas.captureStream(20);
};"""
"""A camera that sees red on its left and blue on its right."""


def card(screen: Screen, number: int) -> Locator:
    """The card of a class, counted from 0."""
    return screen.page.locator(".card").nth(number)


def shutter(screen: Screen, number: int) -> Locator:
    """The button of its camera."""
    return card(screen, number).locator(".shutter")


def saved(folder: Path) -> int:
    """How many camera photos a class has on the disk."""
    return len(list(folder.glob("*.jpg")))


def open_camera(screen: Screen, number: int) -> None:
    """Open the camera on a card."""
    shutter(screen, number).click()
    expect(shutter(screen, number)).to_have_text("Hold to record")


def record(screen: Screen, number: int, until: Callable[[], bool]) -> None:
    """Hold the button of a card with the mouse until something is true."""
    shutter(screen, number).scroll_into_view_if_needed()
    shutter(screen, number).hover()
    screen.page.mouse.down()
    screen.until(until, "photos are recorded")
    screen.page.mouse.up()


def rename(screen: Screen, number: int, name: str) -> Locator:
    """Give the class of a card another name; returns its field."""
    field = card(screen, number).get_by_label("Name of this class")
    field.fill(name)
    field.press("Enter")
    return field


def payload(name: str, content: bytes) -> FilePayload:
    """A file to upload."""
    return FilePayload(name=name, mimeType="image/png", buffer=content)


def test_two_things_are_recorded_and_training_is_next(server: Server, new_screen: Callable[..., Screen]) -> None:
    datasets = server.workplace.settings.datasets_folder
    dataset = datasets / "My photos"
    screen = new_screen(server)
    screen.open("/collect")
    train = screen.page.get_by_role("button", name="Train")
    expect(train).to_be_disabled()
    for _ in screen.looks():
        expect(train).to_be_in_viewport()
    expect(screen.text(f"{ENOUGH} photos of Class 1, {ENOUGH} photos of Class 2")).to_be_visible()
    assert not list(datasets.glob("*")), "looking makes nothing"
    open_camera(screen, 0)
    expect(shutter(screen, 1)).to_have_text("Hold to record")
    record(screen, 0, lambda: saved(dataset / "Class 1") > ENOUGH)
    expect(card(screen, 0).locator("video")).to_be_visible()

    shutter(screen, 1).focus()
    screen.page.keyboard.down(" ")
    screen.until(lambda: saved(dataset / "Class 2") > ENOUGH, "photos are recorded with the keyboard")
    screen.page.keyboard.up(" ")
    expect(card(screen, 1).locator("video")).to_be_visible()
    expect(card(screen, 0).locator("video")).to_be_hidden()
    expect(train).to_be_enabled()
    expect(train).to_be_in_viewport()
    screen.page.wait_for_timeout(1000)
    screen.settle()
    one, two = (saved(dataset / name) for name in ("Class 1", "Class 2"))
    expect(card(screen, 0).locator(".count")).to_have_text(f"{one} photos")
    expect(card(screen, 1).locator(".count")).to_have_text(f"{two} photos")
    expect(train).to_contain_text(f"Train on these {one + two} photos")
    shutter(screen, 1).press("Enter")
    expect(card(screen, 1).locator(".count")).to_have_text(f"{two + 1} photos")
    expect(train).to_contain_text(f"Train on these {one + two + 1} photos")
    for look in screen.looks():
        expect(train).to_be_in_viewport()
        assert not screen.problems() and not barriers(screen.page), look

    screen.page.reload()
    screen.settle()
    expect(card(screen, 0).locator(".count")).to_have_text(f"{one} photos")
    train.click()
    expect(screen.page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    expect(screen.page.get_by_role("button", name="Start training")).to_be_enabled()


@pytest.mark.thorough
def test_photos_and_classes_are_named_removed_and_put_back(server: Server, new_screen: Callable[..., Screen]) -> None:
    dataset = server.workplace.settings.datasets_folder / "our class"
    screen = new_screen(server)
    screen.open("/collect")
    chooser = screen.page.get_by_role("combobox", name="Dataset")
    chooser.fill("our class")
    chooser.press("Enter")
    screen.until(dataset.is_dir, "the dataset was made")
    screen.settle()
    chooser.fill("OUR CLASS")
    chooser.press("Enter")
    expect(screen.page.get_by_test_id("stToast")).to_contain_text("already a dataset “our class”")
    rename(screen, 0, "cup")
    screen.until((dataset / "cup").is_dir, "the class was renamed")
    open_camera(screen, 0)
    record(screen, 0, lambda: saved(dataset / "cup") > 3)
    screen.page.wait_for_timeout(1000)
    screen.settle()
    count, taken = card(screen, 0).locator(".count"), saved(dataset / "cup")
    expect(count).to_have_text(f"{taken} photos")
    card(screen, 0).get_by_role("button", name="Remove the photo").first.click()
    expect(count).to_have_text(f"{taken - 1} photos")
    card(screen, 0).get_by_role("button", name=f"Remove the last {taken - 1}").click()
    expect(count).to_have_text("0 photos")
    card(screen, 0).get_by_role("button", name=f"Put {taken - 1} photos back").click()
    expect(count).to_have_text(f"{taken - 1} photos")
    card(screen, 0).get_by_role("button", name="Put the photo back").click()
    expect(count).to_have_text(f"{taken} photos")
    expect(card(screen, 0).locator("video")).to_be_visible()

    screen.press("Add a class")
    expect(screen.page.locator(".card")).to_have_count(3)
    field = rename(screen, 2, "CUP")
    expect(card(screen, 2).get_by_role("status")).to_contain_text("already a class “cup”")
    expect(field).to_have_value("Class 3")
    card(screen, 0).get_by_role("button", name="Remove the class cup").click()
    expect(screen.page.locator(".card")).to_have_count(2)
    assert not (dataset / "cup").exists()
    screen.press("Put cup back")
    expect(screen.page.locator(".card")).to_have_count(3)
    assert saved(dataset / "cup") == taken and not screen.problems()


@pytest.mark.thorough
def test_without_a_camera_photos_come_from_files(server: Server, new_screen: Callable[..., Screen]) -> None:
    dataset = server.workplace.settings.datasets_folder / "My photos"
    screen = new_screen(server, width=400, own=True)
    screen.page.add_init_script("""navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("no", window.trouble || "NotAllowedError");
    };""")
    screen.open("/collect")
    shutter(screen, 0).click()
    expect(card(screen, 0).get_by_role("status")).to_contain_text("not allowed to use the camera")
    expect(shutter(screen, 0)).to_have_text("Open the camera")
    screen.page.evaluate("() => { window.trouble = 'NotFoundError'; }")
    shutter(screen, 1).click()
    expect(card(screen, 1).get_by_role("status")).to_have_text(
        "No camera was found. Connect one, and try again. Or add photos from files, below."
    )
    files = [payload(path.name, path.read_bytes()) for path in sorted(server.workplace.colours.glob("blue/*.png"))[:6]]
    uploader = screen.page.get_by_test_id("stFileUploaderDropzoneInput")
    uploader.nth(0).set_input_files([*files, payload("broken.png", b"no photo")])
    expect(screen.text("Added 6 photos to Class 1")).to_be_visible()
    expect(screen.text("1 left out, with reasons")).to_be_visible()
    expect(card(screen, 0).locator(".count")).to_have_text("6 photos")
    uploader.nth(0).set_input_files(files[:1])
    expect(screen.text("No photo could be added to Class 1")).to_be_visible()
    expect(screen.text("the same photo is already there")).to_be_visible()
    uploader.nth(1).set_input_files(files[1:])
    expect(screen.page.get_by_role("button", name="Train on these 11 photos")).to_be_enabled()
    assert len(list(dataset.glob("*/*.png"))) == 11
    assert not screen.problems() and not barriers(screen.page)


def settings(screen: Screen, number: int) -> Locator:
    """Open or close the settings of the camera on a card; returns the card."""
    card(screen, number).get_by_label("Camera settings").click()
    return card(screen, number)


def test_the_camera_is_picked_and_the_choice_is_kept(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    screen.open("/collect")
    open_camera(screen, 0)
    which = settings(screen, 0).locator(".which")
    expect(which.locator("option")).to_have_count(2)
    which.select_option(label="fake_device_1")
    expect(which.locator("option:checked")).to_have_text("fake_device_1")
    expect(card(screen, 0)).to_have_class("card camera here mirrored")
    card(screen, 0).get_by_label("Picture").select_option("plain")
    expect(card(screen, 0)).to_have_class("card camera here")
    assert not barriers(screen.page)
    screen.page.reload()
    screen.settle()
    open_camera(screen, 1)
    expect(settings(screen, 1).locator(".which option:checked")).to_have_text("fake_device_1")
    expect(card(screen, 1).get_by_label("Picture")).to_have_value("plain")
    assert not screen.problems()


def test_only_the_look_that_says_so_stores_mirrored_photos(server: Server, new_screen: Callable[..., Screen]) -> None:
    folder = server.workplace.settings.datasets_folder / "My photos" / "Class 1"
    screen = new_screen(server, own=True)
    screen.page.add_init_script(TWO_HALVES)
    screen.open("/collect")
    open_camera(screen, 0)
    for number, (look, left) in enumerate((("mirror", "red"), ("plain", "red"), ("stored", "blue")), 1):
        settings(screen, 0).get_by_label("Picture").select_option(look)
        settings(screen, 0)
        shutter(screen, 0).press("Enter")
        expect(card(screen, 0).locator(".photos li")).to_have_count(number)
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        with Image.open(io.BytesIO(newest.read_bytes())) as photo:
            colours = photo.convert("RGB").resize((2, 1), Image.Resampling.BOX).tobytes()
        assert (colours[0] > colours[2]) is (left == "red"), look
    assert not screen.problems()


@pytest.mark.thorough
def test_two_tabs_record_at_once_and_a_class_is_renamed_meanwhile(
    server: Server, new_screen: Callable[..., Screen]
) -> None:
    dataset = server.workplace.settings.datasets_folder / "My photos"
    first, second = new_screen(server), new_screen(server)
    first.open("/collect")
    open_camera(first, 0)
    record(first, 0, lambda: saved(dataset / "Class 1") > 1)
    first.settle()
    second.open(f"/collect?dataset={dataset}")
    open_camera(second, 0)
    shutter(second, 0).hover()
    second.page.mouse.down()
    rename(first, 0, "cup")
    first.until((dataset / "cup").is_dir, "the class was renamed")
    before = saved(dataset / "cup")
    second.until(lambda: saved(dataset / "cup") > before + 6, "its photos go to the renamed class")
    second.page.mouse.up()
    expect(card(second, 0).get_by_label("Name of this class")).to_have_value("cup")
    second.page.wait_for_timeout(1000)
    second.settle()
    expect(card(second, 0).locator(".count")).to_have_text(f"{saved(dataset / 'cup')} photos")
    assert not (dataset / "Class 1").exists() and not card(second, 0).get_by_role("status").inner_text()
    assert not first.problems() and not second.problems()
