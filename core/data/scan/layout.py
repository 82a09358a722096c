"""How photos get their classes and, where a dataset has its own split, their subsets: from folders or a table."""

import codecs
import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.csv_files import unguarded
from core.data.scan.walk import LeftOut, is_housekeeping
from core.data.subsets import NO_SUBSET, TEST, TRAINING, VALIDATION
from core.errors import DataError, FolderError

FIRST, INNERMOST, TABLE = "first", "innermost", "table"
LABEL_BY = (FIRST, INNERMOST, TABLE)

SPLIT_NAMES = {
    "train": TRAINING,
    "training": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""Names of folders, in lower case, that divide a dataset into subsets."""

TABLE_SUFFIXES = (".csv", ".tsv")
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
DELIMITERS = ",;\t|"
FILE_COLUMNS = ("file", "filename", "file_name", "path", "filepath", "image", "image_id", "photo", "name", "id")
LABEL_COLUMNS = ("label", "class", "category", "target", "class_name", "species", "breed")
MAX_TABLE_BYTES = 200_000_000
FOLDERS_LOOKED_INTO, TABLES_SHOWN = 200, 20

NOT_THERE = "a row of the table names it, but it is not in the folder"
"""Why a row of a table is left out that names a photo which is not there."""


@dataclass(frozen=True)
class Layout:
    """Where the label of a photo comes from.

    Attributes:
        label_by: "first": the folder directly below the root (or below train, val, test); "innermost": the folder that
            the photo lies in; "table": a row of a table.
        table: The table, relative to the root, with "/"; the other two are names of its columns.

    Raises:
        DataError: `label_by` is none of these, or a table is asked for without its name and columns.
    """

    label_by: str = FIRST
    table: str = ""
    file_column: str = ""
    label_column: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.label_by not in LABEL_BY:
            raise DataError(f"Labels come from “{self.label_by}”; it must be one of {', '.join(LABEL_BY)}.")
        if self.label_by == TABLE and not (self.table and self.file_column and self.label_column):
            raise DataError("Labels from a table need the table, its column of files, and its column of labels.")


@dataclass(frozen=True)
class Placed:
    """What a layout says of the files below a folder.

    Attributes:
        classes: Class by path, for the photos that have one.
        subsets: Position in `core.data.subsets.SUBSETS` by path, where the dataset brings its own split; else empty.
        left_out: The other photos, and rows of the table that name no photo.
        class_folders: Folders that stand for a class, so that one without readable photos can be reported.
        table: The table that the classes come from, or empty.
    """

    classes: dict[str, str]
    subsets: dict[str, int]
    left_out: tuple[LeftOut, ...]
    class_folders: tuple[str, ...] = ()
    table: str = ""


def place(layout: Layout, root: Path, paths: Sequence[str], folders: Sequence[str]) -> Placed:
    """Find the class of each photo.

    Args:
        layout: Where the labels come from.
        root: The dataset's folder, resolved.
        paths: Photos relative to it, with "/".
        folders: All folders below it, alike.

    Raises:
        FolderError: The table cannot be read, or has no such column.
    """
    if layout.label_by == TABLE:
        return _by_table(layout, root, paths)
    subsets = _given_subsets(paths)
    skipped = 1 if subsets else 0
    classes, left_out = {}, []
    for path in paths:
        above = path.split("/")[skipped:-1]
        if above:
            classes[path] = above[0] if layout.label_by == FIRST else above[-1]
        else:
            left_out.append(LeftOut(path, "it is next to the class folders, not in one of them"))
    named = _class_folders(layout, folders, skipped)
    return Placed(classes, {path: subsets[path] for path in classes} if subsets else {}, tuple(left_out), named)


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        columns: The names in its first row.
        rows: The others, each as long as `columns`, with the number of its line in the file.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def guess(self, wanted: Sequence[str]) -> str:
        """Return the first column with one of the names that are usual for a purpose, else the first one."""
        lower = {name.casefold().strip(): name for name in reversed(self.columns)}
        return next((lower[name] for name in wanted if name in lower), self.columns[0])


def tables_in(root: Path) -> tuple[str, ...]:
    """Return the tables in a folder and in the folders directly below it, relative to it; at most 20."""
    tables, folders = _tables_and_folders(root)
    for folder in folders[:FOLDERS_LOOKED_INTO]:
        tables += [f"{folder}/{name}" for name in _tables_and_folders(root / folder)[0]]
    return tuple(tables[:TABLES_SHOWN])


def read_table(root: Path, name: str) -> Table:
    """Read a table below `root`: separated by commas, semicolons, tabs or bars; UTF-8, UTF-16 with a mark, or
    Windows' Western encoding.

    Raises:
        FolderError: It cannot be read, has no rows, or lies elsewhere.
    """
    path = root / name
    try:
        if not path.resolve(strict=True).is_relative_to(root) or path.suffix.lower() not in TABLE_SUFFIXES:
            raise FolderError(f"The table {name} is not a CSV file in the folder {root}.")
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise FolderError(f"The table {name} is too large; the limit is {MAX_TABLE_BYTES // 10**6} MB.")
        return parse_table(path.read_bytes(), name)
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(f"The table {path} cannot be read ({error}).") from error


def parse_table(content: bytes, name: str) -> Table:
    """Read a table as `read_table` does, from its bytes; raises `FolderError` as it does.

    Cells that were guarded against spreadsheets, see `core.csv_files`, are what they were before.
    """
    try:
        text = content.decode("utf-16" if content[:2] in BYTE_ORDER_MARKS else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    lines = io.StringIO(text, newline="").readlines()
    first = lines[0] if lines else ""
    delimiter = max(DELIMITERS, key=first.count)
    try:
        numbered = csv.reader(lines, delimiter=delimiter)
        columns = tuple(unguarded(cell.strip()) for cell in next(numbered, ()))
        rows = [(numbered.line_num, row) for row in numbered if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FolderError(f"The table {name} cannot be read as CSV ({error}).") from error
    if len(columns) < 2 or not rows:
        raise FolderError(f"The table {name} must have a first row with the names of two or more columns, then rows.")
    return Table(columns, tuple((line, _fitted(row, len(columns))) for line, row in rows))


def _fitted(row: Sequence[str], length: int) -> tuple[str, ...]:
    return (*(unguarded(cell.strip()) for cell in row[:length]), *[""] * (length - len(row)))


def _tables_and_folders(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the tables and of the folders in a folder, sorted; nothing when it cannot be read."""
    tables, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(TABLE_SUFFIXES) and entry.is_file():
                    tables.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
    except OSError:
        return [], []
    return _visible(tables), _visible(folders)


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not is_housekeeping(name))


