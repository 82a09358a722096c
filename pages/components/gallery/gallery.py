"""Photos as buttons in a grid, which are opened, selected and decided about by click or by key: a component."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance

from core.language import tr, tr_context
from pages.components.shared import colours, state

HERE = Path(__file__).parent
HTML = """
<div class="gallery">
  <p class="hint" id="hint"></p>
  <div class="grid" aria-describedby="hint"></div>
  <p class="told" role="status"></p>
  <div class="bar" hidden></div>
</div>
"""
OPEN = "open"
"""What the browser says when a photo is to be opened; no action has this name."""

RIGHT, WRONG, DECIDED, UNSURE = "right", "wrong", "decided", "unsure"
SIGNS = {RIGHT: "✓", WRONG: "✕", DECIDED: "✓", UNSURE: "?"}
"""What a badge means, as a sign beside its colour."""

RESERVED = frozenset("CRZ")
"""Keys that Streamlit uses, and the one that undoes."""

LISTENING = threading.Lock()
"""Two runs of one page may overlap; decisions are to be made in the order in which they were said."""

_component = st.components.v2.component(
    "unfreeze_gallery",
    html=HTML,
    css=f":host{{--answer:{colours.ANSWER};--wrong:{colours.WRONG};--ink:{colours.INK};--edge:{colours.EDGE}}}\n"
    + (HERE / "gallery.css").read_text("utf-8"),
    js=(HERE / "gallery.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Photo:
    """A photo of a gallery. All texts are shown as they are.

    Attributes:
        id: Tells it from the others of its gallery, and remains the same, such as its path.
        picture: A small JPEG or PNG; empty where the photo can no longer be read.
        title: What stands below it, such as its class.
        note: A second line; without a picture, why there is none.
        badge: A few words on the picture.
        mark: What the badge means, a key of `SIGNS`; empty where it is a mere fact.
        name: What it is called, where that is not its id.
    """

    id: str
    picture: bytes
    title: str
    note: str = ""
    badge: str = ""
    mark: str = ""
    name: str = ""

    @property
    def spoken(self) -> str:
        """All that is said of it, for those who cannot see it, and on a hover."""
        said = self.badge
        if self.mark == WRONG:
            said = tr("wrong: {answer}", answer=self.badge)
        elif self.mark == RIGHT:
            said = tr("right: {answer}", answer=self.badge)
        name = self.name or self.id
        note = "" if self.note in name else self.note
        return " · ".join(part for part in (self.title, said, note, name) if part)


@dataclass(frozen=True)
class Action:
    """What can be decided about photos of a gallery.

    Attributes:
        name: Its name in code.
        key: The letter or digit that decides so.
        label: What its button says.
        choices: What is chosen with it, such as a class; empty where there is nothing to choose.
        choice: The choice at the beginning, or empty.
        shown: What the choices are called on the screen, in the same order; as they are if empty.

    Raises:
        ValueError: The key is none that is free, or the name is not.
    """

    name: str
    key: str
    label: str
    choices: tuple[str, ...] = ()
    choice: str = ""
    shown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the key and the name."""
        if len(self.key) != 1 or not self.key.isalnum() or self.key.upper() in RESERVED or self.name == OPEN:
            raise ValueError(f"action {self.name!r} cannot have the key {self.key!r}")


@dataclass(frozen=True)
class Said:
    """What a browser says: that photos are to be opened, or what is decided about them.

    Attributes:
        order: What tells it from everything that was said before, and that it is later: session and number.
        what: `OPEN`, or the name of an action.
        photos: Ids.
        choice: For an action with choices, one of them; else empty.
        selected: Ids of what is selected then.
    """

    order: tuple[str, int]
    what: str
    photos: tuple[str, ...]
    choice: str
    selected: tuple[str, ...]


Decide = Callable[[str, Sequence[str], str], None]
"""Called with the name of an action, ids of photos, and the choice."""


