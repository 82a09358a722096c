import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.errors import RunBusy, RunError, RunNotFound, StorageError
from core.runs.messages import Message
from core.runs.queue import Queue, has_begun
from core.runs.store import (
    CRASHED,
    FAILED,
    FINISHED,
    PAUSED,
    QUEUED,
    RUNNING,
    START_SECONDS,
    STARTING,
    STOPPED,
    Run,
    RunStore,
    Status,
)
from tests.conftest import PATIENCE, PROJECT

SESSION = """
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from core.errors import RunError
from core.runs.queue import Queue
from core.runs.store import ACTIVE, FINISHED, RunStore

store = RunStore(Path(sys.argv[1]))
queue = Queue(store, parallel=2)

def start(run):
    status = run.read_status()
    going = sum(other.read_status().state in ACTIVE for other in store.runs())
    with (store.root / "begun.txt").open("a") as file:
        file.write(f"{run.id} {going}\\n")
    run.write_status(replace(status, state=FINISHED))

print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    run = queue.create(lambda run: None)
    with suppress(RunError):  # somebody has just begun it
        queue.move(run, -3)
    begun = queue.advance(start)
while queue.queued():
    queue.advance(start)
"""
"""Adds ten runs, moves them towards the front, and begins whichever has its turn, with as many others as there are."""


def nothing(run: Run) -> None:
    """Write nothing into a new run."""


def recipe(run: Run) -> None:
    """Write something for a recipe."""
    run.recipe_file.write_text('{"dataset": "photos"}', "utf-8")


def begin(run: Run) -> None:
    """Begin nothing."""


def refuse(run: Run) -> None:
    """Refuse to begin."""
    raise RunError("The trainer could not be started.")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(RunStore(tmp_path / "runs"))


@pytest.fixture
def three(queue: Queue) -> list[Run]:
    """Three runs that wait, made in the same second."""
    return [queue.create(recipe) for _ in range(3)]


def ended(queue: Queue, state: str = STOPPED, **values: Any) -> Run:
    """A run that ended a while ago, after ten seconds."""
    run = queue.store.create(recipe)
    status = Status(
        state=state, created=50.0, started=100.0, ended=110.0, message=Message("finished"), error="Old error"
    )
    run.write_status(replace(status, **values))
    return run


def test_nothing_is_queued_in_a_store_that_is_not_there_and_reading_makes_none(queue: Queue) -> None:
    assert queue.queued() == [] and queue.advance(begin) == []
    assert not queue.store.root.exists()


def test_runs_wait_in_the_order_they_came_and_begin_one_at_a_time(queue: Queue, three: list[Run]) -> None:
    assert queue.queued() == three
    assert {run.read_status().state for run in three} == {QUEUED}
    assert queue.store.active() is None
    before = time.time()
    assert queue.advance(begin) == [three[0]]
    status = three[0].read_status()
    assert status.state == STARTING and status.started is not None and status.started >= before
    assert queue.queued() == three[1:] and queue.advance(begin) == []
    three[0].write_status(replace(status, state=FINISHED))
    assert queue.advance(begin) == [three[1]]


def test_label_checks_wait_among_the_runs_and_go_before_none(tmp_path: Path) -> None:
    queue = Queue(RunStore(tmp_path / "runs"), checks=RunStore(tmp_path / "checks"))
    first, check, last = queue.create(recipe), queue.create(recipe, queue.checks), queue.create(recipe)
    assert queue.queued() == [first, check, last] and [queue.is_check(run) for run in queue.queued()] == [0, 1, 0]
    queue.move_to_front(check)
    assert queue.advance(begin) == [check] and queue.advance(begin) == []
    check.write_status(replace(check.read_status(), state=STOPPED))
    queue.add(check)
    assert queue.queued() == [first, last, check]
    queue.cancel(check)
    assert check.read_status().state == STOPPED and set(queue.store.runs()) == {first, last}


def test_as_many_begin_as_may_go_at_once(queue: Queue, three: list[Run]) -> None:
    two = Queue(queue.store, parallel=2)
    assert two.advance(begin) == three[:2]
    assert two.advance(begin) == [] and two.queued() == [three[2]]


def test_runs_that_ended_paused_or_cannot_be_read_are_in_nobodys_way(queue: Queue) -> None:
    for state in (FINISHED, STOPPED, PAUSED, FAILED):
        ended(queue, state)
    RunStore(queue.store.root, lambda: time.time() - 2 * START_SECONDS).create(nothing)  # no trainer ever came
    queue.store.create(nothing).status_file.write_text("{", "utf-8")
    run = queue.create(nothing)
    assert queue.advance(begin) == [run]


