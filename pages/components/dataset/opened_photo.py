"""One photo of a dataset, large, with what can be decided about it: what a gallery opens."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.data.class_names import shown_name
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from core.data.scan.folder import ImageFolder
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
        st.dialog("Photo", width="medium", icon=":material/photo:")(_one)(album)


def _one(album: Album) -> None:
    place = state.recall(PLACE, 0)
    position = album.positions[place]
    path, label = album.folder.paths[position], album.folder.class_names[album.folder.labels[position]]
    name = shown_name(label, album.folder.class_names)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{place + 1:,} of {len(album.positions):,}**", width="stretch")
        _step("Back", ":material/chevron_left:", "Left", place - 1, album)
        _step("Next", ":material/chevron_right:", "Right", place + 1, album)
    photo, facts = st.columns([3, 2], gap="medium")
    with photo:
        file = album.folder.absolute(position)
        thumbnails.show_photo(file, datasets.large, PHOTO_PIXELS, f"{path}, labelled {name}")
        st.caption(markdown.escape(path))
    with facts:
        st.markdown(f"## {markdown.escape(name)}")
        if position in album.decisions:
            st.markdown(f":green-badge[:material/check: {in_words(album.decisions[position], album.folder)}]")
        _decisions(album, position, label)


def in_words(decision: Decision, folder: ImageFolder) -> str:
    """What was decided about a photo of a dataset, safe as Markdown."""
    words = {EXCLUDE: "left out", KEEP: "marked as correct", RELABEL: "moved to"}
    label = markdown.escape(shown_name(decision.label, folder.class_names))
    return f"{words[decision.action]} {label}" if label else words[decision.action]


def short(decision: Decision, folder: ImageFolder) -> str:
    """What was decided about a photo of a dataset, in a word or two, as plain text for a badge."""
    now = f"now {shown_name(decision.label, folder.class_names)}"
    return {EXCLUDE: "left out", KEEP: "correct", RELABEL: now}[decision.action]


def _step(label: str, icon: str, key: str, place: int, album: Album) -> None:
    there = 0 <= place < len(album.positions)
    arguments = (PLACE, place)
    st.button(label, icon=icon, shortcut=key, disabled=not there, on_click=state.remember, args=arguments)


def _decisions(album: Album, position: int, label: str) -> None:
    """What can be decided; the page is then drawn anew, without the dialog."""
    with st.container(gap="xsmall"):
        for action, words, icon, key in (
            (KEEP, "The label is correct", ":material/check:", "K"),
            (EXCLUDE, "Leave it out", ":material/block:", "X"),
        ):
            if st.button(words, icon=icon, shortcut=key, key=f"opened-{action}", width="stretch"):
                album.decide(action, position, "")
                st.rerun()
        others = [name for name in album.folder.class_names if name != label]
        chosen = st.selectbox(
            "Or move it to",
            others,
            index=None,
            format_func=lambda name: shown_name(name, album.folder.class_names),
            placeholder="Choose a class…",
            key=f"opened-move-{position}",
        )
        if chosen:
            album.decide(RELABEL, position, chosen)
            st.rerun()
