from dataclasses import replace
from typing import Any

import pytest

from core.models.backbones import BACKBONES, backbone
from core.recipe.augmentations import Choice
from core.recipe.plan import plan_phases
from core.recipe.recipe import Recipe
from core.training.budget.cost_model import (
    Costs,
    Counts,
    Throughput,
    augmenting_seconds,
    costs_of,
    finishing_seconds,
    learning_seconds,
    seconds_of,
)

B0 = backbone("efficientnet-b0")
THROUGHPUT = Throughput(photos_per_second=100.0, flops=B0.flops)
FLOWERS = Counts(training=2183, validation=311, test=625)
RECIPE = Recipe(dataset="d", unfreeze_point="block6", head_epochs=3, fine_tune_epochs=5)
TURNED = {"rotation": Choice(0.1)}


def costs(recipe: Recipe = RECIPE, throughput: Throughput = THROUGHPUT, counts: Counts = FLOWERS, **more: Any) -> Costs:
    chosen = backbone(recipe.backbone)
    plans = plan_phases(recipe, chosen, counts.training, counts.others, lambda needed: True)
    return costs_of(recipe, chosen, plans, throughput, counts, **more)


def epochs(recipe: Recipe = RECIPE, **more: Any) -> list[float]:
    return [cost.epoch_seconds for cost in costs(recipe, **more).phases]


def test_each_phase_costs_what_it_does() -> None:
    head, fine = costs().phases
    assert (head.phase.name, fine.phase.name) == ("head", "fine-tune")
    assert fine.epoch_seconds == pytest.approx(learning_seconds(B0, "block6", THROUGHPUT, FLOWERS))
    assert head.epoch_seconds < fine.epoch_seconds / 3


@pytest.mark.parametrize("changes", [{}, {"augmentations": TURNED}, {"augmentations": TURNED, "views": 2}])
def test_in_total_it_is_what_the_time_box_plans_with(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, **changes)
    assert costs(recipe).total == pytest.approx(seconds_of(recipe, B0, THROUGHPUT, FLOWERS), rel=0.02)


def test_versions_are_paid_for_in_the_epochs_that_compute_them() -> None:
    recipe = replace(RECIPE, augmentations=TURNED, views=4)
    each = FLOWERS.training * (1 / 100 + 0.02)
    plain_head, plain_fine = epochs()
    head, fine = epochs(recipe, augmenting=0.02)
    assert (head - plain_head, fine - plain_fine) == pytest.approx((2 / 3 * each, 1 / 5 * each))
    assert costs(recipe, augmenting=0.02).beside - costs().beside == pytest.approx(FLOWERS.training * 0.02)
    many = replace(recipe, views=8)
    assert epochs(many, augmenting=0.02)[1] - plain_fine == pytest.approx(each)
    assert epochs(replace(recipe, views=1), augmenting=0.02) == pytest.approx([plain_head, plain_fine])
    fresh = replace(recipe, unfreeze_point="block3", views=1)
    assert epochs(fresh, augmenting=0.02)[1] - epochs(fresh, augmenting=0.0)[1] == pytest.approx(2183 * 0.02)


def test_without_anything_kept_every_epoch_pays_for_all() -> None:
    plain = replace(RECIPE, views=0, augmentations=TURNED)
    head, fine = epochs(plain, augmenting=0.02)
    assert fine > head > 2 * epochs()[1]
    assert head == pytest.approx(epochs(plain, augmenting=0.0)[0] + FLOWERS.training * 0.02)
    assert epochs(plain) == pytest.approx(epochs(plain, augmenting=augmenting_seconds(B0)))
    head, everything = epochs(replace(plain, unfreeze_point="all"), augmenting=0.0)
    assert 1.5 < everything / head < 3


def test_what_a_recipe_says_of_an_epoch_counts() -> None:
    fine = epochs()[1]
    assert epochs(replace(RECIPE, steps_per_epoch=10))[1] < fine / 5
    often = epochs(replace(RECIPE, validate_every=10))[1]
    validations = (2183 // 32 + 1) // 10
    once = learning_seconds(B0, "block6", THROUGHPUT, replace(FLOWERS, training=0))
    assert often == pytest.approx(fine + (validations - 1) * once)
    assert epochs(replace(RECIPE, validate_every=1000))[1] == pytest.approx(fine)


def test_it_grows_with_the_photos_the_network_and_the_slowness() -> None:
    fine = epochs()[1]
    assert epochs(counts=Counts(4366, 622, 1250))[1] == pytest.approx(2 * fine)
    assert epochs(throughput=Throughput(50.0, B0.flops))[1] == pytest.approx(2 * fine)
    assert epochs(replace(RECIPE, backbone="efficientnet-b3"))[1] > 3 * fine
    flat = epochs(replace(RECIPE, pooling="flatten"))[0]
    assert flat > 2 * epochs()[0]


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.key)
def test_there_is_an_estimate_for_whatever_can_be_chosen(row: Any) -> None:
    for point in row.unfreeze_points:
        found = costs(replace(RECIPE, backbone=row.key, unfreeze_point=point))
        assert found.total > found.beside > 0 and all(cost.epoch_seconds > 0 for cost in found.phases)


def test_what_no_choice_changes_is_paid_once() -> None:
    slow_to_start = replace(THROUGHPUT, fixed_seconds=THROUGHPUT.fixed_seconds + 30)
    assert costs(throughput=slow_to_start).beside == pytest.approx(costs().beside + 30)
    assert costs(throughput=slow_to_start).phases == costs().phases


def test_after_the_last_epoch_photos_are_predicted_as_fast_as_was_measured() -> None:
    assert finishing_seconds(0, None) == finishing_seconds(0, 100.0) > 0
    assert finishing_seconds(400, 200.0) - finishing_seconds(0, 200.0) == pytest.approx(2)
    assert finishing_seconds(400, None) > finishing_seconds(400, 200.0)
