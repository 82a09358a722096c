"""Predict the classes of photos with a trained model."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.inference.out_of_distribution import OutOfDistributionDetector
from core.language import tr
from pages.components.cached import models
from pages.components.evaluate.photos import open_on_mistakes
from pages.components.predict import results
from pages.components.predict.model import Model
from pages.components.predict.sources import SOURCES, choose_source, from_clipboard, have_any
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.shared.run_embeddings import embeddings_of


def detector_of(chosen: LoadedRun) -> OutOfDistributionDetector | None:
    """The run's out-of-distribution detector; None while its embeddings are computed, and the page shows how far."""
    if embeddings_of(chosen.run) is None:
        return None
    modified = chosen.run.embeddings_file.stat().st_mtime_ns
    return models.out_of_distribution_detector(chosen.run.id, chosen.status.ended, modified)


def predict(chosen: LoadedRun, first: DeltaGenerator, choices: DeltaGenerator) -> None:
    """Choose where photos come from, and see the predictions: what is newest in the place for what comes first."""
    with choices:
        source = choose_source()
    with st.container(key="predict-photos"):  # always in the same place, so that what is pasted below lives on
        if chosen.recipe.weights == "random":
            random_weights_warning()
        name, ended = chosen.run.id, chosen.status.ended
        model = Model(chosen, models.predictor(name, ended), models.decision_rule(name, ended), detector_of(chosen))
        job = SOURCES[source](model, first)
    from_clipboard()
    if job is not None:
        results.show(model, job, source, first)


lead_on = elements.page_head(tr("Predict"))
with st.container(key="predict"):
    place_of_answer = st.container(key="predict-answer")
    place_of_choices = st.container(horizontal=True, vertical_alignment="center", key="predict-choices")
    with place_of_choices:
        on_show = choose_run(labelled=False)
    if on_show:
        elements.lead_on(
            lead_on,
            tr("See its mistakes"),
            "pages/use/evaluate.py",
            ":material/troubleshoot:",
            open_on_mistakes,
            stands_out=have_any(),
        )
        with reporting():
            predict(on_show, place_of_answer, place_of_choices)
