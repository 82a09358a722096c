"""A camera on the page whose pictures are answered while it runs; a button keeps one."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
HTML = """
<div class="camera">
  <div class="frame">
    <video class="view" muted playsinline></video>
    <button class="start" type="button">Start the camera</button>
  </div>
  <button class="shutter" type="button" hidden>Take this photo</button>
  <p class="words" role="status"></p>
</div>
"""
START = "data:image/jpeg;base64,"

_component = st.components.v2.component(
    "unfreeze_live_camera",
    html=HTML,
    css=(HERE / "camera.css").read_text("utf-8"),
    js="\n".join((HERE / name).read_text("utf-8") for name in ("camera_shared.js", "live_camera.js")),
)


@dataclass(frozen=True)
class Frame:
    """What the camera sees.

    Attributes:
        id: Different for each.
        keep: Whether somebody has pressed the button.
        jpeg: A JPEG file.
    """

    id: str
    keep: bool
    jpeg: bytes


def live_camera(answered: str, words: str) -> Frame | None:
    """Show the camera, and return a frame that has come, once.

    `answered` is the id of the last frame that was taken care of, `words` what is said of it below the picture.
    """
    result = _component(key="live-camera", data={"answered": answered, "words": words}, on_frame_change=_nothing)
    return _frame(result.frame)


def _nothing() -> None:
    """Take no note: the frame comes with the rerun."""


def _frame(values: Any) -> Frame | None:
    """What the browser sent, if it has the right form."""
    if not isinstance(values, Mapping):
        return None
    name, keep, jpeg = (values.get(key) for key in ("id", "keep", "jpeg"))
    if not (isinstance(name, str) and isinstance(keep, bool) and isinstance(jpeg, str)):
        return None
    try:
        return Frame(name, keep, base64.b64decode(jpeg.removeprefix(START), validate=True))
    except (binascii.Error, ValueError):
        return None
