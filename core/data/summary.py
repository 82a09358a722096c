"""What is to be said of a dataset, in plain sentences: the same on the page and on the command line."""

import numpy as np

from core.data.dataset import NEVER_LEARNED, SAME_NAME, Dataset
from core.data.scan.layout import TABLE
from core.data.subsets import SUBSETS, subset_name, subset_names
from core.formatting import photos
from core.language import sentences, tr, tr_context, tr_plural

NAMED = 3
"""So many classes are named at most."""


def split_in_words(dataset: Dataset) -> str:
    """Return where the split comes from, and what of a ready one cannot be kept."""
    if not dataset.has_own_split:
        return _random_split(dataset)
    given = {number: dataset.given == number for number in range(len(SUBSETS)) if (dataset.given == number).any()}
    usable = np.ones(len(dataset.folder), dtype=bool)
    usable[list(dataset.withheld)] = False
    lost = [number for number, members in given.items() if not usable[members].any()]
    unused = sum(int((~usable[members]).sum()) for number, members in given.items() if number not in lost)
    brought = subset_names(SUBSETS[number] for number in given)
    if lost:
        split = tr(
            "The dataset has its own split ({parts}), {unusable}.",
            parts=brought,
            unusable=_unusable({number: int(given[number].sum()) for number in lost}),
        )
    elif unused:
        split = tr_plural(
            "The dataset has its own split ({parts}), which is kept but for {count} photo not used.",
            "The dataset has its own split ({parts}), which is kept but for {count} photos not used.",
            unused,
            parts=brought,
        )
    else:
        split = tr("The dataset has its own split ({parts}), which is kept.", parts=brought)
    drawn = [name for number, name in enumerate(SUBSETS) if number not in given]
    return sentences(split, _drawn_from_training(drawn, dataset.scan.layout.label_by == TABLE) if drawn else "")


def _unusable(counts: dict[int, int]) -> str:
    """Say of each subset by its number that none of so many photos can be used."""
    said = ""
    for number, count in counts.items():
        each = tr_plural(
            "but none of its {count} photo for {part} can be used, so others are taken from training",
            "but none of its {count} photos for {part} can be used, so others are taken from training",
            count,
            part=subset_name(SUBSETS[number]),
        )
        said = tr_context("list", "{before}, {next}", before=said, next=each) if said else each
    return said


def _drawn_from_training(drawn: list[str], by_table: bool) -> str:
    """Say that there is nothing of one or two subsets."""
    first, last = subset_name(drawn[0]), subset_name(drawn[-1])
    if len(drawn) == 1 and by_table:
        return tr("There is no {part} subset, so its photos are taken from training.", part=first)
    if len(drawn) == 1:
        return tr("There is no {part} folder, so its photos are taken from training.", part=first)
    if by_table:
        return tr(
            "There is no {first} and no {last} subset, so its photos are taken from training.", first=first, last=last
        )
    return tr(
        "There is no {first} and no {last} folder, so its photos are taken from training.", first=first, last=last
    )


def _random_split(dataset: Dataset) -> str:
    if not dataset.serial:
        return tr("Split at random within each class. Copies and look-alikes stay together.")
    named = ""
    for name in dataset.serial[:NAMED]:
        quoted = tr("“{name}”", name=name)
        named = tr_context("list", "{before}, {next}", before=named, next=quoted) if named else quoted
    if len(dataset.serial) > NAMED:
        more = tr("{count} more", count=len(dataset.serial) - NAMED)
        named = tr_context("list", "{before} and {last}", before=named, last=more)
    return tr(
        "Nearly all photos of {classes} look alike, as if taken in one burst. They are split in the order of"
        " their file names, so the test accuracy will be too optimistic; more varied photos would help.",
        classes=named,
    )


def class_findings(dataset: Dataset) -> list[str]:
    """Return a sentence for each class that has no training photo, or nearly the name of another one."""
    found = []
    for finding in dataset.findings:
        if finding.kind.key not in (NEVER_LEARNED, SAME_NAME):
            continue
        for group in finding.sets:
            name = dataset.folder.class_names[dataset.folder.labels[group[0]]]
            near = dataset.classes_to_join(finding, group)
            found.append(_class_finding(name, photos(len(group)), finding.kind.key, near[0] if near else ""))
    return found


def _class_finding(name: str, count: str, kind: str, near: str) -> str:
    if kind == NEVER_LEARNED and near:
        return tr(
            "“{name}” ({photos}) has no training photo, so it is not used; the nearest class is “{near}”.",
            name=name,
            photos=count,
            near=near,
        )
    if kind == NEVER_LEARNED:
        return tr(
            "“{name}” ({photos}) has no training photo, so it is not used; no class is named alike.",
            name=name,
            photos=count,
        )
    if near:
        return tr("“{name}” ({photos}); the nearest class is “{near}”.", name=name, photos=count, near=near)
    return tr("“{name}” ({photos}); no class is named alike.", name=name, photos=count)


def rows_without_photo(dataset: Dataset) -> str:
    """Return how many rows of the table of labels name photos that are not there; empty for none."""
    count = len(dataset.scan.rows_without_photo)
    if not count:
        return ""
    tables = ""
    for table in dataset.scan.tables:
        tables = tr_context("list", "{before} and {last}", before=tables, last=table) if tables else table
    return tr_plural(
        "{count} row of {tables} names a photo that is not in the folder",
        "{count} rows of {tables} name photos that are not in the folder",
        count,
        tables=tables,
    )
