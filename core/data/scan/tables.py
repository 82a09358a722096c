"""Tables that name photos: CSV files as programs and people write them, and lists of files."""

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from core.csv_files import unguarded
from core.data.images import PHOTO_SUFFIXES
from core.data.scan.subset_folders import subset_named
from core.data.scan.text_encoding import decoded
from core.data.scan.walk import is_housekeeping
from core.data.subsets import NO_SUBSET
from core.errors import FolderError
from core.files import open_resolved
from core.language import tr

TABLE_SUFFIXES = (".csv", ".tsv")
LIST_SUFFIX = ".txt"
DELIMITERS = ",;\t|"
LINES_LOOKED_AT = 20
MAX_TABLE_BYTES = 200_000_000
MAX_LIST_BYTES = MAX_REMEMBERED_BYTES = 20_000_000
FOLDERS_LOOKED_INTO, TABLES_SHOWN = 200, 20

FILE_COLUMNS = (
    *("file", "filename", "filepath", "path", "imagepath", "imgpath", "relativepath", "imagename", "imgname"),
    *("imagefile", "imagefilename", "image", "images", "img", "imageid", "imgid", "imageindex", "imageurl", "imguri"),
    *("imageuri", "gcsuri", "url", "uri", "photo", "photoname", "photoid", "picture", "fname", "isicid", "name", "id"),
    *("index", "uuid"),
)
"""Usual names of columns of files, the most telling first; as `plain_column` writes them."""

LABEL_COLUMNS = (
    *("label", "class", "category", "target", "classname", "labelname", "categoryname", "classlabel", "targetclass"),
    *("species", "breed", "labels", "findinglabels", "finding", "findings", "diagnosis", "dx", "tag", "tags"),
    *("type", "kind", "variety", "disease", "emotion", "genre", "style", "scientificname", "commonname", "grade"),
    *("level", "y", "classid", "labelid", "categoryid", "groundtruth", "gt"),
)
"""The same of columns of classes."""

SPLIT_COLUMNS = (
    "split",
    "subset",
    "set",
    "partition",
    "part",
    "usage",
    "phase",
    "mluse",
    "dataset",
    "datasplit",
    "fold",
)
"""The same of columns that say which subset a photo belongs to."""


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        columns: The names in its first row, each once; where that is a row like the others, or for a column without a
            name, "column 1", "column 2" and so on.
        rows: The others, each as long as `columns`, with the number of its line in the file.
        encoding: What it was read in, by its name in Python.
        has_names: Whether its first row holds names.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    encoding: str = "utf-8"
    has_names: bool = True

    def cells(self, column: str) -> list[str]:
        """Return what stands in a column, from top to bottom."""
        at = self.columns.index(column)
        return [row[at] for _, row in self.rows]


def plain_column(name: str) -> str:
    """Return the name of a column without what is easily written otherwise: "Image Index" as "imageindex"."""
    return re.sub(r"[\W_]+", "", name).casefold()


def is_list_of_subset(name: str) -> bool:
    """Tell whether a text file is named after a subset, as lists of its photos are: train.txt."""
    path = PurePosixPath(name)
    return path.suffix.lower() == LIST_SUFFIX and subset_named(path.stem) != NO_SUBSET


def tables_in(root: Path) -> tuple[str, ...]:
    """Return the tables in a folder and in the folders directly below it, relative to it; at most 20."""
    tables, folders = _tables_and_folders(root)
    for folder in folders[:FOLDERS_LOOKED_INTO]:
        tables += [f"{folder}/{name}" for name in _tables_and_folders(root / folder)[0]]
    return tuple(tables[:TABLES_SHOWN])


