"""Several runs wait their turn: put in order, cancelled, carried on after a power cut, paused and taken up again."""

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from core.runs.queue import Queue
from core.runs.store import FINISHED, PAUSED, QUEUED, RUNNING, Label, Run, Status
from tests.browser.conftest import Screen, Server
from tests.conftest import LONG, Workplace, eventually, trainer_of


def state(run: Run) -> str:
    return run.read_status().state


def row(screen: Screen, run: Run) -> Locator:
    """A run that waits, in the list of the queue."""
    return screen.page.locator(f".st-key-waiting-{run.id}")


def press(screen: Screen, run: Run, name: str) -> None:
    """Press a button of a run that waits."""
    row(screen, run).get_by_role("button", name=name, exact=True).click()
    screen.settle()


@pytest.mark.thorough
def test_runs_wait_are_put_in_order_and_go_on_after_a_power_cut(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    going = workplace.queued_run(**LONG)
    eventually(lambda: state(going) == RUNNING, "the server has started the run")
    screen = new_screen(server)
    screen.open(f"/train?dataset={workplace.colours}")
    expect(screen.text("a run that you start now is queued")).to_be_visible()
    first, second, third = (workplace.queued_run(seed=seed) for seed in range(3))
    screen.open("/runs")
    expect(screen.page.locator(f".st-key-going-{going.id}").get_by_role("progressbar")).to_be_visible()
    expect(row(screen, first).get_by_role("button", name="Up", exact=True)).to_be_disabled()
    expect(row(screen, third).get_by_role("button", name="Down", exact=True)).to_be_disabled()

    press(screen, third, "Up")
    press(screen, third, "Up")
    expect(row(screen, third).get_by_text("1.")).to_be_visible()
    press(screen, second, "First")
    press(screen, second, "Down")
    expect(row(screen, second).get_by_text("2.")).to_be_visible()
    assert Queue(workplace.store).queued() == [third, second, first]
    press(screen, second, "Cancel")
    screen.press("Keep in the queue")
    assert state(second) == QUEUED
    press(screen, second, "Cancel")
    screen.press("Remove from the queue")
    expect(row(screen, second)).to_have_count(0)
    assert not second.folder.exists() and not screen.problems()

    server.kill()
    os.kill(trainer_of(going), signal.SIGKILL)
    server.start()
    eventually(lambda: state(third) == FINISHED and state(first) == FINISHED, "those that were left have finished")
    third_ended, first_began = third.read_status().ended, first.read_status().started
    assert third_ended and first_began and third_ended <= first_began
    screen.open("/runs")
    expect(screen.text("Crashed")).to_be_visible()
    expect(screen.page.get_by_role("heading", name="Queue")).to_have_count(0)


@pytest.mark.thorough
def test_a_run_started_while_another_goes_says_its_place_and_begins_by_itself(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    going = workplace.queued_run(**LONG)
    eventually(lambda: state(going) == RUNNING, "the server has started the run")
    before = workplace.queued_run()
    before.write_label(Label("The earlier one"))
    last = workplace.queued_run(**LONG)
    screen = new_screen(server, width=400, dark=True)
    screen.open(f"/train?run={last.id}")
    expect(screen.text("Second in the queue")).to_be_visible()
    expect(screen.text("Before it: The earlier one")).to_be_visible()
    assert not screen.problems()
    Queue(workplace.store).cancel(before)
    expect(screen.text("Next in the queue")).to_be_visible()
    going.request_stop()
    expect(screen.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(screen.page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    assert state(last) == RUNNING and not screen.problems()


def test_cancelling_from_the_page_of_the_run_leads_to_a_new_one(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    with workplace.new_run().held():  # nothing else begins
        run = workplace.queued_run()
        screen = new_screen(server)
        screen.open(f"/train?run={run.id}")
        screen.press("Cancel")
        screen.press("Remove from the queue")
        expect(screen.page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
        assert not run.folder.exists() and "run=" not in screen.page.url


def test_many_runs_are_drawn_some_at_a_time_and_groups_together(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    ended = Status(state=FINISHED, created=1.0, started=1.0, ended=2.0)
    for number in range(23):
        run = workplace.new_run()
        run.write_status(ended)
        if number < 2:
            run.write_label(Label(group="Flips alone", variant=f"flip {number}"))
    screen = new_screen(server)
    screen.open("/runs")
    screen.press("Show more (2)")
    expect(screen.button("Open")).to_have_count(21)
    expect(screen.page.get_by_role("button", name="Show more")).to_have_count(0)
    expect(screen.text("2 runs")).to_be_visible()
    screen.page.get_by_text("Flips alone").click()
    expect(screen.text("flip 1")).to_be_visible()
    assert not screen.problems()


def test_a_run_gets_a_name(server: Server, workplace: Workplace, new_screen: Callable[..., Screen]) -> None:
    run = workplace.new_run()
    run.write_status(Status(state=FINISHED, created=1.0, started=1.0, ended=2.0))
    screen = new_screen(server)
    screen.open(f"/train?run={run.id}")
    screen.press("Rename")
    screen.page.get_by_label("Name", exact=True).fill("  My *best*  one ")
    screen.press("Save name")
    expect(screen.page.get_by_role("heading", name="My *best* one", exact=True)).to_be_visible()
    expect(screen.text("Baseline CNN on colours")).to_be_visible()
    screen.open("/runs")
    expect(screen.text("My *best* one")).to_be_visible()


@pytest.mark.thorough
def test_a_run_is_paused_goes_on_and_trains_more_epochs(
    server: Server, workplace: Workplace, new_screen: Callable[..., Screen]
) -> None:
    run = workplace.queued_run(head_epochs=15, fine_tune_epochs=0, steps_per_epoch=30)
    screen = new_screen(server)
    screen.open(f"/train?run={run.id}")
    eventually(lambda: any("val_loss" in metrics for metrics in run.read_metrics()), "an epoch has ended")
    screen.page.get_by_role("button", name="Pause", exact=True).click()
    expect(screen.text("you can resume at any time")).to_be_visible()
    assert state(run) == PAUSED
    seen = len(run.read_metrics())
    screen.press("Resume")
    expect(screen.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(screen.text("accuracy on the test photos")).to_be_visible()
    assert state(run) == FINISHED and len(run.read_metrics()) > seen

    screen.press("Train more epochs")
    screen.page.get_by_label("Additional epochs", exact=True).fill("2")
    screen.page.get_by_label("Additional epochs", exact=True).press("Enter")
    screen.settle()
    screen.press("Continue training")
    eventually(lambda: state(run) == FINISHED and run.read_status().epochs == 17, "it trained two epochs more")
    expect(screen.text("of 17")).to_be_visible()
    assert not screen.problems()
