"""What came in, and the way to where it is now."""

from pathlib import Path
from typing import Literal

import streamlit as st

from core import formatting
from core.data.intake.incoming import Intake
from pages.components.shared import elements, state


def look_at(dataset: Path, kind: Literal["primary", "secondary"] = "primary") -> None:
    """A button that opens this dataset on the Dataset page."""
    if st.button("Open the dataset", icon=":material/photo_library:", type=kind, key=f"look-{dataset}"):
        state.choose_dataset(str(dataset))
        st.switch_page("pages/prepare/dataset.py")


def report(came: Intake, what: str) -> None:
    """What came in, and what was left out and why."""
    if came.added:
        st.success(f"Added {formatting.photos(came.added)} to {what}.", icon=":material/check_circle:")
    else:
        st.warning(f"No photo could be added to {what}.", icon=":material/info:")
    if came.left_out:
        rows = [{"file": entry.path, "reason": entry.reason} for entry in came.left_out]
        with st.expander(f"{len(rows):,} left out, with reasons", icon=":material/rule:", expanded=not came.added):
            elements.long_list(rows, "left-out.csv")
    if came.ignored:
        st.caption(f"{came.ignored:,} system files were ignored.")
