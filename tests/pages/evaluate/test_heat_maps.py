import numpy as np
import pytest

from core.inference.prediction import DetailedPrediction
from pages.components.evaluate.heat_maps import chosen_class, evidence_of
from tests.pages.evaluate.test_photos import subset

PREDICTED, LABEL = -2, -1


@pytest.mark.parametrize(("choice", "expected"), [(PREDICTED, 0), (LABEL, 1), (1, 1)])
def test_the_class_of_a_map_is_predicted_labelled_or_chosen(choice: int, expected: int) -> None:
    assert chosen_class(subset(), 1, choice) == expected


def test_evidence_is_for_the_chosen_class_and_missing_without_maps() -> None:
    maps = np.zeros((2, 2, 2), np.float32)
    maps[0, 0] = (4, 0)
    shares, embedding = np.array([0.5, 0.5], np.float32), np.zeros(3, np.float32)
    found = evidence_of(subset(), 1, PREDICTED, DetailedPrediction(shares, embedding, maps))
    assert found is not None and found[0, 0] == 2 and found[1, 1] == 0
    assert evidence_of(subset(), 1, LABEL, DetailedPrediction(shares, embedding, None)) is None
