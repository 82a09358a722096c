"""How good a model is: accuracy, strengths and weaknesses, and the scores of every class."""

import streamlit as st

from core.evaluation.metrics import ClassScores, accuracy_interval, class_scores
from core.formatting import whole
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_ROWS, saving_as
from pages.components.evaluate.mistakes import pair_buttons
from pages.components.evaluate.photos import EvaluatedSubset
from pages.components.shared import drawings, elements

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


def overview(subset: EvaluatedSubset) -> None:
    """The accuracy, sentences on strengths and weaknesses, and every class."""
    _accuracy(subset)
    scores = class_scores(subset.found.confusion)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Strengths and weaknesses", anchor=False)
        for sentence in sentences.best_and_worst(scores, subset.found.class_names):
            st.markdown(sentence)
        pair_buttons(subset, 3)
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
