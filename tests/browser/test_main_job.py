"""A person's first quarter of an hour, by clicking: a folder of photos, a trained model, a prediction."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.recipe.run_recipe import read_recipe
from core.runs.store import RUNNING, STOPPED, Run
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import FinishedRun, Workplace, eventually

MARK_CHARTS = """() => {
    const nodes = document.querySelectorAll('[data-testid=stVegaLiteChart] :is(svg, canvas)');
    nodes.forEach(node => { node.dataset.seen = 'yes'; });
    return nodes.length;
}"""
COUNT_MARKED = "() => document.querySelectorAll('[data-seen=yes]').length"


def test_from_a_folder_to_a_prediction(server: Server, new_screen: Callable[..., Screen], tmp_path: Path) -> None:
    screen = new_screen(server)
    page = screen.page
    screen.open("/")
    screen.press("Choose a folder")
    page.get_by_label("Folder with one subfolder for each class", exact=True).fill(str(server.workplace.colours))
    screen.press("Open the folder")
    expect(screen.text("22 for training")).to_be_visible()
    expect(screen.text("6 for the test")).to_be_visible()

    screen.press("Train on these 30 photos")
    screen.by_epochs()
    expect(page.get_by_label("Variant", exact=True)).to_have_value("EfficientNet-Lite0 · 224 px")
    screen.endless()
    screen.press("Start training")
    [run] = server.workplace.store.runs()
    assert f"run={run.id}" in page.url

    expect(screen.text("Training the head")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    page.get_by_text("Loss, learning rate and speed").click()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4)
    eventually(lambda: any("val_loss" in row for row in run.read_metrics()), "an epoch has ended")
    page.wait_for_timeout(1500)
    charts = page.evaluate(MARK_CHARTS)
    assert charts == 4
    seen = len(run.read_metrics())
    eventually(lambda: len(run.read_metrics()) > seen + 10, "more was measured")
    page.wait_for_timeout(1500)
    assert page.evaluate(COUNT_MARKED) == charts, "the charts were replaced, not updated"
    expect(page.locator(".uf-flips figure")).to_have_count(2)
    expect(page.get_by_role("img", name="only the head learns")).to_be_visible()

    page.reload()
    screen.settle()
    expect(screen.text("Training the head")).to_be_visible()

    before_stop = len(run.read_metrics())
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    assert run.read_status().state == STOPPED
    assert len(run.read_metrics()) - before_stop < 20
    assert float(page.get_by_test_id("test-accuracy").inner_text().rstrip(" %").lstrip("> ")) > 80

    screen.press("Try a photo")
    broken = tmp_path / "page.jpg"
    broken.write_text("<html>not a photo</html>")
    red = server.workplace.colours / "red" / "00.png"
    screen.send_photos([red, broken])
    expect(page.get_by_role("heading", name="red")).to_be_visible()
    expect(screen.text("1 of 2 files could not be used.")).to_be_visible()
    screen.settle()
    screen.unfold("1 photo: red × 1")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the predictions (CSV)").click()
    with Path(download.value.path()).open(encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert row["photo"] == "00.png"
    assert row["predicted class"] == "red"
    assert abs(float(row["red"]) + float(row["blue"]) - 1) < 1e-3
    assert not screen.problems()


@pytest.mark.thorough
def test_so_many_minutes_with_a_trainer_that_waits(workplace: Workplace, new_screen: Callable[..., Screen]) -> None:
    server = Server(workplace, free_port(), {"UNFREEZE_WARM": "1"}, afresh=True)
    server.start()
    try:
        screen = new_screen(server)
        screen.open(f"/train?dataset={workplace.colours}")
        screen.by_epochs()
        expect(screen.text("The frozen layers run once for each of 4 versions of each photo")).to_be_visible()
        screen.choose_length("5 min")
        expect(screen.text("EfficientNet-Lite0, the last 3 of 9 blocks learn")).to_be_visible()
        screen.unfold("Change how it learns")
        screen.page.get_by_label("Minutes, counted from pressing Start", exact=True).fill("3")
        screen.page.get_by_label("Minutes, counted from pressing Start", exact=True).press("Enter")
        expect(screen.page.get_by_role("radio", name="3 min")).to_be_checked()
        screen.settle()
        screen.press("Start training")
        expect(screen.text("Linear probe")).to_be_visible()
        expect(screen.text("accuracy on the test photos")).to_be_visible()
        [run] = workplace.store.runs()
        recipe, status = read_recipe(run), run.read_status()
        assert (recipe.minutes, recipe.backbone) == (3, "efficientnet-lite0")
        assert status.epochs >= 3 and (status.first_training, status.first_validation) == (22, 2)
        assert not screen.problems()
    finally:
        server.kill()


def test_the_sample_is_one_click_away(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    screen.open("/")
    screen.press("Use the digits")
    expect(screen.text("1,797")).to_be_visible()
    assert "dataset=" in screen.page.url
    screen.page.reload()
    screen.settle()
    expect(screen.text("1,797")).to_be_visible()
    assert not screen.problems()


@pytest.mark.thorough
def test_random_weights_only_by_choice_and_marked(
    server: Server, finished_run: FinishedRun, new_screen: Callable[..., Screen]
) -> None:
    place = server.workplace
    done = Run(place.store.root / finished_run.run.id)
    shutil.copytree(finished_run.run.folder, done.folder)
    values = done.recipe_values() | {"backbone": "mobilenetv2", "weights": "random", "dataset": str(place.colours)}
    done.recipe_file.write_text(json.dumps(values), "utf-8")
    screen = new_screen(server)
    page = screen.page
    screen.open(f"/train?dataset={server.workplace.colours}")
    screen.by_epochs()
    page.get_by_label("Variant", exact=True).click()
    page.get_by_role("option", name="MobileNetV2 · 224 px").click()
    screen.settle()
    expect(screen.text("No weights for MobileNetV2")).to_be_visible()
    page.get_by_text("Start from random weights instead").click()
    screen.settle()
    page.get_by_label("Epochs for the head", exact=True).fill("1")
    page.get_by_label("Epochs for the head", exact=True).press("Enter")
    page.get_by_label("Epochs for fine-tuning", exact=True).fill("0")
    page.get_by_label("Epochs for fine-tuning", exact=True).press("Enter")
    screen.settle()
    screen.press("Start training")
    [run] = [each for each in place.store.runs() if each != done]
    expect(screen.text("random weights")).to_be_visible()
    assert run.recipe_values()["weights"] == "random"
    run.request_stop()
    screen.open(f"/train?run={done.id}")
    expect(screen.text("random weights")).to_be_visible()
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    expect(screen.text("Accuracy – from random weights")).to_be_visible()
    screen.press("Try a photo")
    expect(screen.text("random weights")).to_be_visible()


def test_a_run_survives_tab_browser_and_server(server: Server, new_screen: Callable[..., Screen]) -> None:
    first = new_screen(server)
    first.open(f"/train?dataset={server.workplace.colours}")
    first.by_epochs()
    first.endless()
    first.press("Start training")
    [run] = server.workplace.store.runs()
    eventually(lambda: bool(run.read_metrics()), "training began")
    address = first.page.url.removeprefix(server.address)
    first.page.close()

    server.kill()
    seen = len(run.read_metrics())
    eventually(lambda: len(run.read_metrics()) > seen, "training goes on without a server")
    server.start()
    assert run.read_status().state == RUNNING

    second = new_screen(server, width=400, dark=True)
    second.open(address)
    expect(second.text("Training the head")).to_be_visible()
    expect(second.page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    assert not second.problems()
    second.open("/train")
    second.press("Show it")
    expect(second.text("Training the head")).to_be_visible()
    second.page.get_by_role("button", name="Stop", exact=True).click()
    expect(second.text("accuracy on the test photos")).to_be_visible()
