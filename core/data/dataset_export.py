"""A dataset with its corrections, as class folders or as a table; what lies in the dataset's folder is only read."""

import os
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.csv_files import csv_file
from core.data.dataset import Dataset
from core.data.images import content_digest
from core.data.intake.file_names import safe_name
from core.data.intake.incoming import folder_name, free_names, move_in, unfinished
from core.data.scan.subset_folders import SPLIT_NAMES
from core.data.scan.walk import LeftOut, check_photo, is_housekeeping
from core.data.subsets import NO_SUBSET, SUBSETS
from core.errors import DataError, PhotoError
from core.files import open_resolved
from core.language import retold, tr
from core.processes.background import BackgroundWork
from core.settings import Settings

SUBSET_FOLDERS = ("train", "val", "test")
"""The folders of the parts, in their order, as most programs know them."""

COLUMNS = ("file", "class", "part", "decision", "because")
LEFT_OUT, WITHHELD = "left out", "not used yet"
"""What stands in place of a decision where nobody has made one."""

TABLE = "photos.csv"
"""In an archive, beside the class folders: which photo is where, and which are missing, and why."""


@dataclass(frozen=True)
class Row:
    """What became of a file.

    Attributes:
        file: Its path in the dataset.
        label: The class that it counts as; empty where it is not used.
        part: One of `core.data.subsets.SUBSETS`; empty where it is not used.
        decision: An action of `core.data.review`, `LEFT_OUT`, `WITHHELD`, or empty.
        because: Why.
    """

    file: str
    label: str = ""
    part: str = ""
    decision: str = ""
    because: str = ""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The folder or the archive.
        photos: How many are in it.
        left_out: Everything else, with the reason, sorted by path.
    """

    path: Path
    photos: int
    left_out: tuple[LeftOut, ...]


def rows_of(dataset: Dataset, parts: NDArray[np.int8]) -> list[Row]:
    """One row for each file of a dataset: the photos that are used, in order, then the others.

    Args:
        dataset: With what was decided about it.
        parts: `(M,)`, the part of each of its photos, -1 for none.
    """
    standing = dataset.review.standing()
    lost = {path for path, _ in dataset.lost}
    decided = {path: decision for path, decision in standing.items() if path not in lost}
    folder, rows = dataset.folder, []
    for i, path in enumerate(folder.paths):
        decision = decided.get(path)
        action, why = (decision.action, decision.why) if decision else ("", "")
        if i in dataset.withheld:
            rows.append(Row(path, decision=WITHHELD, because=dataset.withheld[i]))
        else:
            part = "" if parts[i] == NO_SUBSET else SUBSETS[parts[i]]
            rows.append(Row(path, folder.class_names[folder.labels[i]], part, action, why))
    rows.sort(key=lambda row: not row.label)  # the order of the used ones stays
    rows += [Row(path, decision=decided[path].action, because=decided[path].why) for path in dataset.excluded()]
    return [*rows, *(Row(entry.path, decision=LEFT_OUT, because=entry.given) for entry in dataset.scan.left_out)]


def as_csv(rows: Iterable[Row], places: Mapping[str, str] | None = None) -> bytes:
    """Rows as a CSV file, see `core.csv_files`.

    With `places`, where each file is in an archive, that comes first, and the path that it had becomes "was".
    """
    values = ((row.file, row.label, row.part, row.decision, retold(row.because)) for row in rows)
    if places is None:
        return csv_file(COLUMNS, values)
    return csv_file((COLUMNS[0], "was", *COLUMNS[1:]), ((places.get(row[0], ""), *row) for row in values))


def places_of(dataset: Dataset, parts: NDArray[np.int8] | None) -> dict[int, str]:
    """Where each photo goes that is used, by its position: "class/name", every name safe and given once.

    With `parts`, `(M,)`, the class folders lie in `SUBSET_FOLDERS`.
    """
    names = _names_of_classes(dataset.folder.class_names)
    numbers: dict[Path, int] = {}
    taken: set[str] = set()
    found = {}
    for i, path in enumerate(dataset.folder.paths):
        if i in dataset.withheld:
            continue
        above = "" if parts is None or parts[i] == NO_SUBSET else f"{SUBSET_FOLDERS[parts[i]]}/"
        wanted = Path(above, names[dataset.folder.labels[i]], safe_name(PurePosixPath(path).name))
        found[i] = next(name for name in _posix(free_names(wanted, numbers)) if name.casefold() not in taken)
        taken.add(found[i].casefold())
    return found


class Sink(Protocol):
    """Where photos are written to."""

    def add(self, path: str, content: bytes) -> None:
        """Write a file, by its path with "/"."""


class FolderSink:
    """Writes into a folder."""

    def __init__(self, root: Path) -> None:
        """Make the folder."""
        self._root = root
        root.mkdir()

    def add(self, path: str, content: bytes) -> None:
        """Write a file."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


class ZipSink:
    """Writes into a ZIP archive; photos are not packed any tighter than they are."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Take an archive that is open for writing."""
        self._archive = archive

    def add(self, path: str, content: bytes) -> None:
        """Write a file."""
        self._archive.writestr(path, content)


Report = Callable[[int, int], None]
"""Hears how many of how many photos are written, and may raise to give up."""


