"""Evaluate a trained model on photos that were not used in training: its own test photos, or others."""

from collections.abc import Callable

import streamlit as st

from core.language import tr, tr_mark
from pages.components.cached import runs
from pages.components.evaluate.confidence import confidence
from pages.components.evaluate.elsewhere import elsewhere, what_does_not_count
from pages.components.evaluate.embedding_map import embedding_map
from pages.components.evaluate.grade import grade
from pages.components.evaluate.heat_maps import heat_maps, show_opened_photo
from pages.components.evaluate.mistakes import mistakes
from pages.components.evaluate.overview import overview
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, EvaluatedSubset
from pages.components.evaluate.sentences import OTHER, SUBSETS, TITLES
from pages.components.evaluate.training_dynamics import training_dynamics
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.shared.run_embeddings import embeddings_of

OVERVIEW, DYNAMICS = "overview", "training-dynamics"
SECTIONS: dict[str, tuple[str, Callable[[EvaluatedSubset], None]]] = {
    OVERVIEW: (tr_mark("Overview"), overview),
    MISTAKES: (tr_mark("Mistakes"), mistakes),
    "confidence": (tr_mark("Confidence"), confidence),
    "heat-maps": (tr_mark("Heat maps"), heat_maps),
    DYNAMICS: (tr_mark("Training dynamics"), training_dynamics),
    "map": (tr_mark("Map"), embedding_map),
}
"""What each section is called, and what shows it."""

TEST, VALIDATION, TRAINING = SUBSETS


def choose_subset(section: str) -> str:
    """Choose test photos (the default), others of the run, or photos from elsewhere; only those that a section has."""
    only = [VALIDATION] if section == DYNAMICS else [*SUBSETS, OTHER]
    return st.segmented_control(
        tr("Photos"),
        only,
        default=only[0],
        required=True,
        format_func=lambda name: SUBSETS[name]() if name in SUBSETS else tr(TITLES[name]),
        key=f"evaluate-part-{len(only)}",
        persist_state="session",
        label_visibility="collapsed",
    )


def evaluated(shown: LoadedRun, name: str) -> EvaluatedSubset | None:
    """What the model says about the photos of a subset; None while that is computed, and the page shows how far.

    Of photos from elsewhere also None until some have been chosen.
    """
    if name == OTHER:
        return elsewhere(shown)
    if name == TRAINING and embeddings_of(shown.run) is None:
        return None
    return EvaluatedSubset(shown, name, runs.evaluation(shown.run.id, name, shown.status.ended))


lead_on = elements.page_head(tr("Evaluate"))
choices = st.container(horizontal=True, vertical_alignment="center", key="evaluate-choices")
with choices:
    chosen = choose_run(labelled=False)
if chosen:
    elements.lead_on(lead_on, tr("Try a photo"), "pages/use/predict.py", ":material/image_search:")
    answer = st.container(key="evaluate-answer")
    section = st.segmented_control(
        tr("Section"),
        list(SECTIONS),
        default=OVERVIEW,
        required=True,
        format_func=lambda name: tr(SECTIONS[name][0]),
        key=SECTION_KEY,
        label_visibility="collapsed",
        persist_state="session",
    )
    with choices:
        part = choose_subset(section)
    with answer, reporting():
        if chosen.recipe.weights == "random":
            random_weights_warning()
        subset = evaluated(chosen, part)
        if subset is not None:
            grade(subset)
        if subset is not None and subset.elsewhere:
            what_does_not_count(chosen, subset.elsewhere)
    if subset is not None:
        with reporting():
            SECTIONS[section][1](subset)
            show_opened_photo()
    elif part == OTHER:  # until photos were chosen, there is nothing that the sections could show
        st.html(f"<style>.st-key-{SECTION_KEY}{{display:none}}</style>")
