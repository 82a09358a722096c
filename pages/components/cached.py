"""What is kept between reruns and shared by all sessions. The only file with `st.cache_*`."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.folder import ImageFolder, Scan, check_inside, scan, signature
from core.data.images import thumbnail
from core.data.split import assign_parts, duplicate_groups
from core.results.prediction import Predictor
from core.runs.store import RunStore
from core.settings import Settings, settings_from
from core.training.preview import PreviewWorker

KEPT_SCANS = 4
THUMBNAIL = 160


@st.cache_resource
def settings() -> Settings:
    """The settings, as the environment had them when the server started."""
    found = settings_from()
    found.datasets_folder.mkdir(parents=True, exist_ok=True)
    return found


@st.cache_resource
def store() -> RunStore:
    """The run store."""
    return RunStore(settings().runs_folder)


@st.cache_resource
def _scans() -> OrderedDict[tuple[Path, str], Scan]:
    return OrderedDict()


def scanned(path: str, on_progress: Callable[[int, int], None]) -> Scan:
    """The scan of a folder, made once as long as nothing in it changes; raises as `core.data.folder.scan` does."""
    roots = settings().dataset_roots
    root = check_inside(path, roots)
    key = (root, signature(root, roots=roots))
    kept = _scans()
    if key not in kept:
        kept[key] = scan(root, roots=roots, max_bytes=settings().max_photo_bytes, on_progress=on_progress)
        while len(kept) > KEPT_SCANS:
            kept.popitem(last=False)
    return kept[key]


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs={ImageFolder: lambda folder: (folder.root, folder.paths)})
def split_of(folder: ImageFolder, seed: int) -> NDArray[np.int8]:
    """The part of each photo under a seed, `(N,)`; equal photos stay together."""
    return assign_parts(folder.labels, seed=seed, groups=duplicate_groups(folder))


@st.cache_data(max_entries=500, show_spinner=False)
def small(path: Path, modified: float) -> bytes:
    """A photo as a small JPEG, cut as the model sees it."""
    return thumbnail(path, THUMBNAIL)


@st.cache_resource(max_entries=3, show_spinner="Loading the model…")
def predictor(run_id: str, ended: float | None) -> Predictor:
    """A run's model, ready to predict; raises as `Predictor` does."""
    return Predictor(store().get(run_id))


@st.cache_resource
def preview_worker() -> PreviewWorker:
    """The child process that draws augmentations, shared by all sessions."""
    return PreviewWorker(settings().keras_home)
