"""The Compare page: runs that have finished, and a small real series from the click to the sentence."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from core.data.split import assign_subsets, read_split_csv
from core.data.subsets import SUBSETS, TRAINING
from core.recipe import sweeps
from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.runs.queue import Queue
from core.runs.store import FAILED, FINISHED, Label, Run
from core.training.launch import create_run, enqueue
from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import LONG, Workplace, eventually, write_colours


def finished_by_hand(
    place: Workplace, recipe: Recipe, label: Label, validation: float, test: float, created: float
) -> Run:
    """A run as a trainer leaves it, with about these accuracies; which photos it is wrong about is left to chance."""
    folder = place.folder()
    parts = assign_subsets(folder.labels, seed=recipe.split_seed)
    run = create_run(place.store, recipe, folder, parts, label)
    random = np.random.default_rng(int(created))
    right: dict[str, int] = {}
    for part, accuracy in (("validation", validation), ("test", test)):
        labels = folder.labels[parts == SUBSETS.index(part)]
        wrong = np.zeros(len(labels), bool)
        wrong[random.permutation(len(labels))[: round((1 - accuracy) * len(labels))]] = True
        np.savez(run.predictions_file(part), probabilities=np.eye(2, dtype=np.float32)[labels ^ wrong], labels=labels)
        right[part] = int((~wrong).sum())
    epochs = sweeps.epochs_of(recipe)
    for epoch in range(1, epochs + 1):
        share = 1 - 0.6**epoch
        reached = 0.5 + (validation - 0.5) * share + float(random.normal(0, 0.01))
        where = {"phase": "head", "epoch": epoch, "step": 1, "position": epoch, "partial": False, "seconds": 1}
        values = {"learning_rate": 0.1, "val_loss": 1.2 - reached, "val_accuracy": reached}
        run.append_metrics({**where, **values})
    tested = int((parts == SUBSETS.index("test")).sum())
    run.write_status(
        replace(
            run.read_status(),
            state=FINISHED,
            created=created,
            started=created,
            ended=created + 95,
            epoch=epochs,
            epochs=epochs,
            best_val_accuracy=right["validation"] / int((parts == SUBSETS.index("validation")).sum()),
            test_correct=right["test"],
            test_count=tested,
            test_accuracy=right["test"] / tested,
        )
    )
    return run


def finished_study(place: Workplace) -> str:
    """The flower study with figures near the published ones, run after run a minute apart; returns its name."""
    group = "Flower study · colours · 25 Nov, 10:00:00"
    random = np.random.default_rng(1)
    for number, planned in enumerate(sweeps.flower_study(place.recipe(head_epochs=6), place.settings).runs):
        published = sweeps.published_accuracy(planned.variant)
        accuracy = float(np.mean(published)) if published else float(random.uniform(0.66, 0.73))
        accuracy += float(random.normal(0, 0.012))
        label = Label(planned.name, group, planned.variant)
        finished_by_hand(place, planned.recipe, label, accuracy, accuracy - 0.01, 1000.0 + 60 * number)
    return group


@pytest.fixture(scope="module")
def with_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where the flower study and two single runs have finished; tests must not change it."""
    base = tmp_path_factory.mktemp("compared")
    place = Workplace(base / "home", write_colours(base / "photos" / "colours", per_class=400, side=4))
    finished_study(place)
    turned = place.recipe(augmentations={"rotation": Choice(0.05, 0.5)}, dropout=0.4)
    finished_by_hand(place, place.recipe(), Label("plain <b>one</b>"), 0.9, 0.80, 5000.0)
    finished_by_hand(place, turned, Label("turned"), 0.9, 0.95, 5100.0)
    started = Server(place, free_port())
    started.start()
    yield started
    started.kill()


