"""A camera on the page whose pictures are answered while it runs; a button keeps one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.language import language, tr, tr_mark
from pages.components.camera import parts

HTML = f"""
<div class="camera live">
  <div class="stage">
    <div class="frame">
      <video class="view" muted playsinline></video>
      <button class="start action" type="button"></button>
    </div>
    {parts.SETTINGS}
  </div>
  <button class="shutter action" type="button" hidden></button>
  <p class="words" role="status"></p>
</div>
"""
STYLE = """
.live { max-width: 360px; }
.start { position: absolute; inset: 0; margin: auto; width: max-content; height: max-content; padding: 0 1.2rem; }
"""
TEXTS = {
    **parts.TEXTS,
    "start": tr_mark("Start the camera"),
    "take": tr_mark("Take this photo"),
    "waiting": tr_mark("Waiting for the camera…"),
}

_component = st.components.v2.component(
    "unfreeze_live_camera",
    html=HTML,
    css=parts.STYLE + STYLE,
    js=f"{parts.SCRIPT}\n{Path(__file__).with_name('live_camera.js').read_text('utf-8')}",
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
    facts = {"answered": answered, "words": words, "texts": {name: tr(text) for name, text in TEXTS.items()}}
    result = _component(key=f"live-camera-{language()}", data=facts, on_frame_change=_nothing)
    return _frame(result.frame)


def _nothing() -> None:
    """Take no note: the frame comes with the rerun."""


def _frame(values: Any) -> Frame | None:
    """What the browser sent, if it has the right form."""
    if not isinstance(values, Mapping):
        return None
    name, keep, sent = (values.get(key) for key in ("id", "keep", "jpeg"))
    if not (isinstance(name, str) and isinstance(keep, bool) and isinstance(sent, str)):
        return None
    jpeg = parts.jpeg_of(sent)
    return None if jpeg is None else Frame(name, keep, jpeg)
