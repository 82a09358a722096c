"""Starting trainers: child processes that outlive the browser and the server."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Protocol

from core.errors import RunBusy, RunError
from core.files import PROJECT
from core.runs.store import Run, RunStore

# glibc would give memory back after every step of training and ask for it again at the next; a trainer that keeps it
# gets through 10 % more photos a second. A threshold so high is never reached.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
"""How glibc's allocator is set for a trainer, where the user has not set it; other allocators take no notice."""


class Standby(Protocol):
    """What may have a trainer waiting that has loaded all it needs."""

    def hand_over(self, run: Run) -> bool:
        """Give the run to the waiting trainer; return False where there is none that takes it."""


def refuse_second(store: RunStore) -> None:
    """Raise `RunBusy` while another run is going: two at once would each take twice as long."""
    active = store.active()
    if active is not None:
        raise RunBusy(f"The run {active.id} is still going. Wait for it or stop it, then start the next one.")


def trainer_environment() -> dict[str, str]:
    """The environment of a trainer, whether it waits first or not."""
    return {**ALLOCATOR, **os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def open_trainer(arguments: Sequence[str], stdin: int, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start `python -m core.training` in a session of its own; raises `OSError` when the system refuses."""
    return subprocess.Popen(
        [sys.executable, "-m", "core.training", *arguments],
        bufsize=0,
        cwd=PROJECT,
        env=trainer_environment(),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def start(run: Run, warm: Standby | None = None) -> None:
    """Have a run carried out: by the trainer that waits, or by a new one, with its output in the run's log.

    Raises `RunError` when the system refuses to start one.
    """
    if warm is not None and warm.hand_over(run):
        return
    try:
        with run.log_file.open("ab") as log:
            open_trainer([str(run.folder)], subprocess.DEVNULL, log)
    except OSError as error:
        raise RunError(f"The trainer could not be started ({error.strerror}). Is memory or the disk full?") from error
