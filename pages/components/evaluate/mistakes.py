"""What a model confuses: the confusion matrix, and the photos behind it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.evaluation.metrics import Evaluation, most_confused, most_mistaken
from core.language import tr, tr_mark, tr_plural
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_CELLS, saving_as
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, EvaluatedSubset, show_photos
from pages.components.shared import elements, markdown, state
from pages.components.shared.thumbnails import show_thumbnails

PAIRS, PHOTOS_EACH, THUMBNAIL_PIXELS = 5, 3, 84
MOST_COLUMNS = 100

MATRIX_MEANS = tr_mark(
    "A row for each class, a column for each predicted class. **Blue** on the diagonal is right, **red** is wrong."
    " Click a cell, or choose below, to see its photos."
)

FROM_THE_MATRIX = "matrix"
RANKINGS: dict[str, tuple[str, str, Callable[[Evaluation], NDArray[np.intp]]]] = {
    "most-wrong": (
        tr_mark("Most wrong"),
        tr_mark("Wrong predictions, the highest confidence first. Is the label right?"),
        Evaluation.most_wrong,
    ),
    "least-sure": (
        tr_mark("Least sure"),
        tr_mark("Predictions with the lowest confidence, right or wrong."),
        Evaluation.least_sure,
    ),
}
"""Rankings of photos: a title, a description, and the photos in order."""


def mistakes(subset: EvaluatedSubset) -> None:
    """The confusion matrix, and the photos behind it."""
    cell = _cell(subset)
    with st.container(key="mistakes"):
        table, pairs = st.columns([3, 2], gap="large")
    elements.first_on_phone("mistakes", "frequent-mistakes")
    with pairs.container(key="frequent-mistakes"):
        st.header(tr("Most frequent mistakes"), anchor=False)
        frequent_mistakes(subset, PAIRS, PHOTOS_EACH)
    with table:
        st.header(tr("Confusion matrix"), anchor=False)
        st.caption(tr(MATRIX_MEANS))
        _matrix(subset, cell)
        elements.download_list(
            matrix_rows(subset.found.class_names, subset.found.confusion), f"confusion-{subset.name}.csv"
        )
    kind = st.segmented_control(
        tr("Photos"),
        [FROM_THE_MATRIX, *RANKINGS],
        default=FROM_THE_MATRIX,
        required=True,
        format_func=lambda kind: tr(RANKINGS[kind][0]) if kind in RANKINGS else tr("From the matrix"),
        key="mistakes-photos",
        label_visibility="collapsed",
        persist_state="session",
    )
    if kind == FROM_THE_MATRIX:
        _photos_of_cell(subset, *cell)
    else:
        title, meaning, ranked = RANKINGS[kind]
        st.markdown(tr(meaning))
        show_photos(subset, ranked(subset.found).tolist(), kind, tr(title))


def _photos_of_cell(subset: EvaluatedSubset, label: int, taken_for: int) -> None:
    _choose_cell(subset)
    found = subset.found.in_cell(label, taken_for).tolist()
    of, taken = (markdown.escape(subset.names[each]) for each in (label, taken_for))
    photos = subset.photos(len(found))
    if label == taken_for:
        said = tr_plural(
            "**{photos}** of **{class_name}** is recognised.",
            "**{photos}** of **{class_name}** are recognised.",
            len(found),
            photos=photos,
            class_name=of,
        )
    else:
        said = tr_plural(
            "**{photos}** of **{class_name}** is predicted as **{predicted}**.",
            "**{photos}** of **{class_name}** are predicted as **{predicted}**.",
            len(found),
            photos=photos,
            class_name=of,
            predicted=taken,
        )
    st.markdown(said)
    show_photos(subset, found, f"cell-{label}-{taken_for}", tr("Photos of this cell"))


def _keys(subset: EvaluatedSubset) -> tuple[str, str]:
    return f"cell-label-{subset.key}", f"cell-taken-{subset.key}"


def _cell(subset: EvaluatedSubset) -> tuple[int, int]:
    """The cell whose photos are shown, the most frequent mistake at first; the two choices are set to it."""
    names = list(subset.names)
    first = most_confused(subset.found.confusion, 1)
    start = (first[0].label, first[0].taken_for) if first else (0, 0)
    for key, label in zip(_keys(subset), start, strict=True):
        if state.widget(key) not in names:
            state.set_widget(key, state.recall(key, names[label]))
    label, taken_for = (names.index(state.widget(key)) for key in _keys(subset))
    return label, taken_for


def _show_cell(subset: EvaluatedSubset, label: int, taken_for: int) -> None:
    """Show the photos of a cell; for callbacks."""
    for key, chosen in zip(_keys(subset), (label, taken_for), strict=True):
        state.set_widget(key, subset.names[chosen])
    state.set_widget("mistakes-photos", FROM_THE_MATRIX)
    state.set_widget(SECTION_KEY, MISTAKES)
    _remember_cell(subset)


def _remember_cell(subset: EvaluatedSubset) -> None:
    for key in _keys(subset):
        state.remember(key, state.widget(key))


def _choose_cell(subset: EvaluatedSubset) -> None:
    remember: Any = {"on_change": _remember_cell, "args": (subset,)}
    with st.container(horizontal=True):
        for key, words in zip(_keys(subset), (tr("Photos of"), tr("predicted as")), strict=True):
            st.selectbox(words, list(subset.names), key=key, width=260, **remember)


def frequent_mistakes(subset: EvaluatedSubset, most: int, photos_each: int) -> None:
    """The most frequent mistakes: a sentence for each, which is a button that leads to its photos, and some of these.

    Of mistakes that are equally frequent, one of the smaller class comes first.
    """
    found = most_confused(subset.found.confusion, most)
    if not found:
        st.markdown(tr("It makes no mistake on these {photos}.", photos=subset.photos(len(subset.found))))
    for number, pair in enumerate(found, 1):
        with st.container(key=f"mistake-{number}", gap="xxsmall"):
            st.button(
                sentences.confused(pair, subset.names),
                key=f"pair-{number}",
                icon=":material/photo_library:",
                type="tertiary",
                wrap=True,
                on_click=_show_cell,
                args=(subset, pair.label, pair.taken_for),
            )
            if subset.found.paths:
                positions = subset.found.in_cell(pair.label, pair.taken_for)[:photos_each]
                show_thumbnails(subset.folder, positions.tolist(), THUMBNAIL_PIXELS)


def _matrix(subset: EvaluatedSubset, chosen: tuple[int, int]) -> None:
    names, counts = subset.names, subset.found.confusion
    shown = most_mistaken(counts, MOST_CELLS).tolist()
    if len(shown) < len(names):
        st.caption(
            tr(
                "The {count} classes with the most mistakes; the CSV list and the choice below have all.",
                count=len(shown),
            )
        )
    clicks = state.recall("confusion-clicks", 0)  # a new key forgets what was clicked, so that it can be clicked again
    key = f"confusion-{subset.key}-{clicks}"
    figure = figures.confusion(counts, names, shown, chosen)
    with st.container(height=int(figure.layout.height) + 16, border=False):  # else the page jumps while it is drawn
        st.plotly_chart(
            figure,
            config=saving_as(f"confusion-{subset.name}"),
            key=key,
            on_select=partial(_on_click, subset, key),
            selection_mode="points",
            alt=tr(
                "Confusion matrix of {photos}: how many of each class are predicted as which class",
                photos=tr(sentences.PHOTOS[subset.name]),
            ),
        )


def _on_click(subset: EvaluatedSubset, key: str) -> None:
    points = state.widget(key)["selection"]["points"]
    if points:
        label, taken_for = points[-1]["customdata"]
        _show_cell(subset, int(label), int(taken_for))
        state.remember("confusion-clicks", state.recall("confusion-clicks", 0) + 1)


def matrix_rows(names: Sequence[str], counts: NDArray[np.int64]) -> list[dict[str, str]]:
    """The confusion matrix; with many classes only the cells that hold photos, a row for each."""
    if len(names) > MOST_COLUMNS:
        return [
            {"photos of": names[i], "predicted as": names[j], "photos": str(counts[i, j])}
            for i, j in np.argwhere(counts)
        ]
    return [
        {"photos of": name, **{f"predicted as {other}": str(counts[i, j]) for j, other in enumerate(names)}}
        for i, name in enumerate(names)
    ]
