"""Finding a learning rate: the server's side, which starts the search and reads what it has found. No Keras.

The rate rises from step to step until the loss explodes (Smith, "Cyclical Learning Rates for Training Neural Networks",
arXiv 1506.01186, section 3.3). A search has a folder like a run's, in a store of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.errors import RunBusy
from core.json_values import LARGEST, fits
from core.language import tr
from core.recipe.recipe import Recipe
from core.runs import trainers
from core.runs.json_lines import GrowingFiles
from core.runs.store import Run, RunStore
from core.training.launch import create_run

FIND_RATE = "--find-rate"
FOLDER = "rate_finder"
"""Name of the store's folder in Unfreeze's home."""

STEPS = 90
"""Steps of a sweep that is not ended by an exploding loss."""

LOWEST, HIGHEST = 1e-6, 1.0
EXPLODED = 4.0
"""A sweep ends once the smoothed loss is so many times the lowest."""

SMOOTHING = 0.85
"""Weight of the past in the exponential moving average of the loss, which is corrected for its start."""

LEAST_POINTS = 12
"""With fewer points there is no suggestion."""


@dataclass(frozen=True)
class Sweep:
    """What one phase's sweep came to.

    Attributes:
        phase: "head", "fine-tune" or "from scratch".
        rates: (n,), rising.
        losses: (n,), smoothed.
        suggestion: A learning rate; None while there is none.
    """

    phase: str
    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float | None


def rate_at(step: int) -> float:
    """The learning rate of a step of a sweep, from 0: equal ratios from the lowest to the highest."""
    return float(LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)))


def start(
    store: RunStore, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], earlier: RunStore | None = None
) -> Run:
    """Start a search for a recipe, in place of any that has ended; `earlier` has the run that it starts from, if any.

    Raises:
        RunBusy: Another search is going.
        RunError: It cannot be written, or no process can be started.
    """
    with store.exclusive():
        if store.active():
            raise RunBusy(tr("Learning rates are being tried out already. Wait for the result, or stop it."))
        for old in store.runs():
            store.remove(old)
        store.sweep()
        run = create_run(store, replace(recipe, unlabelled=False), folder, parts, earlier=earlier)
    trainers.start_side_job(run, FIND_RATE, tr("The search"))
    return run


def sweeps(run: Run) -> tuple[Sweep, ...]:
    """What was found until now, phase by phase."""
    return sweeps_of(_TRIALS.read(run.metrics_file))


def _is_trial(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and fits(row.get("phase"), str, 0, 0)
        and fits(row.get("learning_rate"), float, LOWEST / 2, 2 * HIGHEST)
        and fits(row.get("loss"), float, -LARGEST, LARGEST)
    )


_TRIALS = GrowingFiles(_is_trial)


def sweeps_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Sweep, ...]:
    """Sweeps from the lines that the search writes: phase, learning rate and loss of each step."""
    found = []
    for phase in dict.fromkeys(str(row["phase"]) for row in rows):
        mine = [row for row in rows if row["phase"] == phase]
        rates = np.array([row["learning_rate"] for row in mine], np.float64)
        losses = smoothed([row["loss"] for row in mine])
        found.append(Sweep(phase, rates, losses, suggested(rates, losses)))
    return tuple(found)


def smoothed(losses: Sequence[float]) -> NDArray[np.float64]:
    """An exponential moving average without the bias towards its start, (n,)."""
    average, result = 0.0, []
    for number, loss in enumerate(losses, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        result.append(average / (1 - SMOOTHING**number))
    return np.array(result, np.float64)


def has_exploded(losses: NDArray[np.float64]) -> bool:
    """Whether there is no point in going on: the loss is many times its lowest, or no number."""
    return bool(len(losses)) and (not math.isfinite(losses[-1]) or losses[-1] > EXPLODED * losses.min())


def suggested(rates: NDArray[np.float64], losses: NDArray[np.float64]) -> float | None:
    """A rate two thirds down the longest valley of the loss, or None where it never falls.

    Source: the "valley" suggestion of fastai's learning-rate finder: the longest decreasing subsequence of the losses
    is divided in thirds.
    """
    if len(losses) < LEAST_POINTS:
        return None
    first, last = _longest_fall(losses)
    if last - first < 3:
        return None
    place = first + (last - first) * 2 // 3
    return float(f"{rates[place]:.1e}")


def _longest_fall(losses: NDArray[np.float64]) -> tuple[int, int]:
    """First and last place of the longest decreasing subsequence; of several, the one that begins last."""
    lengths, starts = [1] * len(losses), list(range(len(losses)))
    for later in range(len(losses)):
        for earlier in range(later):
            if losses[later] < losses[earlier] and lengths[later] <= lengths[earlier] + 1:
                lengths[later], starts[later] = lengths[earlier] + 1, starts[earlier]
    end = int(np.argmax(lengths))
    return starts[end], end
