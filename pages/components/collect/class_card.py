"""A class as a card on the page: a component with its JavaScript, which sends what a person does as orders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core import formatting
from core.language import sentences, tr, tr_mark, tr_plural
from pages.components.camera import parts
from pages.components.shared import state

PHOTOS, REMOVE, REMOVE_LAST, UNDO, RENAME, DISCARD = "photos", "remove", "remove_last", "undo", "rename", "discard"
KINDS = frozenset({PHOTOS, REMOVE, REMOVE_LAST, UNDO, RENAME, DISCARD})

HTML = f"""
<div class="card camera" role="group">
  <div class="head">
    <input class="name" type="text" maxlength="120" autocomplete="off" spellcheck="false">
    <b class="count"></b>
    <button class="discard plain" type="button" hidden>✕</button>
  </div>
  <div class="body">
    <div class="stage">
      <div class="frame">
        <svg class="none" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 8.5A1.5 1.5 0 0 1 4.5 7H7l1.5-2.5h7L17
        7h2.5A1.5 1.5 0 0 1 21 8.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5z"/>
        <circle cx="12" cy="13" r="3.5"/></svg>
        <video class="view" muted playsinline></video>
      </div>
      {parts.SETTINGS}
      <button class="shutter action" type="button"></button>
    </div>
    <div>
      <ul class="photos"></ul>
      <button class="last plain" type="button" hidden></button>
      <button class="undo plain" type="button" hidden></button>
      <p class="words" role="status"></p>
    </div>
  </div>
</div>
"""
TEXTS: Mapping[str, str] = {
    "open": tr_mark("Open the camera"),
    "hold": tr_mark("Hold to record"),
    "recording": tr_mark("Recording…"),
    "waiting": tr_mark("Waiting for the camera…"),
    "saving": tr_mark("Saving what was recorded. One moment…"),
    "ready": tr_mark("Now hold the button, and show it the thing."),
    "ready_mirror": tr_mark(
        "Now hold the button, and show it the thing. What you see is a mirror; photos are not mirrored."
    ),
    "name": tr_mark("Name of this class"),
    "photos": tr_mark("Latest photos"),
    "remove": tr_mark("Remove the photo {name}"),
    "remove_this": tr_mark("Remove this photo"),
    "discard": tr_mark("Remove the class {name}"),
    "discard_this": tr_mark("Remove this class"),
}
INSTEAD = tr_mark("Or add photos from files, below.")

MOST_AT_ONCE = 20

MOST_COMING = 80
"""As many photos as a browser may hold that are not saved yet, and more."""

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "unfreeze_class_card",
    html=HTML,
    css=parts.STYLE + (_HERE / "class_card.css").read_text("utf-8"),
    js=f"{parts.SCRIPT}\n{(_HERE / 'class_card.js').read_text('utf-8')}",
)


@dataclass(frozen=True)
class Order:
    """What a person did on a card.

    Attributes:
        id: Different for each; the same when it is sent again.
        kind: One of `KINDS`.
        dataset: Which dataset the card belonged to, as the card was told.
        class_name: The name of its class at that time.
        photos: JPEG files, for "photos".
        hold: Which holding of the button the photos are from.
        names: Files to remove.
        name: The new name of the class, for "rename".
    """

    id: str
    kind: str
    dataset: str
    class_name: str
    photos: tuple[bytes, ...] = ()
    hold: str = ""
    names: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Card:
    """What a card shows.

    Attributes:
        dataset: Which dataset it belongs to; sent back with each order.
        class_name: The name of its class.
        count: How many photos the class has.
        received: The id of the last order of this card that was carried out.
        photos: Names and small JPEGs of the latest photos, the newest first.
        last: How many photos the last holding of the button brought.
        undo: How many photos can be put back; 0 for none.
        removable: Whether the class can be removed.
        problem: Why the last order could not be carried out as a whole.
    """

    dataset: str
    class_name: str
    count: int
    received: str = ""
    photos: Sequence[tuple[str, bytes]] = ()
    last: int = 0
    undo: int = 0
    removable: bool = False
    problem: str = ""


def class_card(key: str, card: Card, carry_out: Callable[[Order], None]) -> None:
    """Show a card; `carry_out` is called with each order before the page is drawn again."""

    def ordered() -> None:
        order = _order(getattr(state.widget(key), "order", None))
        if order is not None:
            carry_out(order)

    photos = [{"name": name, "picture": parts.address_of(jpeg)} for name, jpeg in card.photos]
    texts = {**_texts_of(parts.TEXTS), **_texts_of(TEXTS), **_counted(card), "troubles": _troubles()}
    _component(key=key, data={**vars(card), "photos": photos, "texts": texts}, on_order_change=ordered)


def _texts_of(marked: Mapping[str, str]) -> dict[str, str]:
    return {name: tr(message) for name, message in marked.items()}


def _troubles() -> dict[str, str]:
    """What is said of each trouble with the camera, by its name, and what helps."""
    return {name: sentences(tr(message), tr(INSTEAD)) for name, message in parts.TEXTS.items()}


def _counted(card: Card) -> dict[str, str | list[str]]:
    """Texts with a number in them; the browser says how many photos there are while some are on their way."""
    return {
        "counts": [formatting.photos(card.count + coming) for coming in range(MOST_COMING + 1)],
        "last": tr("Remove the last {count}", count=card.last),
        "undo": tr_plural("Put the photo back", "Put {count} photos back", card.undo),
    }


def _order(values: Any) -> Order | None:
    """What the browser sent, if it has the right form."""
    if not isinstance(values, Mapping) or values.get("kind") not in KINDS:
        return None
    texts = {field: values.get(field, "") for field in ("id", "kind", "dataset", "class_name", "hold", "name")}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["id"]:
        return None
    jpegs = (parts.jpeg_of(text) for text in _texts(values.get("photos")))
    return Order(**texts, photos=tuple(filter(None, jpegs)), names=tuple(_texts(values.get("names"))))


def _texts(values: Any) -> list[str]:
    """The texts in a list, as many as one order may bring."""
    return [text for text in values[:MOST_AT_ONCE] if isinstance(text, str)] if isinstance(values, list) else []
