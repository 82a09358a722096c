import pytest

from core.models.backbones import backbone
from core.recipe.phases import PHASE_KEYS, phase_of_epoch
from core.recipe.plan import phases_of
from core.recipe.recipe import Recipe
from core.runs.messages import TEXTS, text_of


def test_every_phase_of_a_recipe_has_a_sentence() -> None:
    chosen = backbone("efficientnet-b0")
    recipe = Recipe(
        dataset="d",
        backbone=chosen.key,
        head_epochs=2,
        fine_tune_epochs=4,
        unfreeze_point="block6",
        gradual=True,
        more_epochs=(3, 2),
    )
    phases = phases_of(recipe, chosen)
    assert [text_of(phase.message) for phase in phases] == [
        "Training the head",
        "Fine-tuning from top_conv",
        "Fine-tuning from block7",
        "Fine-tuning",
        "Fine-tuning, additional epochs (1)",
        "Fine-tuning, additional epochs (2)",
    ]
    numbers = [phases.index(phase_of_epoch(phases, epoch)) for epoch in range(13)]
    assert numbers == [0, 0, 0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5], "before the first, and after the last"


@pytest.mark.parametrize("key", PHASE_KEYS.values())
def test_every_kind_of_phase_can_be_added_to_and_searched_for_a_learning_rate(key: str) -> None:
    assert {key, f"{key}-added", f"find-rate-{key}"} <= set(TEXTS)
