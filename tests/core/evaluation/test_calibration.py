from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from core.evaluation.calibration import (
    Coverage,
    Reliability,
    coverage,
    fit_temperature,
    reliability,
    trust,
    with_temperature,
)


def drawn(count: int, temperature: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities from which the labels were drawn, then told with too much confidence or too little."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (count, 4))
    labels = (softmax(logits, axis=1).cumsum(1) > random.random((count, 1))).argmax(1)
    return np.asarray(softmax(logits * temperature, axis=1)), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found_again(temperature: float) -> None:
    told, labels = drawn(20_000, temperature)
    assert fit_temperature(told, labels) == pytest.approx(temperature, rel=0.05)


def test_calibration_is_better_on_photos_that_the_temperature_was_not_fitted_to() -> None:
    told, labels = drawn(4000, 3.0)
    temperature = fit_temperature(told[:2000], labels[:2000])
    before = reliability(told[2000:], labels[2000:]).error
    after = reliability(with_temperature(told[2000:], temperature), labels[2000:]).error
    assert before > 0.1 > 0.03 > after


def test_temperature_changes_no_answer_and_1_changes_nothing() -> None:
    told, _ = drawn(100)
    assert np.allclose(with_temperature(told, 1.0), told)
    cooler = with_temperature(told, 4.0)
    assert np.array_equal(cooler.argmax(1), told.argmax(1))
    assert np.allclose(cooler.sum(1), 1)
    assert (cooler.max(1) < told.max(1)).all()


def test_being_right_about_a_few_photos_is_no_certainty() -> None:
    told = np.tile([0.8, 0.2], (26, 1))
    sure = with_temperature(told, fit_temperature(told, np.zeros(26, int)))
    assert sure[0, 0] == pytest.approx(27 / 28, abs=1e-3)


def test_probabilities_of_zero_can_be_told_at_another_temperature() -> None:
    told = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    assert np.isfinite(with_temperature(told, fit_temperature(told, [0, 0]))).all()


@pytest.mark.parametrize("told", [np.zeros((0, 3)), np.ones((5, 1))])
def test_without_photos_or_without_a_choice_nothing_is_changed(told: NDArray[np.float64]) -> None:
    assert fit_temperature(told, np.zeros(len(told), int)) == 1.0


def test_reliability_by_hand() -> None:
    told = [[0.9, 0.1], [0.2, 0.8], [0.85, 0.15], [0.55, 0.45]]
    found = reliability(told, [0, 0, 0, 1])
    assert found.counts.tolist() == [1, 1, 2]  # on a border, as 0.9 and 0.8 are, the step below counts
    assert found.confidence.tolist() == pytest.approx([0.55, 0.8, 0.875])
    assert found.accuracy.tolist() == [0, 0, 1]
    assert found.error == pytest.approx((0.55 + 0.8 + 2 * 0.125) / 4)


def test_reliability_is_that_of_scikit_learn() -> None:
    told, labels = drawn(1000, 2.0)
    mine = reliability(told, labels)
    right = told.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, told.max(1), n_bins=10)
    assert np.allclose(mine.accuracy, accuracy)
    assert np.allclose(mine.confidence, confidence)


def test_no_photos_have_no_calibration_error() -> None:
    assert reliability(np.zeros((0, 3)), []).error == 0


def test_coverage_by_hand() -> None:
    told = [[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.4, 0.6]]
    found = coverage(told, [0, 0, 0, 1])
    assert found.limit.tolist() == [0.9, 0.8, 0.6]  # two photos are equally sure, so both are answered or none
    assert found.share.tolist() == [0.25, 0.75, 1]
    assert found.accuracy.tolist() == pytest.approx([1, 2 / 3, 3 / 4])
    assert [found.at_least(share) for share in (0.1, 0.25, 0.5, 0.75, 1.0)] == [0, 0, 1, 1, 2]


def test_the_curve_ends_at_the_accuracy_of_all_photos() -> None:
    told, labels = drawn(500)
    found = coverage(told, labels)
    assert found.share[-1] == 1
    assert found.accuracy[-1] == pytest.approx((told.argmax(1) == labels).mean())
    assert len(coverage(np.zeros((0, 3)), []).share) == 0


@pytest.mark.parametrize(("shares", "counts"), [([0.5], [3]), ([0.5, 0.9], [3, 0])])
def test_steps_that_do_not_fit_are_refused(shares: Sequence[float], counts: Sequence[int]) -> None:
    with pytest.raises(ValueError, match="fit each other"):
        Reliability(np.array([0.5, 0.9]), np.array(shares), np.array(counts))
    with pytest.raises(ValueError, match="do not fit"):
        Coverage(np.array([0.5, 0.9]), np.array([0.5]), np.array([0.5]))


def test_an_overconfident_model_is_called_so() -> None:
    told = np.array([[0.9, 0.1]] * 40 + [[0.6, 0.4]] * 10)
    found = reliability(told, [0] * 36 + [1] * 4 + [0] * 2 + [1] * 8)
    assert trust(found) == "On average it is 84 % confident and right 76 % of the time: it is overconfident."


@pytest.mark.parametrize(("right", "end"), [(8, "can be trusted."), (10, "it is underconfident.")])
def test_whether_a_model_can_be_trusted(right: int, end: str) -> None:
    found = reliability(np.array([[0.8, 0.2]] * 10), [0] * right + [1] * (10 - right))
    assert trust(found).endswith(end)
