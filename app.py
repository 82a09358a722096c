"""Unfreeze: the list of pages and their configuration. `python app.py` serves it, `streamlit run app.py` does too."""

import streamlit as st

from pages.components.cached import runs
from pages.components.shared.serve import serve_unless_served

serve_unless_served(__file__)

st.set_page_config(page_title="Unfreeze", page_icon="pages/components/shared/icon.png", layout="wide")

PAGES = {
    "Prepare": [
        st.Page("pages/prepare/dataset.py", title="Dataset", icon=":material/photo_library:", default=True),
        st.Page("pages/prepare/collect.py", title="Collect", icon=":material/add_a_photo:"),
        st.Page("pages/prepare/augmentations.py", title="Augmentations", icon=":material/auto_fix_high:"),
    ],
    "Train": [
        st.Page("pages/train/train.py", title="Train", icon=":material/local_fire_department:"),
        st.Page("pages/train/runs.py", title="Runs", icon=":material/history:"),
        st.Page("pages/train/compare.py", title="Compare", icon=":material/balance:"),
    ],
    "Use": [
        st.Page("pages/use/evaluate.py", title="Evaluate", icon=":material/troubleshoot:"),
        st.Page("pages/use/predict.py", title="Predict", icon=":material/image_search:"),
        st.Page("pages/use/label_check.py", title="Label check", icon=":material/fact_check:"),
        st.Page("pages/use/export.py", title="Export", icon=":material/ios_share:"),
    ],
}

runs.queue_keeper()
st.logo("pages/components/shared/logo.svg", size="large")
st.navigation(PAGES, expanded=True).run()
