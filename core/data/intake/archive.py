"""A ZIP archive of photos becomes a dataset, whatever the archive holds.

Nothing that an archive says is believed: names are made harmless, sizes are counted while unpacking, links are not
followed, and what is no photo stays out. What is left out is told with its reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.data.images import PHOTO_SUFFIXES
from core.data.intake.file_names import safe_name
from core.data.intake.incoming import (
    KEPT_SUFFIXES,
    Intake,
    Progress,
    broken,
    claim,
    folder_name,
    free_names,
    in_words,
    move_in,
    new_file,
    new_folder,
    shown,
    suffix_problem,
    sweep_unfinished,
    too_large,
    unfinished,
    write,
)
from core.data.intake.zip_reader import MOST_NAME_BYTES, Entry, ZipReader
from core.data.scan.folder import nothing
from core.data.scan.tables import is_list_of_subset
from core.data.scan.walk import LeftOut, is_housekeeping
from core.errors import DataError, PhotoError
from core.language import sentences, tr, tr_context
from core.settings import GIGABYTE, MEGABYTE, Limits

__all__ = ["Intake", "sweep_unfinished", "unpack"]

_safe = lru_cache(maxsize=4096)(safe_name)

BATCH = 64
"""Photos that are unpacked before they are checked together, on all cores."""

SMALL = MEGABYTE
"""An entry of less does no harm, however well it is packed; a plain photo can pack very well."""

UNCOMPRESSED = frozenset({".bmp", ".dib", ".tif", ".tiff", ".csv", ".tsv"})
"""Kinds of files that may pack as well as a trap: a drawing or a white page as a bitmap, a table of zeros."""

TRAP_BYTES = 2 * GIGABYTE
"""So many bytes of an archive may be packed that well in all."""

ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})

EXAMPLES = 3
"""So many reasons are named when nothing at all can be used."""


def unpack(
    archive: BinaryIO,
    datasets_folder: Path,
    name: str,
    limits: Limits,
    on_progress: Callable[[int, int], None] = nothing,
) -> Intake:
    """Unpack the photos, tables (.csv, .tsv) and lists (such as train.txt) of a ZIP archive into a new dataset.

    A folder at the top that holds everything else is left away. The dataset appears whole or not at all, and nothing
    that is there is ever replaced: where a dataset has the name, "name 2" is made.

    Args:
        archive: The archive, seekable; it is read piece by piece.
        datasets_folder: Where the dataset is made.
        name: Of the dataset, or of the archive's file.
        limits: What is more than `files`, `total_bytes` or far too long refuses the archive; what is more than
            `file_bytes`, `pixels`, `ratio` or `depth` leaves one entry out.
        on_progress: Called in this thread with the number of bytes unpacked so far and of all, about 200 times. What
            it raises ends the work and removes what was unpacked.

    Raises:
        DataError: The archive cannot be read, is too large, or holds nothing that can be used.
        FolderError: It cannot be written, or the disk is full.
    """
    wanted = folder_name(_without_zip(name), "a dataset")
    reader = ZipReader(archive, limits.files)
    plan = _Plan(reader.entries, limits)
    _check_total(plan.needed, limits)
    with unfinished(datasets_folder, plan.needed) as folder:
        work = _Unpacking(reader, plan, folder / "photos", limits, Progress(on_progress, plan.needed))
        work.run()
        left_out = tuple(sorted(plan.left_out))
        if not work.added:
            raise DataError(_nothing_usable(left_out))
        target = move_in(folder / "photos", free_names(datasets_folder / wanted))
    return Intake(target, work.added, left_out, plan.ignored)


def usable_entries(reader: ZipReader, limits: Limits) -> tuple[list[tuple[tuple[str, ...], Entry]], list[LeftOut]]:
    """Return the photos and tables of an archive, each with its folders and name, and what else it holds.

    Nothing is unpacked: it is judged by the table of contents alone, as `unpack` does.
    """
    plan = _Plan(reader.entries, limits)
    return [(chosen.parts, chosen.entry) for chosen in plan.chosen], plan.left_out


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An entry to unpack, the folders and the name that it has in the archive, and whether it is to be a photo."""

    entry: Entry
    parts: tuple[str, ...]
    is_photo: bool


