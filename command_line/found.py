"""What a person names on the command line: runs, datasets, recipes."""

import os
from pathlib import Path
from typing import Any

from command_line.files import opened, path_named
from command_line.output import Output
from core.data.dataset import Dataset, prepare
from core.data.review import ReviewStore
from core.data.scan.folder import check_inside, scan
from core.errors import RecipeError, RunError, RunNotFound, UnfreezeError
from core.language import tr
from core.models.backbones import backbone
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import MOST_BYTES, SUFFIX, RecipeBook
from core.recipe.run_recipe import read_recipe
from core.runs.messages import text_of
from core.runs.store import (
    Run,
    RunStore,
    Status,
)
from core.settings import Settings

LATEST = "latest"

STATUS_FIELDS = (
    *("state", "message", "created", "started", "ended", "epoch", "epochs", "best_epoch", "best_val_accuracy"),
    *("test_accuracy", "test_correct", "test_count", "left_out", "error"),
)
"""The fields of a status that are given as JSON."""


def run_called(name: str, settings: Settings) -> Run:
    """The run of this id, of an id that alone begins or ends so, or of this name; "latest" is the newest one.

    Raises `RunNotFound` where there is none, or more than one.
    """
    runs = RunStore(settings.runs_folder).runs()
    if name == LATEST and runs:
        return runs[0]
    exact = [run for run in runs if run.id == name]
    fits = exact or [run for run in runs if _is_part_of_id(name, run) or run.read_label().name == name]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise RunNotFound(
            tr(
                "“{name}” can be any of {runs}. Give one of these.",
                name=name,
                runs=", ".join(run.id for run in fits[:5]),
            )
        )
    raise RunNotFound(tr("There is no run “{name}”. The command “unfreeze runs” lists them.", name=name[:80]))


def _is_part_of_id(name: str, run: Run) -> bool:
    return bool(name) and (run.id.startswith(name) or run.id.endswith(name))


def dataset_in(folder: str | Path, settings: Settings, output: Output) -> Dataset:
    """The dataset in a folder, with what was decided about it; raises `DataError` where it cannot be used."""
    root = check_inside(folder, settings.dataset_roots)
    review = ReviewStore(settings.reviews_folder).read(root)
    with output.showing(tr("Looking at every photo")) as counting:
        found = scan(
            root,
            roots=settings.dataset_roots,
            limits=settings.limits,
            layout=review.layout,
            index_folder=settings.index_folder,
            on_progress=counting,
        )
    return prepare(found, review)


def recipe_called(name: str, settings: Settings) -> Recipe:
    """The recipe in a JSON file, or the one that was saved under a name; raises `RecipeError` where it is neither."""
    path = path_named(name)
    if not (path.is_file() or path.suffix == SUFFIX or os.sep in name):
        return RecipeBook(settings.recipes_folder).read(name)
    with opened(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise RecipeError(
            tr("The file {file} has more than {most} bytes, so it is no recipe.", file=str(path), most=MOST_BYTES)
        )
    try:
        return Recipe.from_json(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(
            tr("The recipe {file} cannot be read ({reason}).", file=str(path), reason=str(error))
        ) from error


def name_of(run: Run) -> str:
    """What a run is called: by a person, or else after its network and its dataset."""
    label = run.read_label()
    try:
        recipe = read_recipe(run)
        usual = tr("{network} on {dataset}", network=backbone(recipe.backbone).name, dataset=Path(recipe.dataset).name)
        name = label.name or usual
    except UnfreezeError:
        name = label.name
    return name if label.variant in name else f"{name} · {label.variant}"


def facts_of(run: Run, status: Status) -> dict[str, Any]:
    """What is known of a run, as JSON values."""
    values = {name: getattr(status, name) for name in STATUS_FIELDS} | {"message": text_of(status.message)}
    seconds = status.seconds(status.ended) if status.ended else None
    return {"id": run.id, "name": name_of(run), "folder": str(run.folder), **values, "seconds": seconds}


def status_of(run: Run) -> Status | None:
    """The status of a run, None where it cannot be read."""
    try:
        return run.read_status()
    except RunError:
        return None
