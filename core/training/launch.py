"""From what a person chose to a run on disk that a trainer can carry out."""

import json

import numpy as np
from numpy.typing import NDArray

from core.data.folder import ImageFolder
from core.data.split import write_split_csv
from core.runs import jobs
from core.runs.store import Label, Run, RunStore
from core.runs.warm import WarmTrainer
from core.training.recipe import Recipe


def create_run(
    store: RunStore, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], label: Label | None = None
) -> Run:
    """Write the run's folder, complete, with the split `parts (N,)` that the person has seen."""

    def fill(run: Run) -> None:
        names = {"class_names": folder.class_names}
        run.recipe_file.write_text(recipe.to_json(), "utf-8")
        run.classes_file.write_text(json.dumps(names, indent=1, ensure_ascii=False), "utf-8")
        write_split_csv(run.split_file, folder, parts)
        if label is not None:
            run.write_label(label)

    return store.create(fill)


def launch(
    store: RunStore, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8], warm: WarmTrainer | None = None
) -> Run:
    """Create a run and have the trainer that waits, or else a new one, carry it out.

    Raises `RunBusy` while another run is going.
    """
    with store.exclusive():
        jobs.refuse_second(store)
        store.sweep()
        run = create_run(store, recipe, folder, parts)
    jobs.start(run, warm)
    return run
