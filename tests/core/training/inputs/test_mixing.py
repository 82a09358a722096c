import numpy as np
import pytest
from numpy.typing import NDArray

from core.recipe.recipe import Recipe
from core.training.inputs.mixing import Softening, softening_of

LABELS = np.array([0, 1, 2, 1, 0, 2, 1, 0], np.int32)


def photos() -> NDArray[np.float32]:
    """One colour each, so that it can be told what a pixel comes from."""
    return np.repeat(np.arange(8, dtype=np.float32) * 30, 16 * 16 * 3).reshape(8, 16, 16, 3)


def recipe(**choices: float) -> Recipe:
    return Recipe(dataset="d", **choices)  # type: ignore[arg-type]


def test_without_anything_targets_are_the_labels() -> None:
    same, targets = Softening(3)(photos(), LABELS, 0)
    np.testing.assert_array_equal(same, photos())
    np.testing.assert_array_equal(targets, np.eye(3)[LABELS])


def test_smoothing_spreads_its_share_evenly() -> None:
    _, targets = Softening(3, smoothing=0.3)(photos(), LABELS, 0)
    assert targets[0].tolist() == pytest.approx([0.8, 0.1, 0.1]) and targets.dtype == np.float32


def test_targets_count_as_much_as_their_photos() -> None:
    weights = np.linspace(0.1, 1, 8).astype(np.float32)
    _, targets = Softening(3, smoothing=0.3)(photos(), LABELS, 0, weights)
    np.testing.assert_allclose(targets.sum(axis=1), weights, rtol=1e-5)
    _, mixed = Softening(3, mixup=1.0)(photos(), LABELS, 0, weights)
    assert mixed.sum() != pytest.approx(weights.sum()) and mixed.sum(axis=1).min() >= weights.min() - 1e-6


@pytest.mark.parametrize("choices", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0, "smoothing": 0.1}])
def test_targets_are_mixed_as_the_photos_are(choices: dict[str, float]) -> None:
    colours, changed = photos()[:, 0, 0, 0], 0
    for step in range(30):
        mixed, targets = Softening(3, **choices, seeds=(4, 2))(photos(), LABELS, step)
        assert mixed.shape == (8, 16, 16, 3) and mixed.dtype == targets.dtype == np.float32
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
        smoothing = choices.get("smoothing", 0)
        plain = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
        for photo in range(8):
            mean, own = float(mixed[photo].mean()), targets[photo]
            fits = [
                (share, partner)
                for partner in range(8)
                if colours[partner] != colours[photo]
                for share in [(mean - colours[partner]) / (colours[photo] - colours[partner])]
                if -1e-3 <= share <= 1 + 1e-3
            ]
            wanted = [plain[photo] * share + plain[partner] * (1 - share) for share, partner in fits]
            assert any(np.allclose(own, each, atol=1e-3) for each in [*wanted, plain[photo]])
            changed += not np.isclose(mean, colours[photo])
    assert changed > 60


def test_cutmix_puts_in_a_rectangle_and_mixup_lays_over() -> None:
    cut, _ = Softening(3, cutmix=1.0)(photos(), LABELS, 1)
    laid, _ = Softening(3, mixup=1.0)(photos(), LABELS, 1)
    assert all(len(np.unique(photo)) <= 2 for photo in cut) and any(len(np.unique(photo)) == 2 for photo in cut)
    assert all(np.ptp(photo) < 1e-3 for photo in laid)
    for photo, colour in zip(cut[..., 0], photos()[:, 0, 0, 0], strict=True):
        rows, columns = np.where(photo != colour)
        if len(rows):
            inside = photo[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert len(np.unique(inside)) == 1


def test_a_batch_is_mixed_by_its_seeds_and_step_alone() -> None:
    one = Softening(3, mixup=0.4, cutmix=1.0, seeds=(7, 3))
    for step in (0, 5):
        np.testing.assert_array_equal(one(photos(), LABELS, step)[0], one(photos(), LABELS, step)[0])
    others = [one(photos(), LABELS, 1), Softening(3, mixup=0.4, cutmix=1.0, seeds=(7, 4))(photos(), LABELS, 0)]
    assert all((one(photos(), LABELS, 0)[0] != other).any() for other, _ in others)


def test_with_both_each_gets_its_batches() -> None:
    both = Softening(3, mixup=1.0, cutmix=1.0)
    cut = [any(np.ptp(photo) > 1 for photo in both(photos(), LABELS, step)[0]) for step in range(40)]
    assert 8 < sum(cut) < 32


def test_what_a_recipe_asks_for() -> None:
    assert softening_of(recipe(), 3, 0) is None and not recipe().needs_soft_targets
    found = softening_of(recipe(label_smoothing=0.1, mixup=0.2, seed=9), 3, 4)
    assert found == Softening(3, 0.1, 0.2, 0.0, (9, 4))
    assert recipe(cutmix=1.0).mixes_photos and not recipe(label_smoothing=0.1).mixes_photos
