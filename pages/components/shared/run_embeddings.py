"""What a run's model makes of each of its photos, or how far it is to know that."""

import streamlit as st

from core.errors import RunError
from core.inference import embeddings_job
from core.runs.embeddings import Embeddings
from core.runs.store import Run
from pages.components.cached import runs


def embeddings_of(run: Run) -> Embeddings | None:
    """The embeddings of a run's photos; None while they are being computed, and the page then says how far that is."""
    try:
        progress = embeddings_job.request(run)
        if progress is None:
            return runs.embeddings(run.id, run.embeddings_file.stat().st_mtime_ns)
    except (RunError, FileNotFoundError) as error:
        st.warning(str(error), icon=":material/info:")
        return None
    if progress.error:
        st.warning(f"The photos of this run could not be looked at: {progress.error}", icon=":material/info:")
        st.button("Try again", icon=":material/refresh:", on_click=embeddings_job.try_again, args=(run,))
    else:
        st.fragment(_watch, run_every=1.0)(run)
    return None


def _watch(run: Run) -> None:
    progress = embeddings_job.request(run)
    if progress is None or progress.error:
        st.rerun()
    share = progress.done / progress.total if progress.total else 0.0
    st.progress(share, f"The model looks at every photo once more: {progress.done:,} of {progress.total:,}")
