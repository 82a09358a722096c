"""Datasets that people build by themselves: uploaded photos and photos from a camera, class by class.

Photos are only added, never replaced, and only to datasets directly in Unfreeze's own folder. They are removed by
`core.data.intake.removal`.
"""

import filecmp
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.data.images import inspect
from core.data.intake.file_names import safe_name
from core.data.intake.incoming import (
    Intake,
    Progress,
    broken,
    chunks_of,
    claim,
    folder_name,
    free_names,
    in_words,
    move_in,
    new_file,
    new_folder,
    shown,
    suffix_problem,
    too_large,
    unfinished,
    write,
)
from core.data.intake.own_datasets import (
    changing,
    check_free,
    class_folder,
    is_photo_name,
    own_dataset,
    settled_class_folder,
)
from core.data.intake.removal import delete_old
from core.data.intake.sample import SAMPLE_NAME
from core.data.scan.folder import nothing
from core.data.scan.walk import LeftOut, is_housekeeping
from core.errors import DataError, FolderError, PhotoError
from core.language import tr
from core.settings import Limits

ENOUGH = 5
"""Photos that a class should have: three to learn from, one to choose the best model by, one to test it."""


@dataclass(frozen=True)
class Readiness:
    """Whether what was collected is enough to train on.

    Attributes:
        photos: How many there are in all.
        ready: Whether two classes have enough.
        missing: How many photos a class lacks to have enough. Before it is ready, these are as many classes as are
            wanted, those that lack least; then all that have photos, but too few.
        more_classes: How many classes have to be added before two can have enough.
    """

    photos: int
    ready: bool
    missing: Mapping[str, int]
    more_classes: int


def readiness(counts: Mapping[str, int]) -> Readiness:
    """Say whether two classes have enough photos, and what is missing; `counts` are the photos of each class."""
    lacking = {name: ENOUGH - number for name, number in counts.items() if number < ENOUGH}
    wanted = max(0, 2 - (len(counts) - len(lacking)))
    least = sorted(lacking, key=lambda name: lacking[name])[:wanted]
    named = least or [name for name in lacking if counts[name]]
    missing = {name: lacking[name] for name in lacking if name in named}
    return Readiness(sum(counts.values()), not wanted, missing, max(0, 2 - len(counts)))


def new_dataset(datasets_folder: Path, name: str) -> Path:
    """Make an empty dataset, and return its folder.

    Raises:
        DataError: The name is empty, or is taken (in capital or small letters).
        FolderError: It cannot be written.
    """
    cleaned = folder_name(name, "a dataset")
    if cleaned.casefold() == SAMPLE_NAME:
        raise DataError(tr("“{name}” is the name of the sample. Give another name.", name=SAMPLE_NAME))
    try:
        datasets_folder.mkdir(parents=True, exist_ok=True)
        return _new_folder(datasets_folder, cleaned, "dataset")
    except OSError as error:
        raise FolderError(_dataset_not_made(cleaned, datasets_folder, error)) from error


def begin_dataset(datasets_folder: Path, name: str, class_names: Iterable[str]) -> Path:
    """Make a dataset with empty classes under the first free name of "photos", "photos 2" and so on; return its folder.

    Raises:
        DataError: One of the names is empty, or two classes have the same.
        FolderError: It cannot be written.
    """
    cleaned = folder_name(name, "a dataset")
    try:
        datasets_folder.mkdir(parents=True, exist_ok=True)
        folder = claim(free_names(datasets_folder / cleaned), new_folder)
    except OSError as error:
        raise FolderError(_dataset_not_made(cleaned, datasets_folder, error)) from error
    for class_name in class_names:
        new_class(folder, class_name, datasets_folder=datasets_folder)
    return folder


def _dataset_not_made(name: str, folder: Path, error: OSError) -> str:
    return tr(
        "The dataset “{name}” cannot be made in {folder} ({reason}).",
        name=name,
        folder=str(folder),
        reason=str(error.strerror),
    )


