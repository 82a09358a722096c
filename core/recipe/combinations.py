"""Choices that are each allowed but cannot work together.

They are refused when a run is made, not when a recipe is read: the recipe of a run that has ended stays readable.
"""

from core.errors import RecipeError
from core.language import tr
from core.models.backbones import backbone
from core.recipe.recipe import Recipe


def check_combination(recipe: Recipe) -> None:
    """Raise `RecipeError`, with what to change, where choices exclude each other."""
    if recipe.start_from:
        _check_start(recipe)
    if recipe.batch_size > 1:
        return
    if recipe.head_batch_norm:
        raise RecipeError(
            tr(
                "With a batch size of 1, BatchNorm in the head has nothing to normalise by: all photos would give it"
                " the same features, and nothing would be learned. Choose a batch size of 2 or more, or switch"
                " BatchNorm in the head off."
            )
        )
    if recipe.mixes_photos:
        raise RecipeError(
            tr(
                "With a batch size of 1, there is no second photo to mix with: mixup and CutMix would do nothing."
                " Choose a batch size of 2 or more, or set both to 0."
            )
        )


def _check_start(recipe: Recipe) -> None:
    if recipe.weights == "random":
        raise RecipeError(
            tr(
                "A run starts either from random weights or from the model of an earlier run, not from both. Switch one"
                " of them off."
            )
        )
    chosen = backbone(recipe.backbone)
    if not chosen.pretrained:
        raise RecipeError(
            tr(
                "{network} always starts from random weights, for comparison, so it cannot start from an earlier run."
                " Choose another variant, or start from nothing.",
                network=chosen.name,
            )
        )
