"""The training script of a run in plain Keras: to read and to download."""

import streamlit as st

from core.errors import UnfreezeError
from core.language import tr
from core.runs.store import Run, Status
from core.training.codegen.script import script_archive
from pages.components.cached import runs, services
from pages.components.shared import markdown


def show_code(run: Run, status: Status) -> None:
    """An expander with the script of a run that has ended, or the reason why there is none."""
    with st.expander(tr("Training script"), icon=":material/code:"):
        try:
            script = runs.training_script(run.id, status.ended)
        except UnfreezeError as error:
            st.caption(markdown.escape(error))
            return
        st.markdown(tr("This script reproduces the run in plain Keras. Its first lines say how closely."))
        st.download_button(
            tr("Download with everything it needs (ZIP)"),
            lambda: script_archive(run, services.settings()),
            file_name=f"{run.id}-script.zip",
            mime="application/zip",
            icon=":material/download:",
            key="download-code",
            on_click="ignore",
        )
        st.code(script, language="python", line_numbers=True, height=480)
