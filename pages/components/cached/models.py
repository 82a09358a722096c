"""Trained models ready to predict, what they predicted, and the layers of networks."""

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.images import decode
from core.inference.batch import Batch
from core.inference.decision import DecisionRule, read_decision_rule
from core.inference.external_test_job import ExternalTests
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import DetailedPrediction, Predictor
from core.labels.label_verdicts import LabelChecker
from core.language import tr
from core.models.architecture import Architecture, load
from core.models.backbones import BACKBONES, backbone
from pages.components.cached import runs, services


@st.cache_resource(max_entries=3, show_spinner=False)
def _predictor(run_id: str, ended: float | None) -> Predictor:
    return Predictor(runs.store().get(run_id))


def predictor(run_id: str, ended: float | None) -> Predictor:
    """A run's model, ready to predict; raises as `Predictor` does."""
    with st.spinner(tr("Loading the model…")):
        return _predictor(run_id, ended)


@st.cache_resource(max_entries=len(BACKBONES), show_spinner=False)
def _architecture(key: str) -> Architecture:
    return load(backbone(key), services.settings())


def architecture(key: str) -> Architecture:
    """The layers of a network; raises as `core.models.architecture.load` does."""
    with st.spinner(tr("Listing the layers… the first time takes some seconds")):
        return _architecture(key)


@st.cache_resource(max_entries=200, show_spinner=False)
def detailed_prediction(
    run_id: str, ended: float | None, path: Path, modified: float
) -> tuple[NDArray[np.uint8], DetailedPrediction]:
    """A photo as a run's model sees it, `(S, S, 3)`, and what it makes of it; raises `PhotoError`."""
    model = _predictor(run_id, ended)
    pixels = decode(path, model.resolution, services.settings().limits.pixels)
    return pixels, model.predict_one(pixels)


@st.cache_resource(max_entries=2, show_spinner=False)
def _label_checker(run_id: str, ended: float | None, modified: int) -> LabelChecker:
    rule, detector = decision_rule(run_id, ended), out_of_distribution_detector(run_id, ended, modified)
    return LabelChecker(_predictor(run_id, ended), runs.embeddings(run_id, modified), rule, detector)


def label_checker(run_id: str, ended: float | None, modified: int) -> LabelChecker:
    """What checks given labels with a run's model; `modified` is when its embeddings were written, in nanoseconds."""
    with st.spinner(tr("Loading the model…")):
        return _label_checker(run_id, ended, modified)


@st.cache_resource(max_entries=4, show_spinner=False)
def out_of_distribution_detector(run_id: str, ended: float | None, modified: int) -> OutOfDistributionDetector:
    """A run's detector; `modified` is when its embeddings were written, in nanoseconds."""
    return OutOfDistributionDetector.fit(runs.embeddings(run_id, modified), decision_rule(run_id, ended).temperature)


@st.cache_resource(max_entries=8, show_spinner=False)
def ood_scores(
    job_id: str, count: int, modified: int, _detector: OutOfDistributionDetector, _batch: Batch
) -> NDArray[np.float64]:
    """OOD scores of the first photos of a job, `(count,)`; `modified` tells one detector from another."""
    return _detector.ood_scores(_batch.embedding)


def decision_rule(run_id: str, ended: float | None) -> DecisionRule:
    """The rule of a run, with the temperature from memory."""
    return read_decision_rule(runs.store().get(run_id), lambda run: runs.temperature(run.id, ended))


@st.cache_resource(show_spinner=False)
def external_tests() -> ExternalTests:
    """Tests of models on labelled photos from elsewhere, shared by all sessions."""
    return ExternalTests(services.settings())
