from typing import Any

import pytest

from core.errors import RecipeError
from core.recipe.combinations import check_combination
from core.recipe.recipe import Recipe
from core.recipe.sweeps import grid


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"head_batch_norm": True}, "BatchNorm in the head has nothing to normalise by.* batch size of 2 or more"),
        ({"mixup": 0.2}, "no second photo to mix with.* batch size of 2 or more, or set both to 0"),
        ({"cutmix": 1}, "no second photo to mix with"),
    ],
)
def test_what_needs_other_photos_of_the_batch_is_refused_with_batches_of_one(
    choices: dict[str, Any], complaint: str
) -> None:
    alone = Recipe("d", batch_size=1, **choices)
    assert Recipe.from_json(alone.to_json()) == alone, "the recipe of a run that has ended stays readable"
    with pytest.raises(RecipeError, match=f"With a batch size of 1.*{complaint}"):
        check_combination(alone)
    with pytest.raises(RecipeError, match=complaint):
        grid(Recipe("d", **choices), {"batch_size": [8, 1]})
    check_combination(Recipe("d", batch_size=2, **choices))


def test_batches_of_one_alone_are_no_reason_to_refuse() -> None:
    check_combination(Recipe("d", batch_size=1))
