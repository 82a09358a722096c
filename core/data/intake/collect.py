"""Datasets that people build by themselves: uploaded photos and photos from a camera, class by class.

Photos are only ever added, and only to datasets directly in Unfreeze's own folder. The one thing that is taken away
again, on demand, is a photo that the camera took here, as long as nobody has changed it.
"""

import filecmp
import hashlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.data.images import PHOTO_SUFFIXES, inspect
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
    shown,
    suffix_problem,
    too_large,
    unfinished,
    write,
)
from core.data.intake.sample import SAMPLE_NAME
from core.data.scan.folder import nothing
from core.data.scan.walk import LeftOut, is_housekeeping
from core.errors import DataError, FolderError, PhotoError
from core.files import replacing
from core.settings import Limits

CAMERA_NAME = re.compile(r"camera-[0-9]{8}-[0-9]{6}-[0-9]{3,}\.jpg")
CAMERA_LOG = ".camera"
"""In a dataset: digest and path of each photo that the camera took, one a line, the newest last."""


def new_dataset(datasets_folder: Path, name: str) -> Path:
    """Make an empty dataset, and return its folder.

    Raises:
        DataError: The name is empty, or is taken (in capital or small letters).
        FolderError: It cannot be written.
    """
    cleaned = folder_name(name, "a dataset")
    if cleaned.casefold() == SAMPLE_NAME:
        raise DataError(f"“{SAMPLE_NAME}” is the name of the sample. Give another name.")
    try:
        datasets_folder.mkdir(parents=True, exist_ok=True)
        return _new_folder(datasets_folder, cleaned, "dataset")
    except OSError as error:
        raise FolderError(f"The dataset “{cleaned}” cannot be made in {datasets_folder} ({error.strerror}).") from error


def new_class(dataset: Path, name: str, *, datasets_folder: Path) -> str:
    """Make an empty class in a dataset, and return its name, made fit for a folder.

    Raises:
        DataError: The name is empty, or is taken (in capital or small letters).
        FolderError: It cannot be written, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = _own_dataset(dataset, datasets_folder)
    cleaned = folder_name(name, "a class")
    try:
        return _new_folder(folder, cleaned, "class").name
    except OSError as error:
        raise FolderError(f"The class “{cleaned}” cannot be made in {folder} ({error.strerror}).") from error


def class_counts(dataset: Path, *, datasets_folder: Path) -> dict[str, int]:
    """Return how many photos each class has, by their names alone, sorted by class; also the classes with none.

    Raises:
        FolderError: It cannot be read, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = _own_dataset(dataset, datasets_folder)
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if _is_class(entry))
    except OSError as error:
        raise FolderError(f"The folder {folder} cannot be opened ({error.strerror}).") from error
    return {name: sum(1 for _ in _photo_names(folder / name)) for name in names}


def newest(dataset: Path, class_name: str, most: int, *, datasets_folder: Path) -> list[Path]:
    """Return the photos of a class that came last, the newest first.

    Raises:
        FolderError: There is no such class or dataset, or it cannot be read.
    """
    target = _class_folder(_own_dataset(dataset, datasets_folder), class_name)
    try:
        with os.scandir(target) as entries:
            times = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if _is_photo_name(entry.name)]
    except OSError as error:
        raise FolderError(f"The folder {target} cannot be opened ({error.strerror}).") from error
    return [target / name for _, name in sorted(times, reverse=True)[:most]]


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
    target = _class_folder(_own_dataset(dataset, datasets_folder), class_name)
    room = limits.files - sum(class_counts(dataset, datasets_folder=datasets_folder).values())
    uploads = _Uploads(files, limits, room)
    with unfinished(datasets_folder, uploads.needed) as folder:
        written = uploads.write_to(folder, Progress(on_progress, uploads.needed))
        problems = broken(list(written), limits.pixels)
        for path, problem in problems.items():
            uploads.leave_out(written[path], problem)
        added = _move_all({path: name for path, name in written.items() if path not in problems}, target)
        for path, twin in added.items():
            if twin is not None:
                uploads.leave_out(written[path], f"the same photo is already there ({twin.name})")
    new = sum(twin is None for twin in added.values())
    return Intake(target, new, tuple(sorted(uploads.left_out)), uploads.ignored)


def add_camera_photo(dataset: Path, class_name: str, jpeg: bytes, limits: Limits, *, datasets_folder: Path) -> Path:
    """Add a photo from the camera to a class, and return its file, for example `camera-20261122-101530-001.jpg`.

    The name tells local time and a number; none is ever used twice.

    Raises:
        PhotoError: The photo is too large or cannot be read.
        DataError: The dataset holds as many photos as are allowed.
        FolderError: There is no such class or dataset, it cannot be written, or the disk is full.
    """
    folder = _own_dataset(dataset, datasets_folder)
    target = _class_folder(folder, class_name)
    _check_camera_photo(jpeg, limits)
    if sum(class_counts(dataset, datasets_folder=datasets_folder).values()) >= limits.files:
        raise DataError(f"{_full(limits)} Build another dataset, or raise “files” under [limits] in settings.toml.")
    with unfinished(datasets_folder, len(jpeg)) as place:
        write([jpeg], place / "photo", Progress(nothing, 0))
        photo = move_in(place / "photo", _camera_names(target))
        try:
            with (folder / CAMERA_LOG).open("a", encoding="utf-8", errors="surrogateescape") as log:
                log.write(f"{_digest(jpeg)} {class_name}/{photo.name}\n")
        except OSError:
            photo.unlink()
            raise
    return photo


