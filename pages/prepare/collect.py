"""Build a dataset: class by class, from a ZIP file, or from a catalogue on the internet."""

import streamlit as st

from pages.components.collect import board, catalogue_view, zip_file
from pages.components.shared.report_errors import reporting

WAYS = {"Photos and camera": board.show, "ZIP file": zip_file.show, "From the internet": catalogue_view.show}

with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.title("Collect", anchor=False, width="content")
    way = st.segmented_control(
        "Way in",
        list(WAYS),
        default=next(iter(WAYS)),
        required=True,
        key="way-in",
        persist_state="session",
        label_visibility="collapsed",
    )
with reporting():
    WAYS[way]()
