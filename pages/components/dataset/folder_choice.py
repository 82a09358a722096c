"""Picking a folder: a path to paste, and a walk through the folders under the allowed roots."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.data.scan import folder_picker
from core.data.scan.folder import check_inside
from core.language import tr
from pages.components.cached import services
from pages.components.shared import markdown, state
from pages.components.shared.report_errors import reporting

BROWSED = "browse"


@dataclass(frozen=True)
class Wanted:
    """Which folder is looked for. Its texts are marked for translation.

    Attributes:
        label: What the field for its path is called.
        example: Name of a folder, for an example.
        explanation: What to type, in a sentence.
        highlighted: What highlighted folders are, in a sentence.
        fits: Whether a folder looks like one, so that it is highlighted and a click chooses it.
    """

    label: str
    example: str
    explanation: str
    highlighted: str
    fits: Callable[[Path], bool]


def pick(wanted: Wanted, on_choice: Callable[[Path], None]) -> None:
    """Let a person choose a folder; `on_choice` is then called, before the page is drawn again."""
    with st.form("path", border=False):
        typed = st.text_input(
            tr(wanted.label),
            key="folder-path",
            placeholder=str(services.settings().dataset_roots[-1] / "Pictures" / wanted.example),
            help=tr(wanted.explanation),
        )
        pressed = st.form_submit_button(
            tr("Open the folder"), key="open-folder", icon=":material/folder_open:", type="primary"
        )
    if pressed and typed:
        with reporting():
            on_choice(check_inside(typed.strip().strip("\"'"), services.settings().dataset_roots))
        st.rerun()
    _browse(wanted, on_choice)


def _browse(wanted: Wanted, on_choice: Callable[[Path], None]) -> None:
    roots = services.settings().dataset_roots
    here = Path(state.recall(BROWSED, "") or roots[-1])
    with st.container(border=True):
        st.markdown(tr("Or look for it: {folder}", folder=markdown.escape(here)))
        with reporting():
            inner = folder_picker.browse(here, roots)
        with st.container(horizontal=True, gap="small"):
            for root in roots:
                name = markdown.escape(root.name or root)
                st.button(name, key=f"root-{root}", icon=":material/home:", on_click=_go, args=(root,))
            if here not in roots:
                st.button(
                    tr("Up one level"), key="up", icon=":material/arrow_upward:", on_click=_go, args=(here.parent,)
                )
            if here not in roots and not wanted.fits(here):
                st.button(
                    tr("Use this folder"), key="use-folder", icon=":material/check:", on_click=on_choice, args=(here,)
                )
        with st.container(horizontal=True, gap="small", height=220 if len(inner) > 12 else "content"):
            for path in inner:
                _folder_button(path, wanted, on_choice)
        st.caption(tr(wanted.highlighted) if inner else tr("This folder has no subfolders."))


def _folder_button(path: Path, wanted: Wanted, on_choice: Callable[[Path], None]) -> None:
    fits = wanted.fits(path)
    st.button(
        markdown.escape(path.name),
        key=f"go-{path}",
        icon=":material/photo_library:" if fits else ":material/folder:",
        type="primary" if fits else "secondary",
        on_click=on_choice if fits else _go,
        args=(path,),
    )


def _go(path: Path) -> None:
    state.remember(BROWSED, str(path))
