"""Which photo a cell of a table means."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from core.data.images import PHOTO_SUFFIXES
from core.data.scan.subset_folders import one_form, subset_named
from core.data.subsets import NO_SUBSET

NOT_THERE = "a row of the table names it, but it is not in the folder"
"""Why a row of a table is left out that names a photo which is not there."""

SEVERAL = "several photos have this name: the table must give the folder, too"


@dataclass(frozen=True)
class Match:
    """What a cell came to.

    Attributes:
        path: The photo, relative to the dataset's folder; empty for none.
        problem: Why there is none; else empty.
        sure: Whether no other folder was named than the one that the photo lies in.
    """

    path: str = ""
    problem: str = ""
    sure: bool = True


class Finder:
    """Finds photos by their path; by as much of its end as is the same, as in paths of another computer; by the name
    alone, with another ending or none, in other case, or without the zeros that it begins with."""

    def __init__(self, table: str, paths: Sequence[str]) -> None:
        """Look among these paths; those in the table may be relative to its own folder."""
        self.beside = PurePosixPath(one_form(table)).parent
        self.by_path = {one_form(path): path for path in paths}
        self.levels: list[tuple[Callable[[str], str], dict[str, list[str]]]] = [
            (_name, _gathered(paths, _name)),
            (_name, _gathered(paths, _stem)),
            (_stem, _gathered(paths, _stem)),
            (lambda path: _stem(path).casefold(), _gathered(paths, lambda path: _stem(path).casefold())),
            (_number, _gathered(paths, _number)),
        ]

    def photo(self, cell: str, subset: int = NO_SUBSET) -> Match:
        """Find the photo that a cell means; where several have the name, the one in a folder of this subset."""
        named = one_form(_without_address(cell.replace("\\", "/")).removeprefix("./"))
        if not named:
            return Match(problem="this row of the table names no file")
        for path in (named, (self.beside / named).as_posix()):
            if path in self.by_path:
                return Match(self.by_path[path])
        found = self._candidates(named) or self._candidates(unquote(named))
        return self._nearest(named, found, subset) if found else Match(problem=NOT_THERE)

    def _candidates(self, named: str) -> list[str]:
        for key, known in self.levels:
            found = known.get(key(named)) if key(named) else None
            if found:
                return found
        return []

    def _nearest(self, named: str, candidates: Sequence[str], subset: int) -> Match:
        """Return the candidate whose folders agree best with the named ones, from the last one up."""
        folders = _folders(named)
        agreement = {path: _same_at_the_start(folders, _folders(one_form(path))) for path in candidates}
        best = max(agreement.values())
        nearest = [path for path in candidates if agreement[path] == best]
        for belongs in (
            lambda path: subset != NO_SUBSET and subset in map(subset_named, _folders(path)),
            lambda path: path.startswith(f"{self.beside}/"),
        ):
            narrowed = [path for path in nearest if belongs(path)] if len(nearest) > 1 else []
            nearest = narrowed or nearest
        if len(nearest) > 1:
            return Match(problem=SEVERAL)
        return Match(nearest[0], sure=not folders or best > 0 or "/" not in nearest[0])


def _gathered(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[key(one_form(path))].append(path)
    return found


def _without_address(cell: str) -> str:
    """Return the path of an address such as https://host/a/1.jpg?size=2, and any other cell as it is."""
    scheme, sign, rest = cell.strip().partition("://")
    return rest.partition("?")[0].partition("#")[0].lstrip("/") if sign and scheme.isalnum() else cell.strip()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """Return the name without the ending of a photo; other dots belong to it."""
    name = _name(path)
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in PHOTO_SUFFIXES else name


def _number(path: str) -> str:
    """Return the number that a name consists of, without zeros at its start, or the ".0" of a spreadsheet; else ""."""
    stem = _stem(path).removesuffix(".0")
    return str(int(stem)) if stem.isascii() and stem.isdigit() else ""


def _folders(path: str) -> list[str]:
    """Return the names of the folders that a path goes through, in lower case, the last one first."""
    return [name.casefold() for name in reversed(path.split("/")[:-1])]


def _same_at_the_start(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count
