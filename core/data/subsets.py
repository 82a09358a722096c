"""The subsets that a dataset is divided into."""

from collections.abc import Iterable

from core.language import tr_context

SUBSETS = ("training", "validation", "test")
TRAINING, VALIDATION, TEST = range(3)

NO_SUBSET = -1
"""In place of a subset: the dataset has none for this photo, or the photo is not used."""


def subset_name(key: str) -> str:
    """What one of `SUBSETS` is called in a sentence; any other text as it is."""
    names = {
        "training": tr_context("subset", "training"),
        "validation": tr_context("subset", "validation"),
        "test": tr_context("subset", "test"),
    }
    return names.get(key, key)


def subset_names(keys: Iterable[str]) -> str:
    """What some of `SUBSETS` are called, as in "training, test"."""
    named = ""
    for key in keys:
        name = subset_name(key)
        named = tr_context("list", "{before}, {next}", before=named, next=name) if named else name
    return named
