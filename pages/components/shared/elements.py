"""Pieces that most pages draw: the head of a page, facts side by side, tables with a download."""

from collections.abc import Mapping, Sequence

import streamlit as st

from core.csv_files import csv_of_named

ROWS_SHOWN = 1000


def page_head(title: str, sentence: str) -> None:
    """A page's title with one sentence on what it is for."""
    st.title(title, anchor=False)
    st.markdown(sentence)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Small labels with a value each, side by side as far as there is room."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in pairs:
            st.markdown(f":gray[{label}]  \n**{value}**", width="content")


def long_list(rows: Sequence[Mapping[str, str]], file_name: str) -> None:
    """A table that may be long: its first rows, and all of them as a download."""
    if len(rows) > ROWS_SHOWN:
        st.caption(f"Showing the first {ROWS_SHOWN:,} of {len(rows):,}; the download contains all of them.")
    st.dataframe(rows[:ROWS_SHOWN], hide_index=True)
    download_list(rows, file_name)


def download_list(rows: Sequence[Mapping[str, str]], file_name: str) -> None:
    """A button that downloads rows as a CSV file."""
    st.download_button(
        "Download the list (CSV)",
        lambda: csv_of_named(rows),
        file_name,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
