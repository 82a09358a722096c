"""What a run's model made of the validation photos at each validation: a file for each, in a folder of the run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RunError, RunNotReady
from core.runs.store import Run


def write_predictions(run: Run, number: int, rows: NDArray[np.float32]) -> None:
    """Keep what came of a validation, before the metrics tell of it.

    Args:
        run: The run.
        number: Of the validation, from 1; what a run that went on from before it has written is replaced.
        rows: `(N, 3)`: predicted class, its probability, and that of the class that was given.
    """
    run.timeline_folder.mkdir(exist_ok=True)
    np.save(run.timeline_folder / f"{number}.npy", rows.T.astype(np.float32))


def validations(run: Run) -> list[dict[str, Any]]:
    """The lines of the metrics that tell of a validation, oldest first."""
    return [row for row in run.read_metrics() if "val_loss" in row]


def read_predictions(run: Run) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """When each validation came, `(V,)` in epochs, and what came of it, `(V, 3, N)`, as `write_predictions` took it.

    Raises:
        RunNotReady: Nothing was kept: no validation has ended yet, or a former version has carried the run out.
        RunError: It cannot be read.
    """
    rows = validations(run)
    if not rows or not run.timeline_folder.is_dir():
        raise RunNotReady("It was not kept how this run's predictions changed while it learned.")
    try:
        found = [np.load(run.timeline_folder / f"{number}.npy") for number in range(1, len(rows) + 1)]
        return np.array([float(row["position"]) for row in rows]), np.stack(found)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise RunError(f"How the predictions of the run {run.id} changed cannot be read ({error}).") from error
