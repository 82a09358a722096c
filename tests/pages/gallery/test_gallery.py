from typing import Any

import pytest

from pages.components.gallery.gallery import DECIDED, OPEN, WRONG, Action, Photo, Said, heard

IDS = {"a/0.png", "a/1.png"}
ACTIONS = (Action("keep", "K", "Keep"), Action("move", "M", "Move", ("a", "b")))
NOTHING = ("", 0)


def sent(number: int = 1, what: str = "keep", photos: Any = ("a/0.png",), **more: Any) -> dict[str, Any]:
    """What the browser says of one decision."""
    values = {"session": "s", "number": number, "what": what, "photos": list(photos), "choice": "", "selected": []}
    return {**values, **more}


def test_everything_new_is_heard_once_and_in_order() -> None:
    first, second = sent(1), sent(2, OPEN, ["a/1.png"], selected=["a/0.png"])
    assert heard({"said": [first, second]}, IDS, ACTIONS, NOTHING) == [
        Said(("s", 1), "keep", ("a/0.png",), "", ()),
        Said(("s", 2), OPEN, ("a/1.png",), "", ("a/0.png",)),
    ]
    assert [said.order for said in heard({"said": [first, second]}, IDS, ACTIONS, ("s", 1))] == [("s", 2)]
    assert heard({"said": [first, second]}, IDS, ACTIONS, ("s", 2)) == []
    assert len(heard({"said": [first]}, IDS, ACTIONS, ("former", 7))) == 1, "the component was drawn anew"


def test_a_choice_must_be_one_that_was_offered() -> None:
    def choices(what: str, choice: Any) -> list[str]:
        return [said.choice for said in heard({"said": [sent(1, what, choice=choice)]}, IDS, ACTIONS, NOTHING)]

    assert choices("move", "b") == ["b"]
    assert choices("move", "c") == choices("move", "") == choices("keep", "b") == choices("move", 1) == []


def test_photos_that_are_not_shown_are_ignored() -> None:
    [said] = heard({"said": [sent(1, photos=["/etc/passwd", 3, "a/1.png"])]}, IDS, ACTIONS, NOTHING)
    assert said.photos == ("a/1.png",)
    assert heard({"said": [sent(1, photos=["gone.png"])]}, IDS, ACTIONS, NOTHING) == []


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        {"said": "keep"},
        {"said": 3},
        {"said": [None, "keep", []]},
        {"said": [sent(True)]},
        {"said": [sent(1.5)]},  # type: ignore[arg-type]
        {"said": [sent(1, "delete")]},
        {"said": [sent(1, photos={"a/0.png": 1}) | {"photos": {"a/0.png": 1}}]},
        {"said": [sent(1, session=None)]},
    ],
)
def test_what_no_gallery_says_is_ignored(values: Any) -> None:
    assert heard(values, IDS, ACTIONS, NOTHING) == []


def test_a_photo_is_described_to_those_who_cannot_see_it() -> None:
    assert Photo("a/0.png", b"", "cat", "0.png", "dog", WRONG).spoken == "cat · wrong: dog · a/0.png"
    assert Photo("a/0.png", b"", "cat → dog", "87 %", "left out", DECIDED).spoken == (
        "cat → dog · left out · 87 % · a/0.png"
    )


@pytest.mark.parametrize("key", ["", "KK", "z", "C", " ", "-"])
def test_a_key_must_be_free(key: str) -> None:
    with pytest.raises(ValueError, match="cannot have the key"):
        Action("keep", key, "Keep")