def read_table(root: Path, name: str, encoding: str = "", *, max_bytes: int = MAX_TABLE_BYTES) -> Table:
    """Read a table below `root`: separated by commas, semicolons, tabs or bars, with or without a row of names; a list
    of files in a text file is a table of one or two columns. Without `encoding` it is the most likely one.

    Raises:
        FolderError: It cannot be read, has no rows, or lies elsewhere.
    """
    path = root / name
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(root) or not _is_table(path.name):
            raise FolderError(
                tr("The table {table} is not a CSV file in the folder {folder}.", table=name, folder=str(root))
            )
        if resolved.stat().st_size > max_bytes:
            most = tr("{number} MB", number=str(max_bytes // 10**6))
            raise FolderError(tr("The table {table} is too large; the limit is {limit}.", table=name, limit=most))
        with open_resolved(resolved) as file:
            content = file.read()
        parse = _parsed if len(content) <= MAX_REMEMBERED_BYTES else parse_table
        return parse(content, name, encoding)
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        raise FolderError(
            tr("The table {table} cannot be read ({reason}).", table=str(path), reason=str(error))
        ) from error


@lru_cache(4)
def _parsed(content: bytes, name: str, encoding: str) -> Table:
    """Parse a table once for several looks at it, as a scan and the next one take them."""
    return parse_table(content, name, encoding)


def parse_table(content: bytes, name: str, encoding: str = "") -> Table:
    """Read a table as `read_table` does, from its bytes; raises `FolderError` as it does.

    Cells that were guarded against spreadsheets, see `core.csv_files`, are what they were before.
    """
    text, encoding = decoded(content, encoding)
    lines = io.StringIO(text, newline="").readlines()
    if name.lower().endswith(LIST_SUFFIX):
        return _list_of_files(lines, name, encoding)
    try:
        numbered = csv.reader(lines, delimiter=_delimiter(lines))
        rows = _from_names([(numbered.line_num, _cells(row)) for row in numbered if any(cell.strip() for cell in row)])
    except csv.Error as error:
        raise FolderError(
            tr("The table {table} cannot be read as CSV ({reason}).", table=name, reason=str(error))
        ) from error
    first = rows[0][1] if rows else ()
    named = len(first) < 2 or not _is_like_the_others(first, [row for _, row in rows[1:]])
    columns = _each_once(first) if named else _numbered(len(first))
    if len(columns) < 2 or not rows[named:]:
        raise FolderError(
            tr("The table {table} must have a first row with the names of two or more columns, then rows.", table=name)
        )
    return Table(columns, tuple((line, _fitted(row, len(columns))) for line, row in rows[named:]), encoding, named)


def _from_names(rows: list[tuple[int, tuple[str, ...]]]) -> list[tuple[int, tuple[str, ...]]]:
    """Return the rows without a title or remarks before them, which fill one cell where the others fill more."""
    filled = [sum(map(bool, row)) for _, row in rows[:LINES_LOOKED_AT]]
    start = next((at for at, count in enumerate(filled) if count > 1), 0)
    return rows[start:] if min(filled[start:], default=0) > 1 else rows


def _delimiter(lines: Sequence[str]) -> str:
    """Return the sign that divides every one of the first lines, or else most of them, into most cells.

    Lines without any such sign, as a title before the table, do not count.
    """
    looked_at = [line for line in lines[:LINES_LOOKED_AT] if set(line.strip()) & set(DELIMITERS)]
    first = looked_at[0] if looked_at else ""

    def merit(sign: str) -> tuple[int, int, int]:
        counts = [line.count(sign) for line in looked_at]
        return min(counts, default=0), sum(map(bool, counts)), first.count(sign)

    return max(DELIMITERS, key=merit)


def _list_of_files(lines: Sequence[str], name: str, encoding: str) -> Table:
    """Read a text file with a photo in each line, in some with a number or name of its own before it, or its class and
    more behind."""
    filled = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    filled = [(number, line) for number, line in filled if not line.startswith("#") or is_photo_name(line)]
    if not filled:
        raise FolderError(tr("The list {table} is empty.", table=name))
    pairs = [re.split(r"\s*[,;\t]\s*|\s+", line) for _, line in filled]
    if all(is_photo_name(line.rpartition(" ")[0]) for _, line in filled):
        pairs = [line.rsplit(None, 1) for _, line in filled]
    elif len(set(map(len, pairs))) > 1 or not (_have_keys(pairs) or not any(map(_ends_in_path, pairs))):
        pairs = [[line] for _, line in filled]
    rows = tuple((number, tuple(pair)) for (number, _), pair in zip(filled, pairs, strict=True))
    return Table(_numbered(len(rows[0][1])), rows, encoding, has_names=False)


def _have_keys(pairs: Sequence[Sequence[str]]) -> bool:
    """Tell whether each line begins with a number, or with a name that no other has and that is no path."""
    keys = [pair[0] for pair in pairs]
    own = len(keys) > 2 and len(set(keys)) == len(keys) and not any("/" in key for key in keys)
    return all(map(str.isdigit, keys)) or own


def _ends_in_path(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and ("/" in cells[-1] or is_photo_name(cells[-1]))


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"column {number}" for number in range(1, count + 1))


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns, with a number where one is empty or stands there for the second time."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        known = name or f"column {number}"
        found.append(f"{known} ({number})" if known in found else known)
    return tuple(found)


def _is_like_the_others(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Tell whether a first row is no row of names: it names a photo, or its cells come again below."""
    if any(is_photo_name(cell) for cell in first):
        return True
    if any(plain_column(cell) in (*FILE_COLUMNS, *LABEL_COLUMNS, *SPLIT_COLUMNS) for cell in first) or not others:
        return False
    below = [[row[at] if at < len(row) else "" for row in others] for at in range(len(first))]
    again = any(cell and cell in cells and len(set(cells)) > 1 for cell, cells in zip(first, below, strict=True))
    return again and any(
        cell.isdigit() and all(each.isdigit() for each in cells) and len(set(cells)) > len(cells) / 2
        for cell, cells in zip(first, below, strict=True)
    )


def is_photo_name(cell: str) -> bool:
    """Tell whether a cell ends like the name of a photo."""
    return PurePosixPath(cell.strip().partition("?")[0]).suffix.lower() in PHOTO_SUFFIXES


def _cells(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(unguarded(cell.strip()) for cell in row)


def _fitted(row: tuple[str, ...], length: int) -> tuple[str, ...]:
    return (*row[:length], *[""] * (length - len(row)))


def _is_table(name: str) -> bool:
    return name.lower().endswith((*TABLE_SUFFIXES, LIST_SUFFIX))


def _tables_and_folders(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the tables and of the folders in a folder, sorted; nothing when it cannot be read."""
    tables, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_table(entry.name) and entry.is_file() and (_lists_files(entry) or not _is_text(entry.name)):
                    tables.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
    except OSError:
        return [], []
    return _visible(tables), _visible(folders)


def _is_text(name: str) -> bool:
    return name.lower().endswith(LIST_SUFFIX)


def _lists_files(entry: "os.DirEntry[str]") -> bool:
    """Tell whether a text file may be a list of photos: its first lines are paths, not sentences."""
    try:
        if not 0 < entry.stat().st_size <= MAX_LIST_BYTES:
            return False
        with open(entry.path, "rb") as stream:
            lines = stream.read(4096).decode("utf-8", errors="replace").splitlines()[:LINES_LOOKED_AT]
    except OSError:
        return False
    if is_list_of_subset(entry.name):
        return True
    return bool(lines) and all(_may_name_a_photo(line) for line in _without_last(lines))


def _without_last(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines that hold something, without the last one of many, which may have been cut."""
    yield from (line for line in (lines[:-1] if len(lines) > 1 else lines) if line.strip())


def _may_name_a_photo(line: str) -> bool:
    words = line.split()
    return any(is_photo_name(word) for word in words) or ("/" in line and len(words) <= 2)


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not is_housekeeping(name))
