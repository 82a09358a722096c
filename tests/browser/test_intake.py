"""Photos come in by ZIP and from a table; what is odd about them is shown, decided and undone."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from core.data.intake import catalogue
from tests.browser.conftest import Screen, Server
from tests.conftest import write_colours

NARROW_DARK = {"width": 400, "dark": True}


def zipped(folder: Path, more: dict[str, bytes]) -> bytes:
    """A folder as a ZIP archive, with more entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder.parent).as_posix())
        for name, content in more.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def view(screen: Screen, name: str) -> None:
    """Switch to one of the views of a dataset."""
    screen.page.get_by_role("radio", name=name).click()
    screen.settle()


def start_small(screen: Screen) -> None:
    """Start training the smallest network."""
    screen.by_epochs()
    screen.page.get_by_label("Variant").click()
    screen.page.get_by_role("option", name="baseline CNN").click()
    screen.settle()
    screen.press("Start training")


def test_a_zip_becomes_a_dataset_with_a_report(server: Server, new_screen: Callable[..., Screen]) -> None:
    content = zipped(server.workplace.colours, {"colours/red/broken.jpg": b"<html>", "../evil.png": b"x"})
    screen = new_screen(server)
    screen.open("/collect")
    screen.page.get_by_text("ZIP file", exact=True).click()
    screen.settle()
    screen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "from a colleague.zip", "mimeType": "application/zip", "buffer": content}
    )
    screen.settle()
    screen.press("Unpack")
    expect(screen.text("Added 30 photos to the dataset from a colleague")).to_be_visible()
    expect(screen.text("2 left out, with reasons")).to_be_visible()
    screen.press("Open the dataset")
    expect(screen.text("Photos per class and subset")).to_be_visible()
    assert "from%20a%20colleague" in screen.page.url or "from+a+colleague" in screen.page.url
    assert not screen.problems()
    assert not list(server.workplace.settings.datasets_folder.glob(".*")), "nothing unfinished is left behind"
    assert not (server.workplace.home / "evil.png").exists()


def test_a_zip_on_this_computer_is_taken_by_its_path(server: Server, new_screen: Callable[..., Screen]) -> None:
    archive = server.workplace.colours.parent / "local.zip"
    archive.write_bytes(zipped(server.workplace.colours, {}))
    screen = new_screen(server, **NARROW_DARK)
    screen.open("/collect")
    screen.page.get_by_text("ZIP file", exact=True).click()
    field = screen.page.get_by_label("Or its path, if the file is on this computer", exact=True)
    for path, words in (("/etc/passwd", "outside the folders"), (str(archive), "Added 30 photos to the dataset local")):
        field.fill(path)
        field.press("Enter")
        screen.settle()
        screen.press("Unpack")
        expect(screen.text(words)).to_be_visible()
    assert archive.exists() and not screen.problems()


def test_a_label_conflict_is_shown_decided_and_undone(server: Server, new_screen: Callable[..., Screen]) -> None:
    colours = server.workplace.colours
    shutil.copy(colours / "blue" / "03.png", colours / "red" / "wrong.png")
    before = {path: path.read_bytes() for path in colours.rglob("*.png")}
    screen = new_screen(server)
    screen.open(f"/?dataset={colours}")
    screen.press("The same photo in two classes · 1")
    expect(screen.text("None of them is used until you choose the right class")).to_be_visible()
    view(screen, "Left out")
    expect(screen.page.get_by_role("radio", name="Left out · 2")).to_be_visible()
    view(screen, "Checks")
    screen.press("It is blue")
    expect(screen.text("No findings")).to_be_visible()
    view(screen, "Left out")
    expect(screen.page.get_by_role("radio", name="Left out · 1")).to_be_visible()
    screen.open(f"/?dataset={colours}")
    view(screen, "Decisions")
    expect(screen.text("wrong.png left out")).to_be_visible()
    screen.page.get_by_role("button", name="Undo").click()
    screen.settle()
    expect(screen.text("There are no decisions yet")).to_be_visible()
    view(screen, "Checks")
    expect(screen.page.get_by_role("button", name="Use none of them")).to_be_visible()
    assert {path: path.read_bytes() for path in colours.rglob("*.png")} == before, "no photo is ever changed"
    assert not screen.problems()


