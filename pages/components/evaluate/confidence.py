"""Whether a model's confidence matches its accuracy, and what it gains by abstaining."""

import streamlit as st

from core.errors import RunError
from core.evaluation.calibration import Reliability, coverage, reliability, trust, with_temperature
from core.formatting import unbroken
from core.language import sentences as together
from core.language import tr
from pages.components.cached import runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import saving_as
from pages.components.evaluate.photos import EvaluatedSubset
from pages.components.shared import drawings, elements


def confidence(subset: EvaluatedSubset) -> None:
    """Whether its confidence matches its accuracy, and what it gains by abstaining."""
    found, fitted = subset.found, _temperature(subset)
    before = reliability(found.probabilities, found.labels)
    after = None if fitted is None else reliability(with_temperature(found.probabilities, fitted), found.labels)
    with st.container(key="confidence"):
        picture, words = st.columns([3, 2], gap="large")
    elements.first_on_phone("confidence", "confidence-words")
    with words.container(key="confidence-words"):
        st.header(tr("Can you trust its percentages?"), anchor=False)
        for sentence in (*sentences.confidence_and_accuracy(before), trust(before)):
            st.markdown(unbroken(sentence))
        _calibrated(subset, fitted, before, after)
    with picture:
        st.plotly_chart(
            figures.reliability(before, after),
            config=saving_as(f"reliability-{subset.name}"),
            key="reliability",
            alt=tr(
                "Reliability diagram of {photos}: accuracy over confidence", photos=tr(sentences.PHOTOS[subset.name])
            ),
        )
    _coverage(subset)


def _calibrated(subset: EvaluatedSubset, fitted: float | None, before: Reliability, after: Reliability | None) -> None:
    facts = [(tr("Expected calibration error"), drawings.percent(before.error))]
    if fitted is not None and after is not None:
        st.markdown(sentences.temperature(fitted, after.error < before.error))
        facts.append((tr("After temperature scaling"), drawings.percent(after.error)))
    elements.facts(facts)
    st.caption(how_calibrated(subset.name, fitted))


def _coverage(subset: EvaluatedSubset) -> None:
    st.header(tr("What if it can abstain?"), anchor=False)
    curve = coverage(subset.found.probabilities, subset.found.labels)
    st.markdown(unbroken(sentences.abstention(curve)))
    st.plotly_chart(
        figures.coverage(curve),
        config=saving_as(f"coverage-{subset.name}"),
        key="coverage",
        alt=tr(
            "Accuracy over the share of {photos} with an answer, the highest confidence first",
            photos=tr(sentences.PHOTOS[subset.name]),
        ),
    )


def _temperature(subset: EvaluatedSubset) -> float | None:
    """The temperature that fits the validation photos; None where there are none."""
    try:
        return runs.temperature(subset.shown.run.id, subset.shown.status.ended)
    except RunError:
        return None


def how_calibrated(subset_name: str, fitted: float | None) -> str:
    """What the calibration error is, and what the temperature is fitted to."""
    meaning = tr("The error is the mean difference between confidence and accuracy.")
    if fitted is None:
        return together(meaning, tr("The temperature is fitted to validation photos, and this run has none."))
    if subset_name == "validation":
        how = tr(
            "The temperature is fitted to the validation photos, the same photos as shown here, so “after” is slightly"
            " optimistic (Guo et al., 2017)."
        )
    else:
        how = tr("The temperature is fitted to the validation photos (Guo et al., 2017).")
    return together(meaning, how)
