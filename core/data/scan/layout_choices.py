"""In which ways a folder can be read as a dataset, each with a drawing, and whether a person must choose."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.data.scan.joined_lists import read_joined
from core.data.scan.layout import BY_HAND, FIRST, INNERMOST, PARTS, SEVERAL_LABELS, TABLE, TOP, Layout, Placed, place
from core.data.scan.photo_finder import Finder
from core.data.scan.subset_folders import (
    FolderTree,
    are_surely_parts,
    base_name,
    may_be_parts,
    photo_folder,
    read_parts,
)
from core.data.scan.table_columns import NO_SPLIT, guess_columns
from core.data.scan.table_labels import table_family
from core.data.scan.tables import tables_in
from core.data.subsets import NO_SUBSET, SUBSETS, subset_name, subset_names
from core.errors import FolderError, UndecidedLayout
from core.formatting import photos
from core.language import retold, sentences, tr, tr_context, tr_plural

NEARLY_ALL, MANY = 0.8, 0.3
"""Shares of the photos that a table names: so that a person is asked, and so that it is offered where one is asked
or folders alone give no two classes."""

MAX_BYTES_LOOKED_AT = 50_000_000
"""Larger tables are not read unless a person chooses them."""

NAME_WIDTH, CLASSES_DRAWN, PARTS_DRAWN = 26, 4, 6


@dataclass(frozen=True)
class LayoutChoice:
    """A way to read a folder.

    Attributes:
        layout: What to keep where a person chooses it.
        summary: What it comes to, such as "2 classes in 2 parts", in the language of whoever made it.
        drawn: The same as lines: parts and classes, each with its number of photos.
        remarks: What else a person should know before choosing it, in the language of whoever made it.
        folder: Where another folder, inside this one, is to be opened instead; relative, else empty.
    """

    layout: Layout
    summary: str = ""
    drawn: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    folder: str = ""

    @property
    def words(self) -> str:
        """What it comes to, in the language of the present reader."""
        return retold(self.summary)

    @property
    def tree(self) -> str:
        """The same as lines of text, with the number of photos of each part and class."""
        lines = [(retold(name), retold(value)) for name, value in self.drawn]
        width = max((len(name) for name, _ in lines), default=0) + 2
        return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in lines)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else a person should know before choosing it, in the language of the present reader."""
        return tuple(retold(note) for note in self.remarks)


NO_CHOICE = LayoutChoice(Layout())


def decide(layout: Layout, root: Path, paths: Sequence[str], folders: Sequence[str]) -> Layout:
    """Return how a folder is read where that was left open, and any other layout as it is.

    Args:
        layout: As it was chosen.
        root: The dataset's folder, resolved.
        paths: Photos relative to it, with "/".
        folders: All folders below it, alike.

    Raises:
        UndecidedLayout: More than one reading makes sense, or a table names nearly all photos.
    """
    if layout.label_by != FIRST:
        return layout
    tree = FolderTree(paths)
    parts = read_parts(paths, tree)
    sure = are_surely_parts(parts, tree)
    by_folders = Layout(PARTS if sure else TOP)
    tables = _by_tables(root, paths)
    placed = place(by_folders, root, paths, folders)
    enough = NEARLY_ALL if len(set(placed.classes.values())) > 1 else MANY
    telling = [one for one, found in tables if _named(found, paths) >= enough and not _says_the_same(found, placed)]
    inner = "" if sure else photo_folder(parts, tree)
    if not (telling or inner or (not sure and may_be_parts(parts, tree))):
        return by_folders
    chosen = [one for one, found in tables if _named(found, paths) >= MANY]
    choices = _choices(root, paths, folders, chosen)
    choices += [_of_folder(inner, paths, folders)] if inner else []
    choices += _choices(root, paths, folders, [Layout(TOP)] if inner else _folder_layouts(parts.classes, sure))
    parts_alone = [] if parts.classes or inner else _innermost(parts.folders)
    raise UndecidedLayout(_question(root, choices, parts_alone), choices)


