"""Are the labels right? Of a whole dataset, or of photos for which somebody claims a label."""

import streamlit as st

from pages.components.labels import dataset_check, given_labels
from pages.components.shared import elements

DATASET, CLAIMS = "A dataset", "Photos with a claimed label"
WAYS = {DATASET: dataset_check.show, CLAIMS: given_labels.show}

elements.page_head("Label check", "Are the labels right? See which photos are probably in the wrong class, and decide.")
way = st.segmented_control(
    "What to check",
    list(WAYS),
    default=DATASET,
    required=True,
    key="label-check",
    persist_state="session",
    label_visibility="collapsed",
)
WAYS[way]()
