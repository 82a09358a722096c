import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import RunError
from core.processes import children
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import ACTIVE, CRASHED, FAILED, FINISHED, QUEUED, RUNNING, STOPPED, Run, RunStore
from tests.conftest import LAUNCHER, LONG, PATIENCE, PROJECT, FinishedRun, Workplace, eventually, trainer_of


def nothing(run: Run) -> None:
    """Write nothing into a new run."""


@pytest.fixture
def queue(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """The queue of a workplace that trainers started from here belong to; none of them outlives the test."""
    for name, value in workplace.environment().items():
        monkeypatch.setenv(name, value)
    yield Queue(workplace.store)
    for run in workplace.store.runs():
        run.request_stop()
    eventually(lambda: not any(run.is_locked() for run in workplace.store.runs()), "every trainer ended")


def test_a_trainer_outlives_the_process_that_launched_it(finished_run: FinishedRun) -> None:
    assert finished_run.first_seen.state in ACTIVE, "the launcher was gone, and the run still going"
    assert finished_run.run.read_status().state == FINISHED, finished_run.run.log_tail()


def test_a_trainer_that_cannot_even_start_leaves_the_reason_in_the_log(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    run = store.create(nothing)
    run.status_file.write_text("{", "utf-8")
    trainers.start(run)
    eventually(lambda: "has no readable status" in run.log_tail(), "the trainer has logged why it ends")


def test_what_was_chosen_is_in_the_folder_of_the_run(finished_run: FinishedRun) -> None:
    run, place = finished_run.run, finished_run.workplace
    assert run.recipe_values() == json.loads(place.recipe().to_json())
    assert run.class_names() == ("blue", "red")
    assert run.split_file.read_text("utf-8").splitlines()[0] == "file,class,part"


def test_runs_go_one_after_the_other_without_browser_and_server(workplace: Workplace) -> None:
    recipes = [workplace.recipe(seed=seed).to_json() for seed in (1, 2, 3)]
    arguments = [sys.executable, "-c", LAUNCHER, children.PYTHON, str(workplace.store.root), *recipes]
    launched = subprocess.run(
        arguments, cwd=PROJECT, env=workplace.environment(), check=True, stdout=subprocess.PIPE, timeout=PATIENCE
    )
    runs = [workplace.store.get(name) for name in launched.stdout.decode().split()]
    assert [run.read_status().state for run in runs[1:]] == [QUEUED, QUEUED]
    eventually(lambda: all(run.read_status().state == FINISHED for run in runs), "all have finished")
    first, second, third = (run.read_status() for run in runs)
    assert first.ended and second.started and second.ended and third.started
    assert first.ended <= second.started and second.ended <= third.started
    assert Queue(workplace.store).queued() == []


@pytest.mark.thorough
def test_two_may_go_at_once_and_the_next_begins_where_it_would_begin_from_the_start(
    workplace: Workplace, queue: Queue, monkeypatch: pytest.MonkeyPatch, real_python: None
) -> None:
    monkeypatch.setenv("UNFREEZE_PARALLEL", "2")
    runs = [workplace.queued_run(**LONG) for _ in range(3)]
    assert trainers.advance(Queue(queue.store, parallel=2)) == runs[:2]
    eventually(lambda: all(run.read_status().state == RUNNING for run in runs[:2]), f"both go: {states(runs)}")
    first, third = trainer_of(runs[0]), runs[2]
    chosen, niceness = chosen_variables(first), os.getpriority(os.PRIO_PROCESS, first)
    runs[0].request_stop()
    eventually(lambda: third.read_status().state == RUNNING, f"the third goes: {states(runs)}")
    assert runs[0].read_status().state == STOPPED and runs[1].read_status().state == RUNNING
    assert chosen_variables(trainer_of(third)) == chosen, "weights are looked for in the same places"
    assert os.getpriority(os.PRIO_PROCESS, trainer_of(third)) == niceness


def test_a_trainer_that_fails_passes_the_turn_on(workplace: Workplace, queue: Queue) -> None:
    broken, next_one = workplace.queued_run(), workplace.queued_run(**LONG)
    broken.classes_file.unlink()
    assert trainers.advance(queue) == [broken]
    eventually(lambda: next_one.read_status().state == RUNNING, f"the next one goes: {states([broken, next_one])}")
    assert broken.read_status().state == FAILED


def test_after_a_trainer_was_killed_the_queue_goes_on(workplace: Workplace, queue: Queue) -> None:
    killed, next_one = workplace.queued_run(**LONG), workplace.queued_run(**LONG)
    trainers.advance(queue)
    eventually(lambda: killed.read_status().state == RUNNING, "the trainer came")
    os.kill(trainer_of(killed), signal.SIGKILL)
    with looked_after(queue):
        eventually(lambda: next_one.read_status().state == RUNNING, f"the next one goes:\n{next_one.log_tail()}")
    assert killed.read_status().state == CRASHED


def test_what_cannot_be_started_is_tried_again(
    workplace: Workplace, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workplace.queued_run(**LONG)
    with monkeypatch.context() as broken:
        broken.setattr(children, "PYTHON", str(workplace.home / "no python"))
        with pytest.raises(RunError, match=r"could not be started \(No such file.*keeps its place"):
            trainers.advance(queue)
        with looked_after(queue):
            threading.Event().wait(2 * trainers.POLL_SECONDS)
        assert queue.queued() == [run]
    with looked_after(queue):
        eventually(lambda: run.read_status().state == RUNNING, f"the run goes:\n{run.log_tail()}")


def test_the_queue_survives_whatever_happens_and_says_so_in_the_log_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, survived = iter([ZeroDivisionError("odd"), ZeroDivisionError("odd"), OSError("odder")]), threading.Event()

    def fail(*_: object) -> None:
        if (error := next(tries, None)) is not None:
            raise error
        survived.set()

    monkeypatch.setattr(trainers, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(trainers, "advance", fail)
    with looked_after(queue):
        assert survived.wait(PATIENCE)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["odd", "odder"]


@contextmanager
def looked_after(queue: Queue) -> Iterator[None]:
    """The server's part, which looks whose turn it is."""
    ended = threading.Event()
    keeper = threading.Thread(target=trainers.run_queue, args=(queue, None, ended))
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def states(runs: list[Run]) -> list[tuple[str, str]]:
    """How far runs are, with the ends of their logs."""
    return [(run.read_status().state, run.log_tail(1000)) for run in runs]


def chosen_variables(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
