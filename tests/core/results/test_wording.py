import numpy as np
import pytest

from core.results import wording
from core.results.calibration import reliability


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"), (0.825, "82.5 %")],
)
def test_percent_never_claims_certainty(share: float, words: str) -> None:
    assert wording.percent(share) == words


def test_photos_are_counted_as_people_do() -> None:
    assert [wording.photos(1), wording.photos(1200, "test")] == ["1 photo", "1,200 test photos"]


@pytest.mark.parametrize(
    ("names", "words"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcde", "a, b, c and 2 more")],
)
def test_long_rows_of_names_are_cut(names: str, words: str) -> None:
    assert wording.listed(tuple(names), 3) == words


def test_a_model_that_says_too_much_is_not_to_be_trusted() -> None:
    told = np.array([[0.9, 0.1]] * 40 + [[0.6, 0.4]] * 10)
    found = reliability(told, [0] * 36 + [1] * 4 + [0] * 2 + [1] * 8)
    assert wording.trust(found) == "On average it is 84 % sure, and right in 76 %: it is more sure than it should be."


@pytest.mark.parametrize(("right", "end"), [(8, "can be taken at its word."), (10, "less sure than it should be.")])
def test_whether_a_model_can_be_trusted(right: int, end: str) -> None:
    found = reliability(np.array([[0.8, 0.2]] * 10), [0] * right + [1] * (10 - right))
    assert wording.trust(found).endswith(end)


@pytest.mark.parametrize(("seconds", "words"), [(48.2, "48 s"), (370, "6 min 10 s"), (7510, "2 h 5 min")])
def test_durations_in_words(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words
