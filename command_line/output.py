"""What commands say: results on standard output, as text or as JSON; everything else on standard error."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from core.data.scan.walk import LeftOut
from core.errors import StorageError
from core.formatting import percent
from core.language import tr

BAR = 24
"""Characters of a progress bar."""

DRAW_SECONDS = 0.1
"""How often a bar is drawn at most."""

INTERRUPTED = 130
"""What a process returns that was ended by Ctrl-C: 128 + SIGINT."""

CLEAR_LINE = "\r\x1b[K"

JOINERS = "\u200c\u200d"
"""Signs that are not shown but that the writing of some languages, and emoji, need."""

ALLOWED = f"\n\t{JOINERS}"
"""Signs that are not shown and do no harm in a text."""


class Output:
    """Where commands write to."""

    def __init__(self, as_json: bool) -> None:
        """Give results as JSON, or as text for people."""
        self.as_json = as_json
        self._drawn = ""
        self._last_line = ""
        self._when = 0.0

    def result(self, values: Any, text: str) -> None:
        """Write what a command came to: the values as JSON, or the text.

        Raises:
            StorageError: Where it was sent to takes no more, such as a file on a full disk.
        """
        self._clear()
        try:
            print(_as_json(values, indent=2) if self.as_json else printable(text), flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StorageError(
                tr(
                    "The results cannot be written ({reason}). Free some space, or send them elsewhere.",
                    reason=str(error.strerror),
                )
            ) from error

    def say(self, sentence: str) -> None:
        """Tell the person something on the way."""
        self._clear()
        _tell(f"{printable(sentence)}\n")

    def confirms(self, question: str) -> bool:
        """Ask a person at a terminal; False without one, and for any answer but yes."""
        if not (sys.stdin and sys.stdin.isatty()):
            return False
        self._clear()
        _tell(printable(tr("{question} [y/N]", question=question)) + " ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def fail(self, sentence: str) -> None:
        """Say why a command has failed; as JSON on standard output, too, where that was asked for."""
        self.say(sentence)
        if self.as_json:
            with suppress(OSError):  # it may be just that which has failed
                print(_as_json({"error": sentence}), flush=True)

    def progress(self, what: str, share: float | None, detail: str = "") -> None:
        """Show what is being done, the share of it that is done, 0 to 1, and figures; in a file, `what` alone, once."""
        what, detail = one_line(what), one_line(detail)
        if not (sys.stderr and sys.stderr.isatty()):
            if what != self._last_line:
                self._last_line = what
                _tell(f"{what}\n")
            return
        if time.monotonic() - self._when >= DRAW_SECONDS:
            self._when = time.monotonic()
            self._draw(f"{_bar(share)} {what}{detail and f' · {detail}'}")

    @contextmanager
    def showing(self, what: str) -> Iterator["Counting"]:
        """Show how far something is, for what reports so many done of so many."""
        self.progress(what, None)
        yield Counting(self, what)
        self._clear()

    def _draw(self, line: str) -> None:
        self._drawn = line[: shutil.get_terminal_size().columns - 1]
        _tell(f"{CLEAR_LINE}{self._drawn}")

    def _clear(self) -> None:
        if self._drawn:
            _tell(CLEAR_LINE)
            self._drawn = ""


class Counting:
    """Takes reports of progress, as the core makes them."""

    def __init__(self, output: Output, what: str) -> None:
        """Show them under these words."""
        self._output, self._what = output, what

    def __call__(self, done: int, total: int) -> None:
        """Take a report."""
        self._output.progress(self._what, done / total if total else None, done_of(done, total))


def _tell(text: str) -> None:
    """Write to standard error, if there is one that takes anything; what is said there is never a result."""
    if sys.stderr:
        with suppress(OSError):
            print(text, end="", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """A text in which a terminal finds nothing to obey: signs that are not shown, such as the one that begins an escape
    sequence, become "�". Lines stay."""
    return "".join(sign if sign.isprintable() or sign in ALLOWED else "�" for sign in text)


def one_line(text: str) -> str:
    """The same for what is to stand in one line, such as the name of a file."""
    return "".join(sign if sign.isprintable() or sign in JOINERS else "�" for sign in text)


def _as_json(values: Any, indent: int | None = None) -> str:
    """JSON in which letters of all alphabets stay readable, and signs that are not shown are escaped."""
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    return "".join(sign if sign.isprintable() or sign in ALLOWED else json.dumps(sign)[1:-1] for sign in text)


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as columns of text under their names."""
    rows = [{name: one_line(cell) for name, cell in row.items()} for row in rows]
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    lines = [names, *([row[name] for name in names] for row in rows)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def listing(values: Mapping[str, str]) -> str:
    """Names with a value each, one a line."""
    width = max(len(name) for name in values)
    return "\n".join(f"{name:<{width}}  {one_line(value)}" for name, value in values.items())


def done_of(done: int, total: int) -> str:
    """So many done of so many, as a progress bar says it."""
    return tr("{done} of {total}", done=done, total=total)


def not_used(entry: LeftOut) -> str:
    """A line about a file that is not used."""
    return tr("not used: {file}: {reason}", file=entry.path, reason=entry.reason)


def percent_or_dash(share: float | None) -> str:
    """A share of 1 in percent; a dash where there is none."""
    return "–" if share is None else percent(share)


def _bar(share: float | None) -> str:
    if share is None:
        return "[" + "·" * BAR + "]     "
    full = round(BAR * min(1.0, share))
    return f"[{'█' * full}{' ' * (BAR - full)}] {min(1.0, share):>4.0%}"
