"""The Train page: what can be chosen, and that it arrives in the recipe."""

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.data.split import assign_subsets, read_split_csv
from core.models.backbones import backbone
from core.models.build import build_model
from core.models.heads import Head
from core.models.weights import look_up
from core.recipe.recipe import Recipe, default_recipe
from core.runs.store import FINISHED, Label, Run, Status
from core.training.callbacks import save_model
from tests.browser.conftest import Screen, Server
from tests.conftest import Workplace, write_colours

LITE = backbone("efficientnet-lite0")
GROUPS = ("Learning rate", "Regularisation", "Head", "Epochs", "Unfreezing", "Seeds", "Logs")


def usual(workplace: Workplace, minutes: int = 0) -> Recipe:
    """What the page offers at first, with so many minutes; or once “By epochs” was chosen and nothing else."""
    folder = workplace.folder()
    training = int((assign_subsets(folder.labels, seed=0) == 0).sum())
    return replace(default_recipe(folder, training, LITE), minutes=minutes)


def open_train(screen: Screen) -> None:
    screen.open(f"/train?dataset={screen.server.workplace.colours}")
    screen.by_epochs()
    expect(screen.text("What it takes")).to_be_visible()


def go_to(screen: Screen, group: str) -> None:
    screen.page.get_by_role("tab", name=group, exact=True).click()
    screen.settle()


def fill(screen: Screen, label: str, value: Any) -> None:
    field = screen.page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    screen.settle()


def choose(screen: Screen, *options: str) -> None:
    for option in options:
        screen.page.get_by_role("radio", name=option, exact=True).click()
        screen.settle()


def switch(screen: Screen, *labels: str) -> None:
    for label in labels:
        screen.page.get_by_test_id("stMain").get_by_text(label, exact=True).click()
        screen.settle()


def saved_recipe(screen: Screen) -> Recipe:
    """What the page would start, from its download."""
    popover = screen.page.get_by_role("button", name="Recipe", exact=True)
    popover.click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="Download (JSON)").click()
    screen.page.keyboard.press("Escape")
    screen.settle()
    return Recipe.from_json(Path(download.value.path()).read_text("utf-8"))


