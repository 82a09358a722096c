from typing import Any

import pytest

from pages.components.camera.parts import SCRIPT, address_of, jpeg_of
from pages.components.camera.parts import TEXTS as CAMERA_TEXTS
from pages.components.collect.class_card import MOST_AT_ONCE, Order, _order

JPEG = address_of(b"jpeg")
GOOD = {"id": "a-1", "kind": "photos", "dataset": "/photos", "class_name": "cup", "hold": "a-1", "photos": [JPEG]}


def test_what_the_browser_sends_is_taken() -> None:
    assert _order(GOOD) == Order("a-1", "photos", "/photos", "cup", (b"jpeg",), "a-1")
    removal = {"id": "a-2", "kind": "remove", "dataset": "/photos", "class_name": "cup", "names": ["1.jpg"]}
    assert _order(removal) == Order("a-2", "remove", "/photos", "cup", names=("1.jpg",))


@pytest.mark.parametrize(
    "values",
    [
        None,
        "text",
        [],
        {},
        {**GOOD, "id": 3},
        {**GOOD, "id": ""},
        {**GOOD, "class_name": None},
        {**GOOD, "kind": "format"},
    ],
)
def test_what_has_another_form_is_no_order(values: Any) -> None:
    assert _order(values) is None


def test_photos_that_are_none_are_dropped_and_their_number_is_bounded() -> None:
    order = _order({**GOOD, "photos": ["***", 3, None, *[JPEG] * 100]})
    assert order is not None and 0 < len(order.photos) <= MOST_AT_ONCE
    assert _order({**GOOD, "photos": "text"}) == _order({**GOOD, "photos": []})


def test_a_picture_goes_to_the_browser_and_back() -> None:
    assert jpeg_of(address_of(b"\xff\xd8 jpeg")) == b"\xff\xd8 jpeg"
    assert jpeg_of("***") is None


def test_every_trouble_that_the_browser_can_have_has_its_words() -> None:
    keys = {line.split('"')[1] for line in SCRIPT.split("\n") if 'fail("' in line}
    assert keys <= set(CAMERA_TEXTS)