@pytest.mark.thorough
def test_a_photo_is_moved_to_another_class_and_trained_so(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    screen.open(f"/?dataset={server.workplace.colours}")
    view(screen, "Photos")
    screen.page.get_by_role("option").first.click()
    field = screen.page.get_by_role("dialog").get_by_label("Or move it to")
    field.fill("red")
    field.press("Enter")
    screen.settle()
    expect(screen.page.get_by_role("dialog")).to_have_count(0)
    expect(screen.text("moved to red")).to_be_visible()
    screen.follow("Train")
    start_small(screen)
    run = server.workplace.store.runs()[0]
    assert "blue/00.png,red," in run.split_file.read_text("utf-8")


def test_a_flat_folder_with_a_table(server: Server, new_screen: Callable[..., Screen]) -> None:
    flat = server.workplace.colours.parent / "flat"
    flat.mkdir()
    rows = ["picture;sort"]
    for path in sorted(server.workplace.colours.rglob("*.png")):
        name = f"{path.parent.name}{path.name}"
        shutil.copy(path, flat / name)
        rows.append(f"{name};{path.parent.name}")
    (flat / "labels.csv").write_text("\n".join([*rows, "gone.png;red"]), "utf-8")
    screen = new_screen(server)
    screen.open(f"/?dataset={flat}")
    expect(screen.text("This looks like: 2 classes from the table labels.csv")).to_be_visible()
    screen.page.get_by_text("Where the labels come from").click()
    screen.settle()
    expect(screen.page.get_by_label("Column with the classes")).to_have_value("sort")
    screen.page.get_by_role("button", name="Use this").first.click()
    screen.settle()
    expect(screen.text("Photos per class and subset")).to_be_visible()
    view(screen, "Left out")
    expect(screen.text("1 row of labels.csv names a photo that is not in the folder")).to_be_visible()
    screen.open(f"/?dataset={flat}")
    expect(screen.text("Photos per class and subset")).to_be_visible()
    assert not screen.problems()


def test_a_split_that_the_dataset_brings_is_kept(server: Server, new_screen: Callable[..., Screen]) -> None:
    divided = server.workplace.colours.parent / "divided"
    write_colours(divided / "train", per_class=12)
    write_colours(divided / "valid", per_class=3, side=41)
    screen = new_screen(server)
    screen.open(f"/?dataset={divided}")
    expect(screen.text("The dataset has its own split (training, validation), which is kept")).to_be_visible()
    expect(screen.text("There is no test folder")).to_be_visible()
    expect(screen.text("6 for validation")).to_be_visible()
    assert not screen.problems()


def test_a_long_scan_can_be_stopped_and_goes_on(server: Server, new_screen: Callable[..., Screen]) -> None:
    large = server.workplace.colours.parent / "large"
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    for name, turn in (("one", 0), ("two", 1)):
        original = large / name / "0.jpg"
        original.parent.mkdir(parents=True)
        Image.fromarray(np.rot90(pixels, turn)).save(original, quality=85)
        try:
            for number in range(1, 300):
                (large / name / f"{number}.jpg").hardlink_to(original)
        except OSError:
            pytest.skip("files cannot have several names here")
    screen = new_screen(server)
    screen.page.goto(f"{server.address}/?dataset={large}")
    expect(screen.text("Checking every photo")).to_be_visible()
    screen.page.get_by_role("button", name="Stop", exact=True).click()
    expect(screen.text("The scan was stopped")).to_be_visible()
    for path in large.glob("*/??*.jpg"):
        path.unlink()  # what was to be stopped was long, the rest need not be
    screen.page.get_by_role("button", name="Continue", exact=True).click()
    expect(screen.text("Photos per class and subset")).to_be_visible()
    expect(screen.text("Exact copies · 2")).to_be_visible()
    assert not screen.problems()


def test_without_a_connection_the_catalogue_says_so(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    screen.open("/collect")
    screen.page.get_by_text("From the internet", exact=True).click()
    screen.settle()
    if not catalogue.is_installed():
        expect(screen.text("--extra tfds")).to_be_visible()
        return
    screen.press("Download")
    expect(screen.text("UNFREEZE_OFFLINE")).to_be_visible()
    assert not screen.problems()


@pytest.mark.thorough
def test_class_weights_are_offered_and_kept_in_the_recipe(server: Server, new_screen: Callable[..., Screen]) -> None:
    for path in sorted(server.workplace.colours.glob("red/*.png"))[5:]:
        path.unlink()
    screen = new_screen(server)
    screen.open(f"/?dataset={server.workplace.colours}")
    expect(screen.text("3.0 times as many photos as")).to_be_visible()
    screen.page.get_by_text("Give rare classes more weight").click()
    screen.settle()
    screen.press("Train on these 20 photos")
    screen.unfold("Change how it learns")
    expect(screen.page.get_by_role("switch", name="Give rare classes more weight")).to_be_checked()
    start_small(screen)
    run = server.workplace.store.runs()[0]
    assert run.recipe_values()["class_weights"] is True


def test_how_a_folder_is_meant_is_asked_and_classes_are_joined(
    server: Server, new_screen: Callable[..., Screen]
) -> None:
    root = server.workplace.colours.parent / "set"
    for part, blue, side in (("fold_1", "blue", 40), ("fold_2", "Blue", 41)):
        write_colours(root / part, per_class=6, side=side)
        (root / part / "blue").rename(root / part / blue)
    screen = new_screen(server, **NARROW_DARK)
    screen.open(f"/?dataset={root}")
    expect(screen.text("This looks like: 3 classes in 2 parts")).to_be_visible()
    expect(screen.page.get_by_test_id("stCode").first).to_contain_text("├ blue")
    screen.page.get_by_role("button", name="Use this").first.click()
    screen.settle()
    expect(screen.text("Read as 3 classes in 2 parts")).to_be_visible()
    screen.page.get_by_text("Classes with nearly the same name · 1").click()
    screen.settle()
    screen.page.get_by_role("button", name="Join with").click()
    screen.settle()
    expect(screen.text("Last decision: 6 photos moved to")).to_be_visible()
    assert not screen.problems()