class _Plan:
    """Which entries are to be unpacked, judged by the table of contents alone.

    Attributes:
        chosen: What to unpack, in the archive's order.
        left_out: The rest, with reasons; unpacking adds to it.
        ignored: How many housekeeping files were passed over.
        needed: Bytes of what is chosen, once unpacked.
    """

    def __init__(self, entries: Iterable[Entry], limits: Limits) -> None:
        self.left_out: list[LeftOut] = []
        self.ignored = 0
        self._limits = limits
        self._names: set[tuple[str, ...]] = set()
        self._offsets: set[int] = set()
        sorted_in = [chosen for entry in entries if (chosen := self._sort(entry)) is not None]
        self.chosen = self._without_a_trap(self._without_those_that_are_folders(sorted_in))
        self.needed = sum(chosen.entry.size for chosen in self.chosen)

    def leave_out(self, entry: Entry, reason: str) -> None:
        self.left_out.append(LeftOut(shown(entry.name), reason))

    def _sort(self, entry: Entry) -> _Chosen | None:
        """Choose an entry, or note why not."""
        parts = tuple(part for part in entry.name.split("/") if part not in ("", "."))
        problem = _place_problem(entry, parts, self._limits)
        if not problem and any(is_housekeeping(part) or is_housekeeping(_safe(part)) for part in parts):
            self.ignored += 1
            return None
        if not problem and (entry.is_folder or not parts):
            return None
        suffix = PurePosixPath(_safe(parts[-1])).suffix.lower() if parts else ""
        problem = problem or _content_problem(entry, suffix, self._limits) or self._repeated(entry, parts)
        if problem:
            self.leave_out(entry, problem)
        return None if problem else _Chosen(entry, parts, suffix in PHOTO_SUFFIXES)

    def _repeated(self, entry: Entry, parts: tuple[str, ...]) -> str:
        if parts in self._names:
            return tr("the archive holds another file of the same name")
        if entry.offset in self._offsets:
            return tr("it is made of the same bytes as another entry of the archive, which is damaged or a trap")
        self._names.add(parts)
        self._offsets.add(entry.offset)
        return ""

    def _without_those_that_are_folders(self, chosen: Sequence[_Chosen]) -> list[_Chosen]:
        folders: set[tuple[str, ...]] = set()
        for file in chosen:
            folders.update(file.parts[:end] for end in range(1, len(file.parts)))
            if len(folders) > self._limits.files:
                raise DataError(
                    tr(
                        "This ZIP archive holds more than {limit} folders. Pack it with one folder for each class.",
                        limit=self._limits.files,
                    )
                )
        for file in chosen:
            if file.parts in folders:
                self.leave_out(file.entry, tr("the archive holds a folder of the same name"))
        return [file for file in chosen if file.parts not in folders]

    def _without_a_trap(self, chosen: list[_Chosen]) -> list[_Chosen]:
        dense = {file.parts for file in chosen if _is_dense(file.entry, self._limits)}
        total = sum(file.entry.size for file in chosen if file.parts in dense)
        if total <= TRAP_BYTES:
            return chosen
        for file in chosen:
            if file.parts in dense:
                self.leave_out(
                    file.entry,
                    tr(
                        "files that are packed more than {ratio} times smaller make {size} in all; more than {limit}"
                        " may be a trap: pack fewer at a time, or raise “ratio” under [limits] in settings.toml",
                        ratio=str(self._limits.ratio),
                        size=in_words(total),
                        limit=in_words(TRAP_BYTES),
                    ),
                )
        return [file for file in chosen if file.parts not in dense]


@dataclass
class _Unpacking:
    """Writes what was chosen into `root`, and takes away again what turns out to be no photo."""

    reader: ZipReader
    plan: _Plan
    root: Path
    limits: Limits
    progress: Progress
    added: int = 0
    _done: int = 0
    _folders: dict[tuple[str, ...], Path] = field(default_factory=dict)
    _numbers: dict[Path, int] = field(default_factory=dict)

    def run(self) -> None:
        self.root.mkdir()
        skipped = _folders_around(self.plan.chosen)
        self._folders[()] = self.root
        waiting = iter(self.plan.chosen)
        while batch := list(islice(waiting, BATCH)):
            written = {}
            for file in batch:
                path = self._unpack(file, file.parts[skipped:])
                if path is not None and file.is_photo:
                    written[path] = file
            self._check(written)
        for folder in reversed(self._folders.values()):
            if not any(folder.iterdir()) and folder != self.root:
                folder.rmdir()

    def _check(self, photos: dict[Path, _Chosen]) -> None:
        problems = broken(list(photos), self.limits.pixels)
        for path, problem in problems.items():
            path.unlink()
            self.plan.leave_out(photos[path].entry, problem)
        self.added += len(photos) - len(problems)

    def _unpack(self, file: _Chosen, parts: tuple[str, ...]) -> Path | None:
        """Write one entry; where that fails, note why."""
        path = None
        try:
            path = claim(self._free_names(parts), new_file)
            write(self.reader.content(file.entry), path, self.progress, self._done)
        except PhotoError as error:
            self.plan.leave_out(file.entry, error.text)
            if path is not None:
                path.unlink()
            path = None
        self._done += file.entry.size
        self.progress.at(self._done)
        return path

    def _folder(self, parts: tuple[str, ...]) -> Path:
        """Return the folder for one of the archive; two whose names become equal stay two."""
        if parts not in self._folders:
            self._folders[parts] = claim(self._free_names(parts), new_folder)
        return self._folders[parts]

    def _free_names(self, parts: tuple[str, ...]) -> Iterator[Path]:
        return free_names(self._folder(parts[:-1]) / _safe(parts[-1]), self._numbers)


