"""What is to be said of a dataset, in plain sentences: the same on the page and on the command line."""

import numpy as np

from core.data.dataset import NEVER_LEARNED, SAME_NAME, Dataset
from core.data.scan.layout import TABLE
from core.data.subsets import SUBSETS

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
    kept = "which is kept" + (f" but for {_photos(unused)} not used" if unused else "")
    instead = [
        f"but none of its {_photos(int(given[number].sum()))} for {SUBSETS[number]} can be used, so others are taken"
        " from training"
        for number in lost
    ]
    brought = ", ".join(SUBSETS[number] for number in given)
    drawn = [name for number, name in enumerate(SUBSETS) if number not in given]
    what = "subset" if dataset.scan.layout.label_by == TABLE else "folder"
    made = f" There is no {' and no '.join(drawn)} {what}, so its photos are taken from training." if drawn else ""
    return f"The dataset has its own split ({brought}), {', '.join(instead) or kept}.{made}"


def _photos(count: int) -> str:
    return f"{count:,} photo{'s' if count != 1 else ''}"


def _random_split(dataset: Dataset) -> str:
    if not dataset.serial:
        return "Split at random within each class. Copies and look-alikes stay together."
    names = ", ".join(f"“{name}”" for name in dataset.serial[:NAMED])
    more = f" and {len(dataset.serial) - NAMED} more" if len(dataset.serial) > NAMED else ""
    return (
        f"Nearly all photos of {names}{more} look alike, as if taken in one burst. They are split in the order of"
        " their file names, so the test accuracy will be too optimistic; more varied photos would help."
    )


def class_findings(dataset: Dataset) -> list[str]:
    """Return a sentence for each class that has no training photo, or nearly the name of another one."""
    sentences = []
    for finding in dataset.findings:
        if finding.kind.key not in (NEVER_LEARNED, SAME_NAME):
            continue
        for group in finding.sets:
            name = dataset.folder.class_names[dataset.folder.labels[group[0]]]
            near = dataset.classes_to_join(finding, group)
            said = f"“{name}” ({_photos(len(group))})"
            said += " has no training photo, so it is not used" if finding.kind.key == NEVER_LEARNED else ""
            nearest = f"the nearest class is “{near[0]}”" if near else "no class is named alike"
            sentences.append(f"{said}; {nearest}.")
    return sentences


def rows_without_photo(dataset: Dataset) -> str:
    """Return how many rows of the table of labels name photos that are not there; empty for none."""
    count = len(dataset.scan.rows_without_photo)
    rows = "1 row of {} names a photo that is" if count == 1 else f"{count:,} rows of {{}} name photos that are"
    return f"{rows.format(' and '.join(dataset.scan.tables))} not in the folder" if count else ""
