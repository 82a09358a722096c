"""What is kept between reruns and shared by all sessions. The only file with `st.cache_*`."""

import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset, prepare
from core.data.dataset_export import ExportJob
from core.data.images import decode, thumbnail
from core.data.review import Review, ReviewStore
from core.data.scan.folder import Scan
from core.data.scan.scanner import Scanner
from core.data.scan.walk import check_photo
from core.data.subsets import PARTS, TRAINING, VALIDATION
from core.errors import PhotoError
from core.evaluation import run_results
from core.evaluation.calibration import fit_temperature
from core.evaluation.comparison import Measured
from core.evaluation.embedding_map import Placed, map_of
from core.evaluation.metrics import Evaluation
from core.evaluation.training_dynamics import Timeline, read_timeline
from core.inference.batch import Batch, FolderJobs
from core.inference.out_of_distribution import Novelty
from core.inference.prediction import Look, Predictor
from core.labels.dataset_check import DatasetCheck
from core.labels.label_verdicts import Judge
from core.models.architecture import Architecture, load
from core.models.backbones import BACKBONES, backbone
from core.recipe.recipe_book import RecipeBook
from core.reports.card_facts import CardFacts, read_card_facts
from core.reports.facts import ReportContext, read_report_facts
from core.reports.report import Report, report_of
from core.runs import trainers
from core.runs.embeddings import Embeddings, read_embeddings
from core.runs.queue import Queue
from core.runs.store import RunStore
from core.runs.warm_trainer import WarmTrainer
from core.settings import Settings, settings_from
from core.training.budget import throughput
from core.training.budget.augmentation_costs import AugmentationCosts
from core.training.budget.time_budget import Pace
from core.training.dataset_features import features as dataset_features
from core.training.feature_cache.cache import TrunkStore
from core.training.lr_finder import finder
from core.training.process.preview import PreviewWorker

KEPT_DATASETS = 4
THUMBNAIL = 160
TINY = 80
LARGE = 480
KEPT_CHECKS = 4


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings, as the environment had them when the server started."""
    found = settings_from()
    found.datasets_folder.mkdir(parents=True, exist_ok=True)
    return found


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """The run store."""
    return RunStore(settings().runs_folder)


@st.cache_resource
def scanner() -> Scanner:
    """What scans folders in the background, shared by all sessions."""
    return Scanner(settings())


@st.cache_resource
def reviews() -> ReviewStore:
    """What was decided about photos."""
    return ReviewStore(settings().reviews_folder)


@st.cache_resource
def _datasets() -> OrderedDict[tuple[str, str], Dataset]:
    return OrderedDict()


def prepared(scan: Scan, review: Review) -> Dataset:
    """The dataset that a scan and a review make, made once."""
    key, kept = (scan.token, review.to_json()), _datasets()
    if key not in kept:
        kept[key] = prepare(scan, review)
        while len(kept) > KEPT_DATASETS:
            kept.popitem(last=False)
    return kept[key]


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs={Dataset: lambda dataset: dataset.token})
def split_of(dataset: Dataset, seed: int) -> NDArray[np.int8]:
    """The part of each photo under a seed, `(M,)`; raises as `Dataset.split` does."""
    return dataset.split(seed)


@st.cache_data(max_entries=500, show_spinner=False)
def small(path: Path, modified: float) -> bytes:
    """A photo as a small JPEG, cut as the model sees it."""
    return thumbnail(path, THUMBNAIL, settings().limits.pixels)


@st.cache_data(max_entries=60, show_spinner=False)
def large(path: Path, modified: float) -> bytes:
    """A photo as a JPEG to be looked at closely, cut as the model sees it."""
    return thumbnail(path, LARGE, settings().limits.pixels)


@st.cache_resource(max_entries=3, show_spinner="Loading the model…")
def predictor(run_id: str, ended: float | None) -> Predictor:
    """A run's model, ready to predict; raises as `Predictor` does."""
    return Predictor(store().get(run_id))


