"""The warm trainer: it loads TensorFlow while a person still chooses, and is ready when Start is clicked.

`WarmTrainer` is the server's side, `core.training.process.warm_trainer` the child's. Each message is a line of JSON on
the child's standard input: `{"prepare": {"backbone": KEY}}` any number of times, then `{"run": FOLDER}` once.
Only a child that has a run outlives the server, because the end of its input ends it before.
"""

import json
import subprocess
import threading
import time
from contextlib import suppress

from core.errors import RunError
from core.runs import trainers
from core.runs.store import FAILED, FINISHED, PAUSED, STOPPED, Run

PATIENCE_SECONDS = 3.0
"""How long a trainer may take to lock a run that it was given. One that is ready takes 0.02 s, one that is loading
TensorFlow up to 0.5 s, and longer from a slow disk."""


class WarmTrainer:
    """Keeps at most one warm trainer, for all sessions of a server."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._asked = ""

    def prepare(self, backbone: str) -> None:
        """Have a warm trainer prepared for this variant, by its key; returns at once, whether that succeeds or not.

        A trainer that crashed over a variant is not replaced for the same one.
        """
        with self._lock:
            if backbone == self._asked and self._child is not None and self._child.poll() != 0:
                return
            if self._child is None or self._child.poll() is not None:
                self._child = _start()
            if self._child is not None:
                _send(self._child, {"prepare": {"backbone": backbone}})
                self._asked = backbone

    def hand_over(self, run: Run) -> bool:
        """Give a run to the warm trainer, which then belongs to the run alone.

        Returns:
            Whether it was taken. If not, no trainer has it, and a new one can be started.
        """
        child = self._let_go()
        if child is None:
            return False
        _send(child, {"run": str(run.folder.resolve())})
        if child.stdin is not None:
            child.stdin.close()
        return _is_taken(run, child)

    def close(self) -> None:
        """End the warm trainer, if there is one."""
        child = self._let_go()
        if child is not None:
            with child:
                child.kill()

    def _let_go(self) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            child, self._child, self._asked = self._child, None, ""
        return child


def _start() -> "subprocess.Popen[bytes] | None":
    with suppress(OSError):  # no more processes can be started; Start reports it
        return trainers.start_warm()
    return None


def _send(child: "subprocess.Popen[bytes]", message: dict[str, object]) -> None:
    if child.stdin is not None:
        with suppress(OSError):  # it has just ended
            child.stdin.write(json.dumps(message).encode() + b"\n")


def _is_taken(run: Run, child: "subprocess.Popen[bytes]") -> bool:
    """Wait until the child holds the run's lock; one that takes too long is ended, so that no run has two trainers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while child.poll() is None:
        if run.is_locked():
            return True
        if time.monotonic() > deadline:
            child.kill()
        time.sleep(0.01)
    return _is_over(run)


def _is_over(run: Run) -> bool:
    try:
        return run.read_status().state in (FINISHED, STOPPED, PAUSED, FAILED)
    except RunError:
        return False
