"""Choices that are each allowed but cannot work together.

They are refused when a run is made, not when a recipe is read: the recipe of a run that has ended stays readable.
"""

from core.errors import RecipeError
from core.recipe.recipe import Recipe

SINGLE = "With a batch size of 1"
LARGER = "Choose a batch size of 2 or more"


def check_combination(recipe: Recipe) -> None:
    """Raise `RecipeError`, with what to change, where choices exclude each other."""
    if recipe.batch_size > 1:
        return
    if recipe.head_batch_norm:
        raise RecipeError(
            f"{SINGLE}, BatchNorm in the head has nothing to normalise by: all photos would give it the same features,"
            f" and nothing would be learned. {LARGER}, or switch BatchNorm in the head off."
        )
    if recipe.mixes_photos:
        raise RecipeError(
            f"{SINGLE}, there is no second photo to mix with: mixup and CutMix would do nothing. {LARGER}, or set both"
            " to 0."
        )
