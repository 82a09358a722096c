"""Wrong labels are found, decided upon with keys, taken back, and trained without."""

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, expect

from core.data.review import RELABEL, ReviewStore
from core.data.split import read_split_csv
from core.runs.store import FINISHED, Run
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun, Workplace, eventually, photos_of

FLIPPED = ("blue/swapped.png", "red/swapped.png")


def swap_two(workplace: Workplace) -> None:
    """Put a blue photo among the red ones, and a red one among the blue."""
    blue, red = (workplace.colours / name / "14.png" for name in ("blue", "red"))
    contents = blue.read_bytes(), red.read_bytes()
    for path in (blue, red):
        path.unlink()
    for name, content in zip(FLIPPED, reversed(contents), strict=True):
        (workplace.colours / name).write_bytes(content)


def finished(workplace: Workplace) -> Run:
    """A run that has finished on the dataset as it is, as far as its folder says."""
    run = workplace.new_run()
    ended = replace(run.read_status(), state=FINISHED, started=1.0, ended=2.0)
    run.write_status(replace(ended, test_accuracy=0.5, test_correct=3, test_count=6))
    return run


def listed(screen: Screen) -> list[dict[str, str]]:
    """The suspects as the page gives them to a spreadsheet."""
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="Download the list (CSV)").first.click()
    with Path(download.value.path()).open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def press_key(screen: Screen, key: str) -> None:
    """Press a key on the page, and wait for what it brings."""
    screen.page.keyboard.press(key)
    screen.settle()


def on_a_phone_a_decision_needs_no_scrolling(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 400, "height": 800})
    screen.settle()
    photo, last = screen.page.get_by_role("img").first, screen.page.get_by_role("button", name="Leave it out")
    for found in (photo, screen.text("Is it "), last):
        where = found.first.bounding_box()
        assert where is not None and where["y"] + where["height"] < 800
    screen.page.set_viewport_size({"width": 1280, "height": 1000})
    screen.settle()


def look_more_closely(screen: Screen) -> None:
    """Have a thorough check carried out, which goes on while the page is closed; then show the quick one's result."""
    screen.page.get_by_role("button", name="Look more closely · about").click()
    expect(screen.text("Thorough check: ")).to_be_visible()
    screen.page.reload()
    expect(screen.page.get_by_role("radio", name="Thorough check")).to_be_checked()
    expect(screen.page.get_by_role("button", name="Look more closely again · about")).to_be_visible()
    screen.page.get_by_role("radio", name="Every photo · 30").click()
    screen.settle()
    screen.page.get_by_role("radio", name="Table").click()
    screen.settle()
    assert sorted(row["photo"] for row in listed(screen)[:2]) == list(FLIPPED)
    screen.page.get_by_role("radio", name="Quick check").click()
    screen.settle()
    screen.page.get_by_role("radio", name="Probably wrong").click()
    screen.settle()