def described(layout: Layout, placed: Placed) -> LayoutChoice:
    """Describe what a layout makes of the photos."""
    if layout.label_by == BY_HAND:
        by_hand = tr_plural(
            "{count} photo to be labelled by hand", "{count} photos to be labelled by hand", len(placed.classes)
        )
        return LayoutChoice(layout, by_hand)
    parts = sorted({subset for subset in placed.subsets.values() if subset != NO_SUBSET})
    names = sorted(set(placed.classes.values()))
    tops = _by_part(placed)
    words: str = tr_plural("{count} class", "{count} classes", len(names))
    if layout.label_by == TABLE:
        words = _from_tables(words, placed.tables)
    if placed.part_folders and len(tops) > 1:
        words = tr("{classes} in {count} parts", classes=words, count=len(tops))
    if parts:
        words = tr("{what} ({parts})", what=words, parts=subset_names(SUBSETS[part] for part in parts))
    elif layout.label_by == TOP:
        words = tr("{what}: {classes}", what=words, classes=_some(names))
    return LayoutChoice(layout, words, _draw(placed), placed.notes)


def _from_tables(classes: str, tables: Sequence[str]) -> str:
    if len(tables) == 1:
        return tr("{classes} from the table {table}", classes=classes, table=tables[0])
    named = ""
    for name in tables:
        named = tr_context("list", "{before} and {last}", before=named, last=name) if named else name
    return tr("{classes} from the tables {tables}", classes=classes, tables=named)


def _draw(placed: Placed) -> tuple[tuple[str, str], ...]:
    """Draw the parts and classes as lines, each with its number of photos; short enough for a phone."""
    lines: list[tuple[str, str]] = []
    parts = _by_part(placed)
    for number, (part, counts) in enumerate(parts.items()):
        if number == PARTS_DRAWN:
            more = tr_plural("… {count} more part", "… {count} more parts", len(parts) - number)
            lines.append((more, ""))
            break
        name, subset = part
        if name:
            title = subset_name(name) if name in SUBSETS and subset == NO_SUBSET else _shortened(name)
            lines.append((title, subset_name(SUBSETS[subset]) if subset != NO_SUBSET else ""))
        lines += _classes(counts, indented=bool(name))
    lines += [(_shortened(name), tr("not used")) for name in _unused(placed)]
    return tuple(lines)


def _by_part(placed: Placed) -> dict[tuple[str, int], Counter[str]]:
    """Return how many photos of each class there are by the part that they lie in, and its subset."""
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    in_classes = bool(placed.part_folders) and not _tops(placed)
    for path, name in placed.classes.items():
        subset = placed.subsets.get(path, NO_SUBSET)
        part = _part_of(path, placed.part_folders)
        if part:
            found[base_name(part) if in_classes else part, subset][name] += 1
        else:
            found[SUBSETS[subset] if subset != NO_SUBSET else "", NO_SUBSET][name] += 1
    in_order = sorted(found, key=lambda part: (part[1] % 4, _rank(part[0]), part[0]))
    return {part: found[part] for part in in_order}


def _rank(title: str) -> int:
    return SUBSETS.index(title) if title in SUBSETS else len(SUBSETS)


def _part_of(path: str, parts: Collection[str]) -> str:
    """Return the innermost part that a photo lies in; empty for none."""
    folder = path.rpartition("/")[0]
    while folder and folder not in parts:
        folder = folder.rpartition("/")[0]
    return folder


def _tops(placed: Placed) -> list[str]:
    return [part for part in placed.part_folders if "/" not in part]


def _classes(counts: Mapping[str, int], *, indented: bool) -> list[tuple[str, str]]:
    names = sorted(counts)
    drawn = names if len(names) <= CLASSES_DRAWN + 1 else names[:CLASSES_DRAWN]
    lines: list[tuple[str, str]] = [(_shortened(name), photos(counts[name])) for name in drawn]
    if len(names) > len(drawn):
        lines.append((tr("… {count} more", count=len(names) - len(drawn)), ""))
    if not indented:
        return lines
    return [
        (tr("└ {name}", name=name) if at == len(lines) - 1 else tr("├ {name}", name=name), value)
        for at, (name, value) in enumerate(lines)
    ]


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _unused(placed: Placed) -> list[str]:
    """Return the parts at the top of which nothing is used."""
    used = {path.partition("/")[0] for path in placed.classes}
    return sorted(part for part in _tops(placed) if part not in used)


def layout_of_table(root: Path, name: str, paths: Sequence[str], encoding: str = "") -> Layout:
    """Return the columns of a table that most likely hold files, classes and subsets; with those beside it, the table
    of the training photos.

    Raises:
        FolderError: It cannot be read.
    """
    table = read_joined(root, name, encoding, max_bytes=MAX_BYTES_LOOKED_AT)
    first = min(table_family(root, name), key=lambda member: member[1] % 4)[0]
    columns = guess_columns(table, Finder(name, paths))
    return Layout(TABLE, first, columns.file, columns.label, columns.split or NO_SPLIT, encoding)