def gallery(
    key: str,
    photos: Sequence[Photo],
    label: str,
    opened: Callable[[str], None] | None = None,
    actions: Sequence[Action] = (),
    decided: Decide | None = None,
    *,
    hint: bool = True,
) -> None:
    """Show photos as a grid of buttons.

    A click or Enter opens, arrow keys move, Shift and the place in the corner select, keys decide about the selected
    photos, or else the one that has the focus. Only opening and deciding run the page again, each once.

    Args:
        key: Tells this gallery from the others of the page.
        photos: In order.
        label: What photos these are, for those who cannot see them.
        opened: Called with the id of a photo before the page is drawn again; without it, none can be opened.
        actions: What can be decided; without any, nothing can be selected.
        decided: Called with each decision before the page is drawn again.
        hint: Whether it is shown what can be done, not only told to those who cannot see.
    """
    kept = f"gallery-{key}"
    done, selected, current = state.recall(kept, (("", 0), (), ""))
    facts = {
        "label": label,
        "photos": [_fact(key, place, photo) for place, photo in enumerate(photos)],
        "actions": [asdict(action) for action in actions],
        "opens": opened is not None,
        "hinted": hint,
        "signs": SIGNS,
        "words": _words(len(photos), opened is not None, bool(actions)),
        "done": f"{done[0]} {done[1]}",
        "selected": selected,
        "current": current,
    }
    ids = frozenset(photo.id for photo in photos)

    def listen() -> None:
        with LISTENING:
            for said in heard(state.widget(key), ids, actions, state.recall(kept, (("", 0),))[0]):
                state.remember(kept, (said.order, said.selected, said.photos[0]))
                if said.what == OPEN and opened:
                    opened(said.photos[0])
                elif decided:
                    decided(said.what, said.photos, said.choice)

    _component(key=key, data=facts, on_said_change=listen)


def heard(values: Any, ids: Collection[str], actions: Sequence[Action], done: tuple[str, int]) -> list[Said]:
    """What is new of what the browser sent, oldest first, as far as it has the right form.

    Args:
        values: What it sent: everything of which it does not know yet that it was heard.
        ids: Of the photos that it shows; others are ignored.
        actions: What can be decided.
        done: The order of the last that was heard.
    """
    sent = values.get("said") if hasattr(values, "get") else None
    known = {action.name: action for action in actions}
    found = [said for each in (sent if isinstance(sent, list) else []) if (said := _said(each, ids, known))]
    return [said for said in found if said.order[0] != done[0] or said.order[1] > done[1]]


def _said(values: Any, ids: Collection[str], actions: Mapping[str, Action]) -> Said | None:
    if not isinstance(values, Mapping):
        return None
    session, number, what, choice = (values.get(name) for name in ("session", "number", "what", "choice"))
    photos, selected = (_known(values.get(name), ids) for name in ("photos", "selected"))
    if not (isinstance(session, str) and isinstance(what, str) and isinstance(choice, str) and photos):
        return None
    if isinstance(number, bool) or not isinstance(number, int) or what not in {OPEN, *actions}:
        return None
    choices = actions[what].choices if what in actions else ()
    if choice not in (choices or ("",)):
        return None
    return Said((session, number), what, photos, choice, selected)


def _known(sent: Any, ids: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in sent if isinstance(name, str) and name in ids) if isinstance(sent, list) else ()


def _fact(key: str, place: int, photo: Photo) -> dict[str, str]:
    facts = {name: getattr(photo, name) for name in ("id", "title", "note", "badge", "mark", "spoken")}
    return {**facts, "url": _address(photo.picture, f"{key}-{place}") if photo.picture else ""}


def _address(picture: bytes, place: str) -> str:
    """Where the browser finds a picture: it loads each once, however often the page is drawn."""
    kind = "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{f'/{base}' if base else ''}{get_instance().media_file_mgr.add(picture, kind, place)}"


def _words(count: int, opens: bool, selects: bool) -> dict[str, str]:
    """What is said around the photos; `{count}` is filled in by the browser."""
    hints = {
        (True, True): tr("Click a photo to open it, its corner to select it; Shift selects several."),
        (True, False): tr("Click a photo to open it."),
        (False, True): tr("Click photos to select them; Shift selects several."),
        (False, False): "",
    }
    return {
        "hint": hints[opens, selects],
        "count": tr("{count} selected", count="{count}"),
        "all": tr("All {count}", count=count),
        "none": tr_context("selection", "None"),
        "choose": tr("Class…"),
    }
