import pytest

from core import formatting


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"), (0.825, "82.5 %")],
)
def test_percent_never_claims_certainty(share: float, words: str) -> None:
    assert formatting.percent(share) == words


def test_a_percentage_stays_on_one_line() -> None:
    assert formatting.unbroken("between 94 % and 98 %") == "between 94\xa0% and 98\xa0%"


def test_photos_are_counted_as_people_do() -> None:
    assert [formatting.photos(1), formatting.photos(1200, "test")] == ["1 photo", "1,200 test photos"]


@pytest.mark.parametrize(
    ("names", "words"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcde", "a, b, c and 2 more")],
)
def test_long_rows_of_names_are_cut(names: str, words: str) -> None:
    assert formatting.listed(tuple(names), 3) == words


@pytest.mark.parametrize(("seconds", "words"), [(48.2, "48 s"), (370, "6 min 10 s"), (7510, "2 h 5 min")])
def test_durations_in_words(seconds: float, words: str) -> None:
    assert formatting.duration(seconds) == words
