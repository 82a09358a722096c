"""Creating, queueing, starting and resuming runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.data.split import write_split_csv
from core.errors import FolderError, RunError, RunNotReady
from core.recipe.combinations import check_combination
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import chosen_recipe
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import FINISHED, Label, Run, RunStore
from core.runs.warm_trainer import WarmTrainer


def create_run(
    store: RunStore, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], label: Label | None = None
) -> Run:
    """Write the run's folder, complete, with the split `parts (N,)` that the person has seen.

    Raises `RecipeError` where choices of the recipe exclude each other.
    """
    return store.create(_filling(recipe, folder, parts, label))


def enqueue(
    queue: Queue, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], label: Label | None = None
) -> Run:
    """Create a run, as `create_run` does, at the end of the queue; `trainers.advance` starts it in its turn."""
    return queue.create(_filling(recipe, folder, parts, label))


def launch(
    queue: Queue,
    recipe: Recipe,
    folder: ImageFolder,
    parts: NDArray[np.int8],
    warm: WarmTrainer | None = None,
    label: Label | None = None,
) -> Run:
    """Create a run and, if it is its turn at once, have the warm trainer, or else a new one, carry it out.

    Raises `RunError` when the system refuses to start a trainer; the run stays in the queue.
    """
    run = enqueue(queue, recipe, folder, parts, label)
    trainers.advance(queue, warm)
    return run


def resume(queue: Queue, run: Run, warm: WarmTrainer | None = None) -> None:
    """Queue a run that was paused or stopped, has failed or has crashed, to resume from its last checkpoint.

    Raises:
        RunBusy: It is active or queued already.
        RunNotReady: It came from another installation, without a checkpoint.
        RunError: It has finished, was deleted, or the system refuses to start a trainer.
        FolderError: Its photos are gone.
    """
    if queue.store.get(run.id).read_status().state == FINISHED:
        raise RunError("This run has finished: there is nothing left to resume. Train additional epochs instead.")
    _require_own(run)
    _require_photos(chosen_recipe(run))
    queue.add(run)
    trainers.advance(queue, warm)


def extend(queue: Queue, run: Run, epochs: int, warm: WarmTrainer | None = None) -> None:
    """Queue a run that has ended, to train so many additional epochs.

    Raises:
        RunBusy: It is active or queued already.
        RunNotReady: It has no checkpoint.
        RunError: It was deleted, or the system refuses to start a trainer.
        RecipeError: The number of epochs is below 1.
        FolderError: Its photos are gone.
    """
    _require_own(run)
    if not queue.store.get(run.id).has_checkpoint():
        raise RunNotReady("This run has no checkpoint to resume from. Start a new one with more epochs.")
    recipe = chosen_recipe(run)
    _require_photos(recipe)
    longer = replace(recipe, more_epochs=(*recipe.more_epochs, epochs), minutes=0)
    queue.add(run, longer.to_json())
    trainers.advance(queue, warm)


def _filling(
    recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], label: Label | None
) -> Callable[[Run], None]:
    check_combination(recipe)

    def fill(run: Run) -> None:
        names = {"class_names": folder.class_names}
        run.recipe_file.write_text(recipe.to_json(), "utf-8")
        run.classes_file.write_text(json.dumps(names, indent=1, ensure_ascii=False), "utf-8")
        write_split_csv(run.split_file, folder, parts)
        if label is not None:
            run.write_label(label)

    return fill


def _require_own(run: Run) -> None:
    if run.is_imported:
        raise RunNotReady(
            "This run was trained elsewhere and imported without a checkpoint: its model can be used, but its training"
            " cannot be resumed. Start a new run with its recipe."
        )


def _require_photos(recipe: Recipe) -> None:
    if not Path(recipe.dataset).is_dir():
        raise FolderError(
            f"The photos of this run were in {recipe.dataset}, and that folder no longer exists. Put it back, then"
            " resume the run."
        )
