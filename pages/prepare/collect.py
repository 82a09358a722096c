"""Build a dataset: class by class, from a ZIP file, or from a catalogue on the internet."""

import streamlit as st

from core.language import tr, tr_mark
from pages.components.collect import board, catalogue_view, zip_file
from pages.components.shared.report_errors import reporting

WAYS = {
    "photos": (tr_mark("Photos and camera"), board.show),
    "zip": (tr_mark("ZIP file"), zip_file.show),
    "internet": (tr_mark("From the internet"), catalogue_view.show),
}

with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.title(tr("Collect"), anchor=False, width="content")
    way = st.segmented_control(
        tr("Way in"),
        list(WAYS),
        default=next(iter(WAYS)),
        required=True,
        format_func=lambda name: tr(WAYS[name][0]),
        key="way-in",
        persist_state="session",
        label_visibility="collapsed",
    )
with reporting():
    WAYS[way][1]()
