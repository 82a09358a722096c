"""The chosen dataset, scanned; while it is not ready, the page says why and ends."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core import formatting
from core.data.dataset import Dataset
from core.data.scan.folder import Scan, check_inside
from core.data.scan.layout import Layout
from core.data.scan.scanner import ScanJob
from core.errors import UndecidedLayout, UnfreezeError
from core.language import tr
from pages.components.cached import datasets, services
from pages.components.shared import markdown, state
from pages.components.shared.report_errors import reporting, tell

MOMENT = 0.6
"""Seconds that a page waits for a scan before it shows a bar."""

GO_ON = ("scan-stopped", "")


def say_why(root: Path, error: UnfreezeError) -> None:
    """Say why a folder cannot be used as it is, and where that can be changed."""
    tell(error)
    if isinstance(error, UndecidedLayout):
        st.page_link(
            "pages/prepare/dataset.py", label=tr("Choose on the page “Dataset”"), icon=":material/arrow_forward:"
        )


def dataset_or_stop(
    on_trouble: Callable[[Path, UnfreezeError], None] = say_why, *, in_the_making: bool = False
) -> Dataset:
    """The chosen dataset; without one, or while it is being scanned, the page ends with what can be done about it.

    `on_trouble` says why a folder cannot be used as it is, and what can be done. One that is being labelled by hand is
    returned before it has two classes only if `in_the_making` is asked for.
    """
    path = state.dataset()
    if not path:
        st.info(tr("Choose a dataset first."), icon=":material/photo_library:")
        st.page_link("pages/prepare/dataset.py", label=tr("Choose a dataset"), icon=":material/arrow_forward:")
        st.stop()
    with reporting():
        root = check_inside(path, services.settings().dataset_roots)
        review = datasets.reviews().read(root)
    try:
        found = datasets.prepared(scan_or_stop(path, review.layout), review)
    except UnfreezeError as error:
        on_trouble(root, error)
        st.stop()
    if found.by_hand and len(found.folder.class_names) < 2 and not in_the_making:
        _show_unlabelled(found)
        st.stop()
    return found


def _show_unlabelled(dataset: Dataset) -> None:
    st.info(
        tr(
            "The photos of {dataset} are labelled by hand, and so far {count} of {total} have a label. Two classes are"
            " needed.",
            dataset=markdown.escape(dataset.folder.root.name),
            count=len(dataset.folder),
            total=len(dataset.scan.folder),
        ),
        icon=":material/label:",
    )
    st.page_link("pages/prepare/label.py", label=tr("Label photos"), icon=":material/arrow_forward:")


def scan_or_stop(path: str, layout: Layout) -> Scan:
    """The scan of a folder; while it goes on, the page ends with how far it is."""
    if state.recall("scan-stopped", "") == path:
        st.info(tr("The scan was stopped. What it had found so far is kept."), icon=":material/pause:")
        icon = ":material/play_arrow:"
        st.button(tr("Continue"), key="go-on", icon=icon, type="primary", on_click=state.remember, args=GO_ON)
        st.stop()
    job = services.scanner().request(path, layout, again=bool(state.take("scan-again")))
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
        st.progress(1.0, tr("Comparing the photos with each other…"))
    elif job.done is None:
        st.progress(0.0, tr("Listing the folders…"))
    else:
        st.progress(job.done / max(1, job.total), _checking(job))
    st.button(
        tr("Stop"),
        key="stop-scan",
        icon=":material/stop:",
        on_click=stop_scan,
        args=(job,),
        disabled=job.comparing,
    )


def _checking(job: ScanJob) -> str:
    done, left = job.done or 0, job.seconds_left()
    if left is None:
        return tr("Checking every photo: {count} of {total}", count=done, total=job.total)
    return tr(
        "Checking every photo: {count} of {total} · about {duration} left",
        count=done,
        total=job.total,
        duration=formatting.duration(left),
    )


def stop_scan(job: ScanJob) -> None:
    """Stop a scan, and remember that it was meant."""
    job.cancel()
    state.remember("scan-stopped", state.dataset())
