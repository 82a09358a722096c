"""The recipe of a run: what a person chose, and what the run trains by once a time budget has settled the rest.

`recipe.json` in the run's folder stays what the person chose. What the trainer settles is in a file of its own beside
it, and takes precedence over the choices of the same names. Version 0.1.0 wrote it into `recipe.json` itself; its runs
have no such file, and are read the same way.
"""

import json
from typing import Any

from core.errors import RecipeError
from core.files import write_atomically
from core.json_values import read_json
from core.language import tr
from core.recipe.recipe import Recipe
from core.runs.store import RECIPE, SETTLED_RECIPE, Run
from core.runs.unchanged_files import UnchangedFiles

SETTLED = ("backbone", "unfreeze_point", "unfreeze_layer", "views", "head_epochs", "fine_tune_epochs")
"""The choices that a time budget settles."""

_RECIPES: UnchangedFiles[Recipe] = UnchangedFiles()


def chosen_recipe(run: Run) -> Recipe:
    """What a person chose for a run.

    Raises:
        RecipeError: It is no recipe.
        RunError: It cannot be read.
    """
    return Recipe.from_values(run.recipe_values())


def read_recipe(run: Run) -> Recipe:
    """What a run trains by; raises what `chosen_recipe` does."""
    return _RECIPES.get(lambda: _read_recipe(run), run.folder, RECIPE, SETTLED_RECIPE)


def _read_recipe(run: Run) -> Recipe:
    return Recipe.from_values({**run.recipe_values(), **_settled(run)})


def settle(run: Run, recipe: Recipe) -> None:
    """Write down what a time budget has settled: those choices as they are in this recipe."""
    values = {name: getattr(recipe, name) for name in SETTLED}
    write_atomically(run.settled_recipe_file, json.dumps(values, indent=2))


def _settled(run: Run) -> dict[str, Any]:
    try:
        values = read_json(run.settled_recipe_file, dict)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RecipeError(
            tr(
                "What the time budget settled for the run {run} cannot be read ({reason}).",
                run=run.id,
                reason=str(error),
            )
        ) from error
    if not set(values) <= set(SETTLED):
        raise RecipeError(
            tr(
                "{file} of the run {run} may hold {choices}, and nothing else.",
                file=run.settled_recipe_file.name,
                run=run.id,
                choices=", ".join(SETTLED),
            )
        )
    return values