@st.cache_resource
def preview_worker() -> PreviewWorker:
    """The child process that draws augmentations, shared by all sessions."""
    return PreviewWorker(settings().keras_home)


@st.cache_resource
def augmentation_costs() -> AugmentationCosts:
    """What augmentations cost on this machine."""
    return AugmentationCosts(settings().augmentation_costs_file)


@st.cache_resource(show_spinner=False)
def warm_trainer() -> WarmTrainer | None:
    """The trainer that waits for its run, shared by all sessions; None where that is switched off."""
    return WarmTrainer() if settings().keep_warm else None


def queue() -> Queue:
    """The queue of runs."""
    return Queue(store(), settings().parallel)


@st.cache_resource(show_spinner=False)
def queue_keeper() -> threading.Thread:
    """What goes on with the queue where no trainer could: after one was killed, or the server was started again."""
    arguments = (queue(), warm_trainer(), threading.Event())
    keeper = threading.Thread(target=trainers.keep_going, args=arguments, daemon=True, name="queue")
    keeper.start()
    return keeper


@st.cache_resource(max_entries=len(BACKBONES), show_spinner="Listing the layers… the first time takes some seconds")
def architecture(key: str) -> Architecture:
    """The layers of a network; raises as `core.models.architecture.load` does."""
    return load(backbone(key), settings())


def rate_searches() -> RunStore:
    """Where searches for a learning rate are kept."""
    return RunStore(settings().home / finder.FOLDER)


@st.cache_resource(show_spinner=False)
def guessed_pace() -> Pace:
    """How fast this machine may be, before a run has measured it."""
    return throughput.guessed_pace()


@st.cache_resource
def trunk() -> TrunkStore:
    """What the frozen parts of networks have computed."""
    return TrunkStore(settings().trunk_folder, settings().limits.trunk_bytes)


@st.cache_resource(max_entries=2000, show_spinner=False)
def measured(run_id: str, part: str, ended: float | None) -> Measured:
    """How right a run is about the photos of a part; raises as `core.evaluation.run_results.measured` does."""
    return run_results.measured(store().get(run_id), part)


@st.cache_data(max_entries=2000, show_spinner=False)
def training_photos(run_id: str) -> int:
    """How many photos a run learns from."""
    return run_results.photos_in(store().get(run_id), PARTS[TRAINING])


def recipe_book() -> RecipeBook:
    """The recipes that were saved under names."""
    return RecipeBook(settings().recipes_folder)


def feature_jobs() -> RunStore:
    """Where features of datasets are computed and kept."""
    return RunStore(settings().home / dataset_features.FOLDER)


@st.cache_resource(max_entries=KEPT_CHECKS, show_spinner=False)
def features(job_id: str) -> dataset_features.Features:
    """What a job has computed; raises as `core.training.dataset_features.features.read_features` does."""
    return dataset_features.read_features(feature_jobs().get(job_id))


@st.cache_resource
def label_checks() -> OrderedDict[tuple[str, str], DatasetCheck]:
    """The last checks by the token of the dataset's scan and the key of the network, the newest last."""
    return OrderedDict()


def keep_label_check(scan_token: str, key: str, check: DatasetCheck) -> None:
    """Keep a check for all sessions, in place of the one before."""
    kept = label_checks()
    kept.pop((scan_token, key), None)
    kept[scan_token, key] = check
    while len(kept) > KEPT_CHECKS:
        kept.popitem(last=False)


@st.cache_resource(max_entries=16, show_spinner=False)
def evaluation(run_id: str, part: str, ended: float | None) -> Evaluation:
    """What a run's model says of the photos of a part; raises as `core.evaluation.run_results.evaluation` does."""
    return run_results.evaluation(store().get(run_id), part)


@st.cache_resource(max_entries=100, show_spinner=False)
def temperature(run_id: str, ended: float | None) -> float:
    """The temperature that fits a run's validation photos; raises as `evaluation` does."""
    known = evaluation(run_id, PARTS[VALIDATION], ended)
    return fit_temperature(known.probabilities, known.labels)


