"""Starting trainers: child processes that outlive the browser and the server."""

import logging
import os
import subprocess
import threading
from collections.abc import Mapping
from typing import Protocol

from core.errors import RunError
from core.language import tr
from core.processes.children import QUIET, module_command, not_started, start_job, start_logged_job
from core.runs.queue import Queue
from core.runs.store import Run

# glibc would give memory back after every step of training and ask for it again at the next; a trainer that keeps it
# gets through 10 % more photos a second. A threshold so high is never reached.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
"""How glibc's allocator is set for a trainer, where the user has not set it; other allocators ignore it."""

TRAINER, WAIT, CHECK_LABELS = "core.training", "--wait", "--check-labels"
"""The module that a trainer runs, what makes it a warm one, and what has it carry out a thorough label check."""

POLL_SECONDS = 2.0
"""How often the queue is looked at; a trainer that ends by itself starts the next run at once."""


class Standby(Protocol):
    """What may have a warm trainer, which has loaded all it needs."""

    def hand_over(self, run: Run) -> bool:
        """Give the run to the warm trainer; return False where there is none that takes it."""


def trainer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a trainer, warm or cold, from that of whoever starts it."""
    return {**ALLOCATOR, **environ, "PYTHONUNBUFFERED": "1", **QUIET}


def start_warm() -> "subprocess.Popen[bytes]":
    """Start a trainer that reads from its standard input what to do; raises `OSError` when the system refuses."""
    command = module_command(TRAINER, WAIT)
    return start_job(command, subprocess.DEVNULL, environ=trainer_environment(os.environ), stdin=subprocess.PIPE)


def start(run: Run, warm: Standby | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Have a run carried out: by the warm trainer, or by a new one, with its output in the run's log.

    Raises `RunError` when the system refuses to start one.
    """
    if warm is None or not warm.hand_over(run):
        _start_cold(run, (), tr("The trainer"), environ)


def start_side_job(run: Run, flag: str, what: str) -> None:
    """Have a trainer do something else in a folder like that of a run, outside the queue.

    Args:
        run: The folder.
        flag: What the trainer is to do, as `python -m core.training` takes it.
        what: What could not be started, as the beginning of a sentence.

    Raises:
        RunError: The system refuses to start a process.
    """
    _start_cold(run, (flag,), what, os.environ)


def _start_cold(run: Run, flags: tuple[str, ...], what: str, environ: Mapping[str, str]) -> None:
    command = module_command(TRAINER, *flags, str(run.folder.resolve()))
    try:
        start_logged_job(command, run.log_file, environ=trainer_environment(environ))
    except OSError as error:
        raise RunError(not_started(what, error)) from error


def advance(queue: Queue, warm: Standby | None = None, environ: Mapping[str, str] = os.environ) -> list[Run]:
    """Start the runs whose turn it is, and return them; raises `RunError` when the system refuses to."""

    def begin(run: Run) -> None:
        if queue.is_check(run):
            _start_cold(run, (CHECK_LABELS,), tr("The label check"), environ)
        else:
            start(run, warm, environ)

    return queue.advance(begin)


def run_queue(queue: Queue, warm: Standby | None, ended: threading.Event) -> None:
    """Start queued runs whose turn it is, every few seconds until the event, in case no trainer has started them.

    Whatever fails goes to the server's log, once as long as it stays the same, and is tried again.
    """
    told = ""
    while not ended.wait(POLL_SECONDS):
        try:
            advance(queue, warm)
            told = ""
        except Exception as error:  # without this thread no run would ever start again
            if str(error) != told:
                told = str(error)
                logging.exception("The queue could not go on; it is tried again every %g s", POLL_SECONDS)
