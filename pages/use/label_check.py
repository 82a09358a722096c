"""Check the labels of a whole dataset, or of photos with given labels."""

import streamlit as st

from core.language import tr, tr_mark
from pages.components.labels import dataset_check, given_labels
from pages.components.shared import elements

DATASET, PHOTOS = "dataset", "photos"
TITLES = {DATASET: tr_mark("A dataset"), PHOTOS: tr_mark("Photos with given labels")}
CHECKS = {DATASET: dataset_check.show, PHOTOS: given_labels.show}

with st.container(key="label-page"):
    with st.container(key="label-title"):
        elements.page_head(
            tr("Label check"),
            tr("Are the labels right? See which photos are probably in the wrong class, and decide."),
        )
    chosen = st.segmented_control(
        tr("What to check"),
        list(CHECKS),
        default=DATASET,
        required=True,
        format_func=lambda name: tr(TITLES[name]),
        key="label-check",
        persist_state="session",
        label_visibility="collapsed",
    )
    CHECKS[chosen]()
