"""Figures as text: shares, counts, lists and durations, written alike everywhere.

Names of classes come in as people gave them and go out so; whoever shows them makes them safe.
"""

from collections.abc import Sequence


def percent(share: float) -> str:
    """A share of 1 as text; never 100 % or 0 % for what is neither."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def whole(share: float) -> str:
    """A share of 1 as text without decimals."""
    return f"{100 * share:.0f} %"


def unbroken(text: str) -> str:
    """The same text with each "%" on the line of its number."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def photos(count: int, kind: str = "") -> str:
    """A number of photos, as in "1 photo" or "1,200 test photos"."""
    return f"{count:,} {f'{kind} ' if kind else ''}photo{'' if count == 1 else 's'}"


def listed(names: Sequence[str], most: int = 12, last: str = "and") -> str:
    """Names in a row, as in "a, b and c"; of very many only the first, with how many more there are."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most:,} more")
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def size(count: float) -> str:
    """A number of bytes as text, as in "1.2 GB" or "35 MB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 or not count else f"{count / 1e3:.0f} kB"


def minutes(seconds: float) -> str:
    """Seconds as text in whole minutes, as in "8 minutes", at least one; hours beside them from two hours on."""
    count = max(1, round(seconds / 60))
    if count >= 120:
        return duration(60 * count)
    return f"{count} minute{'' if count == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Seconds as text such as "48 s", "6 min 10 s" or "2 h 5 min"; a dash where they are unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
