"""What came in, and the way to where it is now."""

from pathlib import Path
from typing import Literal

import streamlit as st

from core.data.intake.incoming import Intake
from core.language import retold, tr, tr_plural
from pages.components.shared import elements, state


def look_at(dataset: Path, kind: Literal["primary", "secondary"] = "primary") -> None:
    """A button that opens this dataset on the Dataset page."""
    if st.button(tr("Open the dataset"), icon=":material/photo_library:", type=kind, key=f"look-{dataset}"):
        state.choose_dataset(str(dataset))
        st.switch_page("pages/prepare/dataset.py")


def report(came: Intake, what: str) -> None:
    """What came in, and what was left out and why."""
    if came.added:
        words = tr_plural("Added {count} photo to {what}.", "Added {count} photos to {what}.", came.added, what=what)
        st.success(words, icon=":material/check_circle:")
    else:
        st.warning(tr("No photo could be added to {what}.", what=what), icon=":material/info:")
    if came.left_out:
        rows = [{"file": entry.path, "reason": retold(entry.reason)} for entry in came.left_out]
        title = tr("{count} left out, with reasons", count=len(rows))
        with st.expander(title, icon=":material/rule:", expanded=not came.added):
            elements.long_list(rows, "left-out.csv")
    if came.ignored:
        st.caption(tr_plural("{count} system file was ignored.", "{count} system files were ignored.", came.ignored))