def write_folders(
    dataset: Dataset, parts: NDArray[np.int8] | None, name: str, settings: Settings, on_progress: Report
) -> Exported:
    """Write the photos that are used as a new dataset among those made by Unfreeze.

    It appears whole or not at all, under a name that nothing there has.

    Args:
        dataset: With what was decided about it.
        parts: See `places_of`.
        name: Of the new dataset.
        settings: Where datasets are, and which photos may be read.
        on_progress: See `Report`; called in this thread.

    Raises:
        DataError: The name cannot be used, or no photo can be read.
        FolderError: It cannot be written, or the disk is full.
    """
    wanted = settings.datasets_folder / folder_name(name, "a dataset")
    places = places_of(dataset, parts)
    with unfinished(settings.datasets_folder, _bytes_of(dataset, places)) as folder:
        written, lost = _copy(dataset, places, FolderSink(folder / "photos"), settings, on_progress)
        target = move_in(folder / "photos", free_names(wanted))
    return Exported(target, len(written), _left_out(dataset, lost))


def write_archive(
    dataset: Dataset,
    parts: NDArray[np.int8] | None,
    rows: Sequence[Row],
    name: str,
    settings: Settings,
    on_progress: Report,
) -> Exported:
    """Write the photos that are used, and the table of all, as a ZIP file in `exports` of the home.

    Arguments and errors are those of `write_folders`; `rows` are those of `rows_of`.
    """
    exports = settings.home / "exports"
    places = places_of(dataset, parts)
    with unfinished(exports, _bytes_of(dataset, places)) as folder:
        finished = folder / "photos.zip"
        with zipfile.ZipFile(finished, "w") as archive:
            written, lost = _copy(dataset, places, ZipSink(archive), settings, on_progress)
            archive.writestr(TABLE, as_csv(_without(rows, lost), written), zipfile.ZIP_DEFLATED)
        target = move_in(finished, _zip_names(exports, folder_name(name, "a dataset")))
    return Exported(target, len(written), _left_out(dataset, lost))


@dataclass
class ExportJob(BackgroundWork):
    """An export in a thread of its own; nothing is left of one that was asked to stop.

    Attributes:
        done, total: Photos written, and photos that there are.
        result: What was written, once finished.
    """

    done: int = 0
    total: int = 0
    result: Exported | None = None

    @classmethod
    def start(cls, write: Callable[[Report], Exported]) -> "ExportJob":
        """Begin what `write` does."""
        job = cls()
        threading.Thread(target=job._run, args=(write,), name="export", daemon=True).start()
        return job

    def _run(self, write: Callable[[Report], Exported]) -> None:
        with self.telling_how_it_ends(tr("The export ended early")):
            self.result = write(self._report)

    def _report(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.stop_if_asked()


def _copy(
    dataset: Dataset, places: Mapping[int, str], sink: Sink, settings: Settings, on_progress: Report
) -> tuple[dict[str, str], dict[str, str]]:
    """Write photos to their places; returns the place of each, and why others could not be read, by their paths."""
    written: dict[str, str] = {}
    lost: dict[str, str] = {}
    for done, (i, place) in enumerate(places.items()):
        on_progress(done, len(places))
        path = dataset.folder.paths[i]
        try:
            sink.add(place, _content(dataset, i, settings))
            written[path] = place
        except PhotoError as error:
            lost[path] = error.text
    if not written:
        raise DataError(tr("None of the photos can be read any more, so there is nothing to export."))
    on_progress(len(places), len(places))
    return written, lost


def _content(dataset: Dataset, i: int, settings: Settings) -> bytes:
    """A photo as it was when it was looked at; raises `PhotoError` where it is another one now."""
    file = check_photo(dataset.folder.absolute(i), settings.dataset_roots)
    with _as_photo_error(), open_resolved(file) as stream:
        content = stream.read()
    if content_digest(content).hex() != dataset.digest(i):
        raise PhotoError(tr("it has changed since it was looked at"))
    return content


@contextmanager
def _as_photo_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PhotoError(tr("it cannot be read ({reason})", reason=str(error.strerror))) from error


def _bytes_of(dataset: Dataset, places: Iterable[int]) -> int:
    """How many bytes the photos have; those that are gone have none."""
    total = 0
    for i in places:
        try:
            total += os.stat(dataset.folder.absolute(i)).st_size
        except OSError:
            continue
    return total


def _left_out(dataset: Dataset, lost: Mapping[str, str]) -> tuple[LeftOut, ...]:
    rows = rows_of(dataset, np.full(len(dataset.folder), NO_SUBSET, np.int8))
    missing = [LeftOut(row.file, row.because or tr("you decided so")) for row in rows if not row.label]
    return tuple(sorted([*missing, *(LeftOut(path, reason) for path, reason in lost.items())]))


def _without(rows: Iterable[Row], lost: Mapping[str, str]) -> list[Row]:
    return [Row(row.file, decision=LEFT_OUT, because=lost[row.file]) if row.file in lost else row for row in rows]


def _names_of_classes(names: Sequence[str]) -> list[str]:
    """A folder for each class; names that become equal stay two, and none looks like a part or is passed over."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = safe_name(name.replace("/", "_").replace("\\", "_"))
        if is_housekeeping(plain) or plain.casefold() in SPLIT_NAMES:
            plain = f"class {plain}"
        found.append(next(free for free in _posix(free_names(Path(plain))) if free.casefold() not in taken))
        taken.add(found[-1].casefold())
    return found


def _posix(paths: Iterator[Path]) -> Iterator[str]:
    return (path.as_posix() for path in paths)


def _zip_names(folder: Path, name: str) -> Iterator[Path]:
    return (path.with_name(f"{path.name}.zip") for path in free_names(folder / name))
