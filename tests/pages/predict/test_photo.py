import numpy as np
import pytest

from core.inference.decision import DecisionRule, decide
from core.inference.prediction_table import PredictionTable
from core.inference.sources import Photo
from pages.components.predict.photo import LONG, notes, title, told

SHARES = np.array([[0.9, 0.1], [0.5, 0.5], [0.9, 0.1], [0.9, 0.1]])


@pytest.fixture
def found() -> PredictionTable:
    """An answer, an unsure one, one for a photo of something else, and one that was corrected."""
    photos = tuple(Photo(f"{number}.jpg", bytes) for number in range(4))
    decisions = decide(SHARES, DecisionRule(1.0, 0.6), np.array([0, 0, 1.0, 0]))
    return PredictionTable(("<rose>", "tulip"), photos, decisions, {3: 1})


def test_what_an_answer_says_and_why_it_may_say_none(found: PredictionTable) -> None:
    assert [title(found, place) for place in range(4)] == [
        "<rose>",
        "Unsure: perhaps <rose>",
        "Unlike the training photos: perhaps <rose>",
        "tulip",
    ]
    assert [notes(found, place) for place in range(4)] == [
        [],
        ["The confidence is below 60 %, too low for an answer."],
        ["It may show something else than any of the classes."],
        ["Corrected by hand. Predicted: <rose>"],
    ]


def test_a_large_answer_is_text_not_markup_and_a_long_one_is_set_smaller() -> None:
    html = told("<b>", ["<i>"], [("<u>", 0.9)])
    assert not any(tag in html for tag in ("<b>", "<i>", "<u>")) and "&lt;b&gt;" in html
    assert "uf-long" in told("x" * (LONG + 1), [], []).partition("<h2")[2]
    assert "uf-long" not in html.partition("<h2")[2]
