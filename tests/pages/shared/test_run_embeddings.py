import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.inference.embeddings_job import PROGRESS
from core.runs.store import Run
from tests.conftest import PATIENCE, FinishedRun, eventually


def page(folder: str) -> None:
    from pathlib import Path

    import streamlit as st

    from core.runs.store import Run
    from pages.components.shared.run_embeddings import embeddings_of

    found = embeddings_of(Run(Path(folder)))
    st.write("not there" if found is None else "there")


def test_a_failure_is_shown_with_a_button_that_has_the_embeddings_computed(
    finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in finished_run.workplace.variables().items():
        monkeypatch.setenv(name, value)
    run = Run(tmp_path / finished_run.run.id)
    shutil.copytree(finished_run.run.folder, run.folder)
    run.embeddings_file.unlink()
    (run.folder / PROGRESS).write_text(json.dumps({"done": 0, "total": 0, "error": "The model is gone."}), "utf-8")
    app = AppTest.from_function(page, args=(str(run.folder),), default_timeout=PATIENCE).run()
    assert "could not be computed: The model is gone." in app.warning[0].value
    app.run()
    assert len(app.warning) == 1 and app.button[0].label == "Try again"
    app.button[0].click().run()
    assert not app.warning and not app.button and app.markdown[0].value == "not there"
    eventually(run.embeddings_file.exists, "the embeddings were computed")
