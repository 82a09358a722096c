"""The class and the subset of each photo, as a table or several of them say."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.data.scan.joined_lists import read_joined
from core.data.scan.photo_finder import NOT_THERE, Finder
from core.data.scan.subset_folders import base_name, completed, one_form, plain_name, subset_named
from core.data.scan.table_columns import (
    FOLDER,
    NO_SPLIT,
    ONE_HOT,
    YES,
    class_columns,
    labels_in,
    separator_in,
    split_column,
    subset_of_cell,
    unread_split_column,
)
from core.data.scan.tables import Table, tables_in
from core.data.scan.walk import LeftOut
from core.data.subsets import NO_SUBSET
from core.errors import FolderError
from core.language import tr


@dataclass(frozen=True)
class TableSource:
    """Which table labels come from, as a person chose it; columns are names or what stands in their place.

    Attributes:
        table: The table, relative to the dataset's folder, with "/".
        file_column: Its column of files.
        label_column: Its column of classes, or `ONE_HOT`, or `FOLDER`.
        split_column: Its column of subsets, `NO_SPLIT`, or empty for the one that holds such.
        encoding: What it is written in; empty for the most likely one.
    """

    table: str
    file_column: str
    label_column: str
    split_column: str = ""
    encoding: str = ""


@dataclass
class TableLabels:
    """What tables say of photos.

    Attributes:
        labels: All labels of each photo by its path.
        subsets: Subset by path, where the tables give one.
        left_out: Rows that give no photo a label.
        tables: The tables that were read.
        encodings: What each was written in, by its name.
        unread_split: A column that is named like one of subsets, whose values do not tell which is which; else empty.
    """

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    subsets: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    tables: tuple[str, ...] = ()
    encodings: dict[str, str] = field(default_factory=dict)
    unread_split: str = ""


def read_labels(source: TableSource, root: Path, paths: Sequence[str]) -> TableLabels:
    """Read a table, and with one for training also those beside it for validation and test.

    Raises:
        FolderError: The table cannot be read, or has no such column.
    """
    family = dict(table_family(root, source.table))
    found = TableLabels(tables=tuple(family))
    for name, subset in family.items():
        table = read_joined(root, name, source.encoding)
        found.encodings[name] = table.encoding
        unread = unread_split_column(table)
        found.unread_split = found.unread_split or (unread if unread != source.label_column else "")
        _read(table, name, source, subset, Finder(name, paths), found)
    found.subsets = completed(found.subsets) if len(set(found.subsets.values()) - {NO_SUBSET}) > 1 else {}
    return found


def table_family(root: Path, name: str) -> Iterator[tuple[str, int]]:
    """Yield a table and, where its name is about one subset, those named alike about others, each with its subset.

    Tables without the columns of the first one, such as those of photos to be predicted, do not count.
    """
    own = _subset_of_table(name)
    yield name, own
    if own == NO_SUBSET:
        return
    columns = read_joined(root, name).columns
    for other in tables_in(root):
        subset = _subset_of_table(other)
        if subset not in (own, NO_SUBSET) and _without_subset(other) == _without_subset(name):
            try:
                alike = read_joined(root, other).columns == columns
            except FolderError:
                alike = False
            if alike:
                yield other, subset


def _subset_of_table(name: str) -> int:
    """Return the subset that a table's name or else its folder's name means."""
    own = subset_named(PurePosixPath(name).stem)
    return own if own != NO_SUBSET else subset_named(PurePosixPath(name).parent.name)


def _without_subset(name: str) -> tuple[str, ...]:
    """Return the words of a table's path without those that name a subset."""
    words = plain_name(name.replace("/", " / ").replace(".", " . ")).split()
    return tuple(word for word in words if subset_named(word) == NO_SUBSET)


def _read(table: Table, name: str, source: TableSource, subset: int, find: Finder, found: TableLabels) -> None:
    file_at = _position(table, name, source.file_column)
    labels_of = labels_of_rows(table, name, source)
    split = split_column(table, source.file_column) if not source.split_column else source.split_column
    split_at = _position(table, name, split) if split not in ("", NO_SPLIT) else None
    unsure: list[tuple[str, str, list[str], int]] = []
    for line, row in table.rows:
        of_row = subset if split_at is None else subset_of_cell(row[split_at], split)
        match = find.photo(row[file_at], of_row)
        labels = [] if match.problem else labels_of(row, match.path)
        if match.problem or not labels:
            unlabelled = tr("line {line} of the table gives it no label", line=str(line))
            problem = tr(match.problem) if match.problem else unlabelled
            where = match.path or row[file_at] or tr("{table}, line {line}", table=name, line=str(line))
            found.left_out.append(LeftOut(where, problem))
        elif match.sure:
            _add(found, match.path, labels, of_row)
        else:
            unsure.append((row[file_at], match.path, labels, of_row))
    named = set(found.labels)
    for cell, path, labels, of_row in unsure:
        if path in named:  # another row means this very photo, so this row means one that is gone
            found.left_out.append(LeftOut(cell, tr(NOT_THERE)))
        else:
            _add(found, path, labels, of_row)


def _add(found: TableLabels, path: str, labels: Sequence[str], subset: int) -> None:
    found.labels[path].update(labels)
    found.subsets[path] = subset


def labels_of_rows(table: Table, name: str, source: TableSource) -> Callable[[Sequence[str], str], list[str]]:
    """Return what gives the labels of a row, whose photo lies at a path."""
    if source.label_column == FOLDER:
        return lambda row, path: [one_form(base_name(path.rpartition("/")[0]))] if "/" in path else []
    if source.label_column == ONE_HOT:
        columns = class_columns(table, (source.file_column, source.split_column))
        if not columns:
            raise FolderError(
                tr("The table {table} has no columns with 1 or 0 for each class. Choose another.", table=name)
            )
        classes = [(table.columns.index(column), one_form(column)) for column in columns]
        return lambda row, path: [label for at, label in classes if row[at].casefold() in YES]
    at = _position(table, name, source.label_column)
    separator = separator_in((row[at] for _, row in table.rows), source.label_column)
    return lambda row, path: [one_form(label) for label in labels_in(row[at], separator) if label]


def _position(table: Table, name: str, column: str) -> int:
    """Return where a column is; in a table without names also that of a cell in its first row, as it once was taken."""
    if column in table.columns:
        return table.columns.index(column)
    first = () if table.has_names else table.rows[0][1]
    if column in first:
        return first.index(column)
    raise FolderError(
        tr(
            "The table {table} has no column “{column}”; it has {columns}. Choose another.",
            table=name,
            column=column,
            columns=", ".join(table.columns),
        )
    )
