"""Tables for people as CSV files: written so that a spreadsheet computes nothing in them, and read back unchanged."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

FORMULA = re.compile(r"'*(?:[=@\t\r\n]|[+-](?![0-9]+(?:[.,][0-9]+)?\Z))")
"""How a text begins that spreadsheets would compute, or that looks like one which was guarded; a number is none."""


def csv_file(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A table as RFC 4180 describes, in UTF-8 with a byte order mark, with every cell guarded."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(guarded, columns))
    writer.writerows(map(guarded, row) for row in rows)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def csv_of_named(rows: Sequence[Mapping[str, str]]) -> bytes:
    """The same for rows that name their columns, as the first one does; an empty table where there are none."""
    columns = tuple(rows[0]) if rows else ()
    return csv_file(columns, ([row.get(name, "") for name in columns] for row in rows))


def guarded(text: str) -> str:
    """A text that no spreadsheet computes: with an apostrophe before it where one would."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text
