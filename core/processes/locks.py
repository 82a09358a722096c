"""Locks on files as signs of life: the system frees a lock when its process ends, however it ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

POLL_SECONDS = 0.05


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on this file; those who look share it, so they do not disturb each other."""
    try:
        with path.open() as file:
            portalocker.lock(file, portalocker.LockFlags.SHARED | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        return True
    except FileNotFoundError:  # nobody has come yet, or what it stands for has just been deleted
        return False
    return False


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[bool]:
    """Hold the lock on a file, which is created where it is missing; the block gets whether it was to be had.

    Args:
        path: The file.
        seconds: How long to wait for another holder; above 0, because `is_locked` holds the lock for a moment, too.

    Raises:
        FileNotFoundError: The folder of the file is not there.
    """
    with path.open("a") as file:
        deadline = time.monotonic() + seconds
        while not (held := _try_lock(file.fileno())) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield held


def _try_lock(file: int) -> bool:
    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        return False
    return True


def was_touched_within(path: Path, seconds: float) -> bool:
    """Whether a file was written or touched in the last seconds, as where a process has yet to take its lock.

    A file from the future, as after a clock was set back, was not.
    """
    try:
        return abs(time.time() - path.stat().st_mtime) < seconds
    except FileNotFoundError:
        return False
