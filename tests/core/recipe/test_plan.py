from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from core.models.backbones import BACKBONES, FEATURES, Backbone, backbone
from core.models.heads import FLATTEN, POOLING_LAYERS
from core.recipe.augmentations import Choice
from core.recipe.phases import PHASE_KEYS
from core.recipe.plan import (
    LARGEST,
    ORIGINAL,
    PhasePlan,
    first_versions,
    new_versions,
    phases_of,
    plan_phases,
    row_bytes,
    row_shape,
    starts_with_regression,
    version_of,
)
from core.recipe.recipe import Recipe
from core.runs.messages import Message, text_of

B0 = backbone("efficientnet-b0")
TURNED = {"rotation": Choice(0.1)}
USUAL: Mapping[str, Any] = {"head_epochs": 3, "fine_tune_epochs": 5, "unfreeze_point": "block7"}
RATES: Mapping[str, float] = {
    "head_learning_rate": 0.03,
    "fine_tune_learning_rate": 0.02,
    "scratch_learning_rate": 0.01,
}

ONCE = Message("cached")
EVERYTHING = Message("all-trainable")
AS_ASKED = Message("caching-off")
NEARLY = Message("little-gain")


def once_for(views: int) -> Message:
    return Message("cached-versions", {"number": views})


def plans(chosen: Backbone = B0, room: bool = True, **choices: Any) -> tuple[PhasePlan, ...]:
    recipe = Recipe(dataset="d", backbone=chosen.key, **{**USUAL, **choices})
    return plan_phases(recipe, chosen, 100, 10, lambda needed: room)


def phases(chosen: Backbone, **choices: Any) -> tuple[tuple[str, int, float, str], ...]:
    recipe = Recipe(dataset="d", backbone=chosen.key, **choices)
    return tuple((p.name, p.epochs, p.learning_rate, p.unfreeze_point) for p in phases_of(recipe, chosen))


def test_phases_follow_from_the_recipe() -> None:
    common = {**RATES, "head_epochs": 2, "fine_tune_epochs": 4, "unfreeze_point": "block7"}
    head, fine = ("head", 2, 0.03, "none"), ("fine-tune", 4, 0.02, "block7")
    assert phases(B0, **common) == (head, fine)
    assert phases(B0, **{**common, "fine_tune_epochs": 0}) == (head,)
    assert phases(B0, **{**common, "head_epochs": 0}) == (fine,)
    assert phases(B0, **common, weights="random") == (("from scratch", 6, 0.01, "all"),)
    baseline = {**common, "unfreeze_point": "all"}
    assert phases(backbone("baseline-cnn"), **baseline) == (("from scratch", 6, 0.01, "all"),)


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.key)
def test_a_phase_costs_more_the_more_of_the_network_learns(row: Backbone) -> None:
    costs = []
    for point in row.unfreeze_points:
        recipe = Recipe(dataset="d", backbone=row.key, unfreeze_point=point)
        found = phases_of(recipe, row)
        assert all(phase.name in PHASE_KEYS and phase.epochs > 0 for phase in found)
        costs.append(found[-1].relative_cost)
    assert costs == sorted(costs) and costs[0] >= 1


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, [(FEATURES, 1, ONCE), ("block7", 1, ONCE)]),
        ({"fine_tune_epochs": 0}, [(FEATURES, 1, ONCE)]),
        ({"head_epochs": 0}, [("block7", 1, ONCE)]),
        ({"unfreeze_point": "none"}, [(FEATURES, 1, ONCE), (FEATURES, 1, ONCE)]),
        ({"unfreeze_point": "all"}, [(FEATURES, 1, ONCE), ("", 0, EVERYTHING)]),
        ({"unfreeze_point": "block1"}, [(FEATURES, 1, ONCE), ("", 0, NEARLY)]),
        ({"weights": "random"}, [("", 0, EVERYTHING)]),
        ({"views": 0}, [("", 0, AS_ASKED), ("", 0, AS_ASKED)]),
        ({"views": 0, "unfreeze_point": "all"}, [("", 0, AS_ASKED), ("", 0, EVERYTHING)]),
        ({"augmentations": TURNED}, [(FEATURES, 4, once_for(4)), ("block7", 4, once_for(4))]),
        ({"augmentations": TURNED, "views": 0}, [("", 0, AS_ASKED), ("", 0, AS_ASKED)]),
        ({"augmentations": TURNED, "views": 1}, [(FEATURES, 1, ONCE), ("block7", 1, ONCE)]),
        ({"augmentations": TURNED, "views": 64}, [(FEATURES, 8, once_for(8)), ("block7", 8, once_for(8))]),
        ({"augmentations": TURNED, "fine_tune_epochs": 0}, [(FEATURES, 3, once_for(3))]),
    ],
)
def test_each_phase_goes_its_way_for_a_reason(
    choices: dict[str, Any], expected: list[tuple[str, int, Message]]
) -> None:
    found = plans(**choices)
    assert [(plan.boundary, plan.views, plan.reason) for plan in found] == expected
    assert {plan.augmented for plan in found} == {"augmentations" in choices}
    assert [plan.cached for plan in found] == [bool(boundary) for boundary, _, _ in expected]
    assert tuple(plan.phase for plan in found) == phases_of(Recipe(dataset="d", **{**USUAL, **choices}), B0)


