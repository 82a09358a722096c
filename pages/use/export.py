"""Export a model: in a format that other programs read, as a report, or as a run for another computer."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.language import tr, tr_mark
from pages.components.export import report_view
from pages.components.export.export_view import show_exports
from pages.components.runs.run_view import random_weights_warning
from pages.components.runs.transfer_view import show_export
from pages.components.shared import elements
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun

# What can be exported, what it is called, and what shows it.
VIEWS: Mapping[str, tuple[str, Callable[[LoadedRun], None]]] = {
    "model": (tr_mark("Model"), lambda shown: show_exports(shown.run)),
    "report": (tr_mark("Report"), report_view.show),
    "run": (tr_mark("Move this run"), lambda shown: show_export(shown.run)),
}

elements.page_head(
    tr("Export"), tr("Take a model with you: into an app, into another program, or to another computer.")
)
choices = st.container(horizontal=True, vertical_alignment="center", key="export-choices")
with choices:
    chosen = choose_run(labelled=False)
if chosen:
    view = choices.segmented_control(
        tr("What to export"),
        list(VIEWS),
        default="model",
        required=True,
        format_func=lambda name: tr(VIEWS[name][0]),
        key="export-view",
        label_visibility="collapsed",
    )
    if chosen.recipe.weights == "random":
        random_weights_warning()
    VIEWS[view][1](chosen)
