"""A map of photos, on which those lie near each other that the model finds alike."""

import base64
from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.evaluation.embedding_map import EmbeddingMap
from core.evaluation.metrics import most_mistaken
from pages.components.cached import datasets, runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_COLOURS
from pages.components.evaluate.photos import Part, gallery
from pages.components.shared import state
from pages.components.shared.run_embeddings import embeddings_of

AMONG_OTHERS = 0.5
"""Photos of which at least this share of neighbours is of other classes lie among others."""


def map_of_photos(part: Part) -> None:
    """The map, what can be said of it in words, and the photos that lie among others."""
    run = part.shown.run
    if embeddings_of(run) is None:
        return
    placed = runs.embedding_map(run.id, part.name, run.embeddings_file.stat().st_mtime_ns)
    if not len(placed.paths):
        st.info(f"This run has kept nothing of its {part.name} photos.", icon=":material/info:")
        return
    st.markdown(
        f"Each point is one of {part.photos(len(placed.paths))}. Photos that the model finds alike lie near each other;"
        " how far groups are apart says little. **Point at a photo to see it, click it to choose it.**"
    )
    if len(placed.paths) < len(part.found):
        st.caption(f"They are drawn by chance from {part.photos(len(part.found))}.")
    coloured = _choose_colours(part)
    picture, words = st.columns([3, 1], gap="medium")
    with picture:
        _draw(part, placed, coloured)
    with words:
        _closest(part, placed)
    _photos(part, placed)


def _closest(part: Part, placed: EmbeddingMap) -> None:
    st.subheader("Closest classes", anchor=False)
    said = sentences.neighbours(placed.shares, part.found.class_names)
    for sentence in said or ["The nearest photos of every photo are of its own class."]:
        st.markdown(sentence)
    st.caption("Counted among the ten nearest of each photo, by what the model has computed, not on the map.")


def _photos(part: Part, placed: EmbeddingMap) -> None:
    """The photo that was chosen on the map, and those that lie among others."""
    position_of = {path: position for position, path in enumerate(part.found.paths)}
    chosen = position_of.get(state.recall(f"on-map-{part.key}", ""))
    if chosen is not None:
        with st.container(border=True, key="chosen-on-map"):
            st.markdown("The photo that you chose on the map:")
            gallery(part, [chosen], "on-map")
    st.subheader("Photos among those of other classes", anchor=False)
    st.caption("Most of their nearest photos have another class: unusual ones, or wrong labels.")
    among = [position_of.get(placed.paths[i]) for i in placed.among_others(AMONG_OTHERS)]
    gallery(part, [position for position in among if position is not None], "among")


def _choose_colours(part: Part) -> list[str]:
    names = part.found.class_names
    if len(names) <= MOST_COLOURS:
        return list(names)
    first = [names[label] for label in most_mistaken(part.found.confusion, MOST_COLOURS)]
    key = f"map-colours-{part.shown.run.id}"
    return st.multiselect(
        f"Classes in colour, at most {MOST_COLOURS}", names, first, max_selections=MOST_COLOURS, key=key
    )


def _draw(part: Part, placed: EmbeddingMap, coloured: Sequence[str]) -> None:
    names = part.found.class_names
    small = datasets.tiny_photos(part.folder.root, placed.paths)
    facts = {
        "path": placed.paths,
        "image": [_data_uri(jpeg) for jpeg in small],
        "photo": placed.paths,
        "class": [names[label] for label in placed.labels],
        "taken for": [names[label] for label in placed.predicted],
    }
    key = f"map-{part.key}"
    st.vega_lite_chart(
        figures.map_data(placed.points, facts["class"], coloured, facts),
        figures.map_chart(coloured, len(coloured) < len(names)),
        key=key,
        on_select=partial(_on_click, part, key),
        selection_mode="photo",
        alt=f"Map of {part.name} photos by what the model finds alike; beside it is said which classes are close",
    )


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""


def _on_click(part: Part, key: str) -> None:
    found = state.widget(key)["selection"].get("photo") or []
    state.remember(f"on-map-{part.key}", found[-1]["path"] if found else "")
