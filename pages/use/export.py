"""Export a model: in a format that other programs read, as a report, or as a run for another computer."""

from collections.abc import Callable, Mapping

import streamlit as st

from pages.components.export import report_view
from pages.components.export.export_view import show_exports
from pages.components.runs.run_view import random_weights_warning
from pages.components.runs.transfer_view import show_export
from pages.components.shared import elements
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun

# What can be exported, and what shows it.
VIEWS: Mapping[str, Callable[[LoadedRun], None]] = {
    "Model": lambda shown: show_exports(shown.run),
    "Report": report_view.show,
    "Move this run": lambda shown: show_export(shown.run),
}

elements.page_head("Export", "Take a model with you: into an app, into another program, or to another computer.")
chosen = choose_run()
if chosen:
    view = st.segmented_control("What to export", list(VIEWS), default="Model", required=True, key="export-view")
    if chosen.recipe.weights == "random":
        random_weights_warning()
    VIEWS[view](chosen)
