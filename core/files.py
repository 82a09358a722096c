"""What processes that work together rely on: where they start, files replaced as a whole, locks as signs of life."""

import os
from pathlib import Path

import portalocker

PROJECT = Path(__file__).resolve().parents[1]
"""Where child processes are started, so that they find our modules."""


def write_atomically(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, sees the old or the new one and nothing between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock on this file; lookers share it, so they never disturb one another."""
    try:
        with path.open() as file:
            portalocker.lock(file, portalocker.LockFlags.SHARED | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        return True
    except FileNotFoundError:  # nobody has come yet, or what it stands for has just been deleted
        return False
    return False
