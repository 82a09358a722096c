"""How photos get their classes and, where a dataset has its own split, their subsets: by folders, tables or people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.data.scan.subset_folders import FolderTree, are_surely_parts, base_name, one_form, read_parts
from core.data.scan.table_labels import TableLabels, TableSource, read_labels
from core.data.scan.text_encoding import title_of
from core.data.scan.walk import LeftOut
from core.errors import DataError
from core.language import tr, tr_context, tr_mark, tr_plural

FIRST, TOP, PARTS, INNERMOST, TABLE, BY_HAND = "first", "top", "parts", "innermost", "table", "hand"
LABEL_BY = (FIRST, TOP, PARTS, INNERMOST, TABLE, BY_HAND)

NO_CLASS = ""
"""The class of all photos that are labelled by hand, before anybody has."""

IN_NO_CLASS = tr_mark("it is next to the class folders, not in one of them")
SEVERAL_LABELS = tr_mark("the table gives it several labels: {labels}")
"""Why photos are left out; these go through `tr`."""


@dataclass(frozen=True)
class Layout:
    """Where the label of a photo comes from.

    Attributes:
        label_by: "first": as the names of the folders suggest, "top" or "parts"; "top": the folder directly below the
            root; "parts": the folders at the top are parts of the dataset, such as train and test, and those inside
            them are the classes; "innermost": the folder that the photo lies in; "table": a row of a table; "hand":
            the decisions about it, whatever the names of folders say.
        table: The table, relative to the root, with "/"; this and the others as in `table_labels.TableSource`.

    Raises:
        DataError: `label_by` is none of these, or a table is asked for without its name and columns.
    """

    label_by: str = FIRST
    table: str = ""
    file_column: str = ""
    label_column: str = ""
    split_column: str = ""
    encoding: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.label_by not in LABEL_BY:
            raise DataError(
                tr(
                    "Labels come from “{given}”; it must be one of {expected}.",
                    given=str(self.label_by),
                    expected=", ".join(LABEL_BY),
                )
            )
        if self.label_by == TABLE and not (self.table and self.file_column and self.label_column):
            raise DataError(tr("Labels from a table need the table, its column of files, and its column of labels."))


@dataclass(frozen=True)
class Placed:
    """What a layout says of the files below a folder.

    Attributes:
        classes: Class by path, for the photos that have one.
        subsets: Position in `core.data.subsets.SUBSETS` by path, where the dataset brings its own split; else empty.
        left_out: The other photos, and rows of the table that name no photo.
        class_folders: Folders that stand for a class, so that one without readable photos can be reported.
        tables: The tables that the classes come from.
        part_folders: Folders that are parts of the dataset.
        notes: Sentences on what else a person should know of the labels.
    """

    classes: dict[str, str]
    subsets: dict[str, int]
    left_out: tuple[LeftOut, ...]
    class_folders: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    part_folders: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def place(layout: Layout, root: Path, paths: Sequence[str], folders: Sequence[str]) -> Placed:
    """Find the class of each photo.

    Args:
        layout: Where the labels come from; for "first", see `core.data.scan.layout_choices`.
        root: The dataset's folder, resolved.
        paths: Photos relative to it, with "/".
        folders: All folders below it, alike.

    Raises:
        FolderError: The table cannot be read, or has no such column.
    """
    if layout.label_by == BY_HAND:
        return Placed(dict.fromkeys(paths, NO_CLASS), {}, ())
    if layout.label_by == TABLE:
        return _by_table(layout, root, paths)
    if layout.label_by == INNERMOST:
        return _by_innermost(paths, folders)
    tree = FolderTree(paths)
    left_open = layout.label_by == FIRST
    by_parts = are_surely_parts(read_parts(paths, tree), tree) if left_open else layout.label_by == PARTS
    return _by_parts(paths, folders, tree) if by_parts else _by_top(paths, folders)


def _by_top(paths: Sequence[str], folders: Sequence[str]) -> Placed:
    classes = {path: one_form(path.partition("/")[0]) for path in paths if "/" in path}
    left_out = tuple(LeftOut(path, tr(IN_NO_CLASS)) for path in paths if path not in classes)
    return Placed(classes, {}, left_out, tuple(folder for folder in folders if "/" not in folder))


def _by_parts(paths: Sequence[str], folders: Sequence[str], tree: FolderTree) -> Placed:
    parts = read_parts(paths, tree)
    left_out = tuple(LeftOut(path, _why_without_class(path, tree)) for path in parts.without_class)
    around = parts.folders or ("",)
    named = [folder for folder in folders if folder.rpartition("/")[0] in around and folder not in parts.folders]
    return Placed(parts.classes, parts.subsets, left_out, tuple(named), part_folders=frozenset(parts.folders))


def _why_without_class(path: str, tree: FolderTree) -> str:
    top = path.partition("/")[0]
    if path.count("/") < 1 or tree.is_divided(top):
        return tr(IN_NO_CLASS)
    return tr("the folder {folder} has no class folders", folder=top)


def _by_innermost(paths: Sequence[str], folders: Sequence[str]) -> Placed:
    tree = FolderTree(paths)
    parts = read_parts(paths, tree)
    subsets = parts.subsets if are_surely_parts(parts, tree) else {}
    inside = {path: path.rpartition("/")[0] for path in paths}
    classes = {
        path: one_form(base_name(folder))
        for path, folder in inside.items()
        if folder and not (subsets and folder in parts.folders)
    }
    left_out = tuple(LeftOut(path, tr(IN_NO_CLASS)) for path in paths if path not in classes)
    holding = {folder.rpartition("/")[0] for folder in folders}
    named = tuple(folder for folder in folders if folder not in holding)
    return Placed(classes, {path: subsets[path] for path in classes} if subsets else {}, left_out, named)


def _by_table(layout: Layout, root: Path, paths: Sequence[str]) -> Placed:
    source = TableSource(layout.table, layout.file_column, layout.label_column, layout.split_column, layout.encoding)
    found = read_labels(source, root, paths)
    classes = {path: next(iter(labels)) for path, labels in found.labels.items() if len(labels) == 1}
    left_out = found.left_out + [
        LeftOut(path, tr(SEVERAL_LABELS, labels=", ".join(sorted(labels))))
        for path, labels in found.labels.items()
        if len(labels) > 1
    ]
    left_out = [entry for entry in left_out if entry.path not in classes]
    listed = {entry.path for entry in left_out}
    missing = [path for path in paths if path not in classes and path not in listed]
    unnamed = tr("no row of {tables} names it", tables=_either(found.tables))
    left_out += [LeftOut(path, unnamed) for path in missing]
    subsets = {path: found.subsets[path] for path in classes} if found.subsets else {}
    return Placed(classes, subsets, tuple(left_out), tables=found.tables, notes=_notes(found))


def _either(names: Sequence[str]) -> str:
    named = ""
    for name in names:
        named = tr_context("list", "{before} or {last}", before=named, last=name) if named else name
    return named


def _notes(found: TableLabels) -> tuple[str, ...]:
    """Say how photos with several labels are treated, and in which alphabet a table was read that is not in Unicode."""
    notes = []
    several = [", ".join(sorted(labels)) for labels in found.labels.values() if len(labels) > 1]
    if several:
        notes.append(
            tr_plural(
                "{count} photo has several labels, for example {labels}. One class is learned for each photo, so the"
                " {used} photos with exactly one label are used.",
                "{count} photos have several labels, for example {labels}. One class is learned for each photo, so the"
                " {used} photos with exactly one label are used.",
                len(several),
                labels=min(several),
                used=len(found.labels) - len(several),
            )
        )
    if found.unread_split and not found.subsets:
        notes.append(
            tr(
                "The column “{column}” holds numbers, which do not say which photos are for training and which for"
                " test, so it is not used. To keep that split, write train, val and test into it.",
                column=found.unread_split,
            )
        )
    foreign = next((name for name in found.encodings.values() if not name.startswith("utf")), "")
    if foreign:
        notes.append(
            tr(
                "The table is not in Unicode and was read as {encoding}. If the names of the classes look wrong, choose"
                " another encoding.",
                encoding=title_of(foreign),
            )
        )
    return tuple(notes)