@st.cache_resource(max_entries=3, show_spinner=False)
def embeddings(run_id: str, modified: int) -> Embeddings:
    """What a run's model makes of each photo; raises as `core.runs.embeddings.read_embeddings` does."""
    return read_embeddings(store().get(run_id))


@st.cache_resource(max_entries=16, show_spinner="Placing the photos on the map…")
def embedding_map(run_id: str, part: str, modified: int) -> Placed:
    """Photos of a part of a run on a map; `modified` is when its embeddings were written, in nanoseconds."""
    return map_of(embeddings(run_id, modified).of(PARTS.index(part)))


@st.cache_resource(max_entries=16, show_spinner="Making small photos for the map…")
def tiny_photos(root: Path, paths: tuple[str, ...]) -> list[bytes]:
    """Photos of a dataset as very small JPEGs, in order; empty for what can no longer be read."""

    def tiny(path: str) -> bytes:
        try:
            return thumbnail(check_photo(root / path, settings().dataset_roots), TINY, settings().limits.pixels)
        except PhotoError:
            return b""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(tiny, paths))


@st.cache_resource(max_entries=200, show_spinner=False)
def look(run_id: str, ended: float | None, path: Path, modified: float) -> tuple[NDArray[np.uint8], Look]:
    """A photo as a run's model sees it, `(S, S, 3)`, and what it makes of it; raises `PhotoError`."""
    model = predictor(run_id, ended)
    pixels = decode(path, model.resolution, settings().limits.pixels)
    return pixels, model.look(pixels)


@st.cache_resource(max_entries=8, show_spinner=False)
def timeline(run_id: str, ended: float | None) -> Timeline:
    """How a run's predictions changed; raises as `core.evaluation.training_dynamics.read_timeline` does."""
    return read_timeline(store().get(run_id))


@st.cache_resource(max_entries=2, show_spinner="Loading the model…")
def judge(run_id: str, ended: float | None, modified: int) -> Judge:
    """What judges claimed labels by a run's model; `modified` is when its embeddings were written, in nanoseconds."""
    return Judge(predictor(run_id, ended), embeddings(run_id, modified))


@st.cache_resource
def dataset_exports() -> dict[Path, ExportJob]:
    """The last export of each dataset, by its folder."""
    return {}


@st.cache_resource(max_entries=4, show_spinner="Making the report…", hash_funcs={ReportContext: repr})
def report(run_id: str, ended: float | None, context: ReportContext, there: bool) -> Report:
    """The report of a run as a file, made anew where the dataset (`there`) has gone or come back.

    Raises as `core.reports.facts.read_report_facts` does.
    """
    limits, roots = settings().limits, settings().dataset_roots
    return report_of(read_report_facts(store().get(run_id), context, roots, limits.pixels))


@st.cache_resource(max_entries=16, show_spinner=False)
def card_facts(run_id: str, ended: float | None, name: str, dataset: str, key: str, from_nothing: bool) -> CardFacts:
    """What is known of a run's model; raises as `core.reports.card_facts.read_card_facts` does."""
    run, chosen = store().get(run_id), backbone(key)
    return read_card_facts(run, name=name, dataset=dataset, backbone=chosen, from_nothing=from_nothing)


@st.cache_resource
def folder_jobs() -> FolderJobs:
    """What models make of whole folders, shared by all sessions."""
    return FolderJobs(settings())


@st.cache_resource(max_entries=4, show_spinner=False)
def novelty(run_id: str, modified: int) -> Novelty:
    """What is usual for the photos of a run; `modified` is when its embeddings were written, in nanoseconds."""
    found = embeddings(run_id, modified)
    held_out = found.of(VALIDATION)
    return Novelty.fit(found, fit_temperature(held_out.probabilities, held_out.labels))


@st.cache_resource(max_entries=8, show_spinner=False)
def strangeness(job_id: str, count: int, run_id: str, modified: int, _batch: Batch) -> NDArray[np.float64]:
    """How strange the first photos of a job are to a run's model, `(count,)`."""
    return novelty(run_id, modified).strangeness(_batch.embedding)
