"""Sources of photos to predict: uploads, the entries of a ZIP archive, the files below a folder."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.data.images import PHOTO_SUFFIXES
from core.data.intake.archive import usable_entries
from core.data.intake.incoming import shown, suffix_problem, too_large
from core.data.intake.zip_reader import Entry, ZipReader
from core.data.scan.walk import LeftOut, Walk, check_inside, check_photo
from core.errors import PhotoError, PhotoOutOfReach
from core.files import open_resolved
from core.language import tr
from core.settings import Limits


@dataclass(frozen=True)
class Photo:
    """A photo to predict.

    Attributes:
        name: Its name, with its folders in an archive or below a folder.
        read: Gives its bytes, from any thread; raises `PhotoError` where they cannot be had.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Listing:
    """Photos, none of them read yet, and files that cannot be used, with reasons."""

    photos: tuple[Photo, ...]
    left_out: tuple[LeftOut, ...] = ()


def uploaded(files: Sequence[tuple[str, BinaryIO]], limits: Limits) -> Listing:
    """List photos that were sent, by name and seekable content; those above `uploads` or `file_bytes` are left out."""
    photos: list[Photo] = []
    left_out: list[LeftOut] = []
    for name, file in files:
        problem = _problem(name, file, len(photos), limits)
        if problem:
            left_out.append(LeftOut(shown(name), problem))
        else:
            photos.append(Photo(shown(name), _Locked(file).whole))
    return Listing(tuple(photos), tuple(left_out))


def zipped(file: BinaryIO, limits: Limits) -> Listing:
    """List the photos of a ZIP archive, which stays open as long as they are needed; nothing is unpacked to disk.

    Raises:
        DataError: It cannot be read, or is too large.
    """
    reader, lock = ZipReader(file, limits.files), threading.Lock()
    chosen, left_out = usable_entries(reader, limits)

    def reading(entry: Entry) -> Callable[[], bytes]:
        def read() -> bytes:
            with lock:
                return b"".join(reader.content(entry))

        return read

    named = [(shown("/".join(parts)), entry) for parts, entry in chosen]
    photos = [(name, entry) for name, entry in named if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES]
    return Listing(tuple(Photo(name, reading(entry)) for name, entry in photos), tuple(left_out))


def in_folder(
    folder: Path | str, roots: Sequence[Path], limits: Limits, on_folder: Callable[[], None] = lambda: None
) -> Listing:
    """List the photos below a folder; they are only ever read. `on_folder` may raise to give up.

    Raises:
        FolderError: It is not inside one of `roots`, cannot be opened, or holds too many photos.
    """
    root = check_inside(folder, roots)
    walk = Walk(root, roots, limits, on_folder)
    found = listed(root, (file.path for file in sorted(walk.files)), roots, limits)
    return Listing(found.photos, tuple(walk.left_out))


def listed(root: Path, paths: Iterable[str], roots: Sequence[Path], limits: Limits) -> Listing:
    """List photos that are known, by their paths relative to a folder, in this order; each is named by its path."""

    def reading(path: str) -> Callable[[], bytes]:
        return lambda: _read_file(root / path, roots, limits.file_bytes)

    return Listing(tuple(Photo(path, reading(path)) for path in paths))


def named(path: Path, limits: Limits) -> Listing:
    """List a single photo that a person at this computer has named, wherever it lies."""
    problem = suffix_problem(path.suffix.lower())
    if problem:
        return Listing((), (LeftOut(str(path), problem),))
    whole = path.resolve()
    return Listing((Photo(str(path), lambda: _read_file(whole, (whole.parent,), limits.file_bytes)),))


class _Locked:
    """A file that was sent, read by one thread at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()

    def whole(self) -> bytes:
        with self._lock:
            self._file.seek(0)
            return self._file.read()


def _problem(name: str, file: BinaryIO, before: int, limits: Limits) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    size = file.seek(0, os.SEEK_END)
    if suffix not in PHOTO_SUFFIXES:
        return suffix_problem(suffix)
    if size > limits.file_bytes:
        return too_large(size, limits.file_bytes)
    return "" if before < limits.uploads else tr("at most {count} photos are accepted at a time", count=limits.uploads)


def _read_file(path: Path, roots: Sequence[Path], most: int) -> bytes:
    try:
        with open_resolved(check_photo(path, roots)) as file:
            content = file.read(most + 1)
    except OSError as error:
        raise PhotoOutOfReach(tr("the file cannot be read: {reason}", reason=str(error.strerror))) from error
    if len(content) > most:
        raise PhotoError(too_large(len(content), most))
    return content
