import base64
from typing import Any

import pytest

from pages.components.predict import paste
from pages.components.predict.paste import Pasted, _picture

ADDRESS = "data:image/png;base64," + base64.b64encode(b"png").decode()
GOOD = {"id": "a-1", "address": ADDRESS}


@pytest.mark.parametrize(
    ("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp"), ("svg+xml", ".svg"), ("x", ".x")]
)
def test_a_picture_is_taken_with_the_ending_of_its_kind(kind: str, suffix: str) -> None:
    sent = {**GOOD, "address": ADDRESS.replace("png", kind)}
    assert _picture(sent) == Pasted("a-1", suffix, b"png")


@pytest.mark.parametrize(
    "values",
    [
        None,
        "text",
        {},
        {**GOOD, "id": 3},
        {**GOOD, "address": 3},
        {**GOOD, "address": "data:image/png;base64,***"},
        {**GOOD, "address": ADDRESS.replace("image", "text")},
        {**GOOD, "address": ADDRESS.replace("png", "../png")},
        {**GOOD, "address": "data:image/png,AAAA"},
    ],
)
def test_what_has_another_form_is_no_picture(values: Any) -> None:
    assert _picture(values) is None


def test_no_more_is_taken_than_the_browser_may_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paste, "MOST_BYTES", 10)
    assert _picture(GOOD) is None
