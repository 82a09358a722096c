"""Checkpoints: where a run resumes, however it ended.

Two slots take turns, so that there is a whole one at every moment: the new one is written under another name, flushed
to the disk and renamed; last comes the marker that says which slot is the newer one. What is read is checked by the
checksums that the file's format carries; a damaged slot falls back to the other.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import replacing, saving, write_atomically

SLOTS = ("a", "b")
MARKER = "newest"
FACTS = "facts"


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
            facts = np.frombuffer(json.dumps(checkpoint.facts).encode(), np.uint8)
            arrays: dict[str, Any] = {FACTS: facts, **checkpoint.arrays}
            np.savez(file, **arrays)
        write_atomically(self._folder / MARKER, slot)

    def read(self) -> Checkpoint | None:
        """The newest checkpoint that can be read; None if there is none."""
        newest = self._newest() or SLOTS[0]
        for slot in (newest, SLOTS[1 - SLOTS.index(newest)]):
            found = _read(self._file(slot))
            if found is not None:
                return found
        return None

    def facts(self) -> Mapping[str, Any]:
        """The facts of the newest checkpoint, without its arrays; empty if there is none that can be read."""
        try:
            with np.load(self._file(self._newest() or SLOTS[0]), allow_pickle=False) as arrays:
                found: dict[str, Any] = json.loads(arrays[FACTS].tobytes())
                return found
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}

    def _newest(self) -> str:
        try:
            slot = (self._folder / MARKER).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        return slot if slot in SLOTS else ""

    def _file(self, slot: str) -> Path:
        return self._folder / f"{slot}.npz"


def _read(file: Path) -> Checkpoint | None:
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        return Checkpoint(json.loads(values.pop(FACTS).tobytes()), values)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
