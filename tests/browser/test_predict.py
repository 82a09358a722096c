"""Photos are predicted, corrected, filtered and taken away; a folder goes on in the background; the camera answers."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import FloatRect, Locator, expect

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
        assert not screen.problems()
        on_a_phone_what_a_page_is_for_comes_first(new_screen(server, width=400), finished_run.workplace.colours)
    finally:
        server.kill()


def photos_are_predicted_corrected_and_downloaded(screen: Screen, colours: Path, tmp_path: Path) -> None:
    page = screen.page
    broken = tmp_path / "page.jpg"
    broken.write_text("<html>not a photo</html>")
    cards = page.locator("[class*=st-key-card-]")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(colours / "red" / "00.png")
    expect(cards).to_have_count(1)
    screen.settle()  # an empty uploader has taken the place of the first
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files([colours / "blue" / "00.png", broken])
    expect(cards).to_have_count(2)
    expect(screen.text("1 of 3 files could not be used.")).to_be_visible()

    page.get_by_role("button", name="Heat map").first.click()
    expect(page.get_by_alt_text("Heat map")).to_be_visible()
    page.get_by_role("button", name="Correct", exact=True).first.click()
    page.get_by_role("menuitem", name="blue", exact=True).click()
    expect(screen.text("corrected")).to_be_visible()
    screen.follow("Runs")
    screen.follow("Try")
    expect(cards).to_have_count(2)

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
    expect(screen.text("2 photos:")).to_be_visible()


def a_folder_is_found_again_after_a_reload(screen: Screen, colours: Path) -> None:
    page = screen.page
    page.get_by_role("radio", name="Folder").click()
    screen.settle()
    page.get_by_label("Folder with photos, in subfolders or not", exact=True).fill(str(colours))
    page.get_by_role("button", name="Predict the folder").click()
    expect(screen.text("30 photos:")).to_be_visible()
    expect(page.locator("[class*=st-key-card-]")).to_have_count(12)
    page.get_by_role("button", name="Page 3").or_(page.get_by_text("3", exact=True)).first.click()
    expect(page.locator("[class*=st-key-card-]")).to_have_count(6)
    page.reload()
    expect(screen.text("30 photos:")).to_be_visible()


def the_camera_answers_and_keeps_a_photo(screen: Screen) -> None:
    page = screen.page
    page.get_by_role("radio", name="Camera").click()
    screen.settle()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".words")).to_contain_text(re.compile("blue|red"))
    page.get_by_role("button", name="Take this photo").click()
    expect(screen.text("camera-001.jpg")).to_be_visible()


def on_a_phone_what_a_page_is_for_comes_first(screen: Screen, colours: Path) -> None:
    def box(found: Locator) -> FloatRect:
        where = found.first.bounding_box()
        assert where is not None
        return where

    page = screen.page
    screen.open("/predict")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(colours / "red" / "00.png")
    card, uploader = page.locator("[class*=st-key-card-]"), page.get_by_test_id("stFileUploaderDropzone")
    expect(card).to_have_count(1)
    screen.settle()
    assert box(card)["y"] < box(uploader)["y"] < box(page.get_by_label("Show", exact=True))["y"]
    assert box(card)["y"] + box(card)["height"] < 700, "it can be seen without scrolling"
    name, bar = box(card.locator(".uf-rows > span")), box(card.locator(".uf-rows > div"))
    assert bar["y"] >= name["y"] + name["height"] and bar["width"] > 120
    for path, first, then in (
        ("/train", page.get_by_role("button", name="Start training"), page.get_by_text("Change how it learns")),
        ("/augmentations", page.get_by_text("version 1"), page.get_by_role("tab", name="Colour")),
    ):
        screen.open(f"{path}?dataset={colours}")
        assert box(first)["y"] < box(then)["y"], path
    assert not screen.problems()
