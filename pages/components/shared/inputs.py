"""Widgets and pieces of pages that more than one page uses."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from core import formatting
from core.data.dataset import Dataset, imbalance
from core.data.scan.folder import ImageFolder, Scan, check_inside
from core.data.scan.layout import Layout
from core.data.scan.scanner import ScanJob
from core.data.scan.walk import check_photo
from core.errors import PhotoError, UnfreezeError
from core.models.backbones import backbone
from core.recipe.recipe import Recipe
from core.runs.store import Run, Status
from core.settings import FILE_NAME
from pages.components.shared import cached, state
from pages.components.shared.report_errors import reporting
from pages.components.train.draft import Draft

PHOTO_PIXELS = 94
ROWS_SHOWN = 1000
MOMENT = 0.6
"""Seconds that a page waits for a scan before it shows a bar."""

NOTABLE = 1.5
"""How many times as many photos the largest class must have as the smallest to be worth a sentence."""

GO_ON = ("scan-stopped", "")


def nothing_more(root: Path) -> None:
    """Add nothing to a page."""


def page_head(title: str, sentence: str) -> None:
    """A page's title with one sentence on what it is for."""
    st.title(title, anchor=False)
    st.markdown(sentence)


def dataset_or_stop(on_trouble: Callable[[Path], None] = nothing_more) -> Dataset:
    """The chosen dataset; without one, or while it is being scanned, the page ends with what can be done about it.

    `on_trouble` adds to the page, after the sentence about a folder that cannot be used as it is.
    """
    path = state.dataset()
    if not path:
        st.info("Choose a dataset first.", icon=":material/photo_library:")
        st.page_link("pages/prepare/dataset.py", label="Choose a dataset", icon=":material/arrow_forward:")
        st.stop()
    with reporting():
        root = check_inside(path, cached.settings().dataset_roots)
        review = cached.reviews().read(root)
    try:
        return cached.prepared(scan_or_stop(path, review.layout), review)
    except UnfreezeError as error:
        st.warning(str(error), icon=":material/info:")
        on_trouble(root)
        st.stop()


def scan_or_stop(path: str, layout: Layout) -> Scan:
    """The scan of a folder; while it goes on, the page ends with how far it is."""
    if state.recall("scan-stopped", "") == path:
        st.info("The look through the photos was stopped. What was found until then is kept.", icon=":material/pause:")
        st.button("Go on", icon=":material/play_arrow:", type="primary", on_click=state.remember, args=GO_ON)
        st.stop()
    job = cached.scanner().request(path, layout, again=bool(state.take("scan-again")))
    if not job.wait(MOMENT):
        scan_progress(job)
        st.stop()
    if job.error:
        raise job.error
    if job.result is None:
        st.rerun()
    return job.result


@st.fragment(run_every=0.5)
def scan_progress(job: ScanJob) -> None:
    """How far a scan is, and a button to stop it."""
    if job.ended is not None:
        st.rerun()
    if job.comparing:
        st.progress(1.0, "Comparing the photos with each other…")
    elif job.done is None:
        st.progress(0.0, "Listing the folders…")
    else:
        left = job.seconds_left()
        words = f" · about {duration(left)} left" if left is not None else ""
        st.progress(job.done / max(1, job.total), f"Looking at every photo: {job.done:,} of {job.total:,}{words}")
    st.button("Stop", icon=":material/stop:", on_click=stop_scan, args=(job,), disabled=job.comparing)


def stop_scan(job: ScanJob) -> None:
    """Stop a scan, and remember that it was meant."""
    job.cancel()
    state.remember("scan-stopped", state.dataset())


def photo_row(photos: Sequence[Any], names: Sequence[str], *, show_names: bool = False) -> None:
    """Photos side by side as far as there is room; names are read out to those who cannot see them."""
    with st.container(horizontal=True, gap="xsmall"):
        for photo, name in zip(photos, names, strict=True):
            st.image(photo, width=PHOTO_PIXELS, alt=name, caption=name if show_names else None)


def thumbnail(folder: ImageFolder, index: int) -> bytes:
    """A photo of a dataset as a small JPEG; raises `PhotoError` where it can no longer be read."""
    path = check_photo(folder.absolute(index), cached.settings().dataset_roots)
    return cached.small(path, path.stat().st_mtime)


def thumbnails(folder: ImageFolder, indices: Sequence[int]) -> None:
    """Photos of a dataset in a row that wraps; what can no longer be read is named with its reason."""
    photos, names, lost = [], [], []
    for index in indices:
        try:
            photos.append(thumbnail(folder, index))
            names.append(folder.paths[index])
        except (PhotoError, FileNotFoundError) as error:
            lost.append(f"{plain(folder.paths[index])} ({error})")
    photo_row(photos, names)
    if lost:
        st.caption(f":material/broken_image: No longer readable: {', '.join(lost)}")