def new_class(dataset: Path, name: str, *, datasets_folder: Path) -> str:
    """Make an empty class in a dataset, and return its name, made fit for a folder.

    Raises:
        DataError: The name is empty, or is taken (in capital or small letters).
        FolderError: It cannot be written, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = own_dataset(dataset, datasets_folder)
    cleaned = folder_name(name, "a class")
    try:
        return _new_folder(folder, cleaned, "class").name
    except OSError as error:
        raise FolderError(
            tr(
                "The class “{name}” cannot be made in {folder} ({reason}).",
                name=cleaned,
                folder=str(folder),
                reason=str(error.strerror),
            )
        ) from error


def class_counts(dataset: Path, *, datasets_folder: Path) -> dict[str, int]:
    """Return how many photos each class has, by their names alone, sorted by class; also the classes with none.

    Raises:
        FolderError: It cannot be read, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = own_dataset(dataset, datasets_folder)
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if _is_class(entry))
    except OSError as error:
        raise FolderError(_not_opened(folder, error)) from error
    return {name: sum(1 for _ in _photo_names(folder / name)) for name in names}


def newest(dataset: Path, class_name: str, most: int, *, datasets_folder: Path) -> list[Path]:
    """Return the photos of a class that came last, the newest first.

    Raises:
        FolderError: There is no such class or dataset, or it cannot be read.
    """
    target = settled_class_folder(own_dataset(dataset, datasets_folder), class_name)
    try:
        with os.scandir(target) as entries:
            times = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if is_photo_name(entry.name)]
    except OSError as error:
        raise FolderError(_not_opened(target, error)) from error
    return [target / name for _, name in sorted(times, reverse=True)[:most]]


def _not_opened(folder: Path, error: OSError) -> str:
    return tr("The folder {folder} cannot be opened ({reason}).", folder=str(folder), reason=str(error.strerror))


def add_photos(
    dataset: Path,
    class_name: str,
    files: Iterable[tuple[str, BinaryIO]],
    limits: Limits,
    on_progress: Callable[[int, int], None] = nothing,
    *,
    datasets_folder: Path,
) -> Intake:
    """Add photos to a class: all that can be used, or none when something goes wrong in the middle.

    Each is written piece by piece, read to its end, and moved to the first free name; nothing is ever replaced. What
    the class has already, byte for byte, is left out.

    Args:
        dataset: A folder directly in `datasets_folder`.
        class_name: One of its classes.
        files: Name and content of each, seekable.
        limits: What is above `uploads`, `total_bytes`, `files` (in the whole dataset), `file_bytes` or `pixels` is left
            out.
        on_progress: Called in this thread with the number of bytes written so far and of all, about 200 times. What it
            raises ends the work, and nothing is added.
        datasets_folder: Where Unfreeze's own datasets are.

    Raises:
        FolderError: There is no such class or dataset, it cannot be written, or the disk is full.
    """
    home = own_dataset(dataset, datasets_folder)
    settled_class_folder(home, class_name)
    room = limits.files - sum(class_counts(dataset, datasets_folder=datasets_folder).values())
    uploads = _Uploads(files, limits, room)
    with unfinished(datasets_folder, uploads.needed) as folder:
        written = uploads.write_to(folder, Progress(on_progress, uploads.needed))
        problems = broken(list(written), limits.pixels)
        for path, problem in problems.items():
            uploads.leave_out(written[path], problem)
        good = {path: name for path, name in written.items() if path not in problems}
        with changing(home):
            delete_old(home)
            target = class_folder(home, class_name)
            added = _move_all(good, target)
        for path, twin in added.items():
            if twin is not None:
                uploads.leave_out(written[path], tr("the same photo is already there ({file})", file=twin.name))
    new = sum(twin is None for twin in added.values())
    return Intake(target, new, tuple(sorted(uploads.left_out)), uploads.ignored)


def add_camera_photo(dataset: Path, class_name: str, jpeg: bytes, limits: Limits, *, datasets_folder: Path) -> Path:
    """Add a photo from the camera to a class, and return its file, for example `camera-20261122-101530-001.jpg`.

    The name tells local time and a number; none of those that are there is ever replaced.

    Raises:
        PhotoError: The photo is too large or cannot be read.
        DataError: The dataset holds as many photos as are allowed.
        FolderError: There is no such class or dataset, it cannot be written, or the disk is full.
    """
    folder = own_dataset(dataset, datasets_folder)
    settled_class_folder(folder, class_name)
    _check_camera_photo(jpeg, limits)
    if sum(class_counts(dataset, datasets_folder=datasets_folder).values()) >= limits.files:
        raise DataError(
            tr(
                "The dataset holds {limit} photos, the most that are taken. Build another dataset, or raise “files”"
                " under [limits] in settings.toml.",
                limit=limits.files,
            )
        )
    with unfinished(datasets_folder, len(jpeg)) as place:
        write([jpeg], place / "photo", Progress(nothing, 0))
        with changing(folder):
            delete_old(folder)
            return move_in(place / "photo", _camera_names(class_folder(folder, class_name)))


