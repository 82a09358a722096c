"""Which photo a cell of a table means."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import unquote

from core.data.images import PHOTO_SUFFIXES
from core.data.scan.subset_folders import one_form, subset_named
from core.data.subsets import NO_SUBSET
from core.language import tr_mark

NOT_THERE = tr_mark("a row of the table names it, but it is not in the folder")
"""Why a row of a table is left out that names a photo which is not there."""

SEVERAL = tr_mark("several photos have this name: the table must give the folder, too")
NO_FILE = tr_mark("this row of the table names no file")


@dataclass(frozen=True)
class Match:
    """What a cell came to.

    Attributes:
        path: The photo, relative to the dataset's folder; empty for none.
        problem: Why there is none, as a message that goes through `tr`; else empty.
        sure: Whether no other folder was named than the one that the photo lies in.
    """

    path: str = ""
    problem: str = ""
    sure: bool = True


class PhotoPaths(tuple[str, ...]):
    """Paths of photos, with what finds them by another spelling; each way is prepared when it is first needed."""

    @cached_property
    def by_path(self) -> dict[str, str]:
        """Path by path in one form of Unicode."""
        return {one_form(path): path for path in self}

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Paths by the name of the file."""
        return self._gathered(_name)

    @cached_property
    def by_stem(self) -> dict[str, list[str]]:
        """Paths by the name without its ending."""
        return self._gathered(_stem)

    @cached_property
    def by_lower_stem(self) -> dict[str, list[str]]:
        """The same in lower case."""
        return self._gathered(_lower_stem)

    @cached_property
    def by_number(self) -> dict[str, list[str]]:
        """Paths by the name without the zeros that its numbers begin with."""
        return self._gathered(_number)

    def _gathered(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for plain, path in self.by_path.items():
            found[key(plain)].append(path)
        return found


class Finder:
    """Finds photos by their path; by as much of its end as is the same, as in paths of another computer; by the name
    alone, with another ending or none, in other case, or without the zeros that its numbers begin with."""

    def __init__(self, table: str, paths: Sequence[str]) -> None:
        """Look among these paths; those in the table may be relative to its own folder."""
        self.beside = PurePosixPath(one_form(table)).parent.as_posix()
        self.paths = paths if isinstance(paths, PhotoPaths) else PhotoPaths(paths)

    def photo(self, cell: str, subset: int = NO_SUBSET) -> Match:
        """Find the photo that a cell means; where several have the name, the one in a folder of this subset."""
        named = one_form(_without_address(cell.replace("\\", "/")).removeprefix("./"))
        if not named:
            return Match(problem=NO_FILE)
        for path in (named, posixpath.normpath(posixpath.join(self.beside, named))):
            if path in self.paths.by_path:
                return Match(self.paths.by_path[path])
        found = self._candidates(named) or self._candidates(unquote(named))
        return self._nearest(named, found, subset) if found else Match(problem=NOT_THERE)

    def _candidates(self, named: str) -> Sequence[str]:
        name, stem, number = _name(named), _stem(named), _number(named)
        return (
            self.paths.by_name.get(name)
            or self.paths.by_stem.get(name)
            or self.paths.by_stem.get(stem)
            or self.paths.by_lower_stem.get(stem.casefold())
            or (self.paths.by_number.get(number) if number else None)
            or ()
        )

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


def _without_address(cell: str) -> str:
    """Return the path of an address such as https://host/a/1.jpg?size=2, and any other cell as it is."""
    scheme, sign, rest = cell.strip().partition("://")
    return rest.partition("?")[0].partition("#")[0].lstrip("/") if sign and scheme.isalnum() else cell.strip()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """Return the name without the ending of a photo; other dots belong to it."""
    name = _name(path)
    stem, _, ending = name.rpartition(".")
    return stem if stem and f".{ending.lower()}" in PHOTO_SUFFIXES else name


def _lower_stem(path: str) -> str:
    return _stem(path).casefold()


def _number(path: str) -> str:
    """Return a name without zeros at the start of its numbers, or the ".0" of a spreadsheet; "" where it has none."""
    stem = _stem(path).removesuffix(".0").casefold()
    return re.sub("0*([0-9]+)", r"\1", stem) if re.search("[0-9]", stem) else ""


def _folders(path: str) -> list[str]:
    """Return the names of the folders that a path goes through, in lower case, the last one first."""
    return [name.casefold() for name in reversed(path.split("/")[:-1])]


def _same_at_the_start(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count
