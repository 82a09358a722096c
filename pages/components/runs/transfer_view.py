"""Export of a run to another computer, and import of one from there."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.language import sentences, tr
from core.runs.store import LIVE, Run
from core.training.transfer.run_export import exported_bytes, file_name
from core.training.transfer.run_import import ImportedRun, Progress, import_run
from pages.components.cached import services
from pages.components.shared import markdown, state, upload_limits
from pages.components.shared.report_errors import reporting

NUMBER, REPORT = "import-number", "import-report"


def show_export(run: Run) -> None:
    """A button that downloads a run as one file, to import it in Unfreeze on another computer."""
    with reporting():
        status = run.read_status()
    if status.state in LIVE:
        st.info(
            tr("This run is still training or queued. It can be exported once it has ended."), icon=":material/info:"
        )
        return
    st.markdown(
        tr(
            "One file with everything that Unfreeze knows about this run, to open in Unfreeze on another computer:"
            " settings, curves, results and the model's weights. It names the photos but does not contain them."
        )
    )
    st.download_button(
        tr("Export this run"),
        lambda: exported_bytes(run),
        file_name(run),
        "application/zip",
        icon=":material/drive_file_move:",
        on_click="ignore",
        key=f"export-run-{run.id}",
    )


def show_import() -> None:
    """An expander that imports a file made by `show_export`."""
    last = state.recall(REPORT, None)
    with st.expander(tr("Import a run from another computer"), icon=":material/move_to_inbox:", expanded=bool(last)):
        st.markdown(
            tr(
                "A ZIP file that was made with “Export this run”. It is checked first; nothing in it is executed, and"
                " no existing run is changed."
            )
        )
        key = f"run-file-{state.recall(NUMBER, 0)}"
        file = upload_limits.archive_uploader(tr("ZIP file"), key)
        if file is not None and st.button(tr("Import run"), type="primary", icon=":material/move_to_inbox:"):
            _import(file)
        elif last:
            _report(last)


def _report(imported: ImportedRun) -> None:
    st.success(sentences(tr("Imported."), markdown.escape(imported.sentence)), icon=":material/check_circle:")
    if imported.run.folder.is_dir() and st.button(tr("Open run"), icon=":material/open_in_new:", key="open-imported"):
        state.open_run(imported.run.id)
        st.switch_page("pages/train/train.py")


def _import(file: UploadedFile) -> None:
    with reporting(), _bar() as on_progress:
        upload_limits.check_upload_size(file.size, upload_limits.archive_megabytes() * 1_000_000)
        imported = import_run(file, services.settings(), None, on_progress)
    upload_limits.release([file])
    state.remember(REPORT, imported)
    state.remember(NUMBER, state.recall(NUMBER, 0) + 1)
    st.rerun()


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar that disappears when the work is done."""
    bar = st.empty()

    def show(what: str, share: float | None) -> None:
        bar.progress(share or 0.0, f"{what}…")

    try:
        yield show
    finally:
        bar.empty()
