"""One photo of a dataset, large, with what can be decided about it: what a gallery opens."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.data.class_names import shown_name
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from core.data.scan.folder import ImageFolder
from core.language import tr
from pages.components.cached import datasets
from pages.components.shared import markdown, state, thumbnails

OPENED, PLACE = "opened-photo", "opened-place"
PHOTO_PIXELS = 420

Decide = Callable[[str, int, str], None]
"""Keeps a decision: its action, the position of the photo, and a class or an empty text."""


@dataclass(frozen=True, eq=False)
class Album:
    """Photos that are looked through one by one.

    Attributes:
        folder: Where they are, with their labels.
        positions: Which ones, in order.
        decisions: The decision in force by position, for photos that have one.
        decide: Keeps a decision.
    """

    folder: ImageFolder
    positions: tuple[int, ...]
    decisions: dict[int, Decision]
    decide: Decide


def open_photo(album: Album, position: int) -> None:
    """Show a photo once the page is drawn; for callbacks."""
    state.remember(OPENED, album)
    state.remember(PLACE, album.positions.index(position))


def show_opened() -> None:
    """A dialog with the photo that was just opened, if one was."""
    album = state.take(OPENED)
    if isinstance(album, Album):
        st.dialog(tr("Photo"), width="medium", icon=":material/photo:")(_one)(album)


def _one(album: Album) -> None:
    place = state.recall(PLACE, 0)
    position = album.positions[place]
    path, label = album.folder.paths[position], album.folder.class_names[album.folder.labels[position]]
    name = shown_name(label, album.folder.class_names)
    with st.container(horizontal=True, vertical_alignment="center"):
        words = tr("**{number} of {total}**", number=place + 1, total=len(album.positions))
        st.markdown(words, width="stretch")
        _step("back", tr("Back"), ":material/chevron_left:", "Left", place - 1, album)
        _step("next", tr("Next"), ":material/chevron_right:", "Right", place + 1, album)
    photo, facts = st.columns([3, 2], gap="medium")
    with photo:
        file = album.folder.absolute(position)
        thumbnails.show_photo(file, datasets.large, PHOTO_PIXELS, tr("{photo}, labelled {name}", photo=path, name=name))
        st.caption(markdown.escape(path))
    with facts:
        st.markdown(f"## {markdown.escape(name)}")
        if position in album.decisions:
            st.markdown(f":green-badge[:material/check: {in_words(album.decisions[position], album.folder)}]")
        _decisions(album, position, label)


def in_words(decision: Decision, folder: ImageFolder) -> str:
    """What was decided about a photo of a dataset, safe as Markdown."""
    if decision.action == RELABEL:
        return tr("moved to {name}", name=markdown.escape(shown_name(decision.label, folder.class_names)))
    return tr("left out") if decision.action == EXCLUDE else tr("marked as correct")


def short(decision: Decision, folder: ImageFolder) -> str:
    """What was decided about a photo of a dataset, in a word or two, as plain text for a badge."""
    if decision.action == RELABEL:
        return tr("now {name}", name=shown_name(decision.label, folder.class_names))
    return tr("left out") if decision.action == EXCLUDE else tr("correct")


def _step(name: str, label: str, icon: str, key: str, place: int, album: Album) -> None:
    there = 0 <= place < len(album.positions)
    st.button(
        label,
        icon=icon,
        shortcut=key,
        key=f"opened-{name}",
        disabled=not there,
        on_click=state.remember,
        args=(PLACE, place),
    )


def _decisions(album: Album, position: int, label: str) -> None:
    """What can be decided; the page is then drawn anew, without the dialog."""
    with st.container(gap="xsmall"):
        for action, words, icon, key in (
            (KEEP, tr("The label is correct"), ":material/check:", "K"),
            (EXCLUDE, tr("Leave it out"), ":material/block:", "X"),
        ):
            if st.button(words, icon=icon, shortcut=key, key=f"opened-{action}", width="stretch"):
                album.decide(action, position, "")
                st.rerun()
        others = [name for name in album.folder.class_names if name != label]
        chosen = st.selectbox(
            tr("Or move it to"),
            others,
            index=None,
            format_func=lambda name: shown_name(name, album.folder.class_names),
            placeholder=tr("Choose a class…"),
            key=f"opened-move-{position}",
        )
        if chosen:
            album.decide(RELABEL, position, chosen)
            st.rerun()
