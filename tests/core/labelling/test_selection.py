from dataclasses import replace

import numpy as np

from core.labelling.pool import LEFT_OUT
from core.labelling.selection import TYPICAL_UP_TO, choose, informative, typical
from core.labelling.spreading import head_of
from tests.core.labelling.conftest import heap, labelled


def test_the_first_photos_to_label_are_of_different_classes_and_typical() -> None:
    pool, true = heap(60, 30, 20, 10)
    chosen = typical(pool, labelled(true, []), 4)
    assert sorted(true[chosen]) == [0, 1, 2, 3]
    for position in chosen:
        mine = pool.features[true == true[position]]
        likeness = pool.features[position] @ mine.T
        assert likeness.mean() > np.median((mine @ mine.T).mean(axis=1)), "it lies where its class is dense"


def test_later_ones_come_from_clusters_in_which_nothing_is_labelled() -> None:
    pool, true = heap(60, 60, 60)
    labels = labelled(true, range(70))
    assert set(true[typical(pool, labels, 2)]) == {2}


def test_none_looks_like_a_labelled_one_or_like_another_or_is_left_out() -> None:
    pool, true = heap(20, 20)
    pool = replace(pool, groups=np.arange(40) // 10)
    labels = labelled(true, [0, 25])
    labels.values[30] = LEFT_OUT
    assert pool.groups[choose(pool, labels, None, 10)].tolist() == [1]


def test_fewer_come_back_where_there_are_fewer() -> None:
    pool, true = heap(6, 6)
    everything = choose(pool, labelled(true, []), None, 50)
    assert sorted(everything) == list(range(12))
    assert len(choose(pool, labelled(true, range(12)), None)) == 0
    probabilities = np.full((12, 2), 0.5)
    assert len(informative(pool, labelled(true, range(12)), probabilities, 5)) == 0


def test_where_many_are_labelled_those_that_the_head_is_least_sure_of_come_next() -> None:
    pool, true = heap(100, 100, noise=0.45, seed=1)
    labels = labelled(true, np.random.default_rng(0).choice(200, 2 * TYPICAL_UP_TO, replace=False))
    probabilities = head_of(pool, labels).probabilities(pool.values)
    chosen = choose(pool, labels, probabilities, 8)
    margin = np.abs(probabilities[:, 0] - probabilities[:, 1])
    assert len(set(chosen.tolist())) == 8
    assert np.median(margin[chosen]) < np.median(margin[labels.open])
    assert not np.isin(chosen, labels.labelled).any()
    assert chosen.tolist() == choose(pool, labels, probabilities, 8).tolist(), "the same every time"