@pytest.mark.thorough
def test_a_series_is_one_picture_and_one_sentence(with_runs: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(with_runs)
    screen.open("/compare")
    expect(screen.text("points better than Baseline CNN, no augmentation")).to_be_visible()
    picture = screen.page.get_by_test_id("stPlotlyChart").first
    expect(picture.get_by_text("published study")).to_be_visible()
    expect(picture.get_by_text("Lite0 for MobileNetV2, feature extractor")).to_be_visible()
    expect(picture.locator(".scatterlayer .trace").nth(3).locator("path.point")).to_have_count(
        len(sweeps.flower_study(with_runs.workplace.recipe(), with_runs.workplace.settings).runs)
    )
    screen.page.get_by_test_id("stMain").get_by_role("radio", name="Test", exact=True).click()
    screen.settle()
    expect(screen.text("Test photos played no part in training.")).to_be_visible()
    expect(picture.get_by_text("published study")).to_have_count(0)
    for look in screen.looks():
        assert not screen.problems(), look


def test_runs_beside_one_another_and_the_recipe_of_one_is_taken_to_the_train_page(
    with_runs: Server, new_screen: Callable[..., Screen]
) -> None:
    screen = new_screen(with_runs)
    screen.open("/compare")
    screen.page.get_by_test_id("stMain").get_by_role("radio", name="Side by side").click()
    screen.settle()
    expect(screen.text("turned is 15.0 points better than plain <b>one</b> on the same 160 photos")).to_be_visible()
    expect(screen.text("McNemar's test, p < 0.001")).to_be_visible()
    expect(screen.page.get_by_test_id("stPlotlyChart")).to_have_count(3)
    expect(screen.page.get_by_test_id("stDataFrame")).to_be_visible()
    for look in screen.looks():
        expect(screen.page.get_by_test_id("stPlotlyChart")).to_have_count(3)
        assert not screen.problems(), look
    screen.press("Use this recipe")
    expect(screen.page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    assert f"dataset={with_runs.workplace.colours}" in screen.page.url.replace("%2F", "/")
    assert not screen.problems()


@pytest.mark.thorough
def test_each_comparison_says_what_it_takes(with_runs: Server, new_screen: Callable[..., Screen]) -> None:
    screen = new_screen(with_runs)
    screen.open(f"/compare?dataset={with_runs.workplace.colours}")
    screen.page.get_by_test_id("stMain").get_by_role("radio", name="Start a comparison").click()
    screen.settle()
    for kind in ("Repeats", "Vary one or two settings", "Augmentations one by one", "The flower study"):
        option = screen.page.get_by_test_id("stMain").get_by_role("radio", name=kind)
        option.click()
        expect(option).to_be_checked()
        screen.settle()
        expect(screen.page.get_by_role("button", name=re.compile(r"^Queue \d+ runs$"))).to_be_visible()
        for look in screen.looks():
            assert not screen.problems(), (kind, look)
    assert not with_runs.workplace.store.active()


def test_runs_without_a_result_are_counted(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    group = "Repeats · colours · 25 Nov, 10:00:00"
    finished_by_hand(workplace, workplace.recipe(), Label("first", group, "Baseline CNN"), 1.0, 1.0, 1000.0)
    folder = workplace.folder()
    label, parts = Label("second", group, "Baseline CNN"), assign_subsets(folder.labels, seed=3)
    lost = create_run(workplace.store, workplace.recipe(seed=4), folder, parts, label)
    lost.write_status(replace(lost.read_status(), state=FAILED, created=1001.0, ended=2000.0))
    screen = new_screen(server)
    screen.open("/compare")
    expect(screen.text("1 of 2 runs ended without a result.")).to_be_visible()
    expect(screen.text("is right about 100.0 % of 2 photos")).to_be_visible()
    assert not screen.problems()


@pytest.mark.thorough
def test_a_series_that_is_going_is_watched_and_what_waits_can_be_cancelled(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    group = "Repeats · colours · 25 Nov, 10:00:00"
    folder, recipe = workplace.folder(), workplace.recipe(**LONG)
    for planned in sweeps.repeats(recipe, 3):
        label = Label(planned.name, group, planned.variant)
        enqueue(Queue(workplace.store), planned.recipe, folder, assign_subsets(folder.labels, seed=3), label)
    screen = new_screen(server)
    screen.open("/compare")
    expect(screen.text("0 of 3 done, 1 training, 2 queued")).to_be_visible()
    expect(screen.text("There are no results yet.")).to_be_visible()
    screen.press("Cancel queued runs")
    expect(screen.text("0 of 1 done, 1 training, 0 queued")).to_be_visible()
    [run] = workplace.store.runs()
    eventually(lambda: any("val_loss" in row for row in run.read_metrics()), "an epoch has ended")
    run.request_stop()
    expect(screen.text("Baseline CNN is right about")).to_be_visible()
    assert not screen.problems()


def choose(screen: Screen, label: str, value: str) -> None:
    field = screen.page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")
    screen.settle()


def test_a_small_series_from_the_click_to_the_sentence(server: Server, new_screen: Callable[..., Screen]) -> None:
    place = server.workplace
    finished_by_hand(place, place.recipe(), Label("to begin with"), 0.5, 0.5, 1000.0)
    screen = new_screen(server)
    page = screen.page
    screen.open(f"/compare?dataset={place.colours}")
    screen.press("Start one")
    page.get_by_label("Start from the recipe of", exact=True).click()
    page.get_by_role("option", name="to begin with").click()
    screen.settle()
    expect(page.get_by_label("Epochs for the head", exact=True)).to_have_value("1")
    choose(screen, "Number of runs", "2")
    choose(screen, "Photos per class, at most", "10")
    expect(screen.text("2 runs")).to_be_visible()
    expect(screen.text("about")).to_be_visible()
    screen.press("Queue 2 runs")
    expect(screen.text("of 2 done")).to_be_visible()
    expect(screen.text("Baseline CNN: ")).to_be_visible()
    expect(screen.text("on average over 2 repeats")).to_be_visible()
    eventually(lambda: place.store.active() is None, "the last run has ended")
    runs = [run for run in place.store.runs() if run.read_label().group]
    assert [run.read_status().state for run in runs] == [FINISHED] * 2
    assert sorted(Recipe.from_values(run.recipe_values()).seed for run in runs) == [3, 4]
    splits = {run.split_file.read_text("utf-8") for run in runs}
    assert len(splits) == 1 and splits.pop().count("\n") == 1 + 20
    assert len({run.read_label() for run in runs}) == 2 and len({run.read_label().group for run in runs}) == 1
    page.reload()
    screen.settle()
    expect(screen.text("on average over 2 repeats")).to_be_visible()
    assert not screen.problems()


REACHED = {5: 0.55, 10: 0.68, 20: 0.76, 40: 0.82, 0: 0.90}
"""Accuracies by training photos per class of a series that is finished by hand; 0 for all of them."""


def finished_sizes(place: Workplace, sizes: Iterable[int]) -> str:
    """Runs that differ in training photos per class alone; returns the name of their series."""
    group = "Varied · colours · 26 Nov, 10:00:00"
    for number, planned in enumerate(sweeps.vary(place.recipe(), "photos_per_class", list(sizes))):
        accuracy = REACHED[planned.recipe.photos_per_class]
        label = Label(planned.name, group, planned.variant)
        finished_by_hand(place, planned.recipe, label, accuracy, accuracy, 1000.0 + 60 * number)
    return group


@pytest.fixture
def many_photos(workplace: Workplace) -> Workplace:
    """The workplace with 200 tiny photos a class, so that accuracies say something."""
    shutil.rmtree(workplace.colours)
    write_colours(workplace.colours, per_class=200, side=4)
    return workplace


def test_runs_on_few_and_many_photos_are_a_curve_that_looks_ahead(
    server: Server, many_photos: Workplace, new_screen: Callable[..., Screen]
) -> None:
    finished_sizes(many_photos, REACHED)
    screen = new_screen(server)
    screen.open("/compare")
    expect(screen.page.get_by_role("heading", name="How many photos are needed?")).to_be_visible()
    ahead = r"With twice as many photos \(about 280 a class\): about \d+ %, between \d+ % and \d+ %"
    expect(screen.page.get_by_text(re.compile(ahead))).to_be_visible()
    picture = screen.page.get_by_test_id("stPlotlyChart").nth(1)
    expect(picture.locator(".scatterlayer .trace").nth(2).locator("path.point")).to_have_count(len(REACHED))
    expect(picture.locator(".xtick").get_by_text("280")).to_be_visible()
    screen.page.get_by_test_id("stMain").get_by_role("radio", name="Test", exact=True).click()
    screen.settle()
    expect(screen.text("With twice as many photos (about 280 a class)")).to_be_visible()
    expect(screen.page.get_by_test_id("stPlotlyChart").nth(1).get_by_text("test accuracy")).to_be_visible()
    for look in screen.looks():
        assert not screen.problems(), look


def test_two_numbers_of_photos_are_too_few_for_a_curve_and_that_is_said(
    server: Server, many_photos: Workplace, new_screen: Callable[..., Screen]
) -> None:
    finished_sizes(many_photos, (5, 0))
    screen = new_screen(server)
    screen.open("/compare")
    expect(screen.text("A curve needs runs with 3 different numbers of training photos; there are 2.")).to_be_visible()
    expect(screen.page.get_by_text("A power law, fitted to")).to_have_count(0)
    assert not screen.problems()


def test_from_a_run_that_needs_more_photos_to_the_comparison_that_says_how_many(
    server: Server, many_photos: Workplace, new_screen: Callable[..., Screen]
) -> None:
    run = finished_by_hand(many_photos, many_photos.recipe(), Label("by heart"), 0.85, 0.85, 1000.0)
    where = {"phase": "head", "epoch": 2, "step": 1, "position": 2, "partial": False, "seconds": 1}
    run.append_metrics({**where, "learning_rate": 0.1, "loss": 0.01, "accuracy": 1.0})
    screen = new_screen(server)
    screen.open(f"/train?run={run.id}")
    expect(screen.text("It learned its photos by heart")).to_be_visible()
    for look in screen.looks():
        assert not screen.problems(), look
    screen.press("How many photos do I need?")
    page = screen.page
    expect(screen.text("6 runs")).to_be_visible()
    expect(screen.text("on 10 to 280 training photos")).to_be_visible()
    expect(page.get_by_label("Start from the recipe of", exact=True)).to_have_value("by heart")
    for size in ("5", "10", "20", "40", "80", "all"):
        expect(page.get_by_test_id("stMultiSelect").get_by_text(size, exact=True)).to_be_visible()
    for look in screen.looks():
        assert not screen.problems(), look


@pytest.mark.thorough
def test_a_series_of_photos_per_class_trains_on_so_many(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    finished_by_hand(workplace, workplace.recipe(), Label("to begin with"), 0.5, 0.5, 1000.0)
    screen = new_screen(server)
    page = screen.page
    screen.open(f"/compare?dataset={workplace.colours}")
    screen.press("Start one")
    page.get_by_label("Start from the recipe of", exact=True).click()
    page.get_by_role("option", name="to begin with").click()
    screen.settle()
    page.get_by_test_id("stMain").get_by_role("radio", name="Vary one or two settings").click()
    screen.settle()
    page.get_by_label("Vary", exact=True).click()
    page.get_by_role("option", name="Training photos per class").click()
    screen.settle()
    queue = page.get_by_role("button", name=re.compile(r"^Queue \d+ runs$"))
    screen.press(queue.inner_text().split("\n")[-1])
    eventually(lambda: page.get_by_text("a class): about").count() == 1, "the curve is there")
    runs = [run for run in workplace.store.runs() if run.read_label().group]
    found, judged = {}, set()
    for run in runs:
        folder, parts = read_split_csv(run.split_file, workplace.colours)
        learned = parts == TRAINING
        found[Recipe.from_values(run.recipe_values()).photos_per_class] = np.bincount(folder.labels[learned]).tolist()
        judged.add(folder.subset(~learned).paths)
    assert {run.read_status().state for run in runs} == {FINISHED} and len(judged) == 1
    most = min(found.pop(0))
    assert len(found) >= 2 and all(of_class == [size, size] and size < most for size, of_class in found.items())
    assert not screen.problems()
