"""A ZIP file becomes a dataset."""

from contextlib import ExitStack
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core import formatting
from core.data.intake import archive, file_names
from core.data.scan.walk import check_file
from core.language import tr
from pages.components.cached import services
from pages.components.collect.intake_report import look_at, report
from pages.components.shared import markdown, state, upload_limits
from pages.components.shared.report_errors import reporting


def show() -> None:
    """A ZIP file becomes a dataset."""
    most = services.settings().limits
    st.markdown(tr("A ZIP file with one folder for each class, or with the folders train, val and test."))
    left, right = st.columns(2, gap="large")
    with left:
        key = f"zip-{state.recall('zip-number', 0)}"
        file = upload_limits.archive_uploader(tr("Upload a ZIP file"), key)
    with right:
        typed = st.text_input(
            tr("Or its path, if the file is on this computer"),
            key="zip-path",
            placeholder=str(services.settings().dataset_roots[-1] / "Downloads" / "flowers.zip"),
            help=tr("Better for large files: nothing passes through the browser."),
        )
    if file is not None or typed.strip():
        origin = file.name if file is not None else Path(typed.strip()).name
        name = st.text_input(
            tr("Name of the dataset"), Path(file_names.safe_name(origin)).stem, key=f"zip-name-{origin}"
        )
        if st.button(tr("Unpack"), key="unpack", type="primary", icon=":material/unarchive:"):
            _unpack(file, typed.strip().strip("\"'"), name)
    last = state.recall("zip-report", None)
    if last:
        report(last, tr("the dataset {name}", name=markdown.escape(last.folder.name)))
        with st.container(horizontal=True):
            look_at(last.folder)
            _label_them(last.folder)
    st.caption(
        tr(
            "Up to {count} files and {size} unpacked. Every photo is checked; files that cannot be used are left out"
            " and listed.",
            count=most.files,
            size=formatting.size(most.total_bytes),
        )
    )
    upload_limits.show_limits()


def _unpack(file: UploadedFile | None, path: str, name: str) -> None:
    """Unpack an archive while a bar shows how far it is."""
    bar = st.progress(0.0, tr("Unpacking and checking…"))

    def on_progress(done: int, total: int) -> None:
        words = tr("Unpacking and checking: {done} of {total} MB", done=round(done / 1e6), total=round(total / 1e6))
        bar.progress(min(1.0, done / max(1, total)), words)

    with reporting(), ExitStack() as stack:
        stream = file or stack.enter_context(check_file(path, services.settings().dataset_roots).open("rb"))
        came = archive.unpack(
            stream, services.settings().datasets_folder, name, services.settings().limits, on_progress
        )
    upload_limits.release([file] if file else [])
    state.remember("zip-report", came)
    state.remember("zip-number", state.recall("zip-number", 0) + 1)
    st.rerun()


def _label_them(dataset: Path) -> None:
    """A button that opens photos without classes on the Label page."""
    if st.button(tr("They have no classes: label them"), icon=":material/label:", key=f"label-{dataset}"):
        state.choose_dataset(str(dataset))
        st.switch_page("pages/prepare/label.py")
