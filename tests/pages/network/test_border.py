from typing import Any

import pytest

from pages.components.network.border import _place


@pytest.mark.parametrize("sent", [0, 3, 9, 9.0])
def test_a_place_that_the_browser_sends_is_taken(sent: float) -> None:
    assert _place({"frozen": sent}, 10) == sent


@pytest.mark.parametrize("values", [None, "text", {}, *({"frozen": sent} for sent in (-1, 10, 2.5, True, "3", None))])
def test_what_is_no_place_is_dropped(values: Any) -> None:
    assert _place(values, 10) is None