def test_a_run_that_waited_for_hours_counts_as_going_once_it_was_given_to_a_trainer(queue: Queue) -> None:
    run = queue.create(nothing)
    run.write_status(replace(run.read_status(), created=time.time() - 10_000))
    assert run.read_status().seconds(time.time()) == 0, "waiting is not training"
    queue.advance(begin)
    assert run.read_status().state == STARTING and queue.store.active() == run
    run.write_status(replace(run.read_status(), started=time.time() - 2 * START_SECONDS))
    status = run.read_status()
    assert status.state == CRASHED and status.ended is not None
    assert status.seconds(time.time()) < 3 * START_SECONDS


@pytest.mark.parametrize(
    ("places", "order"),
    [(-1, (0, 2, 1)), (-2, (2, 0, 1)), (-50, (2, 0, 1)), (0, (0, 1, 2)), (1, (0, 1, 2)), (50, (0, 1, 2))],
)
def test_the_last_run_moves(queue: Queue, three: list[Run], places: int, order: tuple[int, ...]) -> None:
    queue.move(three[2], places)
    assert queue.queued() == [three[number] for number in order]


def test_the_first_run_moves_back_and_the_last_one_to_the_front(queue: Queue, three: list[Run]) -> None:
    first, second, third = three
    queue.move(first, 1)
    assert queue.queued() == [second, first, third]
    queue.move_to_front(third)
    assert queue.queued() == [third, second, first]
    assert queue.advance(begin) == [third]


def test_what_does_not_wait_is_neither_moved_nor_cancelled(queue: Queue, three: list[Run]) -> None:
    queue.advance(begin)
    with pytest.raises(RunBusy, match="is not in the queue any more"):
        queue.move(three[0], 1)
    with pytest.raises(RunBusy, match="Stop it instead"):
        queue.cancel(three[0])
    shutil.rmtree(three[1].folder)
    for ask in (queue.cancel, queue.add):
        with pytest.raises(RunNotFound):
            ask(three[1])
    assert queue.queued() == [three[2]]


def test_a_queued_run_is_not_deleted_but_cancelled(queue: Queue, three: list[Run]) -> None:
    with pytest.raises(RunBusy, match="Remove it from the queue before"):
        queue.store.delete(three[1].id)
    queue.cancel(three[1])
    assert queue.queued() == [three[0], three[2]] and not three[1].folder.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b'["2025', b"{}", b"null", b"7", b'[1, null, {}, "../x"]', b"\xff\xfe", b'["20250101-000000-abcd"]'],
)
def test_with_a_damaged_order_the_oldest_run_comes_first(queue: Queue, three: list[Run], content: bytes) -> None:
    queue.move_to_front(three[2])
    queue.file.write_bytes(content)
    assert queue.queued() == three
    queue.move(three[0], 1)
    assert queue.queued() == [three[1], three[0], three[2]]


def test_without_an_order_the_oldest_run_comes_first_and_runs_it_does_not_name_come_last(
    queue: Queue, three: list[Run]
) -> None:
    queue.move_to_front(three[2])
    queue.file.unlink()
    assert queue.queued() == three
    queue.file.write_text(f'["{three[1].id}", "{three[1].id}"]', "utf-8")
    assert queue.queued() == [three[1], three[0], three[2]]


def test_where_the_order_cannot_be_saved_no_run_is_queued(queue: Queue, three: list[Run]) -> None:
    queue.file.unlink()
    queue.file.mkdir()
    with pytest.raises(StorageError, match=r"queue\.json cannot be saved"):
        queue.create(nothing)
    assert queue.queued() == three and len(queue.store.runs()) == 3
    former = ended(queue, PAUSED)
    before = former.read_status()
    with pytest.raises(StorageError, match=r"queue\.json cannot be saved"):
        queue.add(former, '{"dataset": "others"}')
    assert former.read_status() == before and former.recipe_values() == {"dataset": "photos"}
    assert {path.name for path in former.folder.iterdir()} == {"recipe.json", "status.json"}


def test_a_run_whose_trainer_could_not_be_started_keeps_its_place(queue: Queue, three: list[Run]) -> None:
    with pytest.raises(RunError, match=r"could not be started\. The run keeps its place in the queue"):
        queue.advance(refuse)
    assert queue.queued() == three
    assert queue.advance(begin) == [three[0]]