@pytest.mark.thorough
def test_wrong_labels_are_found_decided_with_keys_and_trained_without(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    swap_two(workplace)
    before = finished(workplace)
    reviews = ReviewStore(workplace.settings.reviews_folder)
    screen = new_screen(server)
    screen.open(f"/label_check?dataset={workplace.colours}")
    screen.press("Check the labels")
    expect(screen.text("2 of 30 labels are probably wrong")).to_be_visible()
    expect(screen.text("1 of 2")).to_be_visible()
    expect(screen.text("5 of them are labelled")).to_be_visible()
    rows = listed(screen)
    assert sorted(row["photo"] for row in rows) == list(FLIPPED)
    on_a_phone_a_decision_needs_no_scrolling(screen)
    look_more_closely(screen)
    assert all(row["decision"] == "" and float(row["confidence"]) > 0.5 for row in rows)

    press_key(screen, "m")
    first, second = rows
    [decision] = reviews.read(workplace.colours).decisions
    assert (decision.action, decision.label) == (RELABEL, first["suggested label"])
    assert list(decision.photos) == [first["photo"]]
    expect(screen.text("2 of 2")).to_be_visible()
    press_key(screen, "x")
    expect(screen.text("You decided: left out")).to_be_visible()
    press_key(screen, "z")
    expect(screen.text("You decided: left out")).to_have_count(0)
    assert len(reviews.read(workplace.colours).decisions) == 1
    press_key(screen, "k")
    assert [row["decision"] for row in listed(screen)] == ["relabel", "keep"]

    screen.page.reload()
    screen.settle()
    screen.page.get_by_role("radio", name="Quick check").click()
    screen.settle()
    expect(screen.text("You have decided about 2 of them")).to_be_visible()
    screen.page.get_by_role("radio", name="Many at once").click()
    screen.settle()
    expect(screen.page.get_by_role("option", name="correct")).to_be_visible()
    press_key(screen, "z")
    screen.page.get_by_role("option", name=second["photo"]).press("x")
    expect(screen.page.get_by_role("option", name="left out")).to_be_visible()
    press_key(screen, "z")
    screen.page.get_by_role("option", name=second["photo"]).press("Enter")
    expect(screen.text("2 of 2")).to_be_visible()
    screen.page.get_by_role("radio", name="Many at once").click()
    screen.settle()
    screen.press("Relabel the 1 undecided on this page as suggested")
    assert [decision.action for decision in reviews.read(workplace.colours).decisions] == [RELABEL, RELABEL]
    screen.press("Check again with your decisions")
    expect(screen.text("No label looks wrong")).to_be_visible()

    screen.press("Train again with the corrections")
    expect(screen.text("baseline CNN on colours · corrected labels")).to_be_visible()
    run = next(each for each in workplace.store.runs() if each != before)
    folder, parts = read_split_csv(run.split_file, workplace.colours)
    former, parts_before = read_split_csv(before.split_file, workplace.colours)
    assert dict(zip(folder.paths, parts, strict=True)) == dict(zip(former.paths, parts_before, strict=True))
    assert {path: folder.class_names[folder.labels[folder.paths.index(path)]] for path in FLIPPED} == {
        "blue/swapped.png": "red",
        "red/swapped.png": "blue",
    }
    assert run.recipe_values() == json.loads(before.recipe_file.read_text("utf-8"))
    eventually(lambda: run.read_status().state == FINISHED, f"it was trained:\n{run.log_tail()}")
    screen.follow("Label check")
    screen.press("Compare before and after")
    expect(screen.page.get_by_role("radio", name="Side by side")).to_be_checked()
    expect(screen.text("corrected labels")).to_be_visible()
    assert not screen.problems()


@pytest.fixture
def finished_server(finished_run: FinishedRun) -> Iterator[Server]:
    """A server where one run has finished."""
    started = Server(finished_run.workplace, free_port())
    started.start()
    yield started
    started.kill()


def test_given_labels_are_checked(
    finished_server: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    photos = [*photos_of(finished_run.run, "test"), *photos_of(finished_run.run, "validation")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, path in enumerate(photos):
            label = {"blue": "Blue", "red": "crimson"}[path.parent.name]
            archive.write(path, f"{label}/{number}.png")
        archive.writestr("Blue/broken.png", b"<html>")
    screen = new_screen(finished_server)
    screen.open("/label_check")
    screen.page.get_by_role("radio", name="Photos with given labels").click()
    screen.settle()
    sent: list[FilePayload] = [
        {"name": "labels.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()},
        {"name": "alone.png", "mimeType": "image/png", "buffer": photos[0].read_bytes()},
    ]
    screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sent)
    expect(screen.text("1 left out, with reasons")).to_be_visible()
    reds = sum(path.parent.name == "red" for path in photos)
    expect(screen.text(f"{reds} photos have labels that the model does not know.")).to_be_visible()
    expect(screen.text(f"{reds + 1} without a label")).to_be_visible()
    for question, answer in (("“crimson”", "red"), ("What is the photo without a label?", photos[0].parent.name)):
        field = screen.page.get_by_role("combobox", name=question)
        field.click()
        screen.page.get_by_role("option", name=answer, exact=True).click()
        screen.settle()
    rows = listed(screen)
    assert len(rows) == len(photos) + 1
    counts = Counter(row["verdict"] for row in rows)
    expect(
        screen.text(f"{counts['agree']} agree, {counts['disagree']} disagree, {counts['unsure']} unsure")
    ).to_be_visible()
    of_blue = [row for row in rows if row["sent label"] == "Blue"]
    assert {row["given label"] for row in of_blue} == {"blue"}
    assert {row["given label"] for row in rows if row["sent label"] == "crimson"} == {"red"}
    assert not screen.problems()
