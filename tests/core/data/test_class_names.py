import pytest

from core.data.class_names import shown_name, shown_names


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("german_shepherd", "poodle"), ("german shepherd", "poodle")),
        (("a__b_", "c d"), ("a b", "c d")),
        (("red_fox", "red fox", "hen"), ("red_fox", "red fox", "hen")),
        (("Red_Fox", "red__fox"), ("Red_Fox", "red__fox")),
        (("_", "8"), ("_", "8")),
        ((), ()),
    ],
)
def test_names_are_shown_with_spaces_unless_two_would_then_look_the_same(
    names: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    assert shown_names(names) == shown


def test_a_name_that_is_no_class_is_shown_as_it_is() -> None:
    assert shown_name("red_fox", ["red_fox", "hen"]) == "red fox"
    assert shown_name("gone_class", ["red_fox", "hen"]) == "gone_class"