def test_a_run_that_ended_goes_on_behind_all_others(queue: Queue, three: list[Run]) -> None:
    run = ended(queue, best_epoch=4, spent=5.0)
    run.request_stop()
    run.request_pause()
    queue.add(run)
    assert queue.queued() == [*three, run] and has_begun(run) and not has_begun(three[0])
    status = run.read_status()
    assert (status.state, status.error, status.ended, status.started) == (QUEUED, "", None, None)
    assert (status.best_epoch, status.created, status.spent) == (4, 50.0, 15.0)
    assert not run.stop_requested() and not run.pause_requested()
    with pytest.raises(RunBusy, match="is active or queued already"):
        queue.add(run)
    queue.move_to_front(run)
    assert queue.advance(begin) == [run]
    assert 15 <= run.read_status().seconds(time.time()) < 15 + START_SECONDS
    assert not has_begun(run) and list(run.folder.glob("former*")) == []
    with pytest.raises(RunBusy, match="is active or queued already"):
        queue.add(run)


@pytest.mark.parametrize("state", [PAUSED, STOPPED, FAILED, FINISHED])
def test_cancelling_a_run_that_was_to_go_on_makes_it_what_it_was(queue: Queue, state: str) -> None:
    run = ended(queue, state)
    before, chosen = run.read_status(), run.recipe_values()
    for _ in range(2):
        queue.add(run, '{"dataset": "photos", "more_epochs": [3]}')
        assert run.recipe_values() != chosen
        queue.cancel(run)
        assert run.read_status() == before and run.recipe_values() == chosen
        assert queue.queued() == [] and queue.store.runs() == [run] and not run.former_folder.exists()


def test_a_crashed_run_that_was_to_go_on_and_was_cancelled_has_crashed_when_it_did(queue: Queue) -> None:
    run = ended(queue, RUNNING)
    long_ago = time.time() - 5000
    os.utime(run.status_file, (long_ago, long_ago))
    before = run.read_status()
    assert before.state == CRASHED
    queue.add(run)
    assert run.read_status().spent == pytest.approx(long_ago - 100.0)
    queue.cancel(run)
    assert run.read_status() == before


def test_a_former_state_that_a_crash_left_behind_is_not_taken_for_the_newest(queue: Queue) -> None:
    run = ended(queue)
    run.former_folder.mkdir()
    (run.former_folder / "status.json").write_text("{", "utf-8")
    queue.add(run)
    queue.cancel(run)
    assert run.read_status().state == STOPPED


def test_whatever_several_processes_do_at_once_each_run_begins_once_and_only_two_go(queue: Queue) -> None:
    arguments = [sys.executable, "-c", SESSION, str(queue.store.root)]
    sessions = [
        subprocess.Popen(arguments, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    for session in sessions:
        assert session.stdout is not None and session.stdout.readline() == b"ready\n"
    for session in sessions:
        session.communicate(b"go\n", timeout=PATIENCE)
        assert session.returncode == 0
    begun = [line.split() for line in (queue.store.root / "begun.txt").read_text().splitlines()]
    assert sorted(name for name, _ in begun) == sorted(run.id for run in queue.store.runs())
    assert len(begun) == 30 and {going for _, going in begun} <= {"1", "2"}


def test_whatever_several_sessions_do_at_once_each_run_is_begun_or_cancelled(queue: Queue) -> None:
    runs, begun = [queue.create(recipe) for _ in range(12)], []

    def start(run: Run) -> None:
        begun.append(run)
        run.write_status(replace(run.read_status(), state=FINISHED))

    def cancel(run: Run) -> Run | None:
        with suppress(RunBusy):
            queue.cancel(run)
            return run
        return None

    with ThreadPoolExecutor(6) as pool:
        cancelled = [pool.submit(cancel, run) for run in runs[::2]]
        advanced = [pool.submit(queue.advance, start) for _ in range(6)]
    for done in advanced:
        done.result()
    gone = [done.result() for done in cancelled if done.result() is not None]
    assert len(begun) == len(set(begun)) and not set(begun) & set(gone)
    assert set(begun) | set(gone) == set(runs) and queue.queued() == []
    assert set(queue.store.runs()) == set(begun)


def test_of_deleting_a_run_and_letting_it_go_on_one_is_done_and_the_other_refused(queue: Queue) -> None:
    for _ in range(60):
        run, together = ended(queue), threading.Barrier(2)

        def outcome(order: Callable[[], object], together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                order()
            except RunError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            orders = (partial(queue.store.delete, run.id), partial(queue.add, run))
            deleted, added = pool.map(outcome, orders)
        assert deleted != added, "both were told that it was done, or neither"
        assert (run in queue.store.runs()) == added
        if added:
            queue.cancel(run)
