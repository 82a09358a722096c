import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from core.evaluation.metrics import (
    Confused,
    Evaluation,
    accuracy_interval,
    class_scores,
    most_confused,
    most_mistaken,
)


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(correct: int, count: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert accuracy_interval(correct, count) == pytest.approx((low, high), abs=5e-5)


def test_intervals_mirror_each_other_and_stay_in_range() -> None:
    for count in (1, 2, 7, 40):
        for correct in range(count + 1):
            low, high = accuracy_interval(correct, count)
            assert 0 <= low <= correct / count <= high <= 1
            assert accuracy_interval(count - correct, count) == pytest.approx((1 - high, 1 - low))
    assert accuracy_interval(0, 9)[0] == pytest.approx(0) and accuracy_interval(9, 9)[1] == pytest.approx(1)


def test_more_photos_make_the_interval_narrower() -> None:
    widths = [high - low for low, high in (accuracy_interval(9 * n, 10 * n) for n in (1, 10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("correct", "count"), [(0, 0), (-1, 5), (6, 5), (0, -3)])
def test_what_is_no_accuracy_is_refused(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="is no accuracy"):
        accuracy_interval(correct, count)


LABELS = np.array([0, 0, 0, 1, 1, 2], np.int32)
TAKEN_FOR = np.array([0, 1, 1, 1, 1, 0])
SURE = np.array([0.5, 0.6, 0.9, 0.9, 0.5, 0.7], np.float32)


def by_hand() -> Evaluation:
    """Six photos of three classes, each taken for a class with a probability, the rest on the next class."""
    told = np.zeros((6, 3), np.float32)
    told[np.arange(6), TAKEN_FOR] = SURE
    told[np.arange(6), (TAKEN_FOR + 1) % 3] = 1 - SURE
    return Evaluation(("a", "b", "c"), tuple(f"{n}.png" for n in range(6)), LABELS, told)


def drawn(count: int, classes: int) -> Evaluation:
    random = np.random.default_rng(count)
    told = random.dirichlet(np.ones(classes), count).astype(np.float32)
    labels = random.integers(0, classes, count).astype(np.int32)
    return Evaluation(tuple(map(str, range(classes))), (), labels, told)


def test_an_evaluation_by_hand() -> None:
    found = by_hand()
    assert found.predicted.tolist() == [0, 1, 1, 1, 1, 0]
    assert found.right.tolist() == [True, False, False, True, True, False]
    assert found.confusion.tolist() == [[1, 2, 0], [0, 2, 0], [1, 0, 0]]
    assert found.in_cell(0, 1).tolist() == [2, 1]
    assert found.most_wrong().tolist() == [2, 5, 1]
    assert found.least_sure().tolist() == [0, 4, 1, 5, 2, 3]
    assert [found.top_accuracy(k) for k in (1, 2, 3)] == [0.5, 0.5, 1.0]


def test_the_most_confused_by_hand() -> None:
    confusion = by_hand().confusion
    assert most_confused(confusion, 5) == [Confused(0, 1, 2, 3), Confused(2, 0, 1, 1)]
    assert most_confused(confusion, 1) == [Confused(0, 1, 2, 3)]
    assert most_confused(np.diag([3, 4]), 5) == []
    assert most_mistaken(confusion, 2).tolist() == [0, 1]


@pytest.mark.parametrize(("count", "classes"), [(200, 4), (30, 12), (1, 3)])
def test_scores_are_those_of_scikit_learn(count: int, classes: int) -> None:
    found = drawn(count, classes)
    mine, every = class_scores(found.confusion), range(classes)
    theirs = metrics.precision_recall_fscore_support(found.labels, found.predicted, labels=every, zero_division=0)
    for values, expected in zip((mine.precision, mine.recall, mine.f1, mine.support), theirs, strict=True):
        assert np.allclose(values, expected)
    assert np.array_equal(found.confusion, metrics.confusion_matrix(found.labels, found.predicted, labels=every))
    assert mine.macro_f1 == pytest.approx(
        metrics.f1_score(found.labels, found.predicted, average="macro", zero_division=0)
    )
    expected = metrics.top_k_accuracy_score(found.labels, found.probabilities, k=2, labels=every)
    assert found.top_accuracy(2) == pytest.approx(expected)


def test_of_equal_probabilities_the_first_class_counts() -> None:
    found = Evaluation(("a", "b"), (), np.array([1, 0], np.int32), np.full((2, 2), 0.5, np.float32))
    assert found.right.tolist() == [False, True]
    assert found.top_accuracy(1) == 0.5


@pytest.mark.parametrize(
    ("names", "paths", "labels", "told", "words"),
    [
        (("a", "b"), (), [], np.zeros((0, 2)), "do not fit"),
        (("a", "b"), ("1.png",), [0, 1], np.eye(2), "1 photos with 2 labels"),
        (("a", "b", "c"), (), [0, 1], np.eye(2), "of 3 classes"),
        (("a", "b"), (), [0, 2], np.eye(2), "labels must be 0..1; got 0..2"),
        (("a", "b"), (), [0, 1], np.ones((2, 2)), "sum to 1"),
        (("a", "b"), (), [0, 1], np.array([[2.0, -1.0], [0.5, 0.5]]), "sum to 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    names: tuple[str, ...], paths: tuple[str, ...], labels: list[int], told: NDArray[np.float64], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Evaluation(names, paths, np.array(labels, np.int32), told.astype(np.float32))
