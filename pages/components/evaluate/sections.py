"""How good a model is, what it confuses, and whether it can be taken at its word: the first sections of Evaluate."""

from collections.abc import Callable
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
from pages.components.cached import runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_CELLS, MOST_ROWS, saving_as
from pages.components.evaluate.photos import MISTAKES, SECTION_KEY, Part, gallery
from pages.components.shared import drawings, elements, markdown, state

PAIRS = 5
MOST_COLUMNS = 100
TOP = (3, 5)
"""So many classes are looked at for the top-k accuracy, the first that are fewer than there are."""

MACRO = (
    "F1 is one figure for each class out of two: which share of its photos is recognised (recall), and which share of"
    " the photos taken for it belongs to it (precision). It is high only if both are. Macro F1 is the mean over all"
    " classes: a rare class counts as much as a frequent one."
)

SCORES_MEAN = (
    "**Recognised** (recall): of the photos that show this class, the share that the model names so; the line is its"
    " 95 % interval. **Right when it says so** (precision): of the photos that it names so, the share that do show it."
)
MATRIX_MEANS = (
    "A row for each class of photos, a column for what they are taken for. **Blue** on the diagonal is right,"
    " **orange** is wrong. Click a cell, or choose below, to see its photos."
)

FROM_THE_TABLE = "From the table"
RANKINGS: dict[str, tuple[str, Callable[[Evaluation], NDArray[np.intp]]]] = {
    "Most wrong": (
        "Photos that it is wrong about, the ones that it is most sure of first. Is the label right?",
        Evaluation.most_wrong,
    ),
    "Least sure": ("Photos that it is least sure of, whether it is right or not.", Evaluation.least_sure),
}
"""More ways to choose photos: what they are, and which ones, in order."""


def overview(part: Part) -> None:
    """The grade, sentences on what goes right and wrong, and every class."""
    _grade(part)
    scores = class_scores(part.found.confusion)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("What it gets right and wrong", anchor=False)
        for sentence in sentences.best_and_worst(scores, part.found.class_names):
            st.markdown(sentence)
        _pairs(part, 3)
    with right:
        _class_by_class(part, scores)
    st.caption(SCORES_MEAN)
    with st.expander("All figures as a table", icon=":material/table:"):
        elements.long_list(figures.in_words(scores, part.found.class_names), f"classes-{part.name}.csv")


def _class_by_class(part: Part, scores: ClassScores) -> None:
    st.subheader("Class by class", anchor=False)
    if len(part.found.class_names) > MOST_ROWS:
        st.caption(f"The {MOST_ROWS} classes that it finds hardest; the table below has all.")
    st.plotly_chart(
        figures.scores(scores, part.found.class_names),
        config=saving_as(f"classes-{part.name}"),
        key="class-scores",
        alt=f"Recall and precision of each class on {part.name} photos; the table below has the same figures",
    )


def _grade(part: Part) -> None:
    found = part.found
    correct, count = int(found.right.sum()), len(found)
    low, high = accuracy_interval(correct, count)
    grade, words = st.columns([1, 2], vertical_alignment="center", gap="large")
    grade.html(
        '<div style="line-height:1.1"><span style="font-size:3.2rem;font-weight:700" data-testid="accuracy">'
        f"{drawings.percent(correct / count)}</span><br>"
        f'<span style="opacity:.75">accuracy on the {part.name} photos</span></div>'
    )
    with words:
        st.markdown(
            f"**{correct:,} of {part.photos(count)}** are named correctly. With other photos from the same source,"
            f" expect between {low:.0%} and {high:.0%} (95 % interval)."
        )
        with st.container(horizontal=True, gap="medium"):
            for k in [k for k in TOP if k < len(found.class_names)][-1:]:
                _fact(f"Right class among its first {k} (top-{k})", found.top_accuracy(k), "")
            _fact("All classes alike (macro F1)", class_scores(found.confusion).macro_f1, MACRO)


