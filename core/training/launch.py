"""Creating, queueing, starting and resuming runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.images import file_digest
from core.data.pseudo_labels import PseudoLabels, write_pseudo_csv
from core.data.scan.folder import ImageFolder, check_inside
from core.data.scan.index import known_digests
from core.data.scan.walk import check_photo
from core.data.split import write_split_csv
from core.data.subsets import NO_SUBSET
from core.errors import DataError, FolderError, RecipeError, RunBusy, RunError, RunNotReady
from core.files import write_atomically
from core.language import tr
from core.recipe.combinations import check_combination
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import chosen_recipe
from core.recipe.start_point import run_to_start_from
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import FINISHED, LIVE, Label, Run, RunStore
from core.runs.warm_trainer import WarmTrainer
from core.settings import Settings
from core.training.inputs.photos import learned_and_judged
from core.training.transfer.starting import copy_start

COMPARED = 500
"""How many photos of a dataset that was moved are compared at most."""


def create_run(
    store: RunStore,
    recipe: Recipe,
    folder: ImageFolder,
    parts: NDArray[np.int8],
    label: Label | None = None,
    pseudo: PseudoLabels | None = None,
    earlier: RunStore | None = None,
) -> Run:
    """Write the run's folder, complete, with the split `parts (N,)` that the person has seen.

    Of the training photos it takes as many as the recipe says. What has spread to unlabelled photos goes with it where
    the recipe uses them, and the model of the run that it starts from, which is in the same store unless `earlier` is
    given.

    Raises `RecipeError` where choices of the recipe exclude each other, it uses unlabelled photos and gets none, or it
    cannot start from the run that it names.
    """
    return store.create(_filling(earlier or store, recipe, folder, parts, label, pseudo))


def enqueue(
    queue: Queue,
    recipe: Recipe,
    folder: ImageFolder,
    parts: NDArray[np.int8],
    label: Label | None = None,
    pseudo: PseudoLabels | None = None,
) -> Run:
    """Create a run, as `create_run` does, at the end of the queue; `trainers.advance` starts it in its turn."""
    return queue.create(_filling(queue.store, recipe, folder, parts, label, pseudo))


def launch(
    queue: Queue,
    recipe: Recipe,
    folder: ImageFolder,
    parts: NDArray[np.int8],
    warm: WarmTrainer | None = None,
    label: Label | None = None,
    pseudo: PseudoLabels | None = None,
) -> Run:
    """Create a run and, if it is its turn at once, have the warm trainer, or else a new one, carry it out.

    Raises `RunError` when the system refuses to start a trainer; the run stays in the queue.
    """
    run = enqueue(queue, recipe, folder, parts, label, pseudo)
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
        raise RunError(tr("This run has finished: there is nothing left to resume. Train additional epochs instead."))
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
        raise RunNotReady(tr("This run has no checkpoint to resume from. Start a new one with more epochs."))
    recipe = chosen_recipe(run)
    _require_photos(recipe)
    longer = replace(recipe, more_epochs=(*recipe.more_epochs, epochs), minutes=0)
    queue.add(run, longer.to_json())
    trainers.advance(queue, warm)


def photos_are_gone(recipe: Recipe) -> bool:
    """Whether the folder of a run's photos is missing, or empty, as the place of a drive that is not there."""
    try:
        return next(Path(recipe.dataset).iterdir(), None) is None
    except OSError:
        return True


def move_photos(run: Run, folder: str, settings: Settings) -> Path:
    """Point a run to the folder that holds its photos now, and return it.

    Every photo of the run must be there, and those that are compared must be equal byte for byte, by their digests, to
    what the last scan found in the former folder.

    Raises:
        RunBusy: The run is active or queued.
        FolderError: The folder may not be read, or holds other photos.
        DataError: It is not known which photos the run had.
    """
    if run.state in LIVE:
        raise RunBusy(tr("This run is active or queued. Wait until it has ended, or stop it."))
    recipe = chosen_recipe(run)
    root = check_inside(folder, settings.dataset_roots)
    paths = learned_and_judged(run, root)[0].paths
    gone = [path for path in paths if not (root / path).is_file()]
    if gone:
        raise FolderError(
            tr(
                "{missing} of the {total} photos of this run are not in {folder}, for example “{example}”. Choose the"
                " folder to which all of them were moved.",
                missing=len(gone),
                total=len(paths),
                folder=str(root),
                example=gone[0],
            )
        )
    known = known_digests(settings.index_folder, Path(recipe.dataset))
    listed = [path for path in paths if path in known]
    if not listed:
        raise DataError(
            tr(
                "What was in {former} is not known any more, so the photos in {folder} cannot be compared with it. Move"
                " them back to their former folder.",
                former=recipe.dataset,
                folder=str(root),
            )
        )
    for path in listed[:: -(-len(listed) // COMPARED)]:
        if _digest(check_photo(root / path, settings.dataset_roots)) != known[path].digest:
            raise FolderError(
                tr(
                    "“{file}” in {folder} is another photo than the one of this run. Choose another folder.",
                    file=str(path),
                    folder=str(root),
                )
            )
    write_atomically(run.recipe_file, replace(recipe, dataset=str(root)).to_json())
    return root


def _digest(path: Path) -> bytes:
    try:
        return file_digest(path)
    except OSError as error:
        raise FolderError(
            tr("{file} cannot be read ({reason}).", file=str(path), reason=str(error.strerror))
        ) from error


def _filling(
    store: RunStore,
    recipe: Recipe,
    folder: ImageFolder,
    parts: NDArray[np.int8],
    label: Label | None,
    pseudo: PseudoLabels | None,
) -> Callable[[Run], None]:
    check_combination(recipe)
    earlier = run_to_start_from(recipe, store) if recipe.start_from else None
    if recipe.unlabelled and pseudo is None:
        raise RecipeError(
            tr(
                "This recipe uses the unlabelled photos, too, and this dataset has none: they come from the page"
                " “Label”. Switch them off in the recipe, or choose a folder that is labelled there."
            )
        )

    parts = recipe.limited(folder, parts)
    folder, parts = folder.subset(parts != NO_SUBSET), parts[parts != NO_SUBSET]

    def fill(run: Run) -> None:
        names = {"class_names": folder.class_names}
        run.recipe_file.write_text(recipe.to_json(), "utf-8")
        run.classes_file.write_text(json.dumps(names, indent=1, ensure_ascii=False), "utf-8")
        write_split_csv(run.split_file, folder, parts)
        if recipe.unlabelled and pseudo is not None:
            write_pseudo_csv(run.pseudo_file, pseudo)
        if earlier is not None:
            copy_start(earlier, run)
        if label is not None:
            run.write_label(label)

    return fill


def _require_own(run: Run) -> None:
    if run.is_imported:
        raise RunNotReady(
            tr(
                "This run was trained elsewhere and imported without a checkpoint: its model can be used, but its"
                " training cannot be resumed. Start a new run with its recipe."
            )
        )


def _require_photos(recipe: Recipe) -> None:
    if not Path(recipe.dataset).is_dir():
        raise FolderError(
            tr(
                "The photos of this run were in {former}, and that folder no longer exists. Put it back, then resume"
                " the run.",
                former=recipe.dataset,
            )
        )
