import pytest

from core.errors import DataError
from pages.components.labelling.start import KEYS, checked_names


def test_names_are_taken_line_by_line() -> None:
    assert checked_names([" rose ", "", "wild  tulip"]) == ("rose", "wild tulip")


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["rose", ""], "at least two"), (["a", "b", "a"], "twice"), ([str(i) for i in range(32)], "At most 31")],
)
def test_what_cannot_have_a_key_each_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        checked_names(lines)


def test_keys_are_different_and_none_means_something_else() -> None:
    assert len(set(KEYS)) == len(KEYS) and not set(KEYS) & set("crsxz")
