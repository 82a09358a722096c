from dataclasses import replace

import pytest

from core.models.backbones import BACKBONES, backbone
from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.training.budget.cost_model import Counts, Throughput, seconds_of
from core.training.budget.time_budget import MARGIN, MOST_VIEWS, fitted, timed_variants

B0, B3, LITE = backbone("efficientnet-b0"), backbone("efficientnet-b3"), backbone("efficientnet-lite0")
THROUGHPUT = Throughput(photos_per_second=100.0, flops=B0.flops)
FLOWERS = Counts(training=2183, validation=311, test=625)
HOT_DOGS = Counts(training=175, validation=25, test=50)
RECIPE = Recipe(dataset="d", augmentations={"flip_horizontal": Choice(1.0)})


@pytest.mark.parametrize("minutes", [3, 5, 10, 30])
@pytest.mark.parametrize("counts", [FLOWERS, HOT_DOGS])
def test_what_is_chosen_fits_into_the_time(minutes: float, counts: Counts) -> None:
    chosen = fitted(RECIPE, [B0, LITE, B3], THROUGHPUT, counts, minutes * 60)
    assert seconds_of(chosen, backbone(chosen.backbone), THROUGHPUT, counts) <= minutes * 60 * MARGIN
    assert chosen.fine_tune_epochs >= 4 and chosen.views >= 2


def test_more_time_never_buys_less() -> None:
    chosen = [fitted(RECIPE, [B0, LITE], THROUGHPUT, FLOWERS, minutes * 60) for minutes in (2, 3, 4, 5, 8, 12, 20)]
    work = [seconds_of(recipe, backbone(recipe.backbone), THROUGHPUT, FLOWERS) for recipe in chosen]
    assert work == sorted(work)
    learning = [backbone(recipe.backbone).work_share(recipe.unfreeze_point) for recipe in chosen]
    assert learning == sorted(learning)


def test_a_large_variant_is_taken_only_where_there_is_time_for_it() -> None:
    assert fitted(RECIPE, [B0, B3], THROUGHPUT, HOT_DOGS, 600).backbone == B3.key
    assert fitted(RECIPE, [B0, B3], THROUGHPUT, FLOWERS, 240).backbone == B0.key


def test_without_time_for_fine_tuning_the_fastest_head_is_trained() -> None:
    chosen = fitted(RECIPE, [B3, LITE, B0], THROUGHPUT, Counts(20_000, 3_000, 6_000), 60)
    assert (chosen.backbone, chosen.unfreeze_point, chosen.fine_tune_epochs, chosen.views) == (B0.key, "none", 0, 1)
    assert chosen.head_epochs >= 3


def test_with_few_photos_the_head_alone_of_the_best_variant_in_time_is_trained() -> None:
    few = Counts(training=20, validation=5, test=5)
    for seconds, best in ((600, B3), (0.1, B0)):
        chosen = fitted(RECIPE, [B0, LITE, B3], THROUGHPUT, few, seconds, few=True)
        assert (chosen.backbone, chosen.unfreeze_point, chosen.fine_tune_epochs) == (best.key, "none", 0)
        assert chosen.head_epochs >= 3


def test_only_what_is_at_hand_is_chosen_and_all_else_of_the_recipe_stays() -> None:
    recipe = replace(RECIPE, batch_size=16, seed=7, minutes=5.0)
    chosen = fitted(recipe, [LITE], THROUGHPUT, HOT_DOGS, 300)
    assert chosen.backbone == LITE.key and chosen.views <= MOST_VIEWS
    assert (chosen.batch_size, chosen.seed, chosen.minutes, chosen.augmentations) == (16, 7, 5.0, RECIPE.augmentations)


def test_a_layer_of_another_block_is_given_up() -> None:
    recipe = replace(RECIPE, unfreeze_point="block7", unfreeze_layer="block7a_project_conv", minutes=5.0)
    for minutes in (0.1, 5, 30):
        chosen = fitted(recipe, [B0, LITE], THROUGHPUT, FLOWERS, minutes * 60)
        assert (chosen.unfreeze_layer, chosen.minutes) == ("", 5.0)


def test_a_faster_machine_gets_through_more() -> None:
    slow, fast = (fitted(RECIPE, [B0], Throughput(rate, B0.flops), FLOWERS, 300) for rate in (60.0, 400.0))
    assert (fast.fine_tune_epochs, fast.views) > (slow.fine_tune_epochs, slow.views)


@pytest.mark.parametrize("row", timed_variants(), ids=lambda row: row.key)
def test_the_share_that_learns_grows_towards_the_input(row: object) -> None:
    chosen = next(each for each in BACKBONES if each == row)
    shares = [chosen.work_share(point) for point in chosen.unfreeze_points]
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] == pytest.approx(1)
