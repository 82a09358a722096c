import numpy as np

from core.inference.decision import OUT_OF_DISTRIBUTION, PREDICTED, UNSURE, DecisionRule, decide
from core.inference.out_of_distribution import SelectiveAccuracy
from core.inference.prediction_table import PredictionTable
from core.inference.sources import Photo
from pages.components.predict.sentences import MOST_CLASSES, answer, count_bars, selective_accuracy, summary


def found(classes: int) -> PredictionTable:
    """One photo of each class, one more of the first, one unsure, one unlike the training photos."""
    shares = np.eye(classes)[[*range(classes), 0, 0, 0]]
    shares[-2] = 1 / classes
    ood_scores = np.append(np.zeros(classes + 2), 1)
    photos = tuple(Photo(str(number), bytes) for number in range(len(shares)))
    return PredictionTable(
        tuple(f"<{number}>" for number in range(classes)), photos, decide(shares, DecisionRule(1.0, 0.6), ood_scores)
    )


def test_one_line_on_all_photos() -> None:
    assert summary(found(2)) == "5 photos: <0> × 2, <1> × 1, 1 unsure, 1 unlike the training photos"
    assert "2 of 2 other classes" in summary(found(MOST_CLASSES + 2))


def test_bars_for_classes_and_for_photos_without_one() -> None:
    html = count_bars(found(MOST_CLASSES + 2))
    assert "&lt;0&gt;" in html and "<0>" not in html
    assert "other classes" in html and ">unsure<" in html and ">unlike the training photos<" in html


def test_an_answer_is_a_class_or_says_why_not() -> None:
    assert answer(PREDICTED, "rose") == "rose"
    assert answer(UNSURE, "rose") == "Unsure: perhaps rose"
    assert answer(OUT_OF_DISTRIBUTION, "rose") == "Unlike the training photos: perhaps rose"


def test_the_effect_of_a_least_confidence() -> None:
    said = selective_accuracy(SelectiveAccuracy(93, 90, 100))
    assert said == "The model gives an answer for 93 of 100 validation photos (93 %), and 97 % of these are right."
    assert "unsure about all 100 validation photos" in selective_accuracy(SelectiveAccuracy(0, 0, 100))
    assert "no validation photos" in selective_accuracy(SelectiveAccuracy(0, 0, 0))
