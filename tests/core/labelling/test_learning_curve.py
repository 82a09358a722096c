import numpy as np

from core.labelling.learning_curve import FEWEST, learning_curve
from tests.core.labelling.conftest import heap


def test_a_curve_says_what_twice_as_many_labels_would_bring() -> None:
    pool, true = heap(200, 200, 200, noise=0.5)
    few = np.random.default_rng(0).choice(600, 60, replace=False)
    curve = learning_curve(pool.values[few], true[few], pool.groups[few])
    assert curve is not None
    assert curve.counts.tolist() == sorted(curve.counts.tolist()) and curve.counts[-1] < 60
    assert curve.accuracy[-1] > curve.accuracy[0]
    assert curve.expected_count == 120
    low, high = curve.interval
    assert 0 <= low <= curve.expected <= high <= 1
    assert curve.expected > curve.accuracy[-1]


def test_where_labels_teach_nothing_more_of_them_bring_nothing() -> None:
    pool, true = heap(40, 40)
    labels = np.random.default_rng(0).permutation(true)
    curve = learning_curve(pool.values, labels, pool.groups)
    assert curve is not None and 0.3 < curve.expected < 0.7


def test_there_is_no_curve_for_few_labels_or_a_class_with_one() -> None:
    pool, true = heap(40, 40)
    few = np.arange(0, 80, 80 // (FEWEST - 1))[: FEWEST - 1]
    assert learning_curve(pool.values[few], true[few], pool.groups[few]) is None
    alone = np.array([*range(30), 60])
    assert learning_curve(pool.values[alone], true[alone], pool.groups[alone]) is None
