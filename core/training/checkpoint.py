"""Checkpoints: where a run resumes, however it ended.

Two slots take turns, so that there is a whole one at every moment: the new one is written under another name, flushed
to the disk and renamed; last comes the marker that says which slot is the newer one. What is read is checked by the
checksums that the file's format carries; a damaged slot falls back to the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import read_arrays
from core.files import replacing, saving, write_atomically
from core.json_values import parsed

SLOTS = ("a", "b")
MARKER = "newest"
FACTS = "facts"

COUNT = "number of arrays"
"""Beside the facts: checksums say nothing of arrays that are missing from a damaged list of them."""


@dataclass(frozen=True)
class Checkpoint:
    """Where training stood.

    Attributes:
        facts: JSON values: position, status, state of callbacks.
        arrays: Weights, state of the optimizer, random states, by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def under(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names begin so, by the rest of their names."""
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


class Checkpoints:
    """The checkpoints of one run, in a folder that is made when there is something to write."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self._folder = folder

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; raises `StorageError` when the disk does not take it, and then the older ones stand."""
        with saving(self._folder):
            self._folder.mkdir(exist_ok=True)
        newest = self._newest()
        slot = SLOTS[1 - SLOTS.index(newest)] if newest else SLOTS[0]
        for leftover in self._folder.glob(".*.npz.*"):  # of writers that were killed; there is one at a time
            leftover.unlink()
        with replacing(self._file(slot)) as file:
            counted = {**checkpoint.facts, COUNT: len(checkpoint.arrays)}
            facts = np.frombuffer(json.dumps(counted).encode(), np.uint8)
            arrays: dict[str, Any] = {FACTS: facts, **checkpoint.arrays}
            np.savez(file, **arrays)
        write_atomically(self._folder / MARKER, slot)

    def read(self) -> Checkpoint | None:
        """The newest checkpoint that can be read; None if there is none."""
        newest = self._newest() or SLOTS[0]
        return next((found for slot in _in_turn(newest) if (found := _read(self._file(slot)))), None)

    def facts(self) -> Mapping[str, Any]:
        """The facts of the newest checkpoint that can be read, without its arrays; empty if there is none."""
        newest = self._newest() or SLOTS[0]
        return next((found.facts for slot in _in_turn(newest) if (found := _read(self._file(slot), FACTS))), {})

    def _newest(self) -> str:
        try:
            slot = (self._folder / MARKER).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        return slot if slot in SLOTS else ""

    def _file(self, slot: str) -> Path:
        return self._folder / f"{slot}.npz"


def _in_turn(newest: str) -> tuple[str, str]:
    """The slots, in the order in which they are tried."""
    return newest, SLOTS[1 - SLOTS.index(newest)]


def _read(file: Path, *names: str) -> Checkpoint | None:
    try:
        values = read_arrays(file, *names)
        facts = parsed(values.pop(FACTS).tobytes(), dict)
    except (OSError, ValueError, KeyError):
        return None
    count = facts.pop(COUNT, None)  # earlier versions did not count them
    return Checkpoint(facts, values) if names or count in (None, len(values)) else None
