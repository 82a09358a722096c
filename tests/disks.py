"""Disks that take nothing more, for tests: a small one in memory to be filled, and a folder that is read-only.

Only root may mount; where that is not allowed, the tests that ask for them are skipped.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str = "2m") -> Iterator[Path]:
    """A disk of so many bytes, mounted at a new folder."""
    place.mkdir()
    with mounted(["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], place):
        yield place


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below a folder can be written in the block."""
    with mounted(["--bind", str(folder), str(folder)], folder):
        mount(["-o", "remount,ro,bind", str(folder)])
        yield


@contextmanager
def mounted(arguments: list[str], place: Path) -> Iterator[None]:
    mount(arguments)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def mount(arguments: list[str]) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk cannot be mounted here: {error}")


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), (disk / "filling").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
