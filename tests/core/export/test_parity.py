from dataclasses import replace

import numpy as np
import pytest

from core.errors import ExportError
from core.export.formats import FP16, FP32, INT8
from core.export.parity import PairedPredictions, ParityReport, as_text, failures, warnings

SURE = np.tile(np.array([[0.9, 0.1], [0.1, 0.9]], np.float32), (50, 1))
LABELS = np.tile([0, 1], 25)


def answers(moved: float = 0.0, swapped: int = 0) -> PairedPredictions:
    """100 photos of which 50 have labels; probabilities moved by so much, those of the first few exchanged."""
    given = SURE + np.array([[moved, -moved]], np.float32)
    given[:swapped] = given[:swapped, ::-1]
    return PairedPredictions(SURE, given, LABELS)


def test_what_is_as_near_as_its_precision_asks_for_passes() -> None:
    assert failures(answers(5e-4), FP32) == ()
    assert failures(answers(5e-3), FP16) == ()
    assert failures(answers(swapped=1), INT8) == warnings(answers(swapped=1), INT8) == ()


def test_what_is_further_away_fails_with_the_figures() -> None:
    assert "differs from the run's by 0.005; at most 0.001" in failures(answers(5e-3), FP32)[0]
    assert "at most 0.01" in failures(answers(5e-2), FP16)[0]
    assert any("1 of 100 photos get another class" in each for each in failures(answers(swapped=1), FP32))


def test_whole_numbers_may_cost_a_little_accuracy_with_a_warning_and_not_much() -> None:
    assert warnings(answers(swapped=2), INT8) == ("It loses 4.0 percentage points of accuracy, which is a lot.",)
    assert failures(answers(swapped=2), INT8) == ()
    assert "loses 20.0 percentage points of accuracy" in failures(answers(swapped=10), INT8)[0]
    assert "30 of 100 photos get another class" in failures(answers(swapped=30), INT8)[0]


@pytest.mark.parametrize("precision", [FP32, FP16, INT8])
def test_answers_that_are_no_numbers_or_too_few_fail(precision: object) -> None:
    for given in (np.full_like(SURE, np.nan), SURE[:, :1]):
        assert failures(PairedPredictions(SURE, given, LABELS), precision) == (  # type: ignore[arg-type]
            "It did not give 2 probabilities for each photo.",
        )


MADE = ParityReport(
    "onnx", "fp32", "r", "now", 100, {"PNG": 100}, 50, 1e-6, 1e-7, 0.9999, 0.9, 0.92, 12.0, 3_000_000, {"Python": "3"}
)


def test_a_certificate_survives_being_kept_and_can_be_read() -> None:
    assert ParityReport.from_values(MADE.to_values()) == MADE
    text = as_text(replace(MADE, warnings=("mind this",)))
    assert (
        "PASSED" in text and "mind this" in text and "99.9 % of 100 photos" in text and "90 % (the run: 92 %)" in text
    )
    assert "FAILED" in as_text(replace(MADE, failures=("too far",)))
    with pytest.raises(ExportError, match="Make the export again"):
        ParityReport.from_values({})


def test_sentences_of_a_certificate_are_kept_as_what_they_were_made_of() -> None:
    found = replace(MADE, failures=failures(answers(swapped=1), FP32))
    assert ParityReport.from_values(found.to_json()) == found
    assert found.to_json()["failures"][-1]["values"]["total"] == 100
    assert found.to_values()["failures"] == list(found.failures)
