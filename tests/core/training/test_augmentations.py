import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import RecipeError
from core.training import layers
from core.training.augmentations import (
    AUGMENTATION_OF,
    AUGMENTATIONS,
    DEFAULT_KEYS,
    Augmentation,
    Choice,
    default_augmentations,
    reads_as_characters,
)
from core.training.augmenter import build_augmenter
from core.training.recipe import Recipe

ALL_ON = {row.key: row.choice() for row in AUGMENTATIONS}

every_row = pytest.mark.parametrize("row", AUGMENTATIONS, ids=lambda row: row.key)


def photos(count: int = 4, side: int = 32) -> NDArray[np.float32]:
    """Photos of random bytes, both ends of the range among them."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype(np.float32)
    pixels[:, 0, 0], pixels[:, 0, 1] = 0, 255
    return pixels


def changed(batch: NDArray[np.float32], choices: dict[str, Choice], seed: int = 0) -> NDArray[np.float32]:
    augmenter = build_augmenter(choices, seed)
    assert augmenter is not None
    return np.asarray(augmenter(batch, training=True))


@every_row
def test_a_row_is_complete(row: Augmentation) -> None:
    assert issubclass(getattr(layers, row.layer, None) or getattr(keras.layers, row.layer), keras.layers.Layer)
    assert AUGMENTATION_OF[row.key] is row
    assert 0 < row.default <= row.maximum
    assert row.name and row.explanation.endswith(".") and row.unit
    assert row.has_strength or row.default == row.maximum == 1
    row.check(row.choice())
    Recipe(dataset="d", augmentations={row.key: row.choice()})


@every_row
@pytest.mark.parametrize("share", [0.01, None, 1.0], ids=["least", "default", "most"])
def test_photos_keep_shape_type_and_range(row: Augmentation, share: float | None) -> None:
    batch = photos()
    strength = row.default if share is None or not row.has_strength else share * row.maximum
    seen = np.stack([changed(batch, {row.key: Choice(strength)}, seed) for seed in range(6)])
    assert seen.shape == (6, *batch.shape) and seen.dtype == np.float32
    assert seen.min() >= 0 and seen.max() <= 255 and np.isfinite(seen).all()


@every_row
def test_photos_change_and_each_in_its_own_way(row: Augmentation) -> None:
    same = np.repeat(photos(1), 16, axis=0)
    seen = changed(same, {row.key: Choice(row.default)})
    assert np.abs(seen - same).max() > 1
    assert len(np.unique(seen.round(2).reshape(16, -1), axis=0)) == (16 if row.has_strength else 1)


@pytest.mark.parametrize("row", [row for row in AUGMENTATIONS if row.has_strength], ids=lambda row: row.key)
def test_more_strength_changes_more(row: Augmentation) -> None:
    smooth = np.indices((32, 32)).sum(axis=0)[None, :, :, None] * np.ones((16, 1, 1, 3), np.float32) * 4
    little, much = (
        np.abs(changed(smooth.astype(np.float32), {row.key: Choice(strength)}) - smooth).mean()
        for strength in (row.maximum / 20, row.maximum)
    )
    assert much > 2 * little > 0


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


def test_a_batch_that_comes_twice_is_changed_anew() -> None:
    augmenter = build_augmenter(ALL_ON, 0)
    assert augmenter is not None
    first, second = (np.asarray(augmenter(photos(), training=True)) for _ in range(2))
    assert (first != second).any()


def test_outside_training_nothing_is_changed() -> None:
    augmenter = build_augmenter(ALL_ON, 0)
    assert augmenter is not None
    np.testing.assert_array_equal(np.asarray(augmenter(photos(), training=False)), photos())


def test_layers_come_in_the_order_of_the_table_whatever_the_recipe_says() -> None:
    np.testing.assert_array_equal(changed(photos(), ALL_ON), changed(photos(), dict(reversed(ALL_ON.items()))))


def test_with_everything_off_there_is_no_layer() -> None:
    assert build_augmenter({}, 0) is None


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
    assert found == {key: AUGMENTATION_OF[key].choice() for key in DEFAULT_KEYS}
    assert "flip_horizontal" in found and Recipe(dataset="d", augmentations=found).augmentations == found