def _place_problem(entry: Entry, parts: tuple[str, ...], limits: Limits) -> str:
    """Return why nothing may be written where an entry wants to be; empty when it may."""
    if entry.name_bytes > MOST_NAME_BYTES:
        return tr(
            "its name is too long: {count} bytes, at most {limit} are read",
            count=entry.name_bytes,
            limit=MOST_NAME_BYTES,
        )
    if ".." in parts:
        return tr("its name leads out of the archive (..)")
    if parts and (entry.name.startswith("/") or (entry.name[1:3] == ":/" and entry.name[0].isalpha())):
        return tr("its name leads out of the archive: it begins with a slash or a drive")
    if entry.is_special:
        return tr("this is a link or a device, not a file")
    depth = len(parts) - 1
    if depth <= limits.depth:
        return ""
    return tr("it lies {depth} folders deep; at most {limit} are looked into", depth=depth, limit=limits.depth)


def _content_problem(entry: Entry, suffix: str, limits: Limits) -> str:
    """Return why an entry of this ending is not even unpacked; empty when it is."""
    if suffix in ARCHIVE_SUFFIXES:
        return tr("this is an archive inside the archive: unpack it first, and pack its photos themselves")
    if suffix not in KEPT_SUFFIXES and not is_list_of_subset(entry.name):
        return suffix_problem(suffix)
    if entry.is_encrypted:
        return tr("it is locked with a password: pack it again without one")
    if entry.unread_method:
        return tr(
            "it is packed in a way that is not read ({method}): pack it again as a usual ZIP archive",
            method=entry.unread_method,
        )
    if entry.size > limits.file_bytes:
        return too_large(entry.size, limits.file_bytes)
    if _is_dense(entry, limits) and suffix not in UNCOMPRESSED:
        return tr(
            "it is packed {times} times smaller; photos are not: this may be a trap",
            times=entry.size // max(1, entry.packed),
        )
    return ""


def _is_dense(entry: Entry, limits: Limits) -> bool:
    """Whether an entry is packed as tightly as in an archive that is to fill the disk."""
    return entry.size > SMALL and entry.size > limits.ratio * entry.packed


def _check_total(needed: int, limits: Limits) -> None:
    if needed > limits.total_bytes:
        raise DataError(
            tr(
                "The photos of this ZIP archive take {size} once unpacked; at most {limit} are taken. Pack fewer, or"
                " raise “total_bytes” under [limits] in settings.toml.",
                size=in_words(needed),
                limit=in_words(limits.total_bytes),
            )
        )


def _folders_around(chosen: Sequence[_Chosen]) -> int:
    """Return how many folders to leave away at the top: those that hold everything, as long as folders remain.

    A class folder that is the only one stays; a folder with a table in it is the dataset itself.
    """
    around = 0
    while len({file.parts[around] for file in chosen}) == 1 and all(len(file.parts) > around + 1 for file in chosen):
        deeper = any(len(file.parts) > around + 2 for file in chosen)
        if not deeper and all(file.is_photo for file in chosen):
            break
        around += 1
    return around


def _nothing_usable(left_out: Sequence[LeftOut]) -> str:
    expected = tr("Expected one folder for each class, with its photos inside.")
    if not left_out:
        return sentences(tr("The ZIP archive holds no photos."), expected)
    reasons = ""
    for reason, count in Counter(entry.reason for entry in left_out).most_common(EXAMPLES):
        said = tr("{reason} ({count} times)", reason=reason, count=count) if count > 1 else reason
        reasons = tr_context("reasons", "{before}; {next}", before=reasons, next=said) if reasons else said
    return sentences(tr("The ZIP archive holds no photo that can be used: {reasons}.", reasons=reasons), expected)


def _without_zip(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return last[:-4] if last.lower().endswith(".zip") else last
