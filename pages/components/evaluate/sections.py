"""Overview, mistakes and confidence: the first sections of Evaluate."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import RunError
from core.evaluation.calibration import Reliability, coverage, reliability, trust, with_temperature
from core.evaluation.metrics import (
    ClassScores,
    Evaluation,
    accuracy_interval,
    class_scores,
    most_confused,
    most_mistaken,
)
from core.formatting import whole
from pages.components.cached import runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_CELLS, MOST_ROWS, saving_as
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, EvaluatedSubset, gallery
from pages.components.shared import drawings, elements, markdown, state

PAIRS = 5
MOST_COLUMNS = 100
TOP = (3, 5)
"""The k of top-k accuracy: the largest that is smaller than the number of classes."""

MACRO = (
    "F1 combines two figures of a class: the share of its photos that is recognised (recall), and the share of"
    " predictions of the class that is right (precision). It is high only if both are. Macro F1 is the mean over all"
    " classes: a rare class counts as much as a frequent one."
)

SCORES_MEAN = (
    "**Recall**: of the photos of a class, the share that is recognised; the line is the 95 % interval."
    " **Precision**: of the photos predicted as a class, the share that does belong to it."
)
MATRIX_MEANS = (
    "A row for each class, a column for each predicted class. **Blue** on the diagonal is right, **orange** is wrong."
    " Click a cell, or choose below, to see its photos."
)

FROM_THE_MATRIX = "From the matrix"
RANKINGS: dict[str, tuple[str, Callable[[Evaluation], NDArray[np.intp]]]] = {
    "Most wrong": (
        "Wrong predictions, the highest confidence first. Is the label right?",
        Evaluation.most_wrong,
    ),
    "Least sure": ("Predictions with the lowest confidence, right or wrong.", Evaluation.least_sure),
}
"""Rankings of photos: a description, and the photos in order."""


def overview(subset: EvaluatedSubset) -> None:
    """The accuracy, sentences on strengths and weaknesses, and every class."""
    _accuracy(subset)
    scores = class_scores(subset.found.confusion)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Strengths and weaknesses", anchor=False)
        for sentence in sentences.best_and_worst(scores, subset.found.class_names):
            st.markdown(sentence)
        _pairs(subset, 3)
    with right:
        _class_by_class(subset, scores)
    st.caption(SCORES_MEAN)
    with st.expander("All figures as a table", icon=":material/table:"):
        elements.long_list(figures.score_rows(scores, subset.found.class_names), f"classes-{subset.name}.csv")


def _class_by_class(subset: EvaluatedSubset, scores: ClassScores) -> None:
    st.subheader("Class by class", anchor=False)
    if len(subset.found.class_names) > MOST_ROWS:
        st.caption(f"The {MOST_ROWS} classes with the lowest F1; the table below has all.")
    st.plotly_chart(
        figures.scores(scores, subset.found.class_names),
        config=saving_as(f"classes-{subset.name}"),
        key="class-scores",
        alt=f"Recall and precision of each class on {subset.name} photos; the table below has the same figures",
    )


def _accuracy(subset: EvaluatedSubset) -> None:
    found = subset.found
    correct, count = int(found.right.sum()), len(found)
    low, high = accuracy_interval(correct, count)
    grade, words = st.columns([1, 2], vertical_alignment="center", gap="large")
    grade.html(
        '<div style="line-height:1.1"><span style="font-size:3.2rem;font-weight:700" data-testid="accuracy">'
        f"{drawings.percent(correct / count)}</span><br>"
        f'<span style="opacity:.75">accuracy on the {subset.name} photos</span></div>'
    )
    with words:
        st.markdown(
            f"**{correct:,} of {subset.photos(count)}** are classified correctly. With other photos from the same"
            f" source, expect between {whole(low)} and {whole(high)} (95 % interval)."
        )
        with st.container(horizontal=True, gap="medium"):
            for k in [k for k in TOP if k < len(found.class_names)][-1:]:
                _fact(f"Right class among the {k} most probable (top-{k})", found.top_accuracy(k), "")
            _fact("All classes weighted equally (macro F1)", class_scores(found.confusion).macro_f1, MACRO)


def _fact(label: str, share: float, meant: str) -> None:
    st.markdown(f":gray[{label}]  \n**{drawings.percent(share)}**", width="content", help=meant or None)


def mistakes(subset: EvaluatedSubset) -> None:
    """The confusion matrix, and the photos behind it."""
    cell = _cell(subset)
    table, pairs = st.columns([3, 2], gap="large")
    with pairs:
        st.subheader("Most frequent mistakes", anchor=False)
        _pairs(subset, PAIRS)
    with table:
        st.subheader("Confusion matrix", anchor=False)
        st.caption(MATRIX_MEANS)
        _matrix(subset, cell)
        elements.download_list(
            matrix_rows(subset.found.class_names, subset.found.confusion), f"confusion-{subset.name}.csv"
        )
    kind = st.segmented_control(
        "Photos",
        [FROM_THE_MATRIX, *RANKINGS],
        default=FROM_THE_MATRIX,
        required=True,
        key="mistakes-photos",
        label_visibility="collapsed",
        persist_state="session",
    )
    if kind == FROM_THE_MATRIX:
        _photos_of_cell(subset, *cell)
    else:
        meaning, ranked = RANKINGS[kind]
        st.markdown(meaning)
        gallery(subset, ranked(subset.found).tolist(), kind)


def _photos_of_cell(subset: EvaluatedSubset, label: int, taken_for: int) -> None:
    _choose_cell(subset)
    found = subset.found.in_cell(label, taken_for).tolist()
    of, taken = (markdown.escape(subset.found.class_names[each]) for each in (label, taken_for))
    verb, what = "is" if len(found) == 1 else "are", "recognised" if label == taken_for else f"predicted as **{taken}**"
    st.markdown(f"**{subset.photos(len(found))}** of **{of}** {verb} {what}.")
    gallery(subset, found, f"cell-{label}-{taken_for}")


def _keys(subset: EvaluatedSubset) -> tuple[str, str]:
    return f"cell-label-{subset.key}", f"cell-taken-{subset.key}"


def _cell(subset: EvaluatedSubset) -> tuple[int, int]:
    """The cell whose photos are shown, the most frequent mistake at first; the two choices are set to it."""
    names = list(subset.found.class_names)
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
        state.set_widget(key, subset.found.class_names[chosen])
    state.set_widget("mistakes-photos", FROM_THE_MATRIX)
    state.set_widget(SECTION_KEY, MISTAKES)
    _remember_cell(subset)


def _remember_cell(subset: EvaluatedSubset) -> None:
    for key in _keys(subset):
        state.remember(key, state.widget(key))


def _choose_cell(subset: EvaluatedSubset) -> None:
    remember: Any = {"on_change": _remember_cell, "args": (subset,)}
    with st.container(horizontal=True):
        for key, words in zip(_keys(subset), ("Photos of", "predicted as"), strict=True):
            st.selectbox(words, list(subset.found.class_names), key=key, width=260, **remember)


def _pairs(subset: EvaluatedSubset, most: int) -> None:
    """Sentences about the most frequent mistakes; each is a button that leads to its photos."""
    found = most_confused(subset.found.confusion, most)
    if not found:
        st.markdown(f"It makes no mistake on these {subset.photos(len(subset.found))}.")
    for number, pair in enumerate(found, 1):
        st.button(
            sentences.confused(pair, subset.found.class_names),
            key=f"pair-{number}",
            icon=":material/photo_library:",
            type="tertiary",
            wrap=True,
            on_click=_show_cell,
            args=(subset, pair.label, pair.taken_for),
        )


def _matrix(subset: EvaluatedSubset, chosen: tuple[int, int]) -> None:
    names, counts = subset.found.class_names, subset.found.confusion
    shown = most_mistaken(counts, MOST_CELLS).tolist()
    if len(shown) < len(names):
        st.caption(f"The {len(shown)} classes with the most mistakes; the CSV list and the choice below have all.")
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
            alt=f"Confusion matrix of {subset.name} photos: how many of each class are predicted as which class",
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


def confidence(subset: EvaluatedSubset) -> None:
    """Whether its confidence matches its accuracy, and what it gains by abstaining."""
    found, fitted = subset.found, _temperature(subset)
    before = reliability(found.probabilities, found.labels)
    after = None if fitted is None else reliability(with_temperature(found.probabilities, fitted), found.labels)
    picture, words = st.columns([3, 2], gap="large")
    with words:
        st.subheader("Can you trust its percentages?", anchor=False)
        for sentence in (*sentences.confidence_and_accuracy(before), trust(before)):
            st.markdown(sentence)
        _calibrated(subset, fitted, before, after)
    with picture:
        st.plotly_chart(
            figures.reliability(before, after),
            config=saving_as(f"reliability-{subset.name}"),
            key="reliability",
            alt=f"Reliability diagram of {subset.name} photos: accuracy over confidence",
        )
    _coverage(subset)


def _calibrated(subset: EvaluatedSubset, fitted: float | None, before: Reliability, after: Reliability | None) -> None:
    facts = [("Expected calibration error", drawings.percent(before.error))]
    if fitted is not None and after is not None:
        st.markdown(sentences.temperature(fitted, after.error < before.error))
        facts.append(("After temperature scaling", drawings.percent(after.error)))
    elements.facts(facts)
    st.caption(how_calibrated(subset.name, fitted))


def _coverage(subset: EvaluatedSubset) -> None:
    st.subheader("What if it can abstain?", anchor=False)
    curve = coverage(subset.found.probabilities, subset.found.labels)
    st.markdown(sentences.abstention(curve))
    st.plotly_chart(
        figures.coverage(curve),
        config=saving_as(f"coverage-{subset.name}"),
        key="coverage",
        alt=f"Accuracy over the share of {subset.name} photos with an answer, the highest confidence first",
    )


def _temperature(subset: EvaluatedSubset) -> float | None:
    """The temperature that fits the validation photos; None where there are none."""
    try:
        return runs.temperature(subset.shown.run.id, subset.shown.status.ended)
    except RunError:
        return None


def how_calibrated(subset_name: str, fitted: float | None) -> str:
    """What the calibration error is, and what the temperature is fitted to."""
    meaning = "The error is the mean difference between confidence and accuracy."
    if fitted is None:
        return f"{meaning} The temperature is fitted to validation photos, and this run has none."
    same = ", the same photos as shown here, so “after” is slightly optimistic" if subset_name == "validation" else ""
    return f"{meaning} The temperature is fitted to the validation photos{same} (Guo et al., 2017)."
