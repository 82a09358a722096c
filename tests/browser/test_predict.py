"""Photos are predicted, corrected, filtered and taken away; a folder goes on in the background; the camera answers,
and what is pasted is taken."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import FloatRect, Locator, expect

from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun


def test_predicting(finished_run: FinishedRun, new_screen: Callable[..., Screen], tmp_path: Path) -> None:
    server = Server(finished_run.workplace, free_port())
    server.start()
    try:
        screen = new_screen(server)
        screen.open(f"/predict?run={finished_run.run.id}")
        photos_are_predicted_corrected_and_downloaded(screen, finished_run.workplace.colours, tmp_path)
        a_zip_is_predicted(screen, finished_run.workplace.colours, tmp_path)
        a_folder_is_found_again_after_a_reload(screen, finished_run.workplace.colours)
        the_camera_answers_and_keeps_a_photo(screen)
        a_picture_is_pasted_by_the_keyboard_alone(screen)
        assert not screen.problems()
        what_a_page_is_for_comes_first(new_screen(server, width=400), finished_run.workplace.colours)
    finally:
        server.kill()


def photos_are_predicted_corrected_and_downloaded(screen: Screen, colours: Path, tmp_path: Path) -> None:
    page = screen.page
    broken = tmp_path / "page.jpg"
    broken.write_text("<html>not a photo</html>")
    cards = page.locator("[class*=st-key-card-]")
    newest = page.locator(".st-key-predict-newest")
    expect(page.get_by_role("radio").first, "it is the first of the inputs").to_have_text("Camera")
    screen.press("Upload a photo instead")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(colours / "red" / "00.png")
    expect(newest.get_by_role("heading", name="red", exact=True)).to_be_visible()
    expect(cards).to_have_count(0)
    screen.settle()  # an empty uploader has taken the place of the first
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files([colours / "blue" / "00.png", broken])
    expect(newest.get_by_role("heading", name="blue", exact=True)).to_be_visible()
    expect(newest.get_by_alt_text("00.png as the model sees it")).to_be_visible()
    expect(cards).to_have_count(1)
    expect(screen.text("1 of 3 files could not be used.")).to_be_visible()
    assert not barriers(page)

    newest.get_by_role("button", name="Heat map").click()
    expect(newest.get_by_alt_text("Heat map")).to_be_visible()
    cards.get_by_role("button", name="Correct", exact=True).click()
    page.get_by_role("menuitem", name="blue", exact=True).click()
    expect(screen.text("corrected")).to_be_visible()
    screen.follow("Runs")
    screen.follow("Try")
    expect(cards).to_have_count(1)

    screen.unfold("2 photos: blue × 2")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the predictions (CSV)").click()
    with Path(download.value.path()).open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["corrected class"] for row in rows] == ["blue", ""]
    with page.expect_download() as download:
        page.get_by_role("button", name="Photos sorted into folders (ZIP)").click()
    with ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 2 and "blue/00.png" in archive.namelist()

    page.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="Corrected by hand · 1").click()
    expect(cards).to_have_count(1)
    page.get_by_role("button", name="Save into a dataset").click()
    page.get_by_label("Name of the dataset", exact=True).fill("kept")
    page.get_by_label("Name of the dataset", exact=True).press("Enter")
    screen.settle()
    page.get_by_role("button", name="Save 1 photo as shown").click()
    expect(screen.text("Saved into kept: 1 as blue.")).to_be_visible()
    page.keyboard.press("Escape")


def a_zip_is_predicted(screen: Screen, colours: Path, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in ("blue", "red"):
            archive.write(colours / name / "01.png", f"{name}/01.png")
    screen.page.get_by_role("radio", name="ZIP file").click()
    screen.settle()
    screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / "some.zip")
    expect(screen.page.get_by_role("heading", name=re.compile("^2 photos: "))).to_be_visible()


def a_folder_is_found_again_after_a_reload(screen: Screen, colours: Path) -> None:
    page = screen.page
    page.get_by_role("radio", name="Folder").click()
    screen.settle()
    page.get_by_label("Folder with photos, in subfolders or not", exact=True).fill(str(colours))
    page.get_by_role("button", name="Predict the folder").click()
    expect(page.get_by_role("heading", name=re.compile("^30 photos: "))).to_be_visible()
    expect(page.locator("[class*=st-key-card-]")).to_have_count(12)
    page.get_by_role("button", name="Page 3").or_(page.get_by_text("3", exact=True)).first.click()
    expect(page.locator("[class*=st-key-card-]")).to_have_count(6)
    page.reload()
    expect(page.get_by_role("heading", name=re.compile("^30 photos: "))).to_be_visible()


def the_camera_answers_and_keeps_a_photo(screen: Screen) -> None:
    page = screen.page
    page.get_by_role("radio", name="Camera").click()
    screen.settle()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".camera .words")).to_contain_text(re.compile("blue|red"))
    page.get_by_role("button", name="Take this photo").click()
    expect(screen.text("camera-001.jpg")).to_be_visible()


def a_picture_is_pasted_by_the_keyboard_alone(screen: Screen) -> None:
    page = screen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    newest, words = page.locator(".st-key-predict-newest"), page.locator(".paste .words")
    page.evaluate("() => navigator.clipboard.writeText('no picture')")
    page.keyboard.press("Control+v")
    expect(words).to_have_text("There is no picture in the clipboard.")
    for number, colour in ((1, "rgb(200, 60, 60)"), (2, "rgb(60, 60, 200)")):
        page.evaluate(COPY, colour)
        if number == 1:
            page.keyboard.press("Control+v")
        else:
            page.get_by_role("button", name="Paste a picture").press("Enter")
        expect(newest.get_by_alt_text(f"pasted-{number:03d}.png as the model sees it")).to_be_visible()
        expect(words).to_have_text("")
        expect(newest.get_by_role("heading", name=("red", "blue")[number - 1])).to_be_visible()
    expect(page.get_by_role("radio", name="Photos", exact=True)).to_be_checked()
    screen.settle()
    assert not barriers(page)


COPY = """async (colour) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 40;
    const pen = canvas.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 40, 40);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
}"""
"""Copies a picture of one colour to the clipboard."""


def what_a_page_is_for_comes_first(screen: Screen, colours: Path) -> None:
    def box(found: Locator) -> FloatRect:
        where = found.first.bounding_box()
        assert where is not None
        return where

    page = screen.page
    for width, height in ((1280, 720), (400, 800)):
        page.set_viewport_size({"width": width, "height": height})
        screen.open("/predict")
        screen.send_photos(colours / "red" / "00.png")
        newest, uploader = page.locator(".st-key-predict-newest"), page.get_by_test_id("stFileUploaderDropzone")
        expect(newest).to_be_visible()
        screen.settle()
        photo, answer = box(newest.get_by_role("img")), box(newest.get_by_role("heading"))
        assert answer["x"] >= photo["x"] + photo["width"] and answer["y"] + answer["height"] < height / 2
        assert photo["y"] + photo["height"] < box(uploader)["y"] + box(uploader)["height"] < height
        assert box(uploader)["y"] < box(screen.text("1 photo: red × 1"))["y"]
        name, bar = box(newest.locator(".uf-rows > span")), box(newest.locator(".uf-rows > div"))
        assert bar["y"] >= name["y"] + name["height"] and bar["width"] > box(newest)["width"] / 2
    for path, first, then in (
        ("/train", page.get_by_role("button", name="Start training"), page.get_by_text("Change how it learns")),
        ("/augmentations", page.get_by_text("version 1"), page.get_by_role("tab", name="Colour")),
    ):
        screen.open(f"{path}?dataset={colours}")
        assert box(first)["y"] < box(then)["y"], path
    assert not screen.problems()
