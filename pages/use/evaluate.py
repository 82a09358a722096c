"""What a model gets right and wrong, and why, on photos that it has not learned from."""

from collections.abc import Callable

import streamlit as st

from pages.components.cached import runs
from pages.components.evaluate import sections
from pages.components.evaluate.embedding_map import map_of_photos
from pages.components.evaluate.heat_maps import show_opened_photo, where_it_looks
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, Part
from pages.components.evaluate.sentences import MEANT, SUBSETS
from pages.components.evaluate.training_dynamics import while_it_learned
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run

OVERVIEW = "Overview"
SECTIONS: dict[str, Callable[[Part], None]] = {
    OVERVIEW: sections.overview,
    MISTAKES: sections.mistakes,
    "Confidence": sections.confidence,
    "Where it looks": where_it_looks,
    "While it learned": while_it_learned,
    "Map": map_of_photos,
}


def choose_part() -> str:
    """Which photos are looked at: those of the test part unless somebody wants the validation part."""
    part = st.segmented_control(
        "Photos that it is judged by",
        list(SUBSETS),
        default="test",
        required=True,
        format_func=SUBSETS.__getitem__,
        key="evaluate-part",
        persist_state="session",
    )
    st.caption(f":material/info: {MEANT[part]}")
    return part


elements.page_head(
    "Evaluate", "What does the model get right, what does it get wrong, and can you take it at its word?"
)
chosen = choose_run()
if chosen:
    if chosen.recipe.weights == "random":
        random_weights_warning()
    name = choose_part()
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
        part = Part(chosen, name, runs.evaluation(chosen.run.id, name, chosen.status.ended))
        SECTIONS[section](part)
        show_opened_photo()
