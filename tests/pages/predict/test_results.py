import numpy as np

from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE, DecisionRule, decide
from core.inference.prediction_table import PredictionTable
from core.inference.sources import Photo
from pages.components.predict.results import ALL, CORRECTED, kinds, others


def test_filters_divide_the_photos_into_classes_and_open_ones() -> None:
    shares = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    photos = tuple(Photo(f"{number}.jpg", bytes) for number in range(4))
    found = PredictionTable(("a", "b"), photos, decide(shares, DecisionRule(), np.array([0, 0, 0, 1.0])), {1: 0})
    masks = {name: np.flatnonzero(mask).tolist() for name, mask in kinds(found).items()}
    assert masks == {
        ALL: [0, 1, 2, 3],
        0: [0, 1],
        1: [],
        UNSURE: [2],
        OUT_OF_DISTRIBUTION: [3],
        CORRECTED: [1],
    }


def test_the_newest_photo_is_not_shown_twice_unless_a_filter_asks_for_it() -> None:
    shares = np.array([[0.9, 0.1]] * 3)
    found = PredictionTable(("a", "b"), tuple(Photo(str(n), bytes) for n in range(3)), decide(shares, DecisionRule()))
    assert others(found, np.array([2, 1, 0])).tolist() == [1, 0]
    assert others(found, np.array([2])).tolist() == [2]
