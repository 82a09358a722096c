"""The run store, its queue, and what was read from the folders of finished runs."""

import threading

import numpy as np
import streamlit as st

from core.data.subsets import SUBSETS, TRAINING, VALIDATION
from core.evaluation import run_results
from core.evaluation.comparison import Measured
from core.evaluation.embedding_map import EmbeddingMap, map_of
from core.evaluation.metrics import Evaluation
from core.evaluation.training_dynamics import TrainingDynamics, read_training_dynamics
from core.inference.decision import temperature_of
from core.inference.external_test import ExternalTest, read_test
from core.language import language, tr
from core.reports.card_facts import CardFacts, read_card_facts
from core.reports.facts import ReportContext, read_report_facts
from core.reports.report import Report, report_of
from core.runs import trainers
from core.runs.embeddings import Embeddings, read_embeddings
from core.runs.queue import Queue
from core.runs.store import RunStore
from core.training.codegen import script
from core.training.lr_finder import finder
from pages.components.cached import services

MOST_VALIDATIONS = 24
"""Of more than that, some are read while a run goes on, which takes the same time however long it goes."""


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """The run store."""
    return RunStore(services.settings().runs_folder)


def queue() -> Queue:
    """The queue of runs."""
    return Queue.of(services.settings())


@st.cache_resource(show_spinner=False)
def queue_keeper() -> threading.Thread:
    """What goes on with the queue where no trainer could: after one was killed, or the server was started again."""
    arguments = (queue(), services.warm_trainer(), threading.Event())
    keeper = threading.Thread(target=trainers.run_queue, args=arguments, daemon=True, name="queue")
    keeper.start()
    return keeper


def rate_searches() -> RunStore:
    """Where searches for a learning rate are kept."""
    return RunStore(services.settings().home / finder.FOLDER)


@st.cache_resource(max_entries=2000, show_spinner=False)
def measured(run_id: str, part: str, ended: float | None) -> Measured:
    """How right a run is about the photos of a part; raises as `core.evaluation.run_results.measured` does."""
    return run_results.measured(store().get(run_id), part)


@st.cache_data(max_entries=200, show_spinner=False)
def validation_classes(run_id: str, left_out: int) -> tuple[int, ...]:
    """How many validation photos a run has of each class; empty where that is not known."""
    labels = run_results.photos_of(store().get(run_id), SUBSETS[VALIDATION])[1]
    return tuple(np.bincount(labels).tolist())


@st.cache_data(max_entries=2000, show_spinner=False)
def training_photos(run_id: str) -> int:
    """How many photos a run learns from, those without a label of their own included."""
    return run_results.photos_in(store().get(run_id), SUBSETS[TRAINING]) + unlabelled_photos(run_id)


@st.cache_data(max_entries=2000, show_spinner=False)
def unlabelled_photos(run_id: str) -> int:
    """From how many photos without a label of their own a run learns."""
    return run_results.unlabelled_photos_in(store().get(run_id))


@st.cache_resource(max_entries=16, show_spinner=False)
def evaluation(run_id: str, part: str, ended: float | None) -> Evaluation:
    """What a run's model says of the photos of a part; raises as `core.evaluation.run_results.evaluation` does."""
    return run_results.evaluation(store().get(run_id), part)


@st.cache_resource(max_entries=8, show_spinner=False)
def external_test(run_id: str, test: str, made: float, said: int) -> ExternalTest:
    """A test on photos from elsewhere, by when it was made and when a person last said which classes are meant.

    Raises as `core.inference.external_test.read_test` does.
    """
    return read_test(store().get(run_id), test)


@st.cache_resource(max_entries=100, show_spinner=False)
def temperature(run_id: str, ended: float | None) -> float:
    """The temperature that fits a run's validation photos; raises as `core.inference.decision.temperature_of` does."""
    return temperature_of(store().get(run_id))


@st.cache_resource(max_entries=3, show_spinner=False)
def embeddings(run_id: str, modified: int) -> Embeddings:
    """What a run's model makes of each photo; raises as `core.runs.embeddings.read_embeddings` does."""
    return read_embeddings(store().get(run_id))


@st.cache_resource(max_entries=16, show_spinner=False)
def _embedding_map(run_id: str, part: str, modified: int) -> EmbeddingMap:
    return map_of(embeddings(run_id, modified).of(SUBSETS.index(part)))


def embedding_map(run_id: str, part: str, modified: int) -> EmbeddingMap:
    """Photos of a part of a run on a map; `modified` is when its embeddings were written, in nanoseconds."""
    with st.spinner(tr("Placing the photos on the map…")):
        return _embedding_map(run_id, part, modified)


@st.cache_resource(max_entries=8, show_spinner=False)
def training_dynamics(run_id: str, ended: float | None) -> TrainingDynamics:
    """How a run's predictions changed; raises as `core.evaluation.training_dynamics.read_training_dynamics` does."""
    return read_training_dynamics(store().get(run_id))


@st.cache_resource(max_entries=8, show_spinner=False)
def dynamics_so_far(run_id: str, validations: int, seconds: float) -> TrainingDynamics:
    """The same of some validations of a run, also of one in progress: after so many, the last so many seconds in."""
    return read_training_dynamics(store().get(run_id), MOST_VALIDATIONS)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={ReportContext: repr})
def _report(run_id: str, ended: float | None, context: ReportContext, there: bool, reader: str) -> Report:
    limits, roots = services.settings().limits, services.settings().dataset_roots
    return report_of(read_report_facts(store().get(run_id), context, roots, limits.pixels))


def report(run_id: str, ended: float | None, context: ReportContext, there: bool) -> Report:
    """The report of a run as a file, made anew where the dataset (`there`) has gone or come back.

    Raises as `core.reports.facts.read_report_facts` does.
    """
    with st.spinner(tr("Making the report…")):
        return _report(run_id, ended, context, there, language())


@st.cache_data(max_entries=16, show_spinner=False)
def training_script(run_id: str, ended: float | None) -> str:
    """The script of a run that has ended; raises as `core.training.codegen.script.training_script` does."""
    return script.training_script(store().get(run_id), services.settings())


@st.cache_resource(max_entries=16, show_spinner=False)
def card_facts(run_id: str, ended: float | None, name: str) -> CardFacts:
    """What is known of a run's model; raises as `core.reports.card_facts.read_card_facts` does."""
    return read_card_facts(store().get(run_id), name)
