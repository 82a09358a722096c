"""Trained models ready to predict, what they predicted, and the layers of networks."""

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.images import decode
from core.data.subsets import VALIDATION
from core.evaluation.calibration import fit_temperature
from core.inference.batch import Batch
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Look, Predictor
from core.labels.label_verdicts import LabelChecker
from core.models.architecture import Architecture, load
from core.models.backbones import BACKBONES, backbone
from pages.components.cached import runs, services


@st.cache_resource(max_entries=3, show_spinner="Loading the model…")
def predictor(run_id: str, ended: float | None) -> Predictor:
    """A run's model, ready to predict; raises as `Predictor` does."""
    return Predictor(runs.store().get(run_id))


@st.cache_resource(max_entries=len(BACKBONES), show_spinner="Listing the layers… the first time takes some seconds")
def architecture(key: str) -> Architecture:
    """The layers of a network; raises as `core.models.architecture.load` does."""
    return load(backbone(key), services.settings())


@st.cache_resource(max_entries=200, show_spinner=False)
def look(run_id: str, ended: float | None, path: Path, modified: float) -> tuple[NDArray[np.uint8], Look]:
    """A photo as a run's model sees it, `(S, S, 3)`, and what it makes of it; raises `PhotoError`."""
    model = predictor(run_id, ended)
    pixels = decode(path, model.resolution, services.settings().limits.pixels)
    return pixels, model.look(pixels)


@st.cache_resource(max_entries=2, show_spinner="Loading the model…")
def label_checker(run_id: str, ended: float | None, modified: int) -> LabelChecker:
    """What judges claimed labels by a run's model; `modified` is when its embeddings were written, in nanoseconds."""
    return LabelChecker(predictor(run_id, ended), runs.embeddings(run_id, modified))


@st.cache_resource(max_entries=4, show_spinner=False)
def out_of_distribution_detector(run_id: str, modified: int) -> OutOfDistributionDetector:
    """What is usual for the photos of a run; `modified` is when its embeddings were written, in nanoseconds."""
    found = runs.embeddings(run_id, modified)
    held_out = found.of(VALIDATION)
    return OutOfDistributionDetector.fit(found, fit_temperature(held_out.probabilities, held_out.labels))


@st.cache_resource(max_entries=8, show_spinner=False)
def ood_scores(job_id: str, count: int, run_id: str, modified: int, _batch: Batch) -> NDArray[np.float64]:
    """How strange the first photos of a job are to a run's model, `(count,)`."""
    return out_of_distribution_detector(run_id, modified).ood_scores(_batch.embedding)
