import pytest

from core.data.intake.collect import ENOUGH, readiness
from pages.components.collect.board import missing
from pages.components.collect.collecting import free_class_name


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"cup": 0, "pen": ENOUGH - 1}, f"Still needed before training: {ENOUGH} photos of cup, 1 photo of pen."),
        ({"cup": 9}, f"Two classes with {ENOUGH} photos each are needed: add a class."),
        ({"cup": 9, "pen": 9}, ""),
        ({"cup": 9, "pen": 9, "hand": 0}, ""),
        ({"cup": 9, "pen": 9, "a*b": 4}, r"It can be trained. Better with 1 photo of a\*b more."),
    ],
)
def test_what_is_missing_is_said(counts: dict[str, int], words: str) -> None:
    assert missing(readiness(counts)) == words


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (["Class 1", "Class 2"], "Class 3"),
        (["cup", "pen"], "Class 3"),
        (["cup", "class 3"], "Class 4"),
        ([], "Class 1"),
    ],
)
def test_a_new_class_has_a_name_that_is_free(taken: list[str], expected: str) -> None:
    assert free_class_name(taken) == expected