def _by_tables(root: Path, paths: Sequence[str]) -> list[tuple[Layout, Placed]]:
    """Return what each table in the folder says, those that name most photos first; none that gives no two classes."""
    found: list[tuple[Layout, Placed]] = []
    for name in tables_in(root):
        if any(name in placed.tables for _, placed in found):
            continue
        try:
            layout = layout_of_table(root, name, paths)
            placed = place(layout, root, paths, [])
        except FolderError:
            continue
        if len(set(placed.classes.values())) > 1:
            found.append((layout, placed))
    return sorted(found, key=lambda each: -_named(each[1], paths))


def _named(placed: Placed, paths: Sequence[str]) -> float:
    """Return the share of photos that a table names, whether it gives them one label or several."""
    here = set(paths)
    several = sum(entry.path in here and entry.is_because(SEVERAL_LABELS) for entry in placed.left_out)
    return (len(placed.classes) + several) / max(1, len(paths))


def _says_the_same(table: Placed, folders: Placed) -> bool:
    """Tell whether a table gives the very classes that the folders give, and no subsets that these do not."""
    both = table.classes.keys() & folders.classes.keys()
    pairs = {(table.classes[path], folders.classes[path]) for path in both}
    names = len(set(table.classes.values())), len(set(folders.classes.values()))
    same = names == (len(pairs), len(pairs)) and 2 * len(both) > len(table.classes)
    return same and (bool(folders.subsets) or not table.subsets)


def _innermost(folders: Collection[str]) -> list[str]:
    """Return the folders that hold none of the others, sorted."""
    holding = {folder.rpartition("/")[0] for folder in folders}
    return sorted(folder for folder in folders if folder not in holding)


def _folder_layouts(in_parts: Mapping[str, str], sure: bool) -> list[Layout]:
    if len(set(in_parts.values())) > 1:
        return [Layout(PARTS), *([] if sure else [Layout(TOP)])]
    return [*([Layout(INNERMOST)] if in_parts else []), Layout(TOP)]


def _choices(root: Path, paths: Sequence[str], folders: Sequence[str], layouts: Sequence[Layout]) -> list[LayoutChoice]:
    """Describe those layouts that give two classes or more, each way to divide the photos once."""
    found: list[LayoutChoice] = []
    known: list[tuple[dict[str, str], dict[str, int]]] = []
    for layout in layouts:
        placed = place(layout, root, paths, folders)
        if len(set(placed.classes.values())) > 1 and (placed.classes, placed.subsets) not in known:
            known.append((placed.classes, placed.subsets))
            found.append(described(layout, placed))
    return found


def _of_folder(inner: str, paths: Sequence[str], folders: Sequence[str]) -> LayoutChoice:
    inside = [path.removeprefix(f"{inner}/") for path in paths if path.startswith(f"{inner}/")]
    below = [folder.removeprefix(f"{inner}/") for folder in folders if folder.startswith(f"{inner}/")]
    tree = FolderTree(inside)
    layout = Layout(PARTS if are_surely_parts(read_parts(inside, tree), tree) else TOP)
    inside_it = described(layout, place(layout, Path(), inside, below))
    words = tr("only the folder {folder}: {what}", folder=inner, what=inside_it.summary)
    return LayoutChoice(Layout(), words, inside_it.drawn, folder=inner)


def _question(root: Path, choices: Sequence[LayoutChoice], parts_alone: Sequence[str]) -> str:
    if parts_alone and (not choices or choices[0].layout.label_by == TOP):
        alone = tr(
            "{parts} in {folder} look like parts of a dataset, not like its classes, and hold no class folders. Put the"
            " photos of each class into a folder of its own, or add a table (CSV) that names each file and its class.",
            parts=_some(parts_alone),
            folder=str(root),
        )
        return sentences(alone, tr("They may also be your classes.") if choices else "")
    first, *others = choices
    either = ""
    for each in others:
        either = tr_context("list", "{before} or {last}", before=either, last=each.summary) if either else each.summary
    return sentences(
        tr(
            "It is not certain where the classes in {folder} are to be found. This looks like: {what}.",
            folder=str(root),
            what=first.summary,
        ),
        tr("It could also be {others}.", others=either) if either else "",
    )
