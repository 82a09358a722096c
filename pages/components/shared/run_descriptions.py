"""Runs with what is known of them, and the names they go by on the screen."""

from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import UnfreezeError
from core.formatting import moment, whole
from core.language import tr
from core.models.backbones import backbone
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.runs.store import (
    Run,
    Status,
)
from core.training.thorough_check import checks
from pages.components.cached import runs


@dataclass(frozen=True)
class LoadedRun:
    """A run with its status and recipe, each read once."""

    run: Run
    status: Status
    recipe: Recipe


def all_runs() -> tuple[list[LoadedRun], list[tuple[str, str]]]:
    """Runs that can be read, newest first, and the names of the others with the reason."""
    readable, broken = [], []
    for run in runs.store().runs():
        try:
            readable.append(LoadedRun(run, run.read_status(), read_recipe(run)))
        except UnfreezeError as error:
            broken.append((run.id, str(error)))
    return readable, broken


def describe(recipe: Recipe) -> str:
    """A run in a few words; not yet safe as Markdown."""
    return tr("{network} on {dataset}", network=backbone(recipe.backbone).name, dataset=Path(recipe.dataset).name)


def name_of(run: Run, recipe: Recipe) -> str:
    """What a person has called a run, or else it in a few words, and what is special to it; not yet Markdown."""
    label = run.read_label()
    name = label.name or describe(recipe)
    return name if label.variant in name else f"{name} · {label.variant}"


def name_or_id(run: Run) -> str:
    """The same for a run whose recipe is not at hand, or a label check; its id where it cannot be read."""
    if runs.queue().is_check(run):
        return tr("Label check of {dataset}", dataset=Path(checks.dataset_of(run)).name)
    try:
        return name_of(run, read_recipe(run))
    except UnfreezeError:
        return run.id


def rename(run: Run, name: str) -> None:
    """Give a run another name; an empty one takes it away."""
    run.write_label(replace(run.read_label(), name=" ".join(name.split())))


def describe_with_accuracy(shown: LoadedRun) -> str:
    """A run in a few words, with its grade and when it was made, to choose it from a list."""
    status = shown.status
    name, date = name_of(shown.run, shown.recipe), made(shown)
    if status.test_accuracy is None:
        return f"{name} · {date}"
    return tr("{run} · {accuracy} on test · {date}", run=name, accuracy=whole(status.test_accuracy), date=date)


def made(shown: LoadedRun) -> str:
    """When a run was made."""
    return moment(shown.status.created, year=False)
