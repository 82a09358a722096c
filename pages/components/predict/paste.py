"""Pictures from the clipboard, taken wherever on the page somebody pastes: a component with its JavaScript."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.language import tr, tr_mark
from pages.components.shared import state

HERE = Path(__file__).parent
HTML = """
<div class="paste">
  <button class="button" type="button" aria-describedby="paste-hint"></button>
  <span class="hint" id="paste-hint"><span class="before"></span><kbd class="keys"></kbd><span
    class="after"></span></span>
  <p class="words" role="status"></p>
</div>
"""
KEY, PICTURE = "paste", "picture"

TEXTS = {
    "button": tr_mark("Paste a picture"),
    "hint": tr_mark("or press {keys} anywhere on this page"),
    "one": tr_mark("Sending a picture …"),
    "several": tr_mark("Sending {count} pictures …"),
    "none": tr_mark("There is no picture in the clipboard."),
    "many": tr_mark("Of {count} pictures, the first {most} were taken. Choose more under Photos."),
    "unreadable": tr_mark("This picture cannot be read. Save it as a file, and choose it under Photos."),
    "keys": tr_mark("This browser hands over pictures by {keys} only."),
    "refused": tr_mark("The browser was not allowed to read the clipboard. Press {keys} instead."),
}
"""What is said around it; the browser fills in what is in braces."""

MOST_BYTES = 12_000_000
"""A larger picture is made smaller by the browser before it is sent, as JPEG of at most 4,096 pixels a side."""

IMAGE, START = "data:image/", ";base64,"
SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
"""How files of some kinds of pictures end, where that is not the kind's name."""

_component = st.components.v2.component(
    "unfreeze_paste",
    html=HTML,
    css=(HERE / "paste.css").read_text("utf-8"),
    js=(HERE / "paste.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Pasted:
    """A picture from the clipboard.

    Attributes:
        id: Different for each picture; the same when one is sent again.
        suffix: How a file of its kind ends, with a dot, as the browser has it; perhaps none that is ever read.
        content: The bytes of the file, not looked at yet.
    """

    id: str
    suffix: str
    content: bytes


def paste(received: str, take: Callable[[Pasted], None]) -> None:
    """Show the button, and call `take` with a picture that has come before the page is drawn again.

    `received` is the id of the last picture that was taken care of.
    """

    def came() -> None:
        values = state.widget(KEY)
        picture = _picture(values.get(PICTURE)) if hasattr(values, "get") else None
        if picture is not None:
            take(picture)

    texts = {name: tr(text) for name, text in TEXTS.items()}
    _component(key=KEY, data={"received": received, "most": MOST_BYTES, "texts": texts}, on_picture_change=came)


def _picture(values: Any) -> Pasted | None:
    """What the browser sent, if it has the right form and is not too large."""
    if not isinstance(values, Mapping):
        return None
    name, address = values.get("id"), values.get("address")
    if not (isinstance(name, str) and isinstance(address, str) and len(address) < 1.4 * MOST_BYTES):
        return None
    kind, found, text = address.partition(START)
    ending = kind.removeprefix(IMAGE).partition("+")[0]
    if not (found and kind.startswith(IMAGE) and ending.isalnum()):
        return None
    try:
        return Pasted(name, f".{SUFFIXES.get(ending, ending)}", base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
