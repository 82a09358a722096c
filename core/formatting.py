"""Figures as text: shares, counts, lists and durations, written alike everywhere, in the reader's language.

Names of classes come in as people gave them and go out so; whoever shows them makes them safe.
"""

from collections.abc import Sequence
from datetime import datetime

from core.language import ENGLISH, language, number, tr, tr_context, tr_plural

PHOTOS = {
    "": lambda count: tr_plural("{count} photo", "{count} photos", count),
    "training": lambda count: tr_plural("{count} training photo", "{count} training photos", count),
    "validation": lambda count: tr_plural("{count} validation photo", "{count} validation photos", count),
    "test": lambda count: tr_plural("{count} test photo", "{count} test photos", count),
    "other": lambda count: tr_plural("{count} other photo", "{count} other photos", count),
    "unlabelled": lambda count: tr_plural("{count} unlabelled photo", "{count} unlabelled photos", count),
    "labelled": lambda count: tr_plural("{count} labelled photo", "{count} labelled photos", count),
}
"""A number of photos by their kind."""


def percent(share: float) -> str:
    """A share of 1 as text; never 100 % or 0 % for what is neither."""
    if 0.9995 <= share < 1:
        return tr("> {number} %", number=number(99.9, 1))
    if 0 < share < 0.0005:
        return tr("< {number} %", number=number(0.1, 1))
    return tr("{number} %", number=number(100 * share, 1))


def whole(share: float) -> str:
    """A share of 1 as text without decimals."""
    return tr("{number} %", number=number(100 * share))


def unbroken(text: str) -> str:
    """The same text with each "%" on the line of its number."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def photos(count: int, kind: str = "") -> str:
    """A number of photos, as in "1 photo" or "1,200 test photos"; `kind` is one of `PHOTOS`."""
    return PHOTOS[kind](count)


def listed(names: Sequence[str], most: int = 12, last: str = "and") -> str:
    """Names in a row, as in "a, b and c"; of very many only the first, with how many more there are.

    `last` is "and" or "or".
    """
    shown = list(names[:most])
    if len(names) > most:
        shown.append(tr("{count} more", count=len(names) - most))
    if len(shown) < 2:
        return "".join(shown)
    before = shown[0]
    for name in shown[1:-1]:
        before = tr_context("list", "{before}, {next}", before=before, next=name)
    if last == "or":
        return tr_context("list", "{before} or {last}", before=before, last=shown[-1])
    return tr_context("list", "{before} and {last}", before=before, last=shown[-1])


def size(count: float) -> str:
    """A number of bytes as text, as in "1.2 GB" or "35 MB"."""
    if count >= 1e9:
        return tr("{number} GB", number=number(count / 1e9, 1))
    if count >= 1e6 or not count:
        return tr("{number} MB", number=number(count / 1e6))
    return tr("{number} kB", number=number(count / 1e3))


def minutes(seconds: float) -> str:
    """Seconds as text in whole minutes, as in "8 minutes", at least one; hours beside them from two hours on."""
    count = max(1, round(seconds / 60))
    if count >= 120:
        return duration(60 * count)
    return tr_plural("{count} minute", "{count} minutes", count)


def duration(seconds: float | None) -> str:
    """Seconds as text such as "48 s", "6 min 10 s" or "2 h 5 min"; a dash where they are unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return tr("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
    if minutes:
        return tr("{minutes} min {seconds} s", minutes=minutes, seconds=f"{rest:02d}")
    return tr("{seconds} s", seconds=rest)


def moment(seconds: float, *, year: bool = True, exact: bool = False) -> str:
    """A moment in seconds since 1970, in local time, as in "05 Mar 2026, 14:07": without its year, to the second."""
    when = datetime.fromtimestamp(seconds)
    clock = f"{when:%H:%M:%S}" if exact else f"{when:%H:%M}"
    if language() == ENGLISH:
        return f"{when:%d %b %Y}, {clock}" if year else f"{when:%d %b}, {clock}"
    from babel.dates import format_skeleton

    day = format_skeleton("yMMMd" if year else "MMMd", when, locale=language())
    return f"{day} {clock}"
