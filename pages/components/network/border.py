"""The border between what stays frozen and what learns, as something to drag: a component with its JavaScript."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from core.language import tr, tr_mark
from pages.components.network.picture import STYLE, Sides
from pages.components.shared import glossary, state

HTML = """
<div class="uf-network">
  <div class="picture"></div>
  <div class="sides">
    <p class="frozen"><i class="mark"></i><span class="cold"></span></p>
    <p class="learns"><i class="mark"></i><span class="warm"></span></p>
  </div>
  <p class="hint">
    <span><b class="what" role="status"></b> · <span class="how"></span></span>
  </p>
</div>
"""
LABEL = tr_mark("Border between frozen and trainable blocks")

_component = st.components.v2.component(
    "unfreeze_border", html=HTML, css=STYLE, js=(Path(__file__).parent / "border.js").read_text("utf-8")
)


def border(key: str, row: str, places: Sequence[Sides], frozen: int, cut: float, move: Callable[[int], None]) -> None:
    """Show a network whose border can be moved.

    Args:
        key: Of the component.
        row: HTML of the network, the same wherever the border is.
        places: What each place of the border means, from no frozen block to all of them.
        frozen: Where it is.
        cut: Share of the first block behind it that stays frozen as well, 0 to 1.
        move: Called with a new place before the page is drawn again.
    """
    facts = {
        "html": row,
        "words": [{**asdict(place), "told": place.told} for place in places],
        "taken": frozen,
        "cut": cut,
        "label": tr(LABEL),
        "block": glossary.meaning(glossary.BLOCK),
        "how": tr("Drag the border, or move it with the arrow keys."),
    }

    def moved() -> None:
        place = _place(state.widget(key), len(places))
        if place is not None:
            move(place)

    _component(key=key, data=facts, on_frozen_change=moved)


def _place(values: Any, count: int) -> int | None:
    """What the browser sent, if it is a place of the border."""
    place = values.get("frozen") if hasattr(values, "get") else None
    if isinstance(place, float) and place.is_integer():
        place = int(place)
    return place if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < count else None
