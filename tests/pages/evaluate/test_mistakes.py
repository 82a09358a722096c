import numpy as np

from core.evaluation.metrics import Evaluation
from pages.components.evaluate.mistakes import MOST_COLUMNS, RANKINGS, matrix_rows


def test_the_matrix_is_listed_as_it_is_and_of_many_classes_by_its_cells() -> None:
    names, counts = ("a", "b"), np.array([[3, 1], [0, 2]])
    assert matrix_rows(names, counts) == [
        {"photos of": "a", "predicted as a": "3", "predicted as b": "1"},
        {"photos of": "b", "predicted as a": "0", "predicted as b": "2"},
    ]
    many = np.zeros((MOST_COLUMNS + 1, MOST_COLUMNS + 1), np.int64)
    many[7, 9] = 4
    rows = matrix_rows([str(label) for label in range(len(many))], many)
    assert rows == [{"photos of": "7", "predicted as": "9", "photos": "4"}]


def test_rankings_begin_with_what_they_promise() -> None:
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    found = Evaluation(("a", "b"), (), np.array([1, 1, 1], np.int32), shares)
    assert RANKINGS["most-wrong"][2](found).tolist() == [0, 2]
    assert RANKINGS["least-sure"][2](found).tolist() == [2, 1, 0]
