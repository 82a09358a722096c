"""Widgets and pieces of pages that more than one page uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from core.data.folder import Scan
from core.data.walk import check_photo
from core.errors import PhotoError, UnfreezeError
from core.models.backbones import backbone
from core.runs.store import Run, Status
from core.training.recipe import Recipe
from pages.components import cached, state
from pages.components.report_errors import reporting

PHOTO_PIXELS = 94


def page_head(title: str, sentence: str) -> None:
    """A page's title with one sentence on what it is for."""
    st.title(title, anchor=False)
    st.markdown(sentence)


def dataset_or_stop() -> Scan:
    """The scan of the chosen dataset; without one, the page ends with a way to choose it."""
    path = state.dataset()
    if not path:
        st.info("Choose a dataset first.", icon=":material/photo_library:")
        st.page_link("pages/prepare/dataset.py", label="Choose a dataset", icon=":material/arrow_forward:")
        st.stop()
    with reporting():
        return scan_with_progress(path)


def scan_with_progress(path: str) -> Scan:
    """Scan a folder while a bar shows how far it is."""
    bar = st.empty()

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / max(1, total), f"Looking at every photo: {done:,} of {total:,}")

    try:
        return cached.scanned(path, on_progress)
    finally:
        bar.empty()


def photo_row(photos: Sequence[Any], names: Sequence[str], *, show_names: bool = False) -> None:
    """Photos side by side as far as there is room; names are read out to those who cannot see them."""
    with st.container(horizontal=True, gap="xsmall"):
        for photo, name in zip(photos, names, strict=True):
            st.image(photo, width=PHOTO_PIXELS, alt=name, caption=name if show_names else None)


def thumbnails(scan: Scan, indices: Sequence[int]) -> None:
    """Photos of a dataset in a row that wraps; what can no longer be read is named with its reason."""
    photos, names, lost = [], [], []
    for index in indices:
        path, name = scan.folder.absolute(index), scan.folder.paths[index]
        try:
            photos.append(cached.small(check_photo(path, cached.settings().dataset_roots), path.stat().st_mtime))
            names.append(name)
        except (PhotoError, FileNotFoundError) as error:
            lost.append(f"{plain(name)} ({error})")
    photo_row(photos, names)
    if lost:
        st.caption(f":material/broken_image: No longer readable: {', '.join(lost)}")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Small labels with a value each, side by side as far as there is room."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in pairs:
            st.markdown(f":gray[{label}]  \n**{value}**", width="content")


def duration(seconds: float | None) -> str:
    """Seconds in words such as "48 s" or "6 min 10 s"; a dash where they are unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def plain(text: str) -> str:
    """A name as plain text inside Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-.!|~:$" else sign for sign in text)


@dataclass(frozen=True)
class RunOnShow:
    """A run with its status and recipe, each read once."""

    run: Run
    status: Status
    recipe: Recipe


def all_runs() -> tuple[list[RunOnShow], list[tuple[str, str]]]:
    """Runs that can be read, newest first, and the names of the others with the reason."""
    readable, broken = [], []
    for run in cached.store().runs():
        try:
            readable.append(RunOnShow(run, run.read_status(), recipe_of(run)))
        except UnfreezeError as error:
            broken.append((run.id, str(error)))
    return readable, broken


def recipe_of(run: Run) -> Recipe:
    """The recipe that a run was started with."""
    return Recipe.from_values(run.recipe_values())


def describe(recipe: Recipe) -> str:
    """A run in a few words; not yet safe as Markdown."""
    return f"{backbone(recipe.backbone).name} on {Path(recipe.dataset).name}"


def describe_with_accuracy(shown: RunOnShow) -> str:
    """A run in a few words, with its grade and when it was made, to choose it from a list."""
    status = shown.status
    grade = f" · {status.test_accuracy:.0%} on test" if status.test_accuracy is not None else ""
    made = f"{datetime.fromtimestamp(status.created):%d %b, %H:%M}"
    return f"{describe(shown.recipe)}{grade} · {made}"


def check_upload_size(size: int, most: int) -> None:
    """Raise `PhotoError` for an upload above the limit; a widget's own limit is not enforced by the server."""
    if size > most:
        raise PhotoError(f"The file has {size / 1e6:.0f} MB; at most {most / 1e6:.0f} MB are read.")


def spreadsheet_safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
