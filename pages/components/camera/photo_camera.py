"""A camera on the page that takes photos as long as its button is held down."""

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
  <button class="shutter" type="button" hidden>Hold to take photos</button>
  <p class="words" role="status"></p>
</div>
"""
MOST_IN_BATCH = 20
START = "data:image/jpeg;base64,"

_component = st.components.v2.component(
    "unfreeze_camera",
    html=HTML,
    css=(HERE / "camera.css").read_text("utf-8"),
    js="\n".join((HERE / name).read_text("utf-8") for name in ("camera_shared.js", "camera.js")),
)


@dataclass(frozen=True)
class Batch:
    """Photos that came from the browser together.

    Attributes:
        id: Different for each batch; the same when a batch is sent again.
        dataset: The path of the dataset that they were taken for.
        class_name: The class that they were taken for.
        photos: JPEG files.
    """

    id: str
    dataset: str
    class_name: str
    photos: tuple[bytes, ...]


def camera(dataset: str, class_name: str, count: int, received: str) -> Batch | None:
    """Show the camera; return photos that have come, once.

    `count` is how many photos the class has, `received` the id of the last batch that was taken.
    """
    facts = {"dataset": dataset, "class_name": class_name, "count": count, "received": received}
    result = _component(key="camera", data=facts, on_photos_change=_nothing)
    return _batch(result.photos)


def _nothing() -> None:
    """Take no note: the photos come with the rerun."""


def _batch(values: Any) -> Batch | None:
    """What the browser sent, as far as it has the right form."""
    if not isinstance(values, Mapping):
        return None
    name, dataset, class_name, sent = (values.get(key) for key in ("id", "dataset", "class_name", "photos"))
    if not (isinstance(name, str) and isinstance(dataset, str) and isinstance(class_name, str)):
        return None
    texts = [text for text in sent[:MOST_IN_BATCH] if isinstance(text, str)] if isinstance(sent, list) else []
    return Batch(name, dataset, class_name, tuple(filter(None, map(_jpeg, texts))))


def _jpeg(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(START), validate=True)
    except (binascii.Error, ValueError):
        return b""
