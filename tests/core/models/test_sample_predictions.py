import keras
import numpy as np
import pytest

from core.models.sample_predictions import SamplePredictions

PROBABILITIES = np.array([[0.75, 0.25, 0], [0, 0.5, 0.5], [0.125, 0.25, 0.625], [1, 0, 0]], np.float32)
LABELS = np.array([0, 2, 1, 1])
EXPECTED = np.array([[0, 0.75, 0.75], [1, 0.5, 0.5], [2, 0.625, 0.25], [0, 1, 0]], np.float32)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], keras.ops.one_hot(LABELS, 3)])
def test_answers_come_in_the_order_of_the_photos_however_they_are_labelled(labels: object) -> None:
    predictions = SamplePredictions(4)
    predictions.update_state(labels, PROBABILITIES)
    np.testing.assert_array_equal(predictions.rows(), EXPECTED)


def test_batches_follow_each_other_until_the_next_reset() -> None:
    predictions = SamplePredictions(4)
    for start in (0, 3):
        predictions.update_state(LABELS[start : start + 3], PROBABILITIES[start : start + 3])
    np.testing.assert_array_equal(predictions.rows(), EXPECTED)
    predictions.reset_state()
    predictions.update_state(LABELS[3:], PROBABILITIES[3:])
    np.testing.assert_array_equal(predictions.rows()[0], EXPECTED[3])


def test_photos_beyond_those_that_are_asked_for_change_nothing() -> None:
    predictions = SamplePredictions(2)
    predictions.update_state(LABELS, PROBABILITIES)
    np.testing.assert_array_equal(predictions.rows(), EXPECTED[:2])
