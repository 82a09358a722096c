"""Labels that nobody has given: they spread from labelled photos to others, and a run learns from them by certainty."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.csv_rows import read_rows, write_rows
from core.errors import DataError
from core.language import tr

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
                tr(
                    "Expected a class and a certainty for each of {photos} photos; got {classes} and {certainties}.",
                    photos=len(self.paths),
                    classes=len(self.classes),
                    certainties=len(self.certainty),
                )
            )
        if not ((self.certainty > 0) & (self.certainty <= 1)).all():
            raise DataError(tr("The certainty of a spread label must be more than 0 and at most 1."))

    def __len__(self) -> int:
        """How many photos there are, P."""
        return len(self.paths)


def write_pseudo_csv(path: Path, spread: PseudoLabels) -> None:
    """Write one row for each photo: file, class, certainty; UTF-8. The file appears whole or not at all.

    Raises:
        StorageError: It cannot be saved.
    """
    rows = zip(spread.paths, spread.classes, spread.certainty.tolist(), strict=True)
    write_rows(path, COLUMNS, ((file, name, f"{certainty:.6g}") for file, name, certainty in rows))


def read_pseudo_csv(path: Path) -> PseudoLabels:
    """Read what `write_pseudo_csv` wrote.

    Raises:
        DataError: The file cannot be read or holds something else.
    """
    rows = read_rows(path, COLUMNS, _checked, tr("a file, a class and a certainty up to 1"))
    certainty = np.array([value for _, _, value in rows], np.float32)
    return PseudoLabels(tuple(file for file, _, _ in rows), tuple(name for _, name, _ in rows), certainty)


def _checked(cells: list[str]) -> tuple[str, str, float] | None:
    file, name, text = cells
    try:
        certainty = float(text)
    except ValueError:
        return None
    return (file, name, certainty) if 0 < certainty <= 1 else None