def _given_subsets(paths: Sequence[str]) -> dict[str, int]:
    """Return the subset of each photo when the folders at the top are train and val or test, and nothing else."""
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    found = {top: SPLIT_NAMES.get(top.casefold(), NO_SUBSET) for top in tops}
    divided = {path.partition("/")[0] for path in paths if path.count("/") > 1}
    training = {top for top, part in found.items() if part == TRAINING}
    if NO_SUBSET in found.values() or len(set(found.values())) < 2 or not training & divided:
        return {}
    return {path: found.get(path.partition("/")[0], NO_SUBSET) for path in paths}


def _class_folders(layout: Layout, folders: Sequence[str], skipped: int) -> tuple[str, ...]:
    if layout.label_by == FIRST:
        return tuple(folder for folder in folders if folder.count("/") == skipped)
    holding = {folder.rpartition("/")[0] for folder in folders}
    return tuple(folder for folder in folders if folder not in holding)


def _by_table(layout: Layout, root: Path, paths: Sequence[str]) -> Placed:
    table = read_table(root, layout.table)
    for column in (layout.file_column, layout.label_column):
        if column not in table.columns:
            raise FolderError(
                f"The table {layout.table} has no column “{column}”; it has {', '.join(table.columns)}. Choose another."
            )
    file_at, label_at = table.columns.index(layout.file_column), table.columns.index(layout.label_column)
    find = Finder(layout.table, paths)
    labels: dict[str, set[str]] = defaultdict(set)
    left_out = []
    for line, row in table.rows:
        path, problem = find.photo(row[file_at])
        problem = problem or ("" if row[label_at] else f"line {line} of the table gives it no label")
        if problem:
            left_out.append(LeftOut(path or row[file_at] or f"{layout.table}, line {line}", problem))
        else:
            labels[path].add(row[label_at])
    classes = {path: next(iter(found)) for path, found in labels.items() if len(found) == 1}
    left_out += [
        LeftOut(path, f"the table gives it several labels: {', '.join(sorted(found))}")
        for path, found in labels.items()
        if len(found) > 1
    ]
    left_out = [entry for entry in left_out if entry.path not in classes]
    listed = {entry.path for entry in left_out}
    missing = [path for path in paths if path not in classes and path not in listed]
    left_out += [LeftOut(path, f"no row of {layout.table} names it") for path in missing]
    return Placed(classes, {}, tuple(left_out), table=layout.table)


class Finder:
    """Finds the photo that a cell of a table means: by its path, or by its name with or without the ending."""

    def __init__(self, table: str, paths: Sequence[str]) -> None:
        """Look among these paths; those in the table may be relative to its own folder."""
        self.paths = {path: path for path in paths}
        self.paths |= {path: found for path, found in _unique(_without_ending(paths)).items() if found}
        self.beside = PurePosixPath(table).parent
        self.names = _unique((PurePosixPath(path).name, path) for path in paths)
        self.stems = _unique((PurePosixPath(path).stem, path) for path in paths)

    def photo(self, cell: str) -> tuple[str, str]:
        """Return the photo's path, and what is wrong; one of them is empty."""
        named = cell.replace("\\", "/").removeprefix("./")
        if not named:
            return "", "this row of the table names no file"
        for path in (named, (self.beside / named).as_posix()):
            if path in self.paths:
                return self.paths[path], ""
        name = named.rpartition("/")[2]
        found = self.names.get(name, self.stems.get(name))
        if found is None:
            return "", NOT_THERE
        return (found, "") if found else ("", "several photos have this name: the table must give the folder, too")


def _without_ending(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((path.removesuffix(PurePosixPath(path).suffix), path) for path in paths)


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return path by name; an empty path where several photos have the name."""
    listed = list(pairs)
    often = Counter(name for name, _ in listed)
    return {name: path if often[name] == 1 else "" for name, path in listed}
