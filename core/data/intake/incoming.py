"""What every way in has in common: files are written out of sight, checked, then moved to their place in one step."""

import errno
import math
import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

import portalocker

from core.data.images import PHOTO_SUFFIXES, inspect
from core.data.intake.file_names import LONGEST_SUFFIX, safe_name
from core.data.scan.tables import TABLE_SUFFIXES
from core.data.scan.walk import SUFFIX_HINTS, LeftOut, is_housekeeping
from core.errors import DataError, FolderError, PhotoError
from core.language import number, tr, tr_mark
from core.settings import GIGABYTE, MEGABYTE

CHUNK = 1 << 16
REPORTS = 200
PREFIX = ".unfinished-"
LOCK = "lock"

STALE_SECONDS = 60.0
"""A folder younger than this may belong to somebody who is just about to lock it."""

KEPT_SUFFIXES = PHOTO_SUFFIXES | frozenset(TABLE_SUFFIXES)
"""Endings of photos, and of the tables that may bring their labels."""

UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, ends of lines, marks that turn the direction of writing, and halves of characters."""

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space left, the user's share is used up, or the file may not grow."""

NAMELESS = {
    "a dataset": tr_mark("“{name}” cannot be the name of a dataset. Give a name with at least one letter or digit."),
    "a class": tr_mark("“{name}” cannot be the name of a class. Give a name with at least one letter or digit."),
}
NAMES_OF_SYSTEMS = {
    "a dataset": tr_mark("“{name}” is a name that systems use for themselves. Give a dataset another name."),
    "a class": tr_mark("“{name}” is a name that systems use for themselves. Give a class another name."),
}

BAD_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
"""What file systems say to a name that they cannot hold."""


@dataclass(frozen=True)
class Intake:
    """What came in.

    Attributes:
        folder: Where the photos are now.
        added: How many photos were added; every one was read to its end.
        left_out: Everything else that came, with the reason, sorted by path.
        ignored: How many housekeeping files (see `core.data.scan.walk`) were passed over.
    """

    folder: Path
    added: int
    left_out: tuple[LeftOut, ...]
    ignored: int


