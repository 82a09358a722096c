import pytest

from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from pages.components.dataset import decisions


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (Decision(EXCLUDE, {"a/1.jpg": "00"}), "a/1\\.jpg left out"),
        (Decision(KEEP, {"a/1.jpg": "00", "a/2.jpg": "01"}), "2 photos marked as correct"),
        (Decision(RELABEL, {"a/1.jpg": "00"}, "*b*"), "a/1\\.jpg moved to \\*b\\*"),
    ],
)
def test_a_decision_is_one_line_of_safe_markdown(decision: Decision, text: str) -> None:
    assert decisions.describe(decision) == text


def test_the_menu_names_what_can_be_decided() -> None:
    options = [(EXCLUDE, ""), (KEEP, ""), (RELABEL, "_b_")]
    assert [decisions.menu_label(option) for option in options] == [
        "Leave it out",
        "The label is correct",
        "Move to \\_b\\_",
    ]


@pytest.mark.parametrize(
    ("name", "shown"), [("short.jpg", "short.jpg"), ("a-very-long-file-name-0012.jpg", "a-very-lon…012.jpg")]
)
def test_a_long_file_name_keeps_its_beginning_and_its_end(name: str, shown: str) -> None:
    assert decisions.shortened(name) == shown