def _fact(label: str, share: float, meant: str) -> None:
    st.markdown(f":gray[{label}]  \n**{drawings.percent(share)}**", width="content", help=meant or None)


def mistakes(part: Part) -> None:
    """What is taken for what, and the photos behind it."""
    cell = _cell(part)
    table, pairs = st.columns([3, 2], gap="large")
    with pairs:
        st.subheader("Most frequent mistakes", anchor=False)
        _pairs(part, PAIRS)
    with table:
        st.subheader("What is taken for what (confusion matrix)", anchor=False)
        st.caption(MATRIX_MEANS)
        _matrix(part, cell)
        elements.download_list(_as_rows(part), f"confusion-{part.name}.csv")
    kind = st.segmented_control(
        "Photos",
        [FROM_THE_TABLE, *RANKINGS],
        default=FROM_THE_TABLE,
        required=True,
        key="mistakes-photos",
        label_visibility="collapsed",
        persist_state="session",
    )
    if kind == FROM_THE_TABLE:
        _photos_of_cell(part, *cell)
    else:
        meaning, ranked = RANKINGS[kind]
        st.markdown(meaning)
        gallery(part, ranked(part.found).tolist(), kind)


def _photos_of_cell(part: Part, label: int, taken_for: int) -> None:
    _choose_cell(part)
    found = part.found.in_cell(label, taken_for).tolist()
    of, taken = (markdown.escape(part.found.class_names[each]) for each in (label, taken_for))
    verb, what = "is" if len(found) == 1 else "are", "recognised" if label == taken_for else f"taken for **{taken}**"
    st.markdown(f"**{part.photos(len(found))}** of **{of}** {verb} {what}.")
    gallery(part, found, f"cell-{label}-{taken_for}")


def _keys(part: Part) -> tuple[str, str]:
    return f"cell-label-{part.key}", f"cell-taken-{part.key}"


def _cell(part: Part) -> tuple[int, int]:
    """The cell whose photos are shown, the most frequent mistake at first; the two choices are set to it."""
    names = list(part.found.class_names)
    first = most_confused(part.found.confusion, 1)
    start = (first[0].label, first[0].taken_for) if first else (0, 0)
    for key, label in zip(_keys(part), start, strict=True):
        if state.widget(key) not in names:
            state.set_widget(key, state.recall(key, names[label]))
    label, taken_for = (names.index(state.widget(key)) for key in _keys(part))
    return label, taken_for


def _show_cell(part: Part, label: int, taken_for: int) -> None:
    """Show the photos of a cell; for callbacks."""
    for key, chosen in zip(_keys(part), (label, taken_for), strict=True):
        state.set_widget(key, part.found.class_names[chosen])
    state.set_widget("mistakes-photos", FROM_THE_TABLE)
    state.set_widget(SECTION_KEY, MISTAKES)
    _remember_cell(part)


def _remember_cell(part: Part) -> None:
    for key in _keys(part):
        state.remember(key, state.widget(key))


def _choose_cell(part: Part) -> None:
    remember: Any = {"on_change": _remember_cell, "args": (part,)}
    with st.container(horizontal=True):
        for key, words in zip(_keys(part), ("Photos of", "taken for"), strict=True):
            st.selectbox(words, list(part.found.class_names), key=key, width=260, **remember)


def _pairs(part: Part, most: int) -> None:
    """Sentences about the most frequent mistakes; each is a button that leads to its photos."""
    found = most_confused(part.found.confusion, most)
    if not found:
        st.markdown(f"It makes no mistake on these {part.photos(len(part.found))}.")
    for number, pair in enumerate(found, 1):
        st.button(
            sentences.confused(pair, part.found.class_names),
            key=f"pair-{number}",
            icon=":material/photo_library:",
            type="tertiary",
            wrap=True,
            on_click=_show_cell,
            args=(part, pair.label, pair.taken_for),
        )


