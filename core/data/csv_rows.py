"""Tables of photos as CSV files that the program writes for itself, and reads back with every row checked."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from core.errors import DataError
from core.files import write_atomically
from core.language import tr

Row = TypeVar("Row")


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows below the names of their columns; UTF-8, as RFC 4180 describes.

    The file appears whole or not at all. Raises `StorageError` where it cannot be saved.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    write_atomically(path, text.getvalue())


def read_rows(
    path: Path, columns: Sequence[str], checked: Callable[[list[str]], Row | None], expected: str
) -> list[Row]:
    """Read what `write_rows` wrote.

    Args:
        path: The file.
        columns: Their names, with which it must begin.
        checked: Makes of the cells of a row what is wanted of it, or None where they cannot be.
        expected: What a row should hold, in words.

    Raises:
        DataError: The file cannot be read or holds something else.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            if next(rows, []) != list(columns):
                begins = ", ".join(columns)
                raise DataError(tr("{file} must begin with the columns {columns}.", file=str(path), columns=begins))
            found = []
            for number, cells in enumerate(rows, start=2):
                row = checked(cells) if len(cells) == len(columns) else None
                if row is None:
                    raise DataError(
                        tr(
                            "{file}, row {row}: expected {expected}; got {found}.",
                            file=str(path),
                            row=str(number),
                            expected=expected,
                            found=str(cells),
                        )
                    )
                found.append(row)
            return found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        unread = tr("{file} cannot be read as a CSV file in UTF-8 ({reason}).", file=str(path), reason=str(error))
        raise DataError(unread) from error
