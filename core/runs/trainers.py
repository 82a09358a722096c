"""Starting trainers: child processes that outlive the browser and the server."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Protocol

from core.errors import RunError
from core.files import PROJECT
from core.runs.queue import Queue
from core.runs.store import Run

# glibc would give memory back after every step of training and ask for it again at the next; a trainer that keeps it
# gets through 10 % more photos a second. A threshold so high is never reached.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
"""How glibc's allocator is set for a trainer, where the user has not set it; other allocators take no notice."""


LOOK_SECONDS = 2.0
"""How often the queue is looked at; a trainer that ends by itself starts the next run at once."""


class Standby(Protocol):
    """What may have a trainer waiting that has loaded all it needs."""

    def hand_over(self, run: Run) -> bool:
        """Give the run to the waiting trainer; return False where there is none that takes it."""


def trainer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a trainer, whether it waits first or not, from that of whoever starts it."""
    return {**ALLOCATOR, **environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def open_trainer(
    arguments: Sequence[str], stdin: int, output: int | IO[bytes], environ: Mapping[str, str] = os.environ
) -> "subprocess.Popen[bytes]":
    """Start `python -m core.training` in a session of its own; raises `OSError` when the system refuses."""
    return subprocess.Popen(
        [sys.executable, "-m", "core.training", *arguments],
        bufsize=0,
        cwd=PROJECT,
        env=trainer_environment(environ),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def start(run: Run, warm: Standby | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Have a run carried out: by the trainer that waits, or by a new one, with its output in the run's log.

    Raises `RunError` when the system refuses to start one.
    """
    if warm is not None and warm.hand_over(run):
        return
    try:
        with run.log_file.open("ab") as log:
            open_trainer([str(run.folder.resolve())], subprocess.DEVNULL, log, environ)
    except OSError as error:
        raise RunError(f"The trainer could not be started ({error.strerror}). Is memory or the disk full?") from error


def start_beside(run: Run, flag: str, what: str) -> None:
    """Have a trainer do something else in a folder like a run's, outside the queue.

    Args:
        run: The folder.
        flag: What the trainer is to do, as `python -m core.training` takes it.
        what: What could not be started, as the beginning of a sentence.

    Raises:
        RunError: The system refuses to start a process.
    """
    try:
        with run.log_file.open("ab") as log:
            open_trainer([flag, str(run.folder.resolve())], subprocess.DEVNULL, log)
    except OSError as error:
        raise RunError(f"{what} could not be started ({error.strerror}). Is memory or the disk full?") from error


def advance(queue: Queue, warm: Standby | None = None, environ: Mapping[str, str] = os.environ) -> list[Run]:
    """Start the runs whose turn it is, and return them; raises `RunError` when the system refuses to."""
    return queue.advance(lambda run: start(run, warm, environ))


def keep_going(queue: Queue, warm: Standby | None, ended: threading.Event) -> None:
    """Look every few seconds whether it is the turn of a run, until the event; for what no trainer could pass on.

    What goes wrong is tried again: there is nobody to be told.
    """
    while not ended.wait(LOOK_SECONDS):
        with suppress(RunError, OSError):
            advance(queue, warm)
