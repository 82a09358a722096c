"""Files of JSON objects, one a line, that grow while they are read: each line is parsed once."""

import json
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Any

MAX_FILES = 32
"""Files whose rows are remembered, those read last."""

TAIL_BYTES = 64
"""Bytes before the place that was reached by which a file is recognised."""


@dataclass
class _Reached:
    """What was read of a file: its rows, the bytes that they take, and the last of these bytes."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0
    tail: bytes = b""


class GrowingFiles:
    """Reads files again from where it came to; may be asked by many threads at once.

    A file that was replaced, cut short or written from the start is read from the start.
    """

    def __init__(self, is_row: Callable[[Any], bool], max_files: int = MAX_FILES) -> None:
        """Remember the rows of so many files; a line of which `is_row` says no is damaged."""
        self._is_row, self._max_files = is_row, max_files
        self._reached: OrderedDict[tuple[str, int, int], _Reached] = OrderedDict()
        self._lock = Lock()

    def read(self, path: Path) -> list[dict[str, Any]]:
        """Every complete row, oldest first; the rows are shared, so nobody may change them.

        A half-written last line is left for the next time, and a damaged line ends the list.
        """
        try:
            with path.open("rb") as file, self._lock:
                return list(self._known(path, file).rows)
        except FileNotFoundError:
            return []

    def _known(self, path: Path, file: IO[bytes]) -> _Reached:
        stat = os.fstat(file.fileno())
        key = str(path), stat.st_dev, stat.st_ino
        reached = self._reached.setdefault(key, _Reached())
        self._reached.move_to_end(key)
        if not _is_same(file, reached):
            reached = self._reached[key] = _Reached()
        _read_on(file, reached, self._is_row)
        while len(self._reached) > self._max_files:
            self._reached.popitem(last=False)
        return reached


def _is_same(file: IO[bytes], reached: _Reached) -> bool:
    file.seek(reached.offset - len(reached.tail))
    return file.read(len(reached.tail)) == reached.tail


def _read_on(file: IO[bytes], reached: _Reached, is_row: Callable[[Any], bool]) -> None:
    file.seek(reached.offset)
    content = file.read()
    done = 0
    for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
        try:
            row = json.loads(line.decode("utf-8", errors="replace"))
        except (ValueError, RecursionError):
            break
        if not is_row(row):
            break
        reached.rows.append(row)
        done += len(line)
    reached.offset += done
    reached.tail = (reached.tail + content[:done])[-TAIL_BYTES:]