def _matrix(part: Part, chosen: tuple[int, int]) -> None:
    names, counts = part.found.class_names, part.found.confusion
    shown = most_mistaken(counts, MOST_CELLS).tolist()
    if len(shown) < len(names):
        st.caption(f"The {len(shown)} classes with the most mistakes; the list (CSV) and the choice below have all.")
    clicks = state.recall("confusion-clicks", 0)  # a new key forgets what was clicked, so that it can be clicked again
    key = f"confusion-{part.key}-{clicks}"
    figure = figures.confusion(counts, names, shown, chosen)
    with st.container(height=int(figure.layout.height) + 16, border=False):  # else the page jumps while it is drawn
        st.plotly_chart(
            figure,
            config=saving_as(f"confusion-{part.name}"),
            key=key,
            on_select=partial(_on_click, part, key),
            selection_mode="points",
            alt=f"Confusion matrix of {part.name} photos: how many of each class are taken for which class",
        )


def _on_click(part: Part, key: str) -> None:
    points = state.widget(key)["selection"]["points"]
    if points:
        label, taken_for = points[-1]["customdata"]
        _show_cell(part, int(label), int(taken_for))
        state.remember("confusion-clicks", state.recall("confusion-clicks", 0) + 1)


def _as_rows(part: Part) -> list[dict[str, str]]:
    """The confusion matrix as it stands; of many classes only the cells that hold photos, a row for each."""
    names, counts = part.found.class_names, part.found.confusion
    if len(names) > MOST_COLUMNS:
        return [
            {"photos of": names[i], "taken for": names[j], "photos": str(counts[i, j])} for i, j in np.argwhere(counts)
        ]
    return [
        {"photos of": name, **{f"taken for {other}": str(counts[i, j]) for j, other in enumerate(names)}}
        for i, name in enumerate(names)
    ]


def confidence(part: Part) -> None:
    """Whether it is right as often as it says, and what it gains by passing on what it is unsure of."""
    found, fitted = part.found, _temperature(part)
    before = reliability(found.probabilities, found.labels)
    after = None if fitted is None else reliability(with_temperature(found.probabilities, fitted), found.labels)
    picture, words = st.columns([3, 2], gap="large")
    with words:
        st.subheader("Can it be taken at its word?", anchor=False)
        for sentence in (*sentences.says_and_is(before), trust(before)):
            st.markdown(sentence)
        _calibrated(part, fitted, before, after)
    with picture:
        st.plotly_chart(
            figures.reliability(before, after),
            config=saving_as(f"reliability-{part.name}"),
            key="reliability",
            alt=f"Reliability diagram of {part.name} photos: how often the model is right over how sure it is",
        )
    _coverage(part)


def _calibrated(part: Part, fitted: float | None, before: Reliability, after: Reliability | None) -> None:
    facts = [("Expected calibration error", drawings.percent(before.error))]
    if fitted is not None and after is not None:
        st.markdown(sentences.temperature(fitted, after.error < before.error))
        facts.append(("after temperature scaling", drawings.percent(after.error)))
    elements.facts(facts)
    st.caption(_how_calibrated(part, fitted))


def _coverage(part: Part) -> None:
    st.subheader("What if it may pass?", anchor=False)
    curve = coverage(part.found.probabilities, part.found.labels)
    st.markdown(sentences.silence(curve))
    st.plotly_chart(
        figures.coverage(curve),
        config=saving_as(f"coverage-{part.name}"),
        key="coverage",
        alt=f"Accuracy over the share of {part.name} photos that are answered, the surest first",
    )


def _temperature(part: Part) -> float | None:
    """The temperature that fits the validation photos; None where there are none."""
    try:
        return runs.temperature(part.shown.run.id, part.shown.status.ended)
    except RunError:
        return None


def _how_calibrated(part: Part, fitted: float | None) -> str:
    meaning = "The error is the mean distance between how sure it is and how often it is right."
    if fitted is None:
        return f"{meaning} The temperature is fitted to validation photos, and this run has none."
    same = ", the very photos that you see here, so that “after” flatters" if part.name == "validation" else ""
    return f"{meaning} The temperature is fitted to the validation photos{same} (Guo et al., 2017)."
