"""Unfreeze: the list of pages and their configuration. `python app.py` serves it, `streamlit run app.py` does too."""

import streamlit as st
from streamlit import runtime

from core import language
from core.language import tr, tr_mark
from pages.components.cached import runs
from pages.components.server import serve, uploads
from pages.components.shared import elements, state
from pages.components.shared.report_errors import reporting
from pages.components.way import navigation

PAGES = {
    "Photos": [
        ("pages/prepare/dataset.py", tr_mark("Dataset"), ":material/photo_library:"),
        ("pages/prepare/collect.py", tr_mark("Collect"), ":material/add_a_photo:"),
        ("pages/prepare/label.py", tr_mark("Label"), ":material/label:"),
        ("pages/prepare/augmentations.py", tr_mark("Augmentations"), ":material/auto_fix_high:"),
    ],
    "Train": [
        ("pages/train/train.py", tr_mark("Train"), ":material/local_fire_department:"),
        ("pages/train/runs.py", tr_mark("Runs"), ":material/history:"),
        ("pages/train/compare.py", tr_mark("Compare"), ":material/balance:"),
    ],
    "Try": [
        ("pages/use/predict.py", tr_mark("Predict"), ":material/image_search:"),
        ("pages/use/evaluate.py", tr_mark("Evaluate"), ":material/troubleshoot:"),
        ("pages/use/label_check.py", tr_mark("Label check"), ":material/fact_check:"),
        ("pages/use/export.py", tr_mark("Export"), ":material/ios_share:"),
    ],
}
"""File, title and icon of each page by the step of the way that it belongs to, the step's own page first.

Visitors begin with the very first."""


def draw() -> None:
    """The page that was asked for, beside the steps of the way and the list of all pages."""
    st.set_page_config(page_title="Unfreeze", page_icon="pages/components/shared/icon.png", layout="wide")
    language.choose(language.matching(state.language()))
    st.html(elements.READABLE)
    st.logo("pages/components/shared/logo.svg", size="large")
    listed = {
        section: [st.Page(file, title=tr(title), icon=icon) for file, title, icon in rows]
        for section, rows in PAGES.items()
    }
    page = st.navigation(listed, position="hidden")
    with reporting():
        navigation.draw(PAGES)
        uploads.show_refused()
        runs.queue_keeper()
        page.run()


language.find_by(state.language)
if runtime.exists():
    draw()
elif __name__ == "__main__":
    serve.serve(__file__)
else:  # the server looks for it here, however it was started
    app = st.App(__file__, middleware=serve.middleware(), lifespan=serve.lifespan)
