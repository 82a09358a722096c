"""Files that a person names: what is read is a regular file, and results never replace another one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.errors import DataError, RunError
from core.files import open_regular
from core.language import tr


def path_named(text: str) -> Path:
    """The path that a person has typed, "~" understood; raises `DataError` where it can be none."""
    try:
        path = Path(text).expanduser()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path
    except OSError as error:
        raise DataError(_no_path(text, str(error.strerror))) from error
    except (ValueError, RuntimeError) as error:  # a zero byte, or somebody's home that does not exist
        raise DataError(_no_path(text, str(error))) from error
    return path


def _no_path(text: str, reason: str) -> str:
    return tr("“{text}” cannot be a file or folder ({reason}).", text=text[:80], reason=reason)


def opened(path: Path) -> BinaryIO:
    """A regular file, opened for reading; raises `DataError` for anything else, such as a pipe, which may never end."""
    try:
        return open_regular(path)
    except OSError as error:
        raise DataError(
            tr("The file {file} cannot be read ({reason}).", file=str(path), reason=str(error.strerror))
        ) from error


def target_of(named: str | None, usual: str) -> Path:
    """Where a result is written to: as a person has named it, or under its usual name here.

    Raises:
        DataError: That can be no file.
        RunError: There is a file of that name.
    """
    target = path_named(named or usual)
    if os.path.lexists(target):
        raise RunError(tr("There is a file {file} already. Give another name with -o, or remove it.", file=str(target)))
    return target


@contextmanager
def writing(target: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when it is whole; raises `RunError` where it cannot be written."""
    unfinished = target.with_name(f".{os.getpid()}{target.suffix[:20]}")
    try:
        with unfinished.open("xb") as file:
            yield file
        os.replace(unfinished, target)
    except OSError as error:
        raise RunError(
            tr("The file {file} cannot be written ({reason}).", file=str(target), reason=str(error.strerror))
        ) from error
    finally:
        with suppress(OSError):  # on a read-only disk there is none, and removing it is refused all the same
            unfinished.unlink(missing_ok=True)
