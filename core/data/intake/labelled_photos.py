"""Photos with given labels: in a ZIP with a folder for each class, with a table, or as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO

from core.data.images import PHOTO_SUFFIXES
from core.data.intake.archive import usable_entries
from core.data.intake.incoming import shown, suffix_problem, too_large
from core.data.intake.zip_reader import Entry, ZipReader
from core.data.scan.layout import SEVERAL_LABELS
from core.data.scan.photo_finder import Finder
from core.data.scan.table_columns import guess_columns
from core.data.scan.table_labels import TableSource, labels_of_rows
from core.data.scan.tables import TABLE_SUFFIXES, parse_table
from core.data.scan.walk import LeftOut
from core.errors import DataError, PhotoError, UnfreezeError
from core.language import tr
from core.settings import Limits

ARCHIVE = ".zip"

MOST_TABLES = 20


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo with its given label.

    Attributes:
        name: Its name, in an archive with its folders.
        label: The given label; empty where there is none.
        read: Gives the photo's bytes; raises `PhotoError` where they cannot be had. Not for several threads at once.
    """

    name: str
    label: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class LabelledPhotos:
    """The photos among some files.

    Attributes:
        photos: With their labels, in the order in which they came.
        left_out: What cannot be used, with reasons.
    """

    photos: tuple[LabelledPhoto, ...]
    left_out: tuple[LeftOut, ...]


def read_labelled_photos(files: Sequence[tuple[str, BinaryIO]], limits: Limits) -> LabelledPhotos:
    """Sort out what was sent: photos, ZIP archives and tables, by name and seekable content. No photo is read yet.

    A table that names a photo gives its label; else the innermost folder in its archive does.
    """
    work = _Sorting(limits)
    for name, file in files:
        work.take(name, file)
    labelled = _labelled_by_tables(work.photos, work.tables, work.left_out)
    most = limits.uploads
    too_many = tr("at most {limit} photos are taken at a time", limit=most)
    work.left_out += [LeftOut(photo.name, too_many) for photo in labelled[most:]]
    return LabelledPhotos(tuple(labelled[:most]), tuple(work.left_out))


class _Sorting:
    """Photos, tables and the rest, as they come."""

    def __init__(self, limits: Limits) -> None:
        self.photos: list[LabelledPhoto] = []
        self.tables: list[tuple[str, bytes]] = []
        self.left_out: list[LeftOut] = []
        self._limits = limits

    def take(self, name: str, file: BinaryIO) -> None:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix == ARCHIVE:
            self._take_archive(name, file)
        elif suffix in TABLE_SUFFIXES:
            self._take_table(name, lambda: _whole(file, self._limits.file_bytes))
        elif suffix in PHOTO_SUFFIXES:
            self.photos.append(LabelledPhoto(shown(name), "", lambda: _whole(file, self._limits.file_bytes)))
        else:
            self.left_out.append(LeftOut(shown(name), suffix_problem(suffix)))

    def _take_archive(self, name: str, file: BinaryIO) -> None:
        try:
            reader = ZipReader(file, self._limits.files)
            chosen, left_out = usable_entries(reader, self._limits)
        except DataError as error:
            self.left_out.append(LeftOut(shown(name), error.text))
            return
        self.left_out += left_out
        for parts, entry in chosen:
            self._take_entry(reader, parts, entry)

    def _take_entry(self, reader: ZipReader, parts: tuple[str, ...], entry: Entry) -> None:
        path = shown("/".join(parts))
        if PurePosixPath(path).suffix.lower() not in PHOTO_SUFFIXES:
            self._take_table(path, lambda: b"".join(reader.content(entry)))
            return
        label = shown(parts[-2]) if len(parts) > 1 else ""
        self.photos.append(LabelledPhoto(path, label, lambda: b"".join(reader.content(entry))))

    def _take_table(self, name: str, read: Callable[[], bytes]) -> None:
        try:
            if len(self.tables) == MOST_TABLES:
                raise PhotoError(tr("at most {limit} tables are read", limit=MOST_TABLES))
            self.tables.append((name, read()))
        except PhotoError as error:
            self.left_out.append(LeftOut(shown(name), error.text))


def _whole(file: BinaryIO, most: int) -> bytes:
    file.seek(0)
    content = file.read(most + 1)
    if len(content) > most:
        raise PhotoError(too_large(len(content), most))
    return content


def _labelled_by_tables(
    photos: Sequence[LabelledPhoto], tables: Sequence[tuple[str, bytes]], left_out: list[LeftOut]
) -> list[LabelledPhoto]:
    """The photos, with the labels that tables give them; rows and tables that say nothing are added to `left_out`."""
    labels: dict[str, str] = {}
    for name, content in tables:
        try:
            table = parse_table(content, shown(name))
        except UnfreezeError as error:
            left_out.append(LeftOut(shown(name), error.text))
            continue
        find = Finder(name, [photo.name for photo in photos])
        columns = guess_columns(table, find)
        labels_of = labels_of_rows(table, shown(name), TableSource(name, columns.file, columns.label, columns.split))
        for file, (_, row) in zip(table.cells(columns.file), table.rows, strict=True):
            match = find.photo(file)
            found = [] if match.problem else labels_of(row, match.path)
            if match.problem:
                left_out.append(LeftOut(file or shown(name), tr(match.problem)))
            elif len(found) > 1:
                left_out.append(LeftOut(file, tr(SEVERAL_LABELS, labels=", ".join(found))))
            else:
                labels[match.path] = shown("".join(found))
    return [replace(photo, label=labels.get(photo.name, photo.label)) for photo in photos]
