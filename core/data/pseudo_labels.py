"""Labels that nobody has given: they spread from labelled photos to others, and a run learns from them by certainty."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DataError
from core.files import write_atomically

COLUMNS = ("file", "class", "certainty")


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """P photos that have no label of their own, with what spread to them.

    Attributes:
        paths: Relative to the dataset's folder, P.
        classes: The class of each, P.
        certainty: Shape (P,), float32: how much each counts in training, more than 0 and at most 1.

    Raises:
        DataError: These do not fit together, or a certainty is out of range.
    """

    paths: tuple[str, ...]
    classes: tuple[str, ...]
    certainty: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check the fields."""
        if not len(self.paths) == len(self.classes) == len(self.certainty):
            raise DataError(
                f"Expected a class and a certainty for each of {len(self.paths)} photos; got {len(self.classes)} and"
                f" {len(self.certainty)}."
            )
        if not ((self.certainty > 0) & (self.certainty <= 1)).all():
            raise DataError("The certainty of a spread label must be more than 0 and at most 1.")

    def __len__(self) -> int:
        """How many photos there are, P."""
        return len(self.paths)


def write_pseudo_csv(path: Path, spread: PseudoLabels) -> None:
    """Write one row for each photo: file, class, certainty; UTF-8. The file appears whole or not at all.

    Raises:
        StorageError: It cannot be saved.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    rows = zip(spread.paths, spread.classes, spread.certainty.tolist(), strict=True)
    writer.writerows((file, name, f"{certainty:.6g}") for file, name, certainty in rows)
    write_atomically(path, text.getvalue())


def read_pseudo_csv(path: Path) -> PseudoLabels:
    """Read what `write_pseudo_csv` wrote.

    Raises:
        DataError: The file cannot be read or holds something else.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(_checked_rows(path, csv.reader(stream, strict=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a CSV file in UTF-8 ({error}).") from error
    certainty = np.array([value for _, _, value in rows], np.float32)
    return PseudoLabels(tuple(file for file, _, _ in rows), tuple(name for _, name, _ in rows), certainty)


def _checked_rows(path: Path, rows: Iterator[list[str]]) -> Iterator[tuple[str, str, float]]:
    if tuple(next(rows, ())) != COLUMNS:
        raise DataError(f"{path} must begin with the columns {', '.join(COLUMNS)}.")
    for number, row in enumerate(rows, start=2):
        certainty = _number(row[2]) if len(row) == len(COLUMNS) else math.nan
        if not 0 < certainty <= 1:
            raise DataError(f"{path}, row {number}: expected a file, a class and a certainty up to 1; got {row}.")
        yield row[0], row[1], certainty


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
