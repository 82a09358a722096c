"""Results as files: never over another one, and whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.errors import RunError


def target_of(named: str | None, usual: str) -> Path:
    """Where a result is written to: as a person has named it, or under its usual name here.

    Raises `RunError` where there is a file of that name.
    """
    target = Path(named or usual).expanduser()
    if target.exists():
        raise RunError(f"There is a file {target} already. Give another name with -o, or remove it.")
    return target


@contextmanager
def writing(target: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when it is whole; raises `RunError` where it cannot be written."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with unfinished.open("xb") as file:
            yield file
        os.replace(unfinished, target)
    except OSError as error:
        raise RunError(f"The file {target} cannot be written ({error.strerror}).") from error
    finally:
        unfinished.unlink(missing_ok=True)
