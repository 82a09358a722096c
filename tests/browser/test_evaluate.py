"""The Evaluate page on a run of the real trainer, and on what former versions and lost files leave of one."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from playwright.sync_api import Locator, expect

from core.data.subsets import SUBSETS, VALIDATION
from core.evaluation.run_results import evaluation
from core.evaluation.training_dynamics import read_training_dynamics
from core.models.serving import ACTIVATION_MAPS, GRAPH
from core.runs.embeddings import read_embeddings
from core.runs.store import Label, Run
from tests.browser.accessibility import barriers
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun, Workplace, eventually, photos_of, write_colours

NARROW = 400


@pytest.fixture(scope="module")
def evaluated(finished_run: FinishedRun) -> Iterator[Server]:
    """A server where a run has finished; tests must not change it."""
    started = Server(finished_run.workplace, free_port())
    started.start()
    yield started
    started.kill()


def show(screen: Screen, name: str) -> None:
    begins = re.compile(f"^{re.escape(name)}")  # "Map" is in "Heat maps"
    screen.page.get_by_test_id("stMain").get_by_role("radio", name=begins).first.click()
    screen.settle()


def choose(screen: Screen, label: str, value: str) -> None:
    """Choose from a list with the keyboard alone."""
    field = screen.page.get_by_label(label, exact=True)
    field.focus()
    field.fill(value)
    field.press("Enter")
    screen.settle()


def photos(screen: Screen) -> Locator:
    """The photos of a section that can be opened."""
    return screen.page.get_by_test_id("stMain").locator(".cell img")


def sentence(count: int, part: str, label: str, taken_for: str) -> str:
    """How the page says what a cell holds."""
    noun, verb = (f"{part} photo", "is") if count == 1 else (f"{part} photos", "are")
    what = "recognised" if label == taken_for else f"predicted as {taken_for}"
    return f"{count} {noun} of {label} {verb} {what}."


def test_a_cell_of_the_confusion_matrix_opens_its_photos_by_click_and_by_keyboard(
    evaluated: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    found = evaluation(finished_run.run, "test")
    screen = new_screen(evaluated)
    screen.open(f"/evaluate?run={finished_run.run.id}")
    correct = int(found.right.sum())
    expect(screen.text(f"{correct} of {len(found)} test photos are classified correctly.")).to_be_visible()
    show(screen, "Mistakes")
    cells = screen.page.get_by_test_id("stPlotlyChart").locator(".scatterlayer .trace").last.locator("path.point")
    for cell, (label, taken_for) in {0: (0, 0), 3: (1, 1)}.items():
        box = cells.nth(cell).bounding_box()
        assert box is not None
        screen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        screen.settle()
        names = found.class_names[label], found.class_names[taken_for]
        count = int(found.confusion[label, taken_for])
        expect(screen.text(sentence(count, "test", *names))).to_be_visible()
        expect(screen.page.get_by_label("Photos of", exact=True)).to_have_value(names[0])
        expect(photos(screen)).to_have_count(count)
    choose(screen, "predicted as", "blue")
    count = int(found.confusion[1, 0])
    expect(screen.text(sentence(count, "test", "red", "blue"))).to_be_visible()
    expect(photos(screen)).to_have_count(count)
    show(screen, "Least sure")
    expect(photos(screen)).to_have_count(len(found))
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="Download the list (CSV)").click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert lines[0] == "photos of,predicted as blue,predicted as red"
    assert lines[1:] == [",".join([name, *map(str, found.confusion[i])]) for i, name in enumerate(found.class_names)]
    assert not screen.problems()


def test_validation_photos_are_called_so(
    evaluated: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    found = evaluation(finished_run.run, "validation")
    screen = new_screen(evaluated)
    screen.open(f"/evaluate?run={finished_run.run.id}")
    show(screen, "Validation")
    expect(screen.text("these results are slightly optimistic")).to_be_visible()
    expect(screen.text("accuracy on the validation photos")).to_be_visible()
    expect(screen.text(f"{int(found.right.sum())} of {len(found)} validation photos")).to_be_visible()
    show(screen, "Confidence")
    expect(screen.text("the same photos as shown here")).to_be_visible()
    for section in ("Overview", "Mistakes", "Confidence"):
        show(screen, section)
        assert "test photo" not in screen.page.get_by_test_id("stMain").inner_text()
    screen.follow("Try")
    screen.follow("Evaluate")
    expect(screen.text("these results are slightly optimistic")).to_be_visible()
    show(screen, "Training")
    learned = evaluation(finished_run.run, "training")
    expect(
        screen.text(f"{learned.correct} of {len(learned)} training photos are classified correctly.")
    ).to_be_visible()
    expect(screen.text("these results do not tell how good it is with new ones")).to_be_visible()
    expect(screen.page.get_by_text("expect between")).to_have_count(0)
    assert not screen.problems()


def forget_half(folder: Path) -> None:
    """Have the model of a run call every other blue test photo red."""
    with np.load(folder / "test.npz") as file:
        labels, probabilities = file["labels"], file["probabilities"]
    probabilities[np.flatnonzero(labels == 0)[::2]] = (0.1, 0.9)
    np.savez(folder / "test.npz", labels=labels, probabilities=probabilities)


def test_the_answer_comes_first_and_mistakes_have_their_photos_beside_them(
    mistaken: Server, new_screen: Callable[..., Screen]
) -> None:
    [run] = mistaken.workplace.store.runs()
    found = evaluation(run, "test")
    wrong = found.in_cell(0, 1)
    screen = new_screen(mistaken)
    for width, height in ((1280, 720), (NARROW, 800)):
        screen.page.set_viewport_size({"width": width, "height": height})
        screen.open(f"/evaluate?run={run.id}")
        places = [
            screen.page.get_by_label("Model", exact=True),
            screen.page.get_by_test_id("accuracy"),
            screen.page.get_by_role("radio", name="Mistakes"),
            screen.page.get_by_role("heading", name="Most frequent mistakes"),
        ]
        tops = [box["y"] for place in places if (box := place.bounding_box())]
        assert len(tops) == len(places) and tops == sorted(tops)
        assert tops[1] + 60 < height / 2, "the answer is in the upper half"
        for section in ("Overview", "Mistakes"):
            show(screen, section)
            mistake = screen.page.locator(".st-key-mistake-1")
            expect(mistake.get_by_text(f"{len(wrong)} of ")).to_contain_text("of blue are predicted as red.")
            shown = mistake.get_by_role("img")
            expect(shown).to_have_count(min(len(wrong), 4 if section == "Overview" else 3))
            expect(shown.first).to_have_attribute("alt", found.paths[wrong[0]])
            assert not screen.problems()
            assert not barriers(screen.page)


def test_any_photo_leads_to_where_the_model_looks(
    evaluated: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    found = evaluation(finished_run.run, "test")
    screen = new_screen(evaluated, NARROW, dark=True)
    screen.open(f"/evaluate?run={finished_run.run.id}")
    show(screen, "Mistakes")
    show(screen, "Least sure")
    path = found.paths[found.least_sure()[0]]
    screen.page.get_by_role("group", name="Least sure").get_by_role("button").first.press("Enter")
    expect(screen.page.get_by_role("img", name=f"{path} as the model sees it")).to_be_visible()
    heat = screen.page.get_by_role("img", name=f"Heat map of {path}")
    first = heat.get_attribute("src")
    closely = screen.page.get_by_role("dialog")
    expect(closely.get_by_text("Verified: the mean of each map is the logit of its class")).to_be_visible()
    other = found.class_names[1 - int(found.predicted[found.least_sure()[0]])]
    choose(screen, "Evidence for", other)
    expect(closely.get_by_text(f"Most of the evidence for {other} is")).to_be_visible()
    assert heat.get_attribute("src") != first
    screen.page.keyboard.press("Escape")
    expect(closely).to_have_count(0)
    expect(screen.page.get_by_role("group", name="Least sure").get_by_role("button", name=path)).to_be_focused()
    show(screen, "Heat maps")
    expect(screen.page.get_by_role("button", name="evidence for")).to_have_count(len(found))
    expect(screen.text("Verified: the mean of each map is the logit of its class")).to_be_visible()
    assert not screen.problems()


@pytest.mark.thorough
def test_how_photos_were_learned_and_which_lie_together(
    evaluated: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    found = read_training_dynamics(finished_run.run)
    screen = new_screen(evaluated, NARROW, dark=True)
    screen.open(f"/evaluate?run={finished_run.run.id}")
    show(screen, "Training dynamics")
    expect(screen.text("Only validation photos are predicted during training")).to_be_visible()
    expect(screen.page.get_by_role("radio", name="Test", exact=True)).to_have_count(0)
    expect(screen.text("accuracy on the validation photos")).to_be_visible()
    expect(screen.text(f"Of {len(found.labels)} validation photos")).to_be_visible()
    never = int((found.learned_at() == len(found.epochs)).sum())
    forgotten = int((found.forgotten() > 0).sum())
    for name, count in (("Never learned", never), ("Forgotten", forgotten)):
        show(screen, f"{name} ({count})")
        expect(photos(screen)).to_have_count(count)
    show(screen, "Map")
    expect(screen.page.get_by_role("radio", name="Test", exact=True)).to_be_checked()
    points = screen.page.get_by_test_id("stVegaLiteChart").locator(".mark-symbol.role-mark path")
    tested = read_embeddings(finished_run.run).of(SUBSETS.index("test"))
    expect(points).to_have_count(len(tested))
    points.nth(2).hover()
    expect(screen.page.locator("#vg-tooltip-element img")).to_be_visible()
    points.nth(2).click()
    screen.settle()
    expect(screen.text("Selected on the map:")).to_be_visible()
    expect(screen.page.get_by_role("group", name="Selected on the map").get_by_role("button")).to_have_count(1)
    expect(screen.page.get_by_role("button", name=tested.paths[2]).first).to_be_visible()
    assert not screen.problems()


def forget_maps(folder: Path) -> None:
    """Take from a graph what those of former versions did not have."""
    graph = ov.Core().read_model(folder / GRAPH)
    kept = [result for result in graph.get_results() if ACTIVATION_MAPS not in result.get_output_tensor(0).get_names()]
    ov.save_model(ov.Model(kept, graph.get_parameters()), folder / "new.xml", compress_to_fp16=False)
    for ending in (".xml", ".bin"):
        (folder / "new").with_suffix(ending).replace((folder / GRAPH).with_suffix(ending))


@pytest.fixture
def mistaken(finished_run: FinishedRun, tmp_path: Path) -> Iterator[Server]:
    """A server with a run whose model is often wrong about blue photos."""
    old = finished_run.workplace
    place = Workplace(tmp_path / "home", old.colours)
    shutil.copytree(finished_run.run.folder, forgotten := place.store.root / finished_run.run.id)
    forget_half(forgotten)
    started = Server(place, free_port())
    started.start()
    yield started
    started.kill()


@pytest.mark.thorough
def test_photos_from_elsewhere_are_evaluated_and_a_person_says_which_class_is_meant(
    mistaken: Server, new_screen: Callable[..., Screen], tmp_path: Path
) -> None:
    place = mistaken.workplace
    others = write_colours(tmp_path / "sent", per_class=3, side=48)
    (others / "red").rename(others / "rouge")
    (others / "blue" / "broken.jpg").write_bytes(b"text")
    [run] = place.store.runs()
    shutil.copy(photos_of(run, "training")[0], others / "blue" / "learned.png")
    screen = new_screen(mistaken)
    screen.open(f"/evaluate?run={run.id}")
    show(screen, "Other photos")
    screen.page.get_by_role("tab", name="ZIP file").click()
    packed = shutil.make_archive(str(tmp_path / "mine"), "zip", others)
    screen.page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(packed)
    expect(screen.text("3 photos of class rouge: the model does not know it.")).to_be_visible(timeout=60_000)
    screen.settle()
    expect(screen.text("1 photo is left out: 1 of the training and 0 of the validation")).to_be_visible()
    expect(screen.text("of 3 photos of mine, not from this dataset, are classified correctly.")).to_be_visible()
    expect(screen.text("1 file could not be used: reasons")).to_be_visible()
    choose(screen, "“rouge” means", "red")
    expect(screen.text("of 6 photos of mine, not from this dataset, are classified correctly.")).to_be_visible()
    expect(screen.page.get_by_text("the model does not know it")).to_have_count(0)
    for section in ("Mistakes", "Confidence", "Heat maps"):
        show(screen, section)
        expect(screen.text("accuracy on the other photos")).to_be_visible()
        assert not screen.problems()
    expect(screen.page.get_by_role("button", name="evidence for")).to_have_count(6)
    show(screen, "Map")
    expect(screen.text("The map shows the run's own photos.")).to_be_visible()
    for _ in screen.looks():
        show(screen, "Mistakes")
        assert not screen.problems()
        assert not barriers(screen.page)
    screen.open(f"/evaluate?run={run.id}")
    show(screen, "Other photos")
    expect(screen.text("of 6 photos of mine, not from this dataset")).to_be_visible()
    screen.press("Other photos…")
    screen.page.get_by_label("Folder with one subfolder for each class", exact=True).fill(str(place.colours))
    screen.page.get_by_role("button", name="Open the folder").click()
    expect(screen.text("photos are also among the test photos of this run")).to_be_visible(timeout=60_000)
    screen.settle()
    assert not screen.problems()


@pytest.fixture
def bereft(finished_run: FinishedRun, tmp_path: Path) -> Iterator[Server]:
    """A server with a complete run, and one without test part, history, embeddings, maps and one of its photos."""
    old = finished_run.workplace
    shutil.copytree(old.home, tmp_path / "home")
    shutil.copytree(old.colours, tmp_path / "photos" / "colours")
    place = Workplace(tmp_path / "home", tmp_path / "photos" / "colours")
    [run] = place.store.runs()
    run.recipe_file.write_text(
        run.recipe_file.read_text("utf-8").replace(str(old.colours), str(place.colours)), "utf-8"
    )
    other = Run(run.folder.with_name("20200101-000000-abcd"))
    shutil.copytree(run.folder, other.folder)
    other.write_label(Label("another run"))
    shutil.rmtree(run.timeline_folder)
    run.embeddings_file.unlink()
    run.predictions_file("test").unlink()
    (place.colours / evaluation(run, "validation").paths[0]).unlink()
    forget_maps(run.serving_folder)
    started = Server(place, free_port())
    started.start()
    yield started
    started.kill()


@pytest.mark.thorough
def test_what_is_lost_is_said_and_the_rest_works(bereft: Server, new_screen: Callable[..., Screen]) -> None:
    run, other = bereft.workplace.store.runs()
    found = evaluation(run, "validation")
    screen = new_screen(bereft)
    screen.open(f"/evaluate?run={run.id}")
    expect(screen.text("has not been evaluated on its test photos")).to_be_visible()
    show(screen, "Validation")
    expect(screen.text("accuracy on the validation photos")).to_be_visible()
    show(screen, "Mistakes")
    show(screen, "Least sure")
    expect(screen.page.locator(".gone")).to_have_text("the file is no longer there")
    expect(photos(screen)).to_have_count(len(found) - 1)
    show(screen, "Heat maps")
    expect(screen.text("No longer readable:")).to_be_visible()
    expect(screen.text("whose models have no heat maps")).to_be_visible()
    expect(photos(screen)).to_have_count(len(found) - 1)
    show(screen, "Training dynamics")
    expect(screen.text("This run has no history of its predictions")).to_be_visible()
    show(screen, "Map")
    eventually(run.embeddings_file.exists, "the photos were looked at once more")
    points = screen.page.get_by_test_id("stVegaLiteChart").locator(".mark-symbol.role-mark path")
    expect(points).to_have_count(len(read_embeddings(run).of(VALIDATION)))
    assert np.unique(read_embeddings(run).parts).size == 3
    choose(screen, "Model", "another run")
    screen.until(lambda: f"run={other.id}" in screen.page.url, "the other run is in the address")
    screen.page.reload()
    screen.settle()
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    assert not screen.problems()
