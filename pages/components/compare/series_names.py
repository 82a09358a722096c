"""What runs that were started together are called: kept as a key in their labels, told in the reader's language."""

from datetime import datetime

from core.formatting import moment
from core.language import tr, tr_mark

REPEATS, VARIED, AUGMENTATIONS, STUDY = "Repeats", "Varied", "Augmentations", "Flower study"
"""How the name of a series begins, by what it is."""

KINDS = {
    REPEATS: tr_mark("Repeats"),
    VARIED: tr_mark("Varied"),
    AUGMENTATIONS: tr_mark("Augmentations"),
    STUDY: tr_mark("Flower study"),
}

BETWEEN = " · "
WRITTEN = "%d %b, %H:%M:%S"
"""How the moment of its start stands in the name of a series, whatever the reader's language."""


def new(kind: str, dataset: str) -> str:
    """The name of a series of this kind that is started now, as it is kept."""
    return BETWEEN.join((kind, dataset, f"{datetime.now():{WRITTEN}}"))


def kind_of(name: str) -> str:
    """Which of `KINDS` a series is; any other word where its name was not made by `new`."""
    return name.partition(BETWEEN)[0]


def told(name: str) -> str:
    """The name of a series in the reader's language; one that was not made by `new` as it is."""
    kind, _, rest = name.partition(BETWEEN)
    dataset, _, written = rest.rpartition(BETWEEN)
    try:
        started = datetime.strptime(f"2000 {written}", f"%Y {WRITTEN}")  # a leap year, so that there is a 29 Feb
    except ValueError:
        return name
    if kind not in KINDS:
        return name
    return BETWEEN.join((tr(KINDS[kind]), dataset, moment(started.timestamp(), year=False, exact=True)))
