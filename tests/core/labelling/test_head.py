import numpy as np
import pytest

from core.labelling.head import LinearHead, cross_validated
from tests.core.labelling.conftest import heap


def test_a_head_knows_the_classes_that_it_was_shown_and_no_others() -> None:
    pool, true = heap(20, 20, 20)
    shown = np.array([0, 1, 2, 40, 41, 42])
    probabilities = LinearHead.fit(pool.values[shown], true[shown], 3).probabilities(pool.values)
    assert probabilities.shape == (60, 3)
    assert np.allclose(probabilities.sum(axis=1), 1) and (probabilities[:, 1] == 0).all()
    assert (probabilities.argmax(axis=1)[true != 1] == true[true != 1]).mean() > 0.95


def test_photos_of_little_weight_teach_little() -> None:
    pool, true = heap(20, 20)
    wrong = true.copy()
    wrong[:8] = 1
    weights = np.where(np.arange(40) < 8, 0.001, 1)
    weighted = LinearHead.fit(pool.values, wrong, 2, weights).probabilities(pool.values)
    assert (weighted.argmax(axis=1) == true).all()


def test_labels_are_judged_by_heads_that_have_not_seen_them() -> None:
    pool, true = heap(15, 15)
    judged = cross_validated(pool.values, true, pool.groups)
    assert judged is not None and judged.accuracy > 0.9
    low, high = judged.interval
    assert low < judged.accuracy <= high
    chance = cross_validated(pool.values, np.random.default_rng(0).permutation(true), pool.groups)
    assert chance is not None and chance.accuracy < 0.8


def test_a_photo_that_looks_like_another_is_not_judged_by_what_that_one_taught() -> None:
    pool, _ = heap(15, 15)
    labels = np.random.default_rng(1).integers(0, 2, 15).repeat(2)
    copies = pool.values[:15].repeat(2, axis=0)
    apart = cross_validated(copies, labels, np.arange(15).repeat(2))
    leaking = cross_validated(copies, labels, np.arange(30))
    assert apart is not None and leaking is not None
    assert apart.accuracy < 0.8 < leaking.accuracy


@pytest.mark.parametrize("positions", [[0, 1, 2, 20, 21], [0, 1, 2, 3, 4, 5, 6]])
def test_nothing_is_said_of_very_few_labels_or_of_one_class(positions: list[int]) -> None:
    pool, true = heap(20, 20)
    assert cross_validated(pool.values[positions], true[positions], pool.groups[positions]) is None