def take_back(dataset: Path, *, datasets_folder: Path) -> Path | None:
    """Remove the newest photo that the camera took in a dataset, and return where it was; None when there is none.

    A photo that came in any other way, or was changed since, is never removed, whatever its name.

    Raises:
        FolderError: It cannot be removed, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = _own_dataset(dataset, datasets_folder)
    try:
        lines = _camera_log(folder)
        while lines:
            photo = _taken_here(folder, lines.pop())
            if photo is not None:
                _write_camera_log(folder, lines)
                photo.unlink()
                return photo
    except OSError as error:
        raise FolderError(f"The last photo in {folder} cannot be taken back ({error.strerror}).") from error
    return None


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
                self.leave_out(name, str(error))
            done += size
            progress.at(done)
        return written

    def _sort(self, name: str, stream: BinaryIO) -> None:
        try:
            size = _size(stream)
        except PhotoError as error:
            self.leave_out(name, str(error))
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
            return f"{limits.uploads:,} photos are taken at a time: add it in the next round"
        if self.needed + size > limits.total_bytes:
            return f"{in_words(limits.total_bytes)} are taken at a time: add it in the next round"
        return "" if len(self._chosen) < self._room else _full(limits).lower().rstrip(".")


def _own_dataset(dataset: Path, datasets_folder: Path) -> Path:
    """Return a dataset's folder, resolved.

    Raises:
        FolderError: It is not one that lies directly in `datasets_folder`.
    """
    try:
        resolved, home = dataset.resolve(), datasets_folder.resolve()
        own = resolved.parent == home and not is_housekeeping(resolved.name) and resolved.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(f"The folder {dataset} cannot be opened ({error}).") from error
    if not own:
        raise FolderError(
            f"{dataset} is not one of Unfreeze's own datasets: photos are only added to folders directly in {home}."
            " Make a new dataset, or pick one of these."
        )
    return resolved


def _class_folder(dataset: Path, name: str) -> Path:
    """Return the folder of a class, resolved.

    Raises:
        FolderError: The dataset has no such class.
    """
    try:
        folder = (dataset / name).resolve()
        is_class = folder == dataset / name and folder.parent == dataset and folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(f"The class “{shown(name)[:40]}” cannot be opened ({error}).") from error
    if not is_class or is_housekeeping(name):
        raise FolderError(f"The dataset {dataset} has no class “{shown(name)[:40]}”. Make the class first.")
    return folder


def _new_folder(parent: Path, name: str, what: str) -> Path:
    taken = next((path.name for path in parent.iterdir() if path.name.casefold() == name.casefold()), None)
    if taken is not None:
        raise DataError(f"There is already a {what} “{taken}”. Use that one, or give another name.")
    (parent / name).mkdir()
    return parent / name


def _is_class(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not is_housekeeping(entry.name)


def _photo_names(folder: Path) -> Iterator[str]:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_housekeeping(name)]
        yield from (name for name in names if _is_photo_name(name))


def _is_photo_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and not is_housekeeping(name)


def _size(stream: BinaryIO) -> int:
    try:
        return stream.seek(0, os.SEEK_END)
    except (OSError, ValueError) as error:
        raise PhotoError(f"what was sent cannot be read ({error})") from error


def _full(limits: Limits) -> str:
    return f"The dataset holds {limits.files:,} photos, the most that are taken."


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
        raise PhotoError(f"The photo from the camera was not added: {error}. Take it again.") from error


def _camera_names(folder: Path) -> Iterator[Path]:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return (folder / f"camera-{stamp}-{number:03d}.jpg" for number in count(1))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _camera_log(dataset: Path) -> list[str]:
    try:
        return (dataset / CAMERA_LOG).read_text("utf-8", errors="surrogateescape").split("\n")
    except FileNotFoundError:
        return []


def _write_camera_log(dataset: Path, lines: list[str]) -> None:
    with replacing(dataset / CAMERA_LOG) as file:
        file.write("".join(f"{line}\n" for line in lines if line).encode(errors="surrogateescape"))


def _taken_here(dataset: Path, line: str) -> Path | None:
    """Return the photo that a line of the log means, if it is still what the camera took."""
    digest, _, path = line.partition(" ")
    class_name, _, name = path.rpartition("/")
    if CAMERA_NAME.fullmatch(name):
        with suppress(FolderError, FileNotFoundError):
            photo = _class_folder(dataset, class_name) / name
            if not photo.is_symlink() and _digest(photo.read_bytes()) == digest:
                return photo
    return None
