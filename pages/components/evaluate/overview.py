"""What a model gets wrong most often, and the scores of every class."""

import streamlit as st

from core.evaluation.metrics import ClassScores, class_scores
from core.language import tr, tr_mark
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import MOST_ROWS, saving_as
from pages.components.evaluate.mistakes import frequent_mistakes
from pages.components.evaluate.photos import EvaluatedSubset
from pages.components.shared import drawings, elements

PAIRS, PHOTOS_EACH = 3, 4

TOP = (3, 5)
"""The k of top-k accuracy: the largest that is smaller than the number of classes."""

MACRO = tr_mark(
    "F1 combines two figures of a class: the share of its photos that is recognised (recall), and the share of"
    " predictions of the class that is right (precision). It is high only if both are. Macro F1 is the mean over all"
    " classes: a rare class counts as much as a frequent one."
)

SCORES_MEAN = tr_mark(
    "**Recall**: of the photos of a class, the share that is recognised; the line is the 95 % interval."
    " **Precision**: of the photos predicted as a class, the share that does belong to it."
)


def overview(subset: EvaluatedSubset) -> None:
    """The most frequent mistakes with their photos, every class, and further figures."""
    scores = class_scores(subset.found.confusion)
    left, right = st.columns(2, gap="large")
    with left:
        st.header(tr("Most frequent mistakes"), anchor=False)
        frequent_mistakes(subset, PAIRS, PHOTOS_EACH)
    with right:
        _class_by_class(subset, scores)
    st.caption(tr(SCORES_MEAN))
    _further_figures(subset, scores)
    with st.expander(tr("All figures as a table"), icon=":material/table:"):
        elements.long_list(figures.score_rows(scores, subset.found.class_names), f"classes-{subset.name}.csv")


def _class_by_class(subset: EvaluatedSubset, scores: ClassScores) -> None:
    st.header(tr("Class by class, the weakest first"), anchor=False)
    for sentence in sentences.worst_and_best(scores, subset.names):
        st.markdown(sentence)
    if len(subset.names) > MOST_ROWS:
        st.caption(tr("The {count} classes with the lowest recall; the table below has all.", count=MOST_ROWS))
    st.plotly_chart(
        figures.scores(scores, subset.names),
        config=saving_as(f"classes-{subset.name}"),
        key="class-scores",
        alt=tr(
            "Recall and precision of each class on {photos}; the table below has the same figures",
            photos=tr(sentences.PHOTOS[subset.name]),
        ),
    )


def _further_figures(subset: EvaluatedSubset, scores: ClassScores) -> None:
    found = subset.found
    with st.container(horizontal=True, gap="medium"):
        for k in [k for k in TOP if k < len(found.class_names)][-1:]:
            _fact(tr("Right class among the {k} most probable (top-{k})", k=k), found.top_accuracy(k), "")
        _fact(tr("All classes weighted equally (macro F1)"), scores.macro_f1, tr(MACRO))


def _fact(label: str, share: float, meant: str) -> None:
    st.markdown(f":gray[{label}]  \n**{drawings.percent(share)}**", width="content", help=meant or None)
