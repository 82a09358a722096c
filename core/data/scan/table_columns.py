"""Which columns of a table hold files, classes and subsets."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.data.scan.photo_finder import SEVERAL, Finder
from core.data.scan.subset_folders import base_name, subset_named
from core.data.scan.tables import FILE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS, Table, is_photo_name, plain_column
from core.data.subsets import NO_SUBSET, TEST, TRAINING
from core.language import tr, tr_mark

ONE_HOT = tr_mark("(one column for each class)")
"""In place of the column of classes: each class has a column, with a 1 in the rows of its photos."""

FOLDER = tr_mark("(the folder of each photo)")
"""In place of the column of classes: the table says which photos are used, and the folder of each is its class."""

NO_SPLIT = tr_mark("(none)")
"""In place of the column of subsets: the table has none."""


def column_title(column: str) -> str:
    """What a column, or what stands in its place, is called on the screen."""
    return tr(column) if column in (ONE_HOT, FOLDER, NO_SPLIT) else column


ROWS_LOOKED_AT = 500

MOST_SUBSETS = 20
"""A column with more values than that is none of subsets, nor of folds."""

YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "-1", "-1.0", "false", "no", "")
SEPARATORS = "|;,"


@dataclass(frozen=True)
class Columns:
    """Names of columns, or what stands in their place; `split` is empty where there is none."""

    file: str
    label: str
    split: str = ""


def guess_columns(table: Table, find: Finder) -> Columns:
    """Return the columns that most likely hold files, classes and subsets: by whether the cells name photos, by usual
    names, by what stands in them."""
    file = _file_column(table, find)
    split = split_column(table, file)
    label = _label_column(table, file, split)
    return Columns(file, FOLDER if _numbers_folders(table, file, label) else label, split)


def _numbers_folders(table: Table, file: str, label: str) -> bool:
    """Tell whether the column of classes only numbers the folders that the column of files names."""
    if label in (FOLDER, ONE_HOT) or not all(map(str.isdigit, table.cells(label))):
        return False
    folders = [cell.replace("\\", "/").rpartition("/")[0] for cell in table.cells(file)]
    pairs = set(zip(folders, table.cells(label), strict=True))
    names, numbers = {base_name(folder) for folder, _ in pairs}, {number for _, number in pairs}
    return len(names) == len(numbers) == len(pairs) > 1 and "" not in names and not all(map(str.isdigit, names))


def unread_split_column(table: Table) -> str:
    """Return a column that is named like one of subsets, but holds numbers, which do not tell which is which; empty for
    none."""
    for column in table.columns:
        values = set(table.cells(column)) - {""} if plain_column(column) in SPLIT_COLUMNS else set()
        if 1 < len(values) <= MOST_SUBSETS and all(map(str.isdigit, values)):
            return column
    return ""


def split_column(table: Table, file: str) -> str:
    """Return the column whose cells say which subset a photo belongs to; empty for none."""
    for column in table.columns:
        values = Counter(table.cells(column)) if column != file else Counter[str]()
        found = {subset_of_cell(value, column) for value in values if value}
        named = plain_column(column) in SPLIT_COLUMNS
        if TRAINING in found and len(found - {NO_SUBSET}) > 1 and (named or NO_SUBSET not in found):
            return column
    return ""


def subset_of_cell(cell: str, column: str) -> int:
    """Return the subset that a cell means; in a column such as "is_train" a yes or no."""
    meant = subset_named(column)
    if meant != NO_SUBSET and cell.casefold() in YES + NO:
        other = TEST if meant == TRAINING else TRAINING
        return meant if cell.casefold() in YES else other
    return subset_named(cell)


def class_columns(table: Table, others: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that stand for a class each, with 1 or 0 in every row; empty where it is not so."""
    found = tuple(
        column
        for column in table.columns
        if column not in others and {cell.casefold() for cell in table.cells(column)} <= {*YES, *NO}
    )
    if len(found) < 2:
        return ()
    at = [table.columns.index(column) for column in found]
    single = sum(sum(row[i].casefold() in YES for i in at) == 1 for _, row in table.rows)
    return found if 2 * single >= len(table.rows) or (len(found) > 2 and single > 1) else ()


def separator_in(cells: Iterable[str], column: str = "") -> str:
    """Return the sign between the labels of cells that hold several of them; empty where each cell is one label.

    Cells are taken for lists when most of their pieces come again, alone or in other lists.
    """
    distinct = {cell for cell in cells if cell}
    spaces = " " if plain_column(column) in ("tags", "labels") else ""
    for sign in SEPARATORS + spaces:
        lists = {cell: labels_in(cell, sign) for cell in distinct if len(labels_in(cell, sign)) > 1}
        pieces = Counter(piece for listed in lists.values() for piece in listed)
        single = {label for cell in distinct - lists.keys() for label in labels_in(cell, sign)}
        again = [piece for piece, count in pieces.items() if count > 1 or piece in single]
        if lists and 2 * len(again) >= len(pieces) and (len(single) > 1 or len(pieces) < len(lists)):
            return sign
    return ""


def labels_in(cell: str, separator: str) -> list[str]:
    """Return the labels that a cell holds: parted by a sign, or written as a list such as ["a", "b"]."""
    if not separator:
        return [cell]
    if re.fullmatch(r"[\[({].*[\])}]", cell):
        cell = cell[1:-1]
    return [piece for piece in (part.strip(" \t'\"") for part in cell.split(separator)) if piece]


def _file_column(table: Table, find: Finder) -> str:
    step = max(1, len(table.rows) // ROWS_LOOKED_AT)
    looked_at = [row for _, row in table.rows[::step]]

    def merit(at: int) -> tuple[float, bool, int, int]:
        cells = [row[at] for row in looked_at]
        distinct = set(cells)
        hits = sum(_names_a_photo(cell, find) for cell in distinct if cell)
        paths = any("/" in cell or is_photo_name(cell) for cell in distinct)
        return round(hits / len(distinct), 1), paths, -_rank(table.columns[at], FILE_COLUMNS), len(distinct)

    return table.columns[max(range(len(table.columns)), key=merit)]


def _names_a_photo(cell: str, find: Finder) -> bool:
    """Tell whether a cell names a photo; where none are known, whether it looks so."""
    return find.photo(cell).problem in ("", SEVERAL) if find.paths else is_photo_name(cell)


def _label_column(table: Table, file: str, split: str) -> str:
    others = [column for column in table.columns if column not in (file, split)]
    keys = [column for column in others if not table.has_names and len(set(table.cells(column))) == len(table.rows) > 2]
    varied = [column for column in others if column not in keys and len(set(table.cells(column)) - {""}) > 1]
    if not others:
        return FOLDER
    usual = sorted((_rank(column, LABEL_COLUMNS), column) for column in varied)
    if usual and usual[0][0] < len(LABEL_COLUMNS):
        return usual[0][1]
    if class_columns(table, (file, split)):
        return ONE_HOT
    most = min(max(2, len(table.rows) / 2), len(table.rows) - 1)
    repeated = [column for column in varied if len(set(table.cells(column))) <= most]
    text = [column for column in varied if not all(map(_is_number, table.cells(column)))]
    numbers = varied if table.has_names else [FOLDER]
    return next(iter((*(column for column in text if column in repeated), *repeated, *text, *numbers, FOLDER)))


def _rank(column: str, usual: Sequence[str]) -> int:
    plain = plain_column(column)
    return usual.index(plain) if plain in usual else len(usual)


def _is_number(cell: str) -> bool:
    return not cell or bool(re.fullmatch(r"[-+]?\d+([.,]\d+)?", cell))
