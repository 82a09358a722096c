"""The embeddings of a run's photos, or how far their computation is."""

import streamlit as st

from core.errors import UnfreezeError
from core.inference import embeddings_job
from core.language import retold, tr
from core.runs.embeddings import Embeddings
from core.runs.store import Run
from pages.components.cached import runs
from pages.components.shared import markdown
from pages.components.shared.report_errors import ask, tell


def embeddings_of(run: Run) -> Embeddings | None:
    """The embeddings of a run's photos; None while they are being computed, and the page then shows how far that is.

    Where they could not be computed, the page says why and has a button to try again.
    """
    try:
        progress = embeddings_job.request(run)
        if progress is None:
            return runs.embeddings(run.id, run.embeddings_file.stat().st_mtime_ns)
    except (UnfreezeError, FileNotFoundError) as error:
        tell(error)
        return None
    if progress.error:
        st.warning(
            tr(
                "The embeddings of this run's photos could not be computed: {reason}",
                reason=markdown.escape(retold(progress.error)),
            ),
            icon=":material/info:",
        )
        st.button(
            tr("Try again"),
            key="retry-embeddings",
            icon=":material/refresh:",
            on_click=ask,
            args=(embeddings_job.retry, run),
        )
    else:
        st.fragment(_watch, run_every=1.0)(run)
    return None


def _watch(run: Run) -> None:
    try:
        progress = embeddings_job.request(run)
    except (UnfreezeError, FileNotFoundError):  # the run was deleted meanwhile, or the page says what is wrong
        st.rerun()
    if progress is None or progress.error:
        st.rerun()
    share = progress.done / progress.total if progress.total else 0.0
    words = tr("Computing the embeddings of all photos: {count} of {total}", count=progress.done, total=progress.total)
    st.progress(share, words)
