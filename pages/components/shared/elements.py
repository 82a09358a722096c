"""Pieces that most pages draw: the head of a page and what leads on from it, facts in a row, tables with a download."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.csv_files import csv_of_named
from core.data.scan.walk import LeftOut
from core.language import tr, tr_mark
from pages.components.shared import glossary, markdown, state

Option = TypeVar("Option")
Rows = Sequence[Mapping[str, str]]

ROWS_SHOWN, ROWS_WRAPPED = 1000, 20

HEADINGS = {
    "file": tr_mark("file"),
    "reason": tr_mark("reason"),
    "why it was left out": tr_mark("why it was left out"),
    "named in the table": tr_mark("named in the table"),
    "class": tr_mark("class"),
    "photos (support)": tr_mark("photos (support)"),
    "recall": tr_mark("recall"),
    "precision": tr_mark("precision"),
    "F1": tr_mark("F1"),
}
"""Columns of lists as a page shows them; in a file to download they keep their English names."""

READABLE = Path(__file__).with_name("readable.css")
"""A style for all pages: text that can be read where Streamlit's own cannot."""


def page_head(title: str, sentence: str = "") -> DeltaGenerator:
    """A page's title with one sentence on what it is for; returns the place for the button that leads on."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(title, anchor=False)
        place = st.container(width="content", key="lead-on")
    if sentence:
        st.markdown(sentence)
    return place


def lead_on(
    place: DeltaGenerator,
    label: str,
    page: str,
    icon: str,
    before: Callable[[], None] | None = None,
    *,
    stands_out: bool = True,
) -> None:
    """The button with which a page leads on to the next one; `before` is called on the way.

    It stands out unless something else on the page comes first.
    """
    if place.button(label, icon=icon, type="primary" if stands_out else "secondary", key="lead-on-to"):
        if before:
            before()
        st.switch_page(page)


def first_on_phone(inside: str, *keys: str) -> None:
    """On a phone, draw these parts of a container, or of columns in it, first and in this order; all go by their keys.

    There, what a page is for must not stand below a screen of controls.
    """
    places = f":is(.st-key-{inside},.st-key-{inside} [data-testid=stHorizontalBlock])"
    rules = (
        f"{places}>:is(.st-key-{key},:has(.st-key-{key})){{order:{place - len(keys)}}}"
        for place, key in enumerate(keys)
    )
    st.html(f"<style>@media (max-width:640px){{{''.join(rules)}}}</style>")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Small labels with a value each, side by side as far as there is room; the glossary explains some on hover."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in pairs:
            st.markdown(f":gray[{label}]  \n**{value}**", width="content", help=glossary.meaning(label))


def choose(
    label: str,
    labels: Mapping[Option, str],
    key: str,
    on_change: Callable[[Option], None] | None = None,
    *,
    labelled: bool = True,
) -> Option:
    """Choose one of several options, whose labels may change at any time, such as with a count or a name in them.

    Streamlit knows a choice by its label and would go on showing a former one. So with other labels this is another
    box, in which the last choice is chosen; `on_change` is called with a new one. Unless `labelled`, the label is only
    read out.
    """
    options = list(labels)
    box, last = f"{key}-{hash(tuple(labels.items()))}", state.recall(key, options[0])
    chosen = st.selectbox(
        label,
        options,
        index=options.index(last) if last in options else 0,
        format_func=labels.__getitem__,
        key=box,
        label_visibility="visible" if labelled else "collapsed",
        on_change=lambda: on_change(state.widget(box)) if on_change else None,
    )
    state.remember(key, chosen)
    return chosen


def left_out_list(left_out: Sequence[LeftOut], file_name: str = "left-out.csv") -> None:
    """Files that could not be used, each with its reason, as `long_list` shows them."""
    long_list([{"file": entry.path, "why it was left out": entry.reason} for entry in left_out], file_name)


def long_list(rows: Sequence[Mapping[str, str]], file_name: str) -> None:
    """A table that may be long: its first rows, and all of them as a download.

    A short one wraps its texts, so that on a phone no reason is cut off.
    """
    if len(rows) > ROWS_SHOWN:
        shown = tr(
            "Showing the first {count} of {total}; the download contains all of them.",
            count=ROWS_SHOWN,
            total=len(rows),
        )
        st.caption(shown)
    if len(rows) <= ROWS_WRAPPED:
        plain = [{_heading(name): markdown.escape(text) for name, text in row.items()} for row in rows]
        st.table(plain, border="horizontal", hide_index=True)
    else:
        st.dataframe(
            [{_heading(name): text for name, text in row.items()} for row in rows[:ROWS_SHOWN]], hide_index=True
        )
    download_list(rows, file_name)


def _heading(name: str) -> str:
    return tr(HEADINGS[name]) if name in HEADINGS else name


def download_list(rows: Rows | Callable[[], Rows], file_name: str) -> None:
    """A button that downloads rows, perhaps made only then, as a CSV file."""
    st.download_button(
        tr("Download the list (CSV)"),
        lambda: csv_of_named(rows() if callable(rows) else rows),
        file_name,
        "text/csv",
        key=f"download-{file_name}",
        icon=":material/download:",
        on_click="ignore",
    )
