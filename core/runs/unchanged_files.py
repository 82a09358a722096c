"""Small files that are read again and again, at every draw of a page: parsed anew only once they have changed."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

MOST_KEPT = 20_000
"""Readings that are kept, those asked for last: a store of so many runs."""

RECENT_NS = 2_000_000_000
"""Nanoseconds that a change must be past for its time to tell it from the next: some file systems count in seconds."""

Signature = tuple[int, int, int, int, int]

Reading = TypeVar("Reading")


class UnchangedFiles(Generic[Reading]):
    """What was read of files, as long as they stay the same; may be asked by many threads at once.

    Whether a file is the same is seen by its times, size and place on the disk. What was changed within the last two
    seconds, or will be according to its time, is read every time.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        """Keep so many readings."""
        self._most_kept = most_kept
        self._kept: OrderedDict[tuple[str, ...], tuple[tuple[Signature | None, ...], Reading]] = OrderedDict()
        self._lock = Lock()

    def get(self, read: Callable[[], Reading], folder: Path, *names: str) -> Reading:
        """What `read` makes of files of a folder, or without names of the list of all that is in it.

        They need not exist. What `read` raises is raised every time.
        """
        place = str(folder)  # which a path keeps; joining paths would take longer than all else here
        key = (place, *names)
        signatures = tuple(_signature(f"{place}{os.sep}{name}") for name in names or ("",))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == signatures:
                self._kept.move_to_end(key)
                return kept[1]
        before = time.time_ns() - RECENT_NS
        found = read()
        if all(each is None or max(each[:2]) < before for each in signatures):
            with self._lock:
                self._kept[key] = signatures, found
                self._kept.move_to_end(key)
                while len(self._kept) > self._most_kept:
                    self._kept.popitem(last=False)
        return found


def _signature(file: str) -> Signature | None:
    """What tells a state of a file from others; None where there is none, or the system does not say."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
