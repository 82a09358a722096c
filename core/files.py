"""Two things that processes which share a folder rely on: files that change as a whole, and locks that tell of life."""

import os
from pathlib import Path

import portalocker


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
