import numpy as np
import pytest

from core.evaluation.similarity import nearest


def test_the_nearest_come_first() -> None:
    features = np.array([[1, 0], [1, 1], [0, 1], [-1, 0]])
    positions, similarity = nearest([[2, 0.1]], features, 3)
    assert positions.tolist() == [[0, 1, 2]]
    assert similarity[0, :2] == pytest.approx([0.9988, 0.7415], abs=1e-4)
    assert nearest(np.ones((2, 2)), features, 9)[0].shape == (2, 4)
