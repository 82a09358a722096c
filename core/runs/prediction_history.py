"""A run's predictions for the validation photos at each validation: a file for each, in a folder of the run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import read_array
from core.errors import RunError, RunNotReady, words_of
from core.files import replacing, saving
from core.language import tr
from core.runs.store import Run


def write_predictions(run: Run, number: int, rows: NDArray[np.float32]) -> None:
    """Keep the predictions of a validation, before its line in the metrics.

    Args:
        run: The run.
        number: Of the validation, from 1; an older file of this number, from before the run was resumed, is replaced.
        rows: `(N, 3)`: predicted class, its probability, and that of the class that was given.
    """
    with saving(run.timeline_folder):
        run.timeline_folder.mkdir(exist_ok=True)
    with replacing(run.timeline_folder / f"{number}.npy") as file:
        np.save(file, rows.T.astype(np.float32))


def validations(run: Run) -> list[dict[str, Any]]:
    """The lines of the metrics that hold a validation, oldest first."""
    return [row for row in run.read_metrics() if "val_loss" in row]


def read_predictions(run: Run, most: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """When each validation was, `(V,)` in epochs, and its predictions, `(V, 3, N)`, as `write_predictions` took them.

    Args:
        run: The run.
        most: Of more validations, at least 2, only so many, evenly chosen, with the first and the last.

    Raises:
        RunNotReady: Nothing was kept: no validation has ended yet, or the run was made by an earlier version.
        RunError: It cannot be read.
    """
    rows = validations(run)
    if not rows or not run.timeline_folder.is_dir():
        raise RunNotReady(
            tr(
                "This run has no history of its predictions: no epoch has ended yet, or an earlier version made the"
                " run."
            )
        )
    count = len(rows)
    places = range(count) if most is None or count <= most else np.linspace(0, count - 1, most).round().astype(int)
    try:
        found = [read_array(run.timeline_folder / f"{place + 1}.npy") for place in places]
        return np.array([float(rows[place]["position"]) for place in places]), np.stack(found)
    except (OSError, ValueError) as error:
        raise RunError(
            tr(
                "The history of predictions of the run {run} cannot be read ({reason}).",
                run=run.id,
                reason=words_of(error),
            )
        ) from error
