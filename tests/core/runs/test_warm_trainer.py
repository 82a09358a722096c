import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from core.data.split import assign_subsets
from core.processes import children
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import ACTIVE, CRASHED, FINISHED, RUNNING, STARTING, STOPPED, Run
from core.runs.warm_trainer import WarmTrainer
from core.training.launch import launch
from tests.conftest import PROJECT, FinishedRun, Workplace, alive, eventually

SERVER = """
import sys
from core.processes import children
from core.runs.store import Run
from core.runs.warm_trainer import WarmTrainer
from pathlib import Path

children.PYTHON = sys.argv[1]
warm = WarmTrainer()
for line in sys.stdin:
    name, _, value = line.strip().partition(" ")
    printed = warm.prepare(value) if name == "prepare" else warm.hand_over(Run(Path(value)))
    print(printed, 0 if warm._child is None else warm._child.pid, flush=True)
"""
"""A server in small: carries out orders, and prints their results and the process id of its warm trainer."""


class Server:
    """The server in small, in a process of its own."""

    def __init__(self, place: Workplace) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, children.PYTHON],
            cwd=PROJECT,
            env=place.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: str) -> tuple[str, int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        printed, pid = self._process.stdout.readline().split()
        return printed, int(pid)

    def kill(self) -> None:
        with self._process:
            self._process.kill()


@pytest.fixture
def warm(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmTrainer]:
    """A warm trainer of this process, as if it were the server of the workplace."""
    for name, value in workplace.environment().items():
        monkeypatch.setenv(name, value)
    warm = WarmTrainer()
    yield warm
    warm.close()


def child_of(warm: WarmTrainer) -> "subprocess.Popen[bytes]":
    assert warm._child is not None
    return warm._child


@contextmanager
def stopped_at_the_end(run: Run) -> Iterator[Run]:
    """A run whose trainer does not outlive the block."""
    try:
        yield run
    finally:
        run.request_stop()
        eventually(lambda: run.read_status().state not in ACTIVE, f"the run ended:\n{run.log_tail()}")


def test_a_warm_trainer_ends_with_the_server(workplace: Workplace) -> None:
    server = Server(workplace)
    _, pid = server.ask("prepare baseline-cnn")
    assert alive(pid)
    server.kill()
    eventually(lambda: not alive(pid), "the warm trainer ended")


def test_a_run_that_was_handed_over_outlives_the_server_and_ends_as_a_cold_one(
    workplace: Workplace, finished_run: FinishedRun
) -> None:
    server, run = Server(workplace), workplace.new_run()
    _, pid = server.ask("prepare baseline-cnn")
    assert server.ask(f"run {run.folder}") == ("True", 0)
    assert run.is_locked()
    eventually(lambda: run.read_status().state == RUNNING, "the run says that it goes")
    server.kill()
    assert alive(pid)
    eventually(lambda: run.read_status().state not in ACTIVE, f"the run ended:\n{run.log_tail()}")
    assert run.read_status().state == FINISHED, run.log_tail()
    assert run.log_tail() and run.serving_folder.is_dir()
    cold = finished_run.run.read_status()
    assert run.read_status().best_val_loss == pytest.approx(cold.best_val_loss, rel=1e-4)
    eventually(lambda: not alive(pid), "the trainer ended with its run")


def test_of_two_sessions_that_start_at_once_one_gets_the_trainer_and_can_stop_it(
    workplace: Workplace, warm: WarmTrainer
) -> None:
    warm.prepare("baseline-cnn")
    child, runs = child_of(warm), [workplace.new_run(), workplace.new_run()]
    untouched = {run.id: run.status_file.read_text("utf-8") for run in runs}
    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(warm.hand_over, runs))
    assert sorted(taken) == [False, True]
    with stopped_at_the_end(runs[taken.index(True)]) as run:
        assert run.is_locked()
    assert run.read_status().state == STOPPED, run.log_tail()
    assert child.wait() == 0
    assert runs[taken.index(False)].status_file.read_text("utf-8") == untouched[runs[taken.index(False)].id]


def test_launching_takes_the_warm_trainer(workplace: Workplace, warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    child, folder = child_of(warm), workplace.folder()
    recipe, subsets = workplace.recipe(head_epochs=1000), assign_subsets(folder.labels, seed=3)
    run = launch(Queue(workplace.store), recipe, folder, subsets, warm)
    assert run.is_locked() and child.poll() is None
    eventually(lambda: run.read_status().state != STARTING, "the trainer wrote that it has the run")
    child.kill()
    child.wait()
    eventually(lambda: run.read_status().state == CRASHED, "the run has no trainer")


def test_a_killed_trainer_takes_no_run_and_a_new_one_is_started(workplace: Workplace, warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    os.kill(child_of(warm).pid, signal.SIGKILL)
    run = workplace.new_run()
    run.status_file.write_text("{", "utf-8")  # the new trainer ends at once, with a word
    assert not warm.hand_over(run) and not run.log_tail()
    trainers.start(run, warm)
    eventually(lambda: "has no readable status" in run.log_tail(), "the new trainer has logged why it ends")


def test_a_trainer_that_does_not_react_is_ended(real_python: None, workplace: Workplace, warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    child, run = child_of(warm), workplace.new_run()
    child.send_signal(signal.SIGSTOP)
    assert not warm.hand_over(run)
    assert child.returncode == -signal.SIGKILL
    assert not run.is_locked() and run.read_status().state == STARTING


def test_a_trainer_that_cannot_take_a_run_leaves_the_reason_in_the_log(workplace: Workplace, warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    run = workplace.new_run()
    run.status_file.write_text("{", "utf-8")
    assert not warm.hand_over(run)
    assert "has no readable status" in run.log_tail()


def test_a_warm_trainer_is_kept_through_changes_of_mind(warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    child = child_of(warm)
    for backbone in ("efficientnet-b0", "efficientnet-b0", "baseline-cnn"):
        warm.prepare(backbone)
    assert child_of(warm) is child and child.poll() is None


def test_a_trainer_that_has_ended_is_replaced_but_not_for_what_brought_it_down(warm: WarmTrainer) -> None:
    warm.prepare("baseline-cnn")
    idle = child_of(warm)
    assert idle.stdin is not None
    idle.stdin.close()
    assert idle.wait() == 0
    warm.prepare("baseline-cnn")
    killed = child_of(warm)
    assert killed is not idle
    killed.kill()
    killed.wait()
    warm.prepare("baseline-cnn")
    assert child_of(warm) is killed
    warm.prepare("efficientnet-b0")
    assert child_of(warm) is not killed


def test_close_ends_the_trainer_and_a_later_prepare_brings_another(workplace: Workplace, warm: WarmTrainer) -> None:
    warm.close()
    warm.prepare("baseline-cnn")
    first = child_of(warm)
    warm.close()
    assert first.returncode == -signal.SIGKILL
    assert not warm.hand_over(workplace.new_run())
    warm.prepare("baseline-cnn")
    assert child_of(warm).pid != first.pid


def test_what_the_user_has_set_of_the_allocator_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    monkeypatch.setenv("MALLOC_TOP_PAD_", "4096")
    environment = trainers.trainer_environment(os.environ)
    assert (environment["MALLOC_MMAP_MAX_"], environment["MALLOC_TOP_PAD_"]) == ("0", "4096")
    assert environment.items() >= {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}.items()