class _Uploads:
    """Files that were sent, sorted into photos to write and the rest.

    Attributes:
        left_out: The rest, with reasons.
        ignored: How many housekeeping files there were.
        needed: Bytes of what is to be written.
    """

    def __init__(self, files: Iterable[tuple[str, BinaryIO]], limits: Limits, room: int) -> None:
        """Look at names and sizes; `room` is how many photos the dataset may still take."""
        self.left_out: list[LeftOut] = []
        self.ignored = self.needed = 0
        self._limits, self._room = limits, room
        self._chosen: list[tuple[str, BinaryIO, int]] = []
        for name, stream in files:
            if is_housekeeping(re.split(r"[/\\]", name)[-1]):
                self.ignored += 1
            else:
                self._sort(name, stream)

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.append(LeftOut(shown(name), reason))

    def write_to(self, folder: Path, progress: Progress) -> dict[Path, str]:
        """Write the photos into a folder, and return the name that each was sent with, by its file."""
        written, done = {}, 0
        for name, stream, size in self._chosen:
            try:
                path = claim(free_names(folder / safe_name(name)), new_file)
                write(chunks_of(stream, self._limits.file_bytes), path, progress, done)
                written[path] = name
            except PhotoError as error:
                self.leave_out(name, error.text)
            done += size
            progress.at(done)
        return written

    def _sort(self, name: str, stream: BinaryIO) -> None:
        try:
            size = _size(stream)
        except PhotoError as error:
            self.leave_out(name, error.text)
            return
        problem = self._problem(name, size)
        if problem:
            self.leave_out(name, problem)
        else:
            self.needed += size
            self._chosen.append((name, stream, size))

    def _problem(self, name: str, size: int) -> str:
        limits = self._limits
        problem = suffix_problem(PurePosixPath(safe_name(name)).suffix.lower())
        if problem or size > limits.file_bytes:
            return problem or too_large(size, limits.file_bytes)
        if len(self._chosen) >= limits.uploads:
            return tr("{limit} photos are taken at a time: add it in the next round", limit=limits.uploads)
        if self.needed + size > limits.total_bytes:
            return tr("{size} are taken at a time: add it in the next round", size=in_words(limits.total_bytes))
        if len(self._chosen) < self._room:
            return ""
        return tr("the dataset holds {limit} photos, the most that are taken", limit=limits.files)


def _new_folder(parent: Path, name: str, what: str) -> Path:
    check_free(parent, name, what)
    (parent / name).mkdir()
    return parent / name


def _is_class(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not is_housekeeping(entry.name)


def _photo_names(folder: Path) -> Iterator[str]:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_housekeeping(name)]
        yield from (name for name in names if is_photo_name(name))


def _size(stream: BinaryIO) -> int:
    try:
        return stream.seek(0, os.SEEK_END)
    except (OSError, ValueError) as error:
        raise PhotoError(tr("what was sent cannot be read ({reason})", reason=str(error))) from error


def _move_all(written: dict[Path, str], target: Path) -> dict[Path, Path | None]:
    """Move photos into a class under the names they were sent with; return the twin of each that is there already.

    When one cannot be moved, those that were moved before are removed again.
    """
    by_size = _files_by_size(target)
    twins: dict[Path, Path | None] = {}
    moved: list[Path] = []
    try:
        for path, name in written.items():
            size = path.stat().st_size
            twins[path] = next((twin for twin in by_size[size] if filecmp.cmp(path, twin, shallow=False)), None)
            if twins[path] is None:
                moved.append(move_in(path, free_names(target / safe_name(name))))
                by_size[size].append(moved[-1])
    except OSError:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    return twins


def _files_by_size(folder: Path) -> defaultdict[int, list[Path]]:
    found: defaultdict[int, list[Path]] = defaultdict(list)
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_file(follow_symlinks=False):
                found[entry.stat(follow_symlinks=False).st_size].append(Path(entry.path))
    return found


def _check_camera_photo(jpeg: bytes, limits: Limits) -> None:
    try:
        if len(jpeg) > limits.file_bytes:
            raise PhotoError(too_large(len(jpeg), limits.file_bytes))
        inspect(jpeg, limits.pixels)
    except PhotoError as error:
        raise PhotoError(
            tr("The photo from the camera was not added: {reason}. Take it again.", reason=error.text)
        ) from error


def _camera_names(folder: Path) -> Iterator[Path]:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return (folder / f"camera-{stamp}-{number:03d}.jpg" for number in count(1))
