from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from core.inference.decision import (
    LEAST_CONFIDENCE,
    OUT_OF_DISTRIBUTION,
    PREDICTED,
    UNSURE,
    DecisionRule,
    decide,
    keep_least_confidence,
    least_confidence_of,
    read_decision_rule,
    temperature_of,
)
from core.runs.store import Run
from tests.conftest import FinishedRun


def test_an_answer_is_the_most_probable_class_unless_unsure_or_unlike_the_training_photos() -> None:
    shares = np.array([[0.9, 0.1], [0.45, 0.55], [0.99, 0.01], [0.5, 0.5]], np.float32)
    found = decide(shares, DecisionRule(1.0, 0.6), np.array([0.2, 0.5, 0.99, 0.99]))
    assert found.predicted.tolist() == [0, 1, 0, 0]
    assert found.unsure.tolist() == [False, True, False, True]
    assert found.kinds.tolist() == [PREDICTED, UNSURE, OUT_OF_DISTRIBUTION, OUT_OF_DISTRIBUTION]
    np.testing.assert_allclose(found.confidence, [0.9, 0.55, 0.99, 0.5], atol=1e-6)
    assert not decide(shares, DecisionRule()).out_of_distribution.any()


def test_the_confidence_is_calibrated_and_the_class_stays() -> None:
    shares = np.array([[0.2, 0.8]])
    assert decide(shares, DecisionRule(2.0)).confidence[0] == pytest.approx(2 / 3)
    assert decide(shares, DecisionRule(0.5)).confidence[0] == pytest.approx(16 / 17)
    assert decide(shares[:0], DecisionRule()).kinds.shape == (0,)


@pytest.mark.parametrize(("temperature", "least_confidence"), [(0, 0.5), (-1, 0.5), (float("nan"), 0.5), (1, 1.1)])
def test_a_rule_out_of_range_is_refused(temperature: float, least_confidence: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        DecisionRule(temperature, least_confidence)


def test_the_least_confidence_is_kept_with_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert least_confidence_of(run) == LEAST_CONFIDENCE
    keep_least_confidence(run, 0.85)
    assert least_confidence_of(run) == 0.85
    assert read_decision_rule(run) == DecisionRule(1.0, 0.85), "without validation photos, nothing is calibrated"
    (tmp_path / "decision.json").write_text('{"least_confidence": 7}')
    assert least_confidence_of(run) == LEAST_CONFIDENCE
    with pytest.raises(StorageError, match="cannot be saved"):
        keep_least_confidence(Run(tmp_path / "gone"), 0.5)


def test_the_temperature_is_that_of_the_validation_photos(finished_run: FinishedRun) -> None:
    assert read_decision_rule(finished_run.run).temperature == temperature_of(finished_run.run) > 0
