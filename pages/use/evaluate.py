"""Evaluate a trained model on photos that were not used in training."""

from collections.abc import Callable

import streamlit as st

from pages.components.cached import runs
from pages.components.evaluate.confidence import confidence
from pages.components.evaluate.embedding_map import embedding_map
from pages.components.evaluate.heat_maps import heat_maps, show_opened_photo
from pages.components.evaluate.mistakes import mistakes
from pages.components.evaluate.overview import overview
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, EvaluatedSubset
from pages.components.evaluate.sentences import MEANT, SUBSETS
from pages.components.evaluate.training_dynamics import training_dynamics
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run

OVERVIEW = "Overview"
SECTIONS: dict[str, Callable[[EvaluatedSubset], None]] = {
    OVERVIEW: overview,
    MISTAKES: mistakes,
    "Confidence": confidence,
    "Heat maps": heat_maps,
    "Training dynamics": training_dynamics,
    "Map": embedding_map,
}


def choose_subset() -> str:
    """Choose the test photos (the default) or the validation photos."""
    subset = st.segmented_control(
        "Photos",
        list(SUBSETS),
        default="test",
        required=True,
        format_func=SUBSETS.__getitem__,
        key="evaluate-part",
        persist_state="session",
    )
    st.caption(f":material/info: {MEANT[subset]}")
    return subset


lead_on = elements.page_head(
    "Evaluate", "What does the model get right, what does it get wrong, and can you trust its percentages?"
)
chosen = choose_run()
if chosen:
    elements.lead_on(lead_on, "Try a photo", "pages/use/predict.py", ":material/image_search:")
    if chosen.recipe.weights == "random":
        random_weights_warning()
    name = choose_subset()
    section = st.segmented_control(
        "Section",
        list(SECTIONS),
        default=OVERVIEW,
        required=True,
        key=SECTION_KEY,
        label_visibility="collapsed",
        persist_state="session",
    )
    with reporting():
        subset = EvaluatedSubset(chosen, name, runs.evaluation(chosen.run.id, name, chosen.status.ended))
        SECTIONS[section](subset)
        show_opened_photo()
