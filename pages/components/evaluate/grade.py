"""The answer in short, above every section: how many photos are classified correctly, and what to expect of others."""

import streamlit as st

from core.language import tr
from pages.components.evaluate import sentences
from pages.components.evaluate.photos import EvaluatedSubset
from pages.components.shared import drawings


def grade(subset: EvaluatedSubset) -> None:
    """The accuracy, large, and what it means."""
    found, caption = subset.found, tr("accuracy on the {photos}", photos=tr(sentences.PHOTOS[subset.name]))
    figure, words = st.columns([2, 5], vertical_alignment="center", gap="medium")
    figure.html(
        '<div style="line-height:1.1"><span style="font-size:clamp(2.6rem,4vw,3.2rem);font-weight:700"'
        f' data-testid="accuracy">{drawings.percent(found.correct / len(found))}</span><br>'
        f"{caption}</div>"
    )
    with words:
        if subset.elsewhere:
            st.markdown(sentences.correct_elsewhere(found, subset.elsewhere.facts.name))
        else:
            st.markdown(sentences.correct(found, subset.name))
        st.caption(tr(sentences.MEANT[subset.name]))
