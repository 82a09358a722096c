"""A dataset with its corrections, to take along: as a ZIP file, as a new dataset, or as a table."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.dataset_export import (
    Exported,
    ExportJob,
    Report,
    as_csv,
    rows_of,
    write_archive,
    write_folders,
)
from core.data.subsets import NO_SUBSET
from core.language import retold, tr, tr_mark, tr_plural
from pages.components.cached import datasets, services
from pages.components.shared import dataset_choice, elements, markdown, state

ZIP, FOLDERS, TABLE = "zip", "folders", "table"

KINDS = {ZIP: tr_mark("ZIP file"), FOLDERS: tr_mark("New dataset"), TABLE: tr_mark("Table (CSV)")}

EXPLAINED = {
    ZIP: tr_mark("Class folders in one file, with a table of all photos, and of those left out with the reason."),
    FOLDERS: tr_mark("Class folders next to your other Unfreeze datasets, ready for training."),
    TABLE: tr_mark("One row per file: its class, subset, decision and reason. The photos stay where they are."),
}

DOWNLOAD_BYTES = 1_000_000_000
"""A larger file does not go through the browser, where it would fill the memory; its place is told."""


def section(dataset: Dataset, parts: NDArray[np.int8]) -> None:
    """A fold with all that a dataset can be exported as; `parts (M,)` is how it is divided, -1 for not at all."""
    root = dataset.scan.folder.root
    job = datasets.dataset_exports().get(root)
    with st.expander(
        tr("Export this dataset"), key="export-dataset", icon=":material/ios_share:", expanded=job is not None
    ):
        st.markdown(
            tr(
                "The photos that training would use: corrected ones in their new class, excluded ones left out. Your"
                " own files stay as they are."
            )
        )
        if job is not None and not job.is_over:
            _progress(job)
            return
        _choose(dataset, parts)
        if job is not None:
            _outcome(job)


def _choose(dataset: Dataset, parts: NDArray[np.int8]) -> None:
    kind = st.segmented_control(
        tr("Export as"),
        list(KINDS),
        default=ZIP,
        required=True,
        format_func=lambda kind: tr(KINDS[kind]),
        key="export-kind",
    )
    st.caption(tr(EXPLAINED[kind]))
    name = dataset.scan.folder.root.name
    if kind == TABLE:
        content = partial(_table, dataset, parts)
        icon = ":material/download:"
        st.download_button(
            tr("Download the table"),
            content,
            f"{name}.csv",
            "text/csv",
            key="export-table",
            icon=icon,
            on_click="ignore",
        )
        return
    typed = st.text_input(
        tr("Name"), tr("{dataset} corrected", dataset=name), key=f"export-name-{kind}-{name}", max_chars=100
    )
    divided = st.toggle(
        tr("Split into train, val and test, as above"),
        dataset.has_own_split,
        key="export-divided",
        disabled=bool((parts == NO_SUBSET).all()),
        help=tr("Then others train and test on the same photos as you."),
    )
    if st.button(tr("Export"), type="primary", icon=":material/ios_share:", key="export-begin"):
        _begin(dataset, WRITERS[kind](dataset, parts, divided, typed))


def _table(dataset: Dataset, parts: NDArray[np.int8]) -> bytes:
    return as_csv(rows_of(dataset, parts))


def _to_zip(dataset: Dataset, parts: NDArray[np.int8], divided: bool, name: str) -> Callable[[Report], Exported]:
    chosen, rows = parts if divided else None, rows_of(dataset, parts)
    return partial(write_archive, dataset, chosen, rows, name, services.settings())


def _to_folders(dataset: Dataset, parts: NDArray[np.int8], divided: bool, name: str) -> Callable[[Report], Exported]:
    return partial(write_folders, dataset, parts if divided else None, name, services.settings())


WRITERS = {ZIP: _to_zip, FOLDERS: _to_folders}


def _begin(dataset: Dataset, write: Callable[[Report], Exported]) -> None:
    datasets.dataset_exports()[dataset.scan.folder.root] = job = ExportJob.start(write)
    job.wait(dataset_choice.MOMENT)
    st.rerun()


@st.fragment(run_every=0.5)
def _progress(job: ExportJob) -> None:
    """How far an export is, and a button to stop it."""
    if job.is_over:
        st.rerun()
    st.progress(job.done / max(1, job.total), tr("Writing photo {number} of {total}", number=job.done, total=job.total))
    st.button(tr("Stop"), icon=":material/stop:", on_click=job.cancel, key="export-stop")


def _outcome(job: ExportJob) -> None:
    if job.cancelled:
        st.info(tr("The export was stopped. Nothing was saved."), icon=":material/info:")
    elif job.error is not None:
        st.warning(markdown.escape(job.error), icon=":material/info:")
    elif job.result is not None:
        _report(job.result)


def _report(exported: Exported) -> None:
    where = markdown.escape(str(exported.path))
    words = tr_plural(
        "Exported {count} photo to {folder}.", "Exported {count} photos to {folder}.", exported.photos, folder=where
    )
    st.success(words, icon=":material/check_circle:")
    if exported.path.is_dir():
        if st.button(tr("Open it"), icon=":material/photo_library:", key="export-look"):
            state.choose_dataset(str(exported.path))
            st.rerun()
    elif exported.path.is_file() and exported.path.stat().st_size <= DOWNLOAD_BYTES:
        icon, name = ":material/download:", exported.path.name
        st.download_button(
            tr("Download"),
            lambda: exported.path.open("rb"),
            name,
            "application/zip",
            key="export-download",
            icon=icon,
            on_click="ignore",
        )
    if exported.left_out:
        rows = [{"file": entry.path, "reason": retold(entry.reason)} for entry in exported.left_out]
        st.markdown(tr_plural("{count} file is not included:", "{count} files are not included:", len(rows)))
        elements.long_list(rows, "not-exported.csv")
