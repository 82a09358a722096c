"""A map of embeddings: photos that the model finds similar are close to each other."""

import base64
from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.evaluation.embedding_map import EmbeddingMap
from core.evaluation.metrics import most_mistaken
from core.language import tr
from pages.components.cached import datasets, runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_COLOURS
from pages.components.evaluate.photos import EvaluatedSubset, show_photos
from pages.components.shared import state
from pages.components.shared.run_embeddings import embeddings_of

AMONG_OTHERS = 0.5
"""Photos with at least this share of neighbours of other classes are listed."""


def embedding_map(subset: EvaluatedSubset) -> None:
    """The map, the closest classes, and the photos among those of other classes."""
    run = subset.shown.run
    if subset.elsewhere:
        own_only = tr("The map shows the run's own photos. Choose Test, Validation or Training above.")
        st.info(own_only, icon=":material/info:")
        return
    if embeddings_of(run) is None:
        return
    placed = runs.embedding_map(run.id, subset.name, run.embeddings_file.stat().st_mtime_ns)
    if not len(placed.paths):
        st.info(
            tr("This run has no embeddings of its {photos}.", photos=tr(sentences.PHOTOS[subset.name])),
            icon=":material/info:",
        )
        return
    st.markdown(
        tr(
            "Each point is one of {photos}. Photos that the model finds similar are close to each other; the distance"
            " between groups means little. **Point at a photo to see it, click to select it.**",
            photos=subset.photos(len(placed.paths)),
        )
    )
    if len(placed.paths) < len(subset.found):
        st.caption(tr("A random sample of {photos}.", photos=subset.photos(len(subset.found))))
    coloured = _choose_colours(subset)
    picture, words = st.columns([3, 1], gap="medium")
    with picture:
        _draw(subset, placed, coloured)
    with words:
        _closest(subset, placed)
    _photos(subset, placed)


def _closest(subset: EvaluatedSubset, placed: EmbeddingMap) -> None:
    st.header(tr("Closest classes"), anchor=False)
    closest = sentences.neighbours(placed.shares, subset.names)
    for sentence in closest or [tr("The nearest photos of every photo have the same class.")]:
        st.markdown(sentence)
    st.caption(tr("Counted among the ten nearest photos of each in the space of embeddings, not on the map."))


def _photos(subset: EvaluatedSubset, placed: EmbeddingMap) -> None:
    """The photo selected on the map, and those among other classes."""
    position_of = {path: position for position, path in enumerate(subset.found.paths)}
    chosen = position_of.get(state.recall(f"on-map-{subset.key}", ""))
    if chosen is not None:
        with st.container(border=True, key="chosen-on-map"):
            st.markdown(tr("Selected on the map:"))
            show_photos(subset, [chosen], "on-map", tr("Selected on the map"))
    st.header(tr("Photos among those of other classes"), anchor=False)
    st.caption(tr("Most of their nearest photos have another class: they are unusual, or their labels are wrong."))
    among = [position_of.get(placed.paths[i]) for i in placed.among_others(AMONG_OTHERS)]
    show_photos(
        subset,
        [position for position in among if position is not None],
        "among",
        tr("Photos among those of other classes"),
    )


def _choose_colours(subset: EvaluatedSubset) -> list[str]:
    names = subset.names
    if len(names) <= MOST_COLOURS:
        return list(names)
    first = [names[label] for label in most_mistaken(subset.found.confusion, MOST_COLOURS)]
    key = f"map-colours-{subset.shown.run.id}"
    return st.multiselect(
        tr("Classes in colour, at most {count}", count=MOST_COLOURS), names, first, max_selections=MOST_COLOURS, key=key
    )


def _draw(subset: EvaluatedSubset, placed: EmbeddingMap, coloured: Sequence[str]) -> None:
    names = subset.names
    small = datasets.tiny_photos(subset.folder.root, placed.paths)
    facts = {
        "path": placed.paths,
        "image": [_data_uri(jpeg) for jpeg in small],
        "photo": placed.paths,
        "class": [names[label] for label in placed.labels],
        "predicted as": [names[label] for label in placed.predicted],
    }
    key = f"map-{subset.key}"
    st.vega_lite_chart(
        figures.map_data(placed.points, facts["class"], coloured, facts),
        figures.map_chart(coloured, len(coloured) < len(names)),
        theme=None,  # its own labels are too pale to be read
        key=key,
        on_select=partial(_on_click, subset, key),
        selection_mode="photo",
        alt=tr(
            "Map of {photos} by similarity to the model; the closest classes are listed beside it",
            photos=tr(sentences.PHOTOS[subset.name]),
        ),
    )


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""


def _on_click(subset: EvaluatedSubset, key: str) -> None:
    found = state.widget(key)["selection"].get("photo") or []
    state.remember(f"on-map-{subset.key}", found[-1]["path"] if found else "")
