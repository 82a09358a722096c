"""Datasets as they were scanned and reviewed, their photos as small pictures, and the results of label checks."""

import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset, prepare
from core.data.dataset_export import ExportJob
from core.data.images import thumbnail
from core.data.pseudo_labels import PseudoLabels
from core.data.review import Review, ReviewStore
from core.data.scan.folder import ImageFolder, Scan
from core.data.scan.walk import check_photo
from core.data.split import limit_training
from core.errors import PhotoError
from core.labelling.for_training import ForTraining
from core.labelling.pool import Labels, Pool
from core.labelling.rounds import Round, next_round
from core.labelling.spreading import SpreadLabels, spread
from core.labels.dataset_check import DatasetCheck
from core.language import tr
from core.recipe.recipe import Recipe
from core.runs.store import RunStore
from core.training.dataset_features import features as dataset_features
from core.training.dataset_features import unlabelled
from pages.components.cached import services

KEPT_DATASETS, KEPT_CHECKS = 4, 8

TINY, THUMBNAIL, LARGE = 80, 160, 480
"""Pixels a side of small photos."""


@st.cache_resource(show_spinner=False)
def reviews() -> ReviewStore:
    """What was decided about photos."""
    return ReviewStore(services.settings().reviews_folder)


@st.cache_resource(show_spinner=False)
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


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Dataset: lambda dataset: dataset.token})
def used(dataset: Dataset, seed: int, without: tuple[str, ...] = ()) -> tuple[ImageFolder, NDArray[np.int8]]:
    """The photos that a run would take under a seed, and the subset of each; raises as `Dataset.used` does."""
    return dataset.used(split_of(dataset, seed), without)


def limited_split(dataset: Dataset, per_class: int, split_seed: int, seed: int) -> NDArray[np.int8]:
    """The part of each photo for a run that learns from so many photos of each class, `(M,)`; 0 for all."""
    return limit_training(dataset.folder, split_of(dataset, split_seed), per_class, (split_seed, seed))


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Dataset: lambda dataset: dataset.token})
def limited(
    dataset: Dataset, without: tuple[str, ...], per_class: int, split_seed: int, seed: int
) -> tuple[ImageFolder, NDArray[np.int8]]:
    """The photos that such a run would take, and the subset of each; raises as `Dataset.used` does."""
    return dataset.used(limited_split(dataset, per_class, split_seed, seed), without)


@lru_cache(maxsize=2000)
def small(path: Path, modified: float) -> bytes:
    """A photo as a small JPEG, cut as the model sees it; may be called in threads."""
    return thumbnail(path, THUMBNAIL, services.settings().limits.pixels)


@st.cache_data(max_entries=60, show_spinner=False)
def large(path: Path, modified: float) -> bytes:
    """A photo as a JPEG to be looked at closely, cut as the model sees it."""
    return thumbnail(path, LARGE, services.settings().limits.pixels)


def feature_jobs() -> RunStore:
    """Where features of datasets are computed and kept."""
    return RunStore(services.settings().home / dataset_features.FOLDER)


@st.cache_resource(max_entries=KEPT_CHECKS, show_spinner=False)
def features(job_id: str) -> dataset_features.Features:
    """What a job has computed; raises as `core.training.dataset_features.features.read_features` does."""
    return dataset_features.read_features(feature_jobs().get(job_id))


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={Scan: lambda scan: scan.token})
def pool(scan: Scan, network: str, _features: dataset_features.Features) -> Pool:
    """The photos of a folder with features by this network; raises as `core.labelling.pool.Pool.of` does."""
    return Pool.of(scan, _features.values, _features.row_of)


@st.cache_resource(max_entries=8, show_spinner=False)
def _next_photos(
    pool_token: str, labels_token: str, passed_over: tuple[str, ...], _pool: Pool, _labels: Labels
) -> Round:
    return next_round(_pool, _labels, passed_over)


def next_photos(pool_token: str, labels_token: str, passed_over: tuple[str, ...], pool: Pool, labels: Labels) -> Round:
    """The next round of labelling."""
    with st.spinner(tr("Choosing the photos that teach most…")):
        return _next_photos(pool_token, labels_token, passed_over, pool, labels)


@st.cache_resource(max_entries=8, show_spinner=False)
def _spread_labels(pool_token: str, labels_token: str, _pool: Pool, _labels: Labels) -> SpreadLabels:
    return spread(_pool, _labels)


def spread_labels(pool_token: str, labels_token: str, pool: Pool, labels: Labels) -> SpreadLabels:
    """Labels spread to the others; raises as `core.labelling.spreading.spread` does."""
    with st.spinner(tr("Spreading the labels…")):
        return _spread_labels(pool_token, labels_token, pool, labels)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Dataset: lambda dataset: dataset.token})
def _unlabelled_photos(dataset: Dataset, parts: NDArray[np.int8], without: tuple[str, ...] = ()) -> ForTraining:
    return unlabelled.unlabelled_photos(dataset, parts, without, feature_jobs(), lambda run: features(run.id))


def unlabelled_photos(dataset: Dataset, parts: NDArray[np.int8], without: tuple[str, ...] = ()) -> ForTraining:
    """What a run with these parts, `(M,)`, may learn from unlabelled photos; raises as in `core` does."""
    with st.spinner(tr("Spreading the labels…")):
        return _unlabelled_photos(dataset, parts, without)


def pseudo_labels_for(dataset: Dataset, recipe: Recipe, parts: NDArray[np.int8]) -> PseudoLabels | None:
    """What a run by a recipe learns from unlabelled photos; None where it uses none, or none are labelled by hand."""
    if not recipe.unlabelled or not dataset.by_hand:
        return None
    return unlabelled_photos(dataset, recipe.limited(dataset.folder, parts), recipe.without_classes).labels


@st.cache_resource(show_spinner=False)
def label_checks() -> OrderedDict[tuple[str, str], DatasetCheck]:
    """The last checks by the token of a scan and the key of a network or the id of a thorough check, newest last."""
    return OrderedDict()


def keep_label_check(scan_token: str, key: str, check: DatasetCheck) -> None:
    """Keep a check for all sessions, in place of the one before."""
    kept = label_checks()
    kept.pop((scan_token, key), None)
    kept[scan_token, key] = check
    while len(kept) > KEPT_CHECKS:
        kept.popitem(last=False)


@st.cache_resource(max_entries=16, show_spinner=False)
def _tiny_photos(root: Path, paths: tuple[str, ...]) -> list[bytes]:

    def tiny(path: str) -> bytes:
        try:
            return thumbnail(
                check_photo(root / path, services.settings().dataset_roots), TINY, services.settings().limits.pixels
            )
        except PhotoError:
            return b""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(tiny, paths))


def tiny_photos(root: Path, paths: tuple[str, ...]) -> list[bytes]:
    """Photos of a dataset as very small JPEGs, in order; empty for what can no longer be read."""
    with st.spinner(tr("Making small photos for the map…")):
        return _tiny_photos(root, paths)


@st.cache_resource(show_spinner=False)
def dataset_exports() -> dict[Path, ExportJob]:
    """The last export of each dataset, by its folder."""
    return {}


def photo_roots() -> tuple[Path, ...]:
    """The folders whose photos may be shown: those of datasets, and what was unpacked for a run."""
    return (*services.settings().dataset_roots, services.settings().runs_folder)