class Progress:
    """Hands on about 200 reports of how many bytes are done."""

    def __init__(self, on_progress: Callable[[int, int], None], total: int) -> None:
        """Begin at zero of `total` bytes."""
        self.on_progress, self.total = on_progress, total
        self._step = max(1, total // REPORTS)
        self._next: float = self._step

    def at(self, done: int) -> None:
        """Report that so many bytes are done, if that is worth a report."""
        if done >= self._next:
            self._next = min(done + self._step, self.total) if done < self.total else math.inf
            self.on_progress(done, self.total)


@contextmanager
def unfinished(datasets_folder: Path, needed: int) -> Iterator[Path]:
    """Give a new hidden folder for files that are not checked yet; what is left in it at the end is removed.

    Args:
        datasets_folder: Where it is made, so that what is finished can be moved without copying.
        needed: Bytes that are going to be written, or an upper bound.

    Raises:
        FolderError: It cannot be written to, or the disk is full: now, or while the folder is in use.
    """
    try:
        datasets_folder.mkdir(parents=True, exist_ok=True)
        sweep_unfinished(datasets_folder)
        _check_space(datasets_folder, needed)
        with _locked_folder(datasets_folder / f"{PREFIX}{uuid.uuid4().hex}") as folder:
            yield folder
    except (OSError, portalocker.LockException) as error:
        raise FolderError(_what_went_wrong(error, datasets_folder, needed)) from error


def sweep_unfinished(datasets_folder: Path) -> None:
    """Remove what a server that was killed has left unfinished; what somebody is at work on stays.

    Whoever is at work holds a lock, which the system frees when the process ends, however it ends.
    """
    for folder in datasets_folder.glob(f"{PREFIX}*"):
        with suppress(OSError, portalocker.LockException):
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                with (folder / LOCK).open("a") as file:
                    portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
                    shutil.rmtree(folder, ignore_errors=True)


def free_names(wanted: Path, numbers: dict[Path, int] | None = None) -> Iterator[Path]:
    """Yield "rose.jpg", "rose 2.jpg", "rose 3.jpg" and so on; `numbers` remembers where to go on the next time."""
    for place in count((numbers or {}).get(wanted, 1)):
        if numbers is not None:
            numbers[wanted] = place + 1
        yield _numbered(wanted, place)


def claim(candidates: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """Make an empty file or folder under the first free name; what is there is never replaced.

    The file system itself is asked, because it may take "Rose.jpg" and "rose.jpg" for one name.

    Args:
        candidates: Names without end, see `free_names`.
        make: `new_file` or `new_folder`.

    Raises:
        PhotoError: The file system cannot hold such a name; the bare reason.
        OSError: It can hold nothing more, or nothing at all.
    """
    for path in candidates:
        try:
            make(path)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno in BAD_NAME:
                raise PhotoError(
                    tr("this disk cannot hold a name like this ({reason})", reason=str(error.strerror))
                ) from error
            raise
        return path
    raise FileExistsError(errno.EEXIST, "all names are taken")


def new_file(path: Path) -> None:
    """Make an empty file; raises `FileExistsError` when the name is taken."""
    path.touch(exist_ok=False)


def new_folder(path: Path) -> None:
    """Make an empty folder; raises `FileExistsError` when the name is taken."""
    path.mkdir()


def move_in(finished: Path, candidates: Iterable[Path]) -> Path:
    """Move a finished file or folder to the first free name, see `claim`; return where it is now."""
    is_folder = finished.is_dir()
    target = claim(candidates, new_folder if is_folder else new_file)
    try:
        os.replace(finished, target)
    except OSError:
        (target.rmdir if is_folder else target.unlink)()
        raise
    return target


def write(chunks: Iterable[bytes], path: Path, progress: Progress, before: int = 0) -> None:
    """Write a file piece by piece; `before` is how many bytes of the whole work were done before it."""
    done = before
    with path.open("wb") as file:
        for chunk in chunks:
            done += file.write(chunk)
            progress.at(done)


def chunks_of(stream: BinaryIO, most: int) -> Iterator[bytes]:
    """Yield a stream's bytes from its beginning.

    Raises:
        PhotoError: There are more than `most`, or they cannot be read; the bare reason.
    """
    done = 0
    try:
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            done += len(chunk)
            if done > most:
                raise PhotoError(too_large(done, most))
            yield chunk
    except (OSError, ValueError) as error:
        raise PhotoError(tr("what was sent cannot be read ({reason})", reason=str(error))) from error


def broken(paths: Sequence[Path], max_pixels: int) -> dict[Path, str]:
    """Read photos to their end, on all cores, and return the reason for each that cannot be used."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        problems = pool.map(lambda path: _problem(path, max_pixels), paths)
        return {path: problem for path, problem in zip(paths, problems, strict=True) if problem}


def suffix_problem(suffix: str) -> str:
    """Return why a file with this ending (lower case, with the dot) cannot be a photo; empty when it can."""
    if suffix in PHOTO_SUFFIXES:
        return ""
    if suffix in SUFFIX_HINTS:
        return tr(SUFFIX_HINTS[suffix])
    if len(suffix) > LONGEST_SUFFIX:
        return tr("files of this kind are not photos")
    return tr("{ending} files are not photos", ending=suffix)


def too_large(found: int, most: int) -> str:
    """Say that a file has too many bytes."""
    return tr("the file is too large: {size}; the limit is {limit}", size=in_words(found), limit=in_words(most))


def in_words(size: int) -> str:
    """Return a number of bytes as people say it."""
    if size >= GIGABYTE:
        return tr("{number} GB", number=number(size / GIGABYTE, 1))
    return tr("{number} MB", number=number(size / MEGABYTE, 1))


def shown(name: str) -> str:
    """Return the name of something that came in without what would disturb the screen."""
    return UNSEEN.sub("\ufffd", name)


def folder_name(name: str, what: str) -> str:
    """Return what a person has typed, or the name of a file, as the name of a folder.

    Raises:
        DataError: Nothing is left of it, or systems use such names for themselves; `what` says whose name it is,
            "a dataset" or "a class".
    """
    cleaned = safe_name(name.replace("/", "_").replace("\\", "_"))
    if not any(unicodedata.category(character)[0] in "LNS" for character in name):  # letters, numbers, symbols
        raise DataError(tr(NAMELESS[what], name=name[:40]))
    if is_housekeeping(cleaned):
        raise DataError(tr(NAMES_OF_SYSTEMS[what], name=name[:40]))
    return cleaned


@contextmanager
def _locked_folder(folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir()
        with (folder / LOCK).open("a") as file:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _numbered(path: Path, place: int) -> Path:
    if place == 1:
        return path
    suffix = path.suffix if path.suffix.lower() in KEPT_SUFFIXES else ""
    return path.with_name(f"{path.name.removesuffix(suffix)} {place}{suffix}")


def _problem(path: Path, max_pixels: int) -> str:
    try:
        inspect(path, max_pixels)
    except PhotoError as error:
        return error.text
    return ""


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FolderError(_disk_full(folder, needed, free))


def _what_went_wrong(error: Exception, folder: Path, needed: int) -> str:
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return _disk_full(folder, needed, shutil.disk_usage(folder).free)
    reason = str(error.strerror if isinstance(error, OSError) else error)
    return tr(
        "The folder {folder} cannot be written to ({reason}). Nothing was added.", folder=str(folder), reason=reason
    )


def _disk_full(folder: Path, needed: int, free: int) -> str:
    return tr(
        "The disk is full: the photos need up to {needed}, and {free} are free for {folder}. Nothing was added. Make"
        " room, or set UNFREEZE_HOME to a folder on a larger disk.",
        needed=in_words(needed),
        free=in_words(free),
        folder=str(folder),
    )
