from typing import Any

import pytest

from pages.components.camera.live_camera import Frame, _frame
from pages.components.camera.parts import address_of

GOOD = {"id": "a-1", "keep": False, "jpeg": address_of(b"jpeg")}


def test_a_frame_is_taken() -> None:
    assert _frame(GOOD) == Frame("a-1", False, b"jpeg")


@pytest.mark.parametrize("values", [None, "text", {}, {**GOOD, "id": 3}, {**GOOD, "keep": 1}, {**GOOD, "jpeg": "***"}])
def test_what_has_another_form_is_no_frame(values: Any) -> None:
    assert _frame(values) is None