def test_changing_nothing_starts_the_default_recipe(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    screen.open(f"/train?dataset={server.workplace.colours}")
    expect(screen.page.get_by_role("radio", name="5 min")).to_be_checked()
    expect(screen.page.get_by_role("button", name="Reset to the defaults")).to_be_hidden()
    expect(screen.text("Start training")).to_be_visible()
    screen.unfold("Change how it learns")
    expect(screen.page.get_by_role("button", name="Reset to the defaults")).to_be_disabled()
    expect(screen.page.get_by_role("tab", name="Regularisation")).to_be_hidden()
    assert saved_recipe(screen) == usual(server.workplace, 5)
    screen.by_epochs()
    assert saved_recipe(screen) == usual(server.workplace)
    screen.press("Reset to the defaults")
    screen.press("Start training")
    [run] = server.workplace.store.runs()
    assert Recipe.from_values(run.recipe_values()) == usual(server.workplace, 5)
    run.request_stop()


@pytest.mark.thorough
def test_every_choice_of_the_expert_section_arrives(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    open_train(screen)
    screen.unfold("Expert")
    expect(screen.page.get_by_label("Momentum", exact=True)).to_have_count(0)
    choose(screen, "SGD", "On a plateau")
    for label, value in (
        ("Momentum", 0.5),
        ("Learning rate, head", 0.02),
        ("Learning rate, fine-tuning", 0.0003),
        ("Patience", 4),
        ("Factor", 0.5),
        ("Warm-up, epochs", 0.5),
    ):
        fill(screen, label, value)
    go_to(screen, "Regularisation")
    for label, value in (
        ("Label smoothing", 0.1),
        ("Mixup α", 0.2),
        ("CutMix α", 1),
        ("Drop-connect", 0.3),
        ("Moving average of weights", 0.99),
    ):
        fill(screen, label, value)
    expect(screen.text("MixUp and CutMix blend other photos in every epoch")).to_be_visible()
    go_to(screen, "Head")
    choose(screen, "Flatten")
    switch(screen, "BatchNorm")
    fill(screen, "Dropout", 0.4)
    width = 7 * 7 * 1280
    expect(screen.text(f"This head has {(4 * width + (width + 1) * 2) / 1000:.0f} k parameters.")).to_be_visible()
    go_to(screen, "Epochs")
    for label, value in (
        ("Batch size", 4),
        ("Steps per epoch", 5),
        ("Validate every … steps", 3),
        ("Early stopping", 6),
    ):
        fill(screen, label, value)
    switch(screen, "Shuffle")
    go_to(screen, "Unfreezing")
    switch(screen, "Gradual unfreezing")
    fill(screen, "Cached versions of each photo", 2)
    go_to(screen, "Seeds")
    fill(screen, "Seed", 5)
    fill(screen, "Split seed", 6)
    go_to(screen, "Logs")
    expect(screen.text("tensorboard --logdir")).to_be_visible()
    switch(screen, "Write logs for TensorBoard")
    wanted = replace(
        usual(server.workplace),
        optimizer="sgd",
        momentum=0.5,
        schedule="plateau",
        head_learning_rate=0.02,
        fine_tune_learning_rate=0.0003,
        plateau_patience=4,
        plateau_factor=0.5,
        warm_up_epochs=0.5,
        label_smoothing=0.1,
        mixup=0.2,
        cutmix=1.0,
        drop_connect=0.3,
        ema=0.99,
        pooling="flatten",
        head_batch_norm=True,
        dropout=0.4,
        batch_size=4,
        steps_per_epoch=5,
        validate_every=3,
        early_stopping=6,
        shuffle=False,
        gradual=True,
        views=2,
        seed=5,
        split_seed=6,
        tensorboard=False,
    )
    plain = usual(server.workplace)
    differing = [name for name, value in asdict(wanted).items() if value != asdict(plain)[name]]
    expect(screen.text(f"Expert · {len(differing)} changes")).to_be_visible()
    expect(screen.text("Fine-tuning from top_conv")).to_be_visible()
    screen.press("Start training")
    [run] = server.workplace.store.runs()
    assert Recipe.from_values(run.recipe_values()) == wanted
    run.request_stop()


def test_a_class_is_left_out_of_a_run(server: Server, new_screen: Callable[..., Screen]) -> None:
    photos = server.workplace.colours.parent / "three"
    write_colours(photos)
    shutil.copytree(server.workplace.colours / "red", photos / "green")
    for file in (photos / "green").iterdir():
        with Image.open(file) as image:
            red, green, blue = image.convert("RGB").split()
        Image.merge("RGB", (green, red, blue)).save(file)
    screen = new_screen(server)
    screen.open(f"/train?dataset={photos}")
    screen.unfold("Change how it learns")
    expect(screen.text("45 photos in 3 classes")).to_be_visible()
    field = screen.page.get_by_role("combobox", name="Classes to leave out")
    screen.settle()
    field.click()
    field.press("ArrowDown")
    field.press("Enter")
    field.press("Tab")
    screen.settle()
    expect(screen.text("30 photos in 2 classes · without blue")).to_be_visible()
    assert saved_recipe(screen).without_classes == ("blue",)
    screen.press("Start training")
    [run] = server.workplace.store.runs()
    folder, _ = read_split_csv(run.split_file, photos)
    assert folder.class_names == ("green", "red") and run.recipe_values()["without_classes"] == ["blue"]
    run.request_stop()
    assert (photos / "blue").is_dir() and not screen.problems()


@pytest.mark.thorough
def test_choices_survive_other_pages_and_go_back_to_the_defaults(
    idle_server: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(idle_server)
    open_train(screen)
    screen.unfold("Expert")
    choose(screen, "AdamW")
    fill(screen, "Weight decay", 0.01)
    fill(screen, "Epochs for the head", 9)
    expect(screen.text("Expert · 2 changes")).to_be_visible()
    screen.follow("Change them")
    screen.press("Train with these")
    expect(screen.text("Expert · 2 changes")).to_be_visible()
    found = saved_recipe(screen)
    assert (found.optimizer, found.weight_decay, found.head_epochs) == ("adamw", 0.01, 9)
    screen.press("Reset to the defaults")
    screen.unfold("Change how it learns")
    assert saved_recipe(screen) == usual(idle_server.workplace, 5)
    assert not screen.problems()


@pytest.mark.thorough
def test_a_layer_within_the_block_and_the_diagram(idle_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(idle_server)
    open_train(screen)
    page = screen.page
    expect(page.locator(".uf-arch")).to_have_count(0)
    screen.unfold("Every layer")
    expect(page.locator(".uf-arch")).to_be_visible()
    assert page.locator(".uf-part").count() == len(LITE.blocks) + 1
    expect(page.locator(".uf-part.uf-learns")).to_have_count(4)
    expect(page.get_by_text("block6c_expand_conv")).to_be_hidden()
    screen.unfold("Expert")
    go_to(screen, "Unfreezing")
    switch(screen, "Start within block6")
    page.get_by_label("First trainable layer", exact=True).click()
    page.keyboard.type("block6c_expand_conv")
    page.keyboard.press("Enter")
    screen.settle()
    expect(page.locator(".uf-part.uf-partly")).to_have_count(1)
    expect(screen.text("trainable from block6c_expand_conv on")).to_be_visible()
    page.locator(".uf-partly > summary").click()
    page.locator(".uf-partly .uf-group > summary").nth(2).click()
    expect(page.locator("li", has_text="block6c_expand_conv").first).to_be_visible()
    expect(page.locator(".block.partly")).to_have_count(1)
    expect(screen.text("Expert · 1 change")).to_be_visible()
    found = saved_recipe(screen)
    assert (found.unfreeze_point, found.unfreeze_layer) == ("block6", "block6c_expand_conv")
    assert not screen.problems()


def taken(screen: Screen) -> None:
    """Wait until the server has taken over where the border is."""
    expect(screen.page.locator(".uf-network[aria-busy=false]")).to_be_visible()
    screen.settle()


def test_the_border_is_moved_by_keys_and_dragged(idle_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(idle_server, width=400)
    open_train(screen)
    border = screen.page.get_by_role("slider", name="Border between frozen and trainable blocks")
    expect(border).to_have_attribute("aria-valuenow", "6")
    for key, frozen, point in (
        ("ArrowLeft", 5, "block5"),
        ("ArrowRight", 6, "block6"),
        ("End", 9, "none"),
        ("Home", 0, "all"),
    ):
        border.press(key)
        taken(screen)
        expect(border).to_have_attribute("aria-valuenow", str(frozen))
        expect(border).to_be_focused()
        assert saved_recipe(screen).unfreeze_point == point
        border.focus()
    for _ in range(4):
        border.press("ArrowRight")
    taken(screen)
    assert saved_recipe(screen).unfreeze_point == "block4", "keys pressed quickly one after the other all count"
    border.hover()
    screen.page.mouse.down()
    box = screen.page.locator(".block").nth(7).bounding_box()
    assert box
    screen.page.mouse.move(box["x"] + 1, box["y"] + 20, steps=3)
    expect(border).to_have_attribute("aria-valuetext", re.compile("^learns from block7 on: .* learn, .* stay frozen$"))
    screen.page.mouse.up()
    taken(screen)
    screen.follow("Change them")
    screen.press("Train with these")
    expect(border).to_have_attribute("aria-valuenow", "7")
    assert saved_recipe(screen).unfreeze_point == "block7"
    screen.press("Reset to the defaults")
    screen.by_epochs()
    expect(border).to_have_attribute("aria-valuenow", "6")
    assert not screen.problems()


def test_what_makes_no_sense_is_not_offered(idle_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(idle_server)
    open_train(screen)
    screen.page.get_by_label("Variant", exact=True).click()
    screen.page.get_by_role("option", name=re.compile("^Baseline CNN · ")).click()
    screen.settle()
    screen.unfold("Expert")
    expect(screen.page.get_by_label("Learning rate, from scratch", exact=True)).to_be_visible()
    expect(screen.page.get_by_label("Learning rate, head", exact=True)).to_have_count(0)
    go_to(screen, "Regularisation")
    expect(screen.page.get_by_label("Drop-connect", exact=True)).to_have_count(0)
    expect(screen.text("Baseline CNN has no blocks that can be skipped")).to_be_visible()
    go_to(screen, "Unfreezing")
    expect(screen.text("Everything is trained from the start")).to_be_visible()
    expect(screen.page.get_by_role("switch", name="Gradual unfreezing")).to_have_count(0)


@pytest.mark.thorough
def test_recipes_are_saved_loaded_and_brought(
    server: Server, new_screen: Callable[..., Screen], tmp_path: Path
) -> None:
    screen = new_screen(server)
    open_train(screen)
    page = screen.page
    screen.unfold("Expert")
    choose(screen, "RMSprop")
    fill(screen, "Epochs for fine-tuning", 0)
    page.get_by_role("button", name="Recipe", exact=True).click()
    fill(screen, "Name", "quick one")
    screen.press("Save")
    expect(page.get_by_text("Saved as “quick one”.")).to_be_visible()
    screen.press("Save")
    expect(page.get_by_text("There is a recipe called “quick one” already")).to_be_visible()
    page.keyboard.press("Escape")
    kept = saved_recipe(screen)
    assert (kept.optimizer, kept.fine_tune_epochs) == ("rmsprop", 0)

    other = new_screen(server, width=400, dark=True)
    open_train(other)
    other.page.get_by_role("button", name="Recipe", exact=True).click()
    expect(other.page.get_by_label("Saved recipes", exact=True)).to_have_value("quick one")
    other.press("Load")
    expect(other.text("Expert · 1 change")).to_be_visible()
    other.page.keyboard.press("Escape")
    assert saved_recipe(other) == kept
    assert not other.problems()
    other.page.get_by_role("button", name="Recipe", exact=True).click()
    other.press("Delete")
    other.press("Delete for good")
    expect(other.page.get_by_text("Deleted “quick one”.")).to_be_visible()
    expect(other.page.get_by_label("Saved recipes", exact=True)).to_have_count(0)

    file = tmp_path / "brought.json"
    values = json.loads(kept.to_json()) | {"unfreeze_point": "block5", "dataset": "/elsewhere/cats", "seed": 11}
    file.write_text(json.dumps(values), "utf-8")
    page.get_by_role("button", name="Recipe", exact=True).click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    expect(screen.text("It was made for the photos of “cats”")).to_be_visible()
    page.keyboard.press("Escape")
    screen.settle()
    brought = saved_recipe(screen)
    assert brought == replace(kept, unfreeze_point="block5", seed=11)
    file.write_text("[]", "utf-8")
    page.get_by_role("button", name="Recipe", exact=True).click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    expect(page.get_by_text("This is not a recipe")).to_be_visible()
    page.keyboard.press("Escape")
    screen.settle()
    assert saved_recipe(screen) == brought


@pytest.mark.thorough
def test_a_learning_rate_is_found_and_taken_over(server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(server)
    open_train(screen)
    screen.unfold("Expert")
    go_to(screen, "Epochs")
    fill(screen, "Batch size", 4)  # each step is one of so many photos
    go_to(screen, "Learning rate")
    screen.press("Find a learning rate")
    expect(screen.page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    expect(screen.page.get_by_role("button", name="Use", exact=True)).to_be_visible()
    screen.settle()
    screen.press("Use")
    expect(screen.page.get_by_role("button", name="In use", exact=True)).to_be_disabled()
    choose(screen, "AdamW")
    found, before = saved_recipe(screen), usual(server.workplace)
    assert found.optimizer == "adamw"
    rates = ("head_learning_rate", "fine_tune_learning_rate")
    assert any(getattr(found, name) != getattr(before, name) for name in rates)
    assert not screen.problems()


@pytest.mark.thorough
def test_narrow_and_dark_with_everything_open(idle_server: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(idle_server, width=400, dark=True)
    open_train(screen)
    screen.unfold("Every layer")
    expect(screen.page.locator(".uf-arch")).to_be_visible()
    for number in range(len(LITE.blocks)):
        screen.page.locator(".uf-part > summary").nth(number).click()
    screen.unfold("Expert")
    for group in GROUPS:
        go_to(screen, group)
        assert not screen.problems(), group


def finished_untrained(workplace: Workplace, name: str, **choices: Any) -> Run:
    """A run of EfficientNet-Lite0 with a model, as if it had been trained."""
    run = workplace.new_run(**{"backbone": LITE.key, "unfreeze_point": "block7", **choices})
    model = build_model(LITE, Head(), 2, look_up(LITE, workplace.settings))
    save_model(model, run.best_file)
    now = time.time()
    run.write_status(Status(state=FINISHED, created=now, started=now, ended=now))
    run.write_label(Label(name))
    return run


def test_a_finished_run_leads_to_one_that_starts_from_its_model(
    server: Server, new_screen: Callable[..., Screen]
) -> None:
    place = server.workplace
    earlier = finished_untrained(place, "blue & [red](x)", split_seed=0)
    screen = new_screen(server)
    screen.open(f"/train?dataset={place.colours}&run={earlier.id}")
    screen.press("Train on from this model")
    expect(screen.text("so the variant is EfficientNet-Lite0")).to_be_visible()
    screen.by_epochs()
    expect(screen.text("The head knows all 2 classes from that run")).to_be_visible()
    expect(screen.text("Pretrained on ImageNet; the weights are on this computer")).to_have_count(0)
    assert saved_recipe(screen).start_from == earlier.id
    screen.press("Start training")
    [run] = [each for each in place.store.runs() if each.id != earlier.id]
    run.request_stop()
    assert run.start_file.read_bytes() == earlier.best_file.read_bytes()
    words = "It starts from the model of the earlier run blue & [red](x), which knew blue and red."
    expect(screen.text(words)).to_be_visible()
    screen.open(f"/train?dataset={place.colours}&run={earlier.id}")
    screen.press("New run")
    screen.by_epochs()
    expect(screen.page.get_by_label("Start from", exact=True)).to_have_value("Pretrained weights (ImageNet)")
    assert saved_recipe(screen).start_from == ""


def test_photos_that_the_earlier_model_has_learned_from_are_said(
    server: Server, new_screen: Callable[..., Screen]
) -> None:
    place = server.workplace
    earlier = finished_untrained(place, "the *first*")
    run = finished_untrained(place, "second", start_from=earlier.id)
    run.write_status(replace(run.read_status(), test_accuracy=0.5, test_correct=3, test_count=6, seen_test=2))
    screen = new_screen(server)
    screen.open(f"/train?dataset={place.colours}&run={run.id}")
    words = "2 of its test photos were in the training of the *first*: its test accuracy is too good."
    expect(screen.text(words)).to_be_visible()