def class_weights(folder: ImageFolder, start: Draft) -> bool:
    """Say how unequal the classes are, and offer to make up for it; return whether that is wanted."""
    counts = folder.counts()
    times = imbalance(counts)
    if times < NOTABLE:
        st.caption(":material/balance: The classes have about equally many photos.")
        return False
    most, least = int(counts.argmax()), int(counts.argmin())
    largest, smallest = plain(folder.class_names[most]), plain(folder.class_names[least])
    st.markdown(
        f":material/balance: **{largest}** has {times:.1f} times as many photos as **{smallest}** ({counts[most]:,}"
        f" against {counts[least]:,}). Whoever always answers {largest} is right for {counts[most] / len(folder):.0%}."
    )
    factors = folder.class_weights()
    return st.toggle(
        "Let photos of rare classes count more (class weights)",
        start.first("class_weights", False),
        key=start.key(f"class-weights-{folder.root}"),
        persist_state="session",
        help=f"In training, a photo of {smallest} then counts {factors[least]:.1f} times, one of {largest}"
        f" {factors[most]:.1f} times. Useful when rare classes matter as much as frequent ones.",
    )


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Small labels with a value each, side by side as far as there is room."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in pairs:
            st.markdown(f":gray[{label}]  \n**{value}**", width="content")


def duration(seconds: float | None) -> str:
    """Seconds in words such as "48 s" or "6 min 10 s"; a dash where they are unknown."""
    return "–" if seconds is None else formatting.duration(seconds)


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


def name_of(run: Run, recipe: Recipe) -> str:
    """What a person has called a run, or else it in a few words, and what is special to it; not yet Markdown."""
    label = run.read_label()
    name = label.name or describe(recipe)
    return name if label.variant in name else f"{name} · {label.variant}"


def name_or_id(run: Run) -> str:
    """The same for a run whose recipe is not at hand; its id where it cannot be read."""
    try:
        return name_of(run, recipe_of(run))
    except UnfreezeError:
        return run.id


def rename(run: Run, name: str) -> None:
    """Give a run another name; an empty one takes it away."""
    run.write_label(replace(run.read_label(), name=" ".join(name.split())))


def describe_with_accuracy(shown: RunOnShow) -> str:
    """A run in a few words, with its grade and when it was made, to choose it from a list."""
    status = shown.status
    grade = f" · {status.test_accuracy:.0%} on test" if status.test_accuracy is not None else ""
    made = f"{datetime.fromtimestamp(status.created):%d %b, %H:%M}"
    return f"{name_of(shown.run, shown.recipe)}{grade} · {made}"


def check_upload_size(size: int, most: int) -> None:
    """Raise `PhotoError` for an upload above the limit; a widget's own limit is not enforced by the server."""
    if size > most:
        raise PhotoError(f"The file has {size / 1e6:.0f} MB; at most {most / 1e6:.0f} MB are read.")


def limits() -> None:
    """How much is taken in, and how to change that."""
    most = cached.settings().limits
    with st.expander("Limits", icon=":material/straighten:"):
        facts(
            [
                ("Photos in a dataset", f"{most.files:,}"),
                ("Bytes of a photo", megabytes(most.file_bytes)),
                ("Pixels of a photo", f"{most.pixels:,}"),
                ("Folders deep", f"{most.depth:,}"),
                ("Bytes of an upload, unpacked", megabytes(most.total_bytes)),
                ("Photos in an upload", f"{most.uploads:,}"),
                ("Kept of frozen parts", megabytes(most.trunk_bytes)),
                ("How tightly a ZIP may be packed", f"{most.ratio:,} : 1"),
            ]
        )
        st.caption(
            "What lies above is left out and listed with its reason. To change a limit, write it into"
            f" `{cached.settings().home / FILE_NAME}` under `[limits]`, for example `files = 500000`, and start again."
        )


def photo_megabytes() -> int:
    """The largest photo that a browser may send, in whole megabytes."""
    return max(1, cached.settings().limits.file_bytes // 1_000_000)


def megabytes(size: int) -> str:
    """A size as people say it."""
    return f"{size / 1e9:g} GB" if size >= 1_000_000_000 else f"{size / 1e6:g} MB"


def long_list(rows: Sequence[Mapping[str, str]], file_name: str) -> None:
    """A table that may be long: its first rows, and all of them as a download."""
    if len(rows) > ROWS_SHOWN:
        st.caption(f"The first {ROWS_SHOWN:,} of {len(rows):,}; the download holds all of them.")
    st.dataframe(rows[:ROWS_SHOWN], hide_index=True)
    download_list(rows, file_name)


def download_list(rows: Sequence[Mapping[str, str]], file_name: str) -> None:
    """A button that downloads rows as a CSV file."""
    st.download_button(
        "Download the list (CSV)",
        lambda: as_csv(rows),
        file_name,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def as_csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Rows of a table as a CSV file that spreadsheets open as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: spreadsheet_safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def spreadsheet_safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
