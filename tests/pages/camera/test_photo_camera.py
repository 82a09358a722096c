import base64
from typing import Any

import pytest

from pages.components.camera.photo_camera import MOST_IN_BATCH, START, _batch

JPEG = START + base64.b64encode(b"jpeg").decode()
GOOD = {"id": "a-1", "dataset": "/photos", "class_name": "cup", "photos": [JPEG]}


def test_what_the_browser_sends_is_taken() -> None:
    batch = _batch(GOOD)
    assert batch is not None
    assert (batch.id, batch.dataset, batch.class_name, batch.photos) == ("a-1", "/photos", "cup", (b"jpeg",))


@pytest.mark.parametrize("values", [None, "text", [], {}, {**GOOD, "id": 3}, {**GOOD, "class_name": None}])
def test_what_has_another_form_is_no_batch(values: Any) -> None:
    assert _batch(values) is None


def test_photos_that_are_none_are_dropped_and_their_number_is_bounded() -> None:
    batch = _batch({**GOOD, "photos": ["***", 3, None, *[JPEG] * 100]})
    assert batch is not None
    assert 0 < len(batch.photos) <= MOST_IN_BATCH
    assert _batch({**GOOD, "photos": "text"}) == _batch({**GOOD, "photos": []})
