import numpy as np
import pytest

from pages.components.shared import heat
from pages.components.shared.heat import evidence, limit_of, overlay

PHOTO = np.full((60, 60, 3), (200, 40, 40), np.uint8)


def one_place(row: int, column: int, value: float = 1.0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    found = np.zeros((6, 6), np.float32)
    found[row, column] = value
    return found


def test_evidence_is_what_sets_a_class_apart_from_the_others() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 4, 3)).astype(np.float32)
    shifted = maps + 5
    assert np.allclose(evidence(maps, 1), evidence(shifted, 1), atol=1e-6)
    assert np.allclose(sum(evidence(maps, label) for label in range(3)), 0, atol=1e-6)
    logits = maps.mean((0, 1))
    assert evidence(maps, 2).mean() == pytest.approx(logits[2] - logits.mean(), abs=1e-6)


def test_blue_is_for_and_purple_against_and_grey_is_neither() -> None:
    drawn = overlay(PHOTO, one_place(1, 1) - one_place(4, 4), 1.0)
    assert drawn.shape == PHOTO.shape and drawn.dtype == np.uint8
    blue, purple, neither = drawn[15, 15].astype(int), drawn[45, 45].astype(int), drawn[15, 45].astype(int)
    assert blue[2] > blue[0] + 60
    assert purple[0] > purple[1] + 40
    assert np.ptp(neither) <= 4


def test_the_same_evidence_is_paler_on_a_longer_scale() -> None:
    near, far = (overlay(PHOTO, one_place(1, 1), limit)[15, 15].astype(int) for limit in (1.0, 4.0))
    assert np.ptp(near) > 2 * np.ptp(far) > 0


def test_a_scale_suits_most_photos_and_is_never_empty() -> None:
    assert limit_of([one_place(0, 0, -3), one_place(0, 0, 2), one_place(0, 0, 90)]) == 3
    assert limit_of([np.zeros((2, 2), np.float32)]) > 0
    assert limit_of([]) > 0


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [(0, 0, "in the upper left"), (2, 3, "in the middle"), (5, 3, "at the bottom"), (3, 5, "on the right")],
)
def test_a_sentence_says_where_most_of_the_evidence_is(row: int, column: int, place: str) -> None:
    assert heat.summary(one_place(row, column), "roses") == f"Most of the evidence for roses is {place}."
    assert heat.summary(one_place(row, column, -1), "roses") == "There is no evidence for roses."


def test_the_scale_is_described_for_those_who_cannot_see_it() -> None:
    assert "blue evidence for it, up to 2.5 logits" in heat.scale(2.5) and "110 logits" in heat.scale(110)
