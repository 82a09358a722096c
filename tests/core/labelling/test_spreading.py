from dataclasses import replace

import numpy as np
import pytest

from core.labelling.neighbours import neighbour_graph
from core.labelling.pool import LEFT_OUT, UNLABELLED
from core.labelling.spreading import OFFERED_BELOW, REACH, certainty_of, head_of, is_offered, spread
from tests.core.labelling.conftest import heap, labelled


def test_labels_spread_to_those_that_are_alike() -> None:
    pool, true = heap(50, 50, 50)
    labels = labelled(true, [0, 1, 60, 61, 120, 121])
    found = spread(pool, labels)
    assert (found.labels == true).mean() > 0.97
    assert np.allclose(found.probabilities.sum(axis=1), 1)
    assert (found.certainty[labels.labelled] == 1).all() and (found.labels[labels.labelled] == labels.known).all()
    assert found.certainty.min() >= 0 and found.certainty.max() <= 1


def test_the_solution_is_that_of_the_equations() -> None:
    pool, true = heap(12, 12)
    labels = labelled(true, [0, 12])
    sent = np.zeros((24, 2))
    sent[0, 0] = sent[12, 1] = 1
    wanted = np.linalg.solve(np.eye(24) - REACH * pool.graph.toarray(), sent)
    wanted /= wanted.sum(axis=1, keepdims=True)
    open_ones = labels.open
    assert np.allclose(spread(pool, labels).probabilities[open_ones], wanted[open_ones], atol=1e-3)


def test_the_graph_is_symmetric_sparse_and_without_loops() -> None:
    pool, _ = heap(40, 40)
    graph = neighbour_graph(pool.features).toarray()
    assert np.allclose(graph, graph.T) and not graph.diagonal().any()
    assert np.abs(np.linalg.eigvalsh(graph)).max() < 1 + 1e-9
    assert (graph > 0).sum() < 80 * 21
    two = neighbour_graph(pool.features[:2]).toarray()
    assert np.allclose(two, [[0, 1], [1, 0]])


def test_the_check_leaves_each_label_out_and_finds_that_spreading_helps() -> None:
    pool, true = heap(60, 60, noise=0.4)
    labels = labelled(true, [0, 1, 2, 3, 60, 61, 62, 63])
    found = spread(pool, labels)
    assert found.left_out == 8 and found.right >= found.head_right and found.helps
    chance = np.random.default_rng(3).permutation(true)
    misled = spread(pool, labelled(chance, range(0, 120, 4)))
    assert misled.right < 0.75 * misled.left_out
    assert not spread(pool, labelled(true, [0, 60])).helps, "too few to check it"


def test_copies_of_a_labelled_photo_do_not_vouch_for_it() -> None:
    pool, true = heap(30, 30)
    pool = replace(pool, groups=np.arange(60) // 2)
    labels = labelled(true, [0, 1, 2, 3, 30, 31, 32, 33])
    alone = replace(pool, groups=np.where(true == 0, 0, pool.groups))
    assert spread(pool, labels).right == 8
    assert spread(alone, labels).right == 4, "all of the first class look alike: none has another one to vouch for it"


def test_strangers_are_kept_out() -> None:
    pool, true = heap(50, 50, 12)
    labels = labelled(true, [0, 1, 2, 3, 4, 5, 50, 51, 52, 53, 54, 55], 2)
    found = spread(pool, labels)
    assert found.strangers[true == 2].mean() > 0.9
    assert found.strangers[true < 2].mean() < 0.2
    assert not found.strangers[labels.labelled].any()


def test_unequal_classes_are_noticed() -> None:
    pool, true = heap(160, 12)
    assert spread(pool, labelled(true, [0, 1, 2, 3, 160, 161, 162, 163])).unequal
    pool, true = heap(60, 60)
    assert not spread(pool, labelled(true, [0, 1, 2, 3, 60, 61, 62, 63])).unequal


def test_spreading_is_offered_for_few_labels_of_two_classes() -> None:
    _, true = heap(60, 60)
    assert is_offered(labelled(true, [0, 60]))
    assert not is_offered(labelled(true, [0, 1, 2]))
    assert not is_offered(labelled(true, range(60 - OFFERED_BELOW, 60 + OFFERED_BELOW)))
    confirming = labelled(true, range(60 - OFFERED_BELOW, 60 + OFFERED_BELOW))
    confirming.confirmed[:] = confirming.values >= 0
    assert is_offered(confirming)
    pool, true = heap(6, 6)
    with pytest.raises(ValueError, match="two classes"):
        spread(pool, labelled(true, [0]))


def test_a_head_from_spread_labels_beats_one_from_a_few_labels() -> None:
    pool, true = heap(150, 150, 150, noise=0.42)
    labels = labelled(true, [0, 150, 300])
    alone = head_of(pool, labels).probabilities(pool.values).argmax(axis=1)
    more = head_of(pool, labels, spread(pool, labels)).probabilities(pool.values).argmax(axis=1)
    assert (more == true).mean() > (alone == true).mean()


def test_photos_that_were_left_out_teach_nothing() -> None:
    pool, true = heap(20, 20, 20)
    labels = labelled(true, [0, 1, 20, 21, 40])
    labels.values[40:] = LEFT_OUT
    labels.values[40] = UNLABELLED
    found = replace(spread(pool, labels), strangers=np.zeros(60, bool))
    probabilities = np.where(np.arange(60)[:, None] < 40, found.probabilities, [[0.0, 0.0, 1.0]])
    head = head_of(pool, labels, replace(found, probabilities=probabilities))
    assert head.model.classes_.tolist() == [0, 1, 2] or head.model.classes_.tolist() == [0, 1]


def test_certainty_is_one_minus_the_entropy() -> None:
    assert certainty_of(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx([1, 0])
    assert certainty_of(np.array([[0.25, 0.25, 0.25, 0.25]])) == pytest.approx([0])
