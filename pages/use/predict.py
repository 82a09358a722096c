"""Predict the classes of photos with a trained model."""

import streamlit as st

from core.inference.out_of_distribution import OutOfDistributionDetector
from pages.components.cached import models
from pages.components.evaluate.photos import open_on_mistakes
from pages.components.predict import results
from pages.components.predict.model import Model
from pages.components.predict.sources import CAMERA, FOLDER, PHOTOS, SOURCES
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements, state
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


def predict(chosen: LoadedRun) -> None:
    """Choose where photos come from, and see the predictions."""
    with st.container(key="predict-photos"):
        if chosen.recipe.weights == "random":
            random_weights_warning()
        source = st.segmented_control(
            "Source of the photos",
            list(SOURCES),
            default=FOLDER if state.predicted_folder() else PHOTOS,
            required=True,
            key="predict-source",
            persist_state="session",
            label_visibility="collapsed",
        )
        name, ended = chosen.run.id, chosen.status.ended
        model = Model(chosen, models.predictor(name, ended), models.decision_rule(name, ended), detector_of(chosen))
        job = SOURCES[source](model)
    if job is not None:
        results.show(model, job)
        if source != CAMERA:  # whose answers stand beside its picture
            elements.first_on_phone("predict", "predict-answer", "predict-cards", "predict-photos")


lead_on = elements.page_head("Predict", "Show photos to the model and see its predictions.")
with st.container(key="predict"):
    on_show = choose_run()
    if on_show:
        elements.lead_on(
            lead_on, "See its mistakes", "pages/use/evaluate.py", ":material/troubleshoot:", open_on_mistakes
        )
        with reporting():
            predict(on_show)
