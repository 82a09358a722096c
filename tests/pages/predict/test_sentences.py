import numpy as np

from core.inference.out_of_distribution import ANSWER, OUT_OF_DISTRIBUTION, UNSURE, Cost
from core.inference.prediction_table import PredictionTable
from core.inference.sources import Photo
from pages.components.predict.sentences import MOST_CLASSES, cost_in_words, count_bars, in_words, summary


def found(classes: int) -> PredictionTable:
    """One photo of each class, one more of the first, one unsure, one of something else."""
    shares = np.eye(classes)[[*range(classes), 0, 0, 0]]
    shares[-2] = 1 / classes
    strange = np.append(np.zeros(classes + 2), 1)
    photos = tuple(Photo(str(number), bytes) for number in range(len(shares)))
    return PredictionTable(tuple(f"<{number}>" for number in range(classes)), photos, shares, strange, 0.6)


def test_one_line_on_all_photos() -> None:
    assert summary(found(2)) == "5 photos: 2 <0>, 1 <1>, 1 unsure, 1 something else"
    assert "2 of 2 other classes" in summary(found(MOST_CLASSES + 2))


def test_bars_for_classes_and_for_what_is_none() -> None:
    html = count_bars(found(MOST_CLASSES + 2))
    assert "&lt;0&gt;" in html and "<0>" not in html
    assert "other classes" in html and ">unsure<" in html and ">something else<" in html


def test_what_is_said() -> None:
    assert in_words(ANSWER, "rose") == "rose"
    assert in_words(UNSURE, "rose") == "Unsure: perhaps rose"
    assert in_words(OUT_OF_DISTRIBUTION, "rose") == "Something else, if not rose"


def test_what_the_dial_costs() -> None:
    assert cost_in_words(Cost(93, 90, 100)).endswith("answers 93 (93 %), and 97 % of these answers are right.")
    assert "none" in cost_in_words(Cost(0, 0, 100)) and "no validation photos" in cost_in_words(Cost(0, 0, 0))
