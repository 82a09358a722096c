import base64
from typing import Any

import pytest

from pages.components.camera.live_camera import START, Frame, _frame

GOOD = {"id": "a-1", "keep": False, "jpeg": START + base64.b64encode(b"jpeg").decode()}


def test_a_frame_is_taken() -> None:
    assert _frame(GOOD) == Frame("a-1", False, b"jpeg")


@pytest.mark.parametrize("values", [None, "text", {}, {**GOOD, "id": 3}, {**GOOD, "keep": 1}, {**GOOD, "jpeg": "***"}])
def test_what_has_another_form_is_no_frame(values: Any) -> None:
    assert _frame(values) is None
