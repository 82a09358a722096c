"""Show the model photos, and see what it says."""

import streamlit as st

from core.inference.out_of_distribution import OutOfDistributionDetector
from pages.components.cached import models
from pages.components.predict import results
from pages.components.predict.sources import FOLDER, PHOTOS, SOURCES
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import elements, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.shared.run_embeddings import embeddings_of


def detector_of(chosen: LoadedRun) -> OutOfDistributionDetector | None:
    """What is usual for the photos of a run; None while that is being found out, and the page says how far it is."""
    if embeddings_of(chosen.run) is None:
        return None
    return models.out_of_distribution_detector(chosen.run.id, chosen.run.embeddings_file.stat().st_mtime_ns)


def predict(chosen: LoadedRun) -> None:
    """Choose where photos come from, and see what the model says of them."""
    if chosen.recipe.weights == "random":
        random_weights_warning()
    source = st.segmented_control(
        "Where the photos come from",
        list(SOURCES),
        default=FOLDER if state.predicted_folder() else PHOTOS,
        required=True,
        key="predict-source",
        persist_state="session",
        label_visibility="collapsed",
    )
    predictor = models.predictor(chosen.run.id, chosen.status.ended)
    detector = detector_of(chosen)
    job = SOURCES[source](chosen, predictor, detector)
    if job is not None:
        results.show(chosen, job, predictor, detector)


elements.page_head("Predict", "Show the model photos, and see what it takes them for.")
on_show = choose_run()
if on_show:
    with reporting():
        predict(on_show)
