"""Choosing the run whose model is used: the same on every page that uses one."""

import streamlit as st

from core.language import tr
from pages.components.shared import elements, run_descriptions, state
from pages.components.shared.run_descriptions import LoadedRun

KEY = "model-in-use"


def choose_run(*, labelled: bool = True) -> LoadedRun | None:
    """The runs that have a model, newest first, the one in the address at first; None where there is none.

    A choice goes into the address; a run shown only because it is the newest does not, so other pages keep theirs.
    Unless `labelled`, the label is only read out.
    """
    ready = {shown.run.id: shown for shown in run_descriptions.all_runs()[0] if shown.run.serving_folder.is_dir()}
    if not ready:
        st.info(tr("There is no trained model yet."), icon=":material/model_training:")
        st.page_link("pages/train/train.py", label=tr("Train one"), icon=":material/local_fire_department:")
        return None
    if state.run_id() in ready:
        state.remember(KEY, state.run_id())
    labels = {name: run_descriptions.describe_with_accuracy(shown) for name, shown in ready.items()}
    return ready[elements.choose(tr("Model"), labels, KEY, state.open_run, labelled=labelled)]
