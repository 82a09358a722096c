from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from core.errors import RecipeError
from core.recipe.augmentations import (
    AUGMENTATION_OF,
    AUGMENTATIONS,
    GROUPS,
    PRESETS,
    Augmentation,
    Choice,
    default_augmentations,
    preset,
    reads_as_characters,
)
from core.recipe.recipe import Recipe
from core.training.inputs import transforms
from core.training.inputs.augmenter import augmenter, seeds_from

ALL_ON = {row.key: row.choice() for row in AUGMENTATIONS}

every_row = pytest.mark.parametrize("row", AUGMENTATIONS, ids=lambda row: row.key)


def photos(count: int = 4, side: int = 32) -> NDArray[np.float32]:
    """Photos of random bytes, both ends of the range among them."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype(np.float32)
    pixels[:, 0, 0], pixels[:, 0, 1] = 0, 255
    return pixels


def changed(batch: NDArray[np.float32], choices: dict[str, Choice], seed: int = 0) -> NDArray[np.float32]:
    change = traced(tuple(choices.items()))
    return np.asarray(change(tf.constant(batch), tf.constant(seeds_from(seed, len(batch)))))


@cache
def traced(choices: tuple[tuple[str, Choice], ...]) -> Any:
    return tf.function(augmenter(dict(choices)))


@every_row
def test_a_row_is_complete(row: Augmentation) -> None:
    assert callable(getattr(transforms, row.key))
    assert AUGMENTATION_OF[row.key] is row and row.group in GROUPS
    assert 0 < row.default <= row.maximum and 0 < row.probability <= 1
    assert row.name and row.explanation.endswith(".") and row.unit
    assert row.has_strength or row.default == row.maximum == 1
    row.check(row.choice())
    Recipe(dataset="d", augmentations={row.key: row.choice()})


@every_row
@pytest.mark.parametrize("share", [0.01, None, 1.0], ids=["least", "default", "most"])
def test_photos_keep_shape_type_and_range(row: Augmentation, share: float | None) -> None:
    batch = photos()
    strength = row.default if share is None or not row.has_strength else share * row.maximum
    seen = changed(np.repeat(batch, 6, axis=0), {row.key: Choice(strength)})
    assert seen.shape == (24, 32, 32, 3) and seen.dtype == np.float32
    assert seen.min() >= 0 and seen.max() <= 255 and np.isfinite(seen).all()


@every_row
def test_photos_change_and_each_in_its_own_way(row: Augmentation) -> None:
    same = np.repeat(photos(1, 96), 16, axis=0)
    seen = changed(same, {row.key: Choice(row.default)})
    assert np.abs(seen - same).max() > 1
    least = 1 if not row.has_strength else 3 if row.key == "posterise" else 10
    assert len(np.unique(seen.round(2).reshape(16, -1), axis=0)) >= least


@pytest.mark.parametrize("row", [row for row in AUGMENTATIONS if row.has_strength], ids=lambda row: row.key)
def test_more_strength_changes_more(row: Augmentation) -> None:
    slopes = np.indices((32, 32)).sum(axis=0)[:, :, None] * np.array([4.3, 3.1, 2.2])
    smooth = np.clip(slopes, 0, 255)[None].repeat(16, axis=0).astype(np.float32)
    little, much = (
        np.abs(changed(smooth, {row.key: Choice(strength)}) - smooth).mean()
        for strength in (row.maximum / 20, row.maximum)
    )
    # two of the changes that AugMix draws from have no strength, so that it is never without effect
    assert much > (1.2 if row.key == "aug_mix" else 2) * little > 0


@every_row
def test_the_seed_fixes_every_change(row: Augmentation) -> None:
    batch, choices = photos(16), {row.key: Choice(row.default, 0.5)}
    np.testing.assert_array_equal(changed(batch, choices, 7), changed(batch, choices, 7))
    assert (changed(batch, choices, 7) != changed(batch, choices, 8)).any()


def share_changed(choices: dict[str, Choice], count: int = 400) -> float:
    """The share of photos that come out otherwise than they went in."""
    batch = photos(1, 12).repeat(count, axis=0)
    return float((np.abs(changed(batch, choices) - batch).max(axis=(1, 2, 3)) > 0).mean())


@every_row
def test_the_probability_is_the_share_of_photos_that_are_changed(row: Augmentation) -> None:
    assert abs(share_changed({row.key: Choice(row.default, 0.3)}) - 0.3) < 0.1


def test_each_row_is_drawn_for_by_itself() -> None:
    both = {"zoom": Choice(0.5, 0.5), "contrast": Choice(0.9, 0.5)}
    assert abs(share_changed(both) - 0.75) < 0.1


@pytest.mark.thorough
def test_changes_come_in_the_order_of_the_table_whatever_the_recipe_says() -> None:
    np.testing.assert_array_equal(changed(photos(), ALL_ON), changed(photos(), dict(reversed(ALL_ON.items()))))


def test_a_strength_reads_in_its_unit() -> None:
    rotation = AUGMENTATION_OF["rotation"]
    assert (rotation.maximum * rotation.scale, rotation.unit) == (180, "°")
    turned = changed(photos(1).repeat(8, axis=0), {"flip_horizontal": Choice(1, 0.5)})
    mirrored = photos(1)[0, :, ::-1]
    assert {bool((photo == mirrored).all()) for photo in turned} == {True, False}


@pytest.mark.parametrize("strength", [0, -1, 0.51, float("nan")])
def test_strengths_out_of_range_are_refused(strength: float) -> None:
    with pytest.raises(RecipeError, match=r"above 0 and at most 0\.5"):
        AUGMENTATION_OF["zoom"].check(Choice(strength))


def test_characters_are_not_mirrored_by_default() -> None:
    digits = [str(digit) for digit in range(10)]
    assert reads_as_characters(digits) and reads_as_characters("AbÄ")
    assert not any(AUGMENTATION_OF[key].mirrors for key in default_augmentations(digits))
    assert "rotation" in default_augmentations(digits)


def test_the_defaults_are_mild_and_mirror_what_is_no_character() -> None:
    assert not reads_as_characters(["daisy", "7"]) and not reads_as_characters(["_", "+"])
    found = default_augmentations(["daisy", "rose"])
    assert set(found) == {"flip_horizontal", "rotation", "zoom"}
    assert all(found[key] == AUGMENTATION_OF[key].choice() for key in found)
    assert Recipe(dataset="d", augmentations=found).augmentations == found


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_recipe_s_and_spares_characters(name: str) -> None:
    Recipe(dataset="d", augmentations=preset(name, ["daisy", "rose"]))
    assert preset(name, ["daisy", "rose"]) == PRESETS[name]
    assert not any(AUGMENTATION_OF[key].mirrors for key in preset(name, "0123456789"))


def test_what_is_changed_does_not_depend_on_how_often_something_else_is() -> None:
    batch = photos(1).repeat(64, axis=0)
    solarised = changed(batch, {"solarise": Choice(0.5), "erasing": Choice(0.2, 0.5)})
    alone = changed(batch, {"solarise": Choice(0.5)})
    same = (solarised == alone).all(axis=(1, 2, 3))
    assert 10 < same.sum() < 54


def test_geometric_changes_together_are_one_warp_in_the_order_of_the_table() -> None:
    flipped = changed(photos(), {"flip_horizontal": Choice(1), "flip_vertical": Choice(1)})
    np.testing.assert_array_equal(flipped, photos()[:, ::-1, ::-1])


def test_changes_meet_no_dark_edges() -> None:
    grey = np.full((8, 32, 32, 3), 100, np.float32)
    for key in ("rotation", "zoom", "translation", "shear", "crop", "perspective", "elastic", "blur", "sharpness"):
        seen = changed(grey, {key: Choice(AUGMENTATION_OF[key].maximum)})
        np.testing.assert_allclose(seen, 100, atol=1e-2, err_msg=key)


def test_elastic_moves_in_both_directions_independently() -> None:
    slopes = np.stack([*np.meshgrid(np.arange(32.0), np.arange(32.0), indexing="ij"), np.zeros((32, 32))], axis=-1)
    moved = changed(slopes[None].repeat(16, axis=0).astype(np.float32), {"elastic": Choice(0.1)}) - slopes
    down, across = moved[:, 4:-4, 4:-4, 0].ravel(), moved[:, 4:-4, 4:-4, 1].ravel()
    assert abs(np.corrcoef(down, across)[0, 1]) < 0.5


def test_a_stronger_solarise_inverts_more_and_a_weak_one_little() -> None:
    weak = changed(photos(32), {"solarise": Choice(0.05)})
    assert (weak != photos(32)).mean() < 0.06


def test_mixtures_draw_other_changes_for_each_photo() -> None:
    same = photos(1).repeat(48, axis=0)
    for key in ("rand_augment", "aug_mix"):
        assert len(np.unique(changed(same, {key: Choice(0.5)}).round(1).reshape(48, -1), axis=0)) > 24
