import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.training.checkpoint import MARKER, Checkpoint, Checkpoints
from tests.conftest import PROJECT
from tests.damage import damaged_bytes

WRITER = """
import sys
from pathlib import Path
import numpy as np
from core.training.checkpoint import Checkpoint, Checkpoints
from tests.damage import damaged_bytes
kept = Checkpoints(Path(sys.argv[1]))
for number in range(10**9):
    kept.write(Checkpoint({"number": number}, {"learning/x": np.full(20_000, number)}))
    print(number, flush=True)
"""


def checkpoint(number: int) -> Checkpoint:
    return Checkpoint({"number": number, "why": "Größe"}, {"learning/a/0": np.full((2, 3), number, np.float32)})


def numbers(kept: Checkpoints) -> int | None:
    found = kept.read()
    if found is None:
        return None
    assert (found.under("learning/")["a/0"] == found.facts["number"]).all()
    return int(found.facts["number"])


def test_the_newest_comes_back_and_there_are_never_more_than_two(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "checkpoints")
    assert kept.read() is None
    for number in range(5):
        kept.write(checkpoint(number))
        assert numbers(kept) == number
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"a.npz", "b.npz", MARKER}
    found = kept.read()
    assert found is not None and found.facts["why"] == "Größe" and found.under("learning/")["a/0"].dtype == np.float32
    assert found.under("best/") == {}


@pytest.mark.parametrize("harm", ["cut", "flip", "gone", "empty"])
def test_a_damaged_slot_falls_back_to_the_one_before(tmp_path: Path, harm: str) -> None:
    kept = Checkpoints(tmp_path)
    kept.write(checkpoint(1))
    kept.write(checkpoint(2))
    newest = tmp_path / f"{(tmp_path / MARKER).read_text()}.npz"
    whole = newest.read_bytes()
    middle = whole.index(np.float32(2).tobytes() * 6)
    flipped = whole[:middle] + b"\xff" + whole[middle + 1 :]
    newest.write_bytes({"cut": whole[:-50], "flip": flipped, "gone": b"", "empty": b""}[harm])
    if harm == "gone":
        newest.unlink()
    assert numbers(kept) == 1
    kept.write(checkpoint(3))
    assert numbers(kept) == 3


def test_whatever_happens_to_the_bytes_of_a_slot_it_is_read_as_it_was_or_the_other_is_taken(tmp_path: Path) -> None:
    kept, chance = Checkpoints(tmp_path), random.Random(9)
    for number in (1, 2):
        kept.write(checkpoint(number))
    newest = tmp_path / f"{(tmp_path / MARKER).read_text()}.npz"
    whole, found = newest.read_bytes(), []
    for _ in range(600):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] = chance.randrange(256)
        newest.write_bytes(changed if chance.random() < 0.8 else damaged_bytes(whole, chance))
        found.append(numbers(kept))
        assert kept.facts()["number"] in (1, 2)
    assert set(found) == {1, 2} and found.count(1) > 100


def test_a_marker_that_was_lost_or_spoilt_costs_nothing_but_the_order(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.write(checkpoint(1))
    for spoilt in (b"", b"c", b"\xff\xfe"):
        (tmp_path / MARKER).write_bytes(spoilt)
        assert numbers(kept) == 1


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", facts=np.array([{"number": 1}], object))
    assert Checkpoints(tmp_path).read() is None


def test_a_disk_that_takes_no_more_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path)
    kept.write(checkpoint(1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="The disk is full"):
            kept.write(checkpoint(2))
    assert numbers(kept) == 1


def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_one(tmp_path: Path) -> None:
    for _ in range(5):
        arguments = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            told = [child.stdout.readline() for _ in range(3)]
            child.kill()
            told += child.stdout.readlines()
        last = max(int(line) for line in told if line.endswith("\n"))
        found = Checkpoints(tmp_path).read()
        assert found is not None and found.facts["number"] in (last, last + 1)
        assert (found.under("learning/")["x"] == found.facts["number"]).all()