def test_without_room_every_epoch_computes_everything_and_the_size_is_told() -> None:
    features, maps = 1280 * 4 * 110, 7 * 7 * 192 * 4 * 110
    head, fine = plans(room=False)
    assert head.reason == Message("no-room", {"bytes": features})
    assert fine.reason == Message("no-room", {"bytes": maps})
    assert not head.cached and not fine.cached


@pytest.mark.parametrize(
    ("choices", "from_regression"),
    [
        ({}, True),
        ({"augmentations": TURNED}, True),
        ({"head_start": "random"}, False),
        ({"head_batch_norm": True}, False),
        ({"mixup": 0.2}, False),
        ({"views": 0}, False),
    ],
)
def test_a_head_that_has_to_begin_at_random_learns_faster(choices: dict[str, Any], from_regression: bool) -> None:
    recipe = Recipe(dataset="d", **USUAL, **choices)
    for rate, faster in ((1e-4, 1e-3), (5e-3, 1e-2), (0.1, 0.1)):
        head = plans(**choices, head_learning_rate=rate)[0]
        assert starts_with_regression(recipe, head, 100) == from_regression
        assert not starts_with_regression(recipe, head, 10**6)
        as_asked = from_regression or "head_start" in choices
        assert head.phase.learning_rate == pytest.approx(rate if as_asked else faster)


def test_room_is_asked_for_all_versions_of_training_photos_and_for_validation_photos_once() -> None:
    asked: list[int] = []

    def small_room(needed: int) -> bool:
        asked.append(needed)
        return needed < 10**7

    recipe = Recipe(dataset="d", **USUAL, augmentations=TURNED)
    head, fine = plan_phases(recipe, B0, 1000, 30, small_room)
    assert asked == [1280 * (2 * 4 * 1000 + 4 * 30), 7 * 7 * 192 * (2 * 4 * 1000 + 4 * 30)]
    assert (head.cached, fine.cached) == (False, False) and "needs 76 MB" in text_of(fine.reason)
    assert all(plan.cached for plan in plan_phases(recipe, B0, 100, 30, small_room))


def test_what_is_kept_of_a_photo_has_the_shape_of_what_enters_the_block() -> None:
    assert row_shape(B0, FEATURES) == (1280,) and row_bytes(B0, FEATURES, augmented=True) == 2560
    assert row_bytes(B0, FEATURES, augmented=False) == 5120
    assert row_shape(B0, "block7") == (7, 7, 192)
    assert row_shape(B0, "top_conv") == (7, 7, 320)


def test_on_b0_maps_are_kept_from_block3_on_and_no_earlier() -> None:
    kept = [point for point in B0.unfreeze_points if plans(unfreeze_point=point)[-1].cached]
    assert kept == ["none", "top_conv", "block7", "block6", "block5", "block4", "block3"]
    photo = B0.resolution**2 * 3
    assert row_bytes(B0, "block3", augmented=True) <= LARGEST * photo < row_bytes(B0, "block2", augmented=True)


def versions_seen(found: tuple[PhasePlan, ...]) -> list[tuple[PhasePlan, int, bool]]:
    """For each epoch of a run its plan, the version that it takes, and whether that was cached before."""
    made = first_versions(found)
    seen: list[tuple[PhasePlan, int, bool]] = []
    for plan in [each for each in found for _ in range(each.phase.epochs)]:
        version = version_of(plan, len(seen), made)
        seen.append((plan, version, version in made))
        if plan.cached and plan.augmented and version not in made:
            made.append(version)
    return seen


@pytest.mark.parametrize("gradual", [False, True])
@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.key)
def test_every_epoch_of_every_recipe_takes_a_version_that_is_cached_or_can_be(row: Backbone, gradual: bool) -> None:
    kinds = set()
    for pooling, point, augmented, views, mixup in product(
        POOLING_LAYERS, row.unfreeze_points, ({}, TURNED), (0, 1, 4), (0.0, 0.2)
    ):
        choices = {"pooling": pooling, "unfreeze_point": point, "views": views, "mixup": mixup, "gradual": gradual}
        found = plans(row, True, augmentations=augmented, **choices)
        seen = versions_seen(found)
        kinds.add(tuple(plan.cached for plan in found))
        for plan, version, _ in seen:
            assert plan.cached == (plan.views > 0) and plan.augmented == bool(augmented)
            assert (version == ORIGINAL) == (not augmented)
        taken = {version for plan, version, _ in seen if plan.cached and plan.augmented and not plan.fresh}
        assert len(taken) <= views
        fresh = sum(plan.augmented and plan.cached and not known for plan, _, known in seen)
        assert fresh == sum(new_versions(found))
    assert ((False, True) in kinds) == (row.key in ("efficientnet-b6", "efficientnet-b7"))


def test_a_phase_that_is_cached_after_one_that_is_not_begins_with_the_version_that_is_there() -> None:
    b6 = backbone("efficientnet-b6")
    for views, expected in ((1, [0, 0, 0, 0, 0, 0, 0]), (2, [3, 0, 3, 0, 3, 0, 3]), (4, [3, 4, 5, 4, 5, 0, 3])):
        found = plans(b6, views=views, pooling=FLATTEN, augmentations=TURNED, fine_tune_epochs=7)
        assert [(plan.cached, plan.views) for plan in found] == [(False, 0), (True, views)]
        assert [version for _, version, _ in versions_seen(found)] == [0, 1, 2, *expected]
        assert new_versions(found) == [0, views - 1]
