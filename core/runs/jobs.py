"""Starting trainers: child processes that outlive the browser and the server."""

import os
import subprocess
import sys

from core.errors import RunBusy, RunError
from core.files import PROJECT
from core.runs.store import Run, RunStore


def refuse_second(store: RunStore) -> None:
    """Raise `RunBusy` while another run is going: two at once would each take twice as long."""
    active = store.active()
    if active is not None:
        raise RunBusy(f"The run {active.id} is still going. Wait for it or stop it, then start the next one.")


def start(run: Run) -> None:
    """Start the trainer of a run, in a session of its own, with its output in the run's log.

    Raises `RunError` when the system refuses.
    """
    try:
        with run.log_file.open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "core.training", str(run.folder)],
                cwd=PROJECT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(f"The trainer could not be started ({error.strerror}). Is memory or the disk full?") from error
