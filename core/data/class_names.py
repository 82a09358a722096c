"""Names of classes that mean the same, or nearly so."""

import difflib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from core.data.scan.subset_folders import plain_name

ALIKE = 0.5
"""How alike two names must be for one to be offered in place of the other: `difflib`'s ratio, 0 to 1."""

OFFERED = 3
"""So many similar names are offered at most."""


def find_class(label: str, class_names: Sequence[str]) -> int | None:
    """Position of the class that a label means: the same name, or the same but for case, spaces, "-" and "_"."""
    if label in class_names:
        return list(class_names).index(label)
    same = [place for place, name in enumerate(class_names) if plain_name(name) == plain_name(label)]
    return same[0] if len(same) == 1 else None


@lru_cache(maxsize=64)
def shown_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of classes as people read them: "german shepherd" for german_shepherd, in the same order.

    Names that would then look the same stay as they are, as does one of which nothing would be left. Only for the
    screen: files, exports and the command line have the names that the folders have.
    """
    plain = [" ".join(name.replace("_", " ").split()) for name in class_names]
    counts = Counter(name.casefold() for name in plain)
    return tuple(
        read if read and counts[read.casefold()] == 1 else name for name, read in zip(class_names, plain, strict=True)
    )


def shown_name(name: str, class_names: Sequence[str]) -> str:
    """The name of one of these classes as people read it, see `shown_names`; any other name as it is."""
    return shown_names(tuple(class_names))[list(class_names).index(name)] if name in class_names else name


def similar_classes(label: str, class_names: Sequence[str]) -> list[int]:
    """Positions of classes whose names are much like a label, the most alike first; at most three."""
    plain = [plain_name(name) for name in class_names]
    found = difflib.get_close_matches(plain_name(label), plain, OFFERED, ALIKE)
    return [plain.index(name) for name in dict.fromkeys(found)]
