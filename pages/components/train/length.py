"""How long to train, on the Train page: a number of epochs, or a time budget in minutes."""

from typing import Any

import streamlit as st

from core.recipe.recipe import RANGES, default_epochs
from pages.components.train.draft import Draft

LENGTHS = ("Number of epochs", "Time budget")


def choose(start: Draft, training_photos: int) -> dict[str, Any]:
    """A number of epochs, or a time budget in minutes."""
    st.subheader("How long", anchor=False)
    kind = st.segmented_control(
        "Length",
        LENGTHS,
        default=LENGTHS[start.first("minutes", 0) > 0],
        required=True,
        label_visibility="collapsed",
        key=start.key("length"),
        persist_state="session",
    )
    return _minutes(start) if kind == LENGTHS[1] else _epochs(start, training_photos)


def _minutes(start: Draft) -> dict[str, Any]:
    """A time budget."""
    first = round(start.first("minutes", 0)) or 5
    key = start.key("minutes")
    minutes = st.number_input(
        "Minutes, counted from pressing Start", 1, 240, min(first, 240), key=key, persist_state="session"
    )
    st.caption(
        ":material/timer: Training first measures this computer, then picks the variant, the unfreeze point and the"
        " number of epochs that fit. A first accuracy appears within seconds."
    )
    return {"minutes": minutes}


def _epochs(start: Draft, training_photos: int) -> dict[str, Any]:
    """Epochs of the two phases."""
    head, fine = default_epochs(training_photos)
    left, right = st.columns(2)
    return {
        name: column.number_input(
            label,
            0,
            int(RANGES[name].high),
            start.first(name, usual),
            key=start.key(f"{name}-{training_photos}"),
            persist_state="session",
        )
        for name, label, usual, column in (
            ("head_epochs", "Epochs for the head", head, left),
            ("fine_tune_epochs", "Epochs for fine-tuning", fine, right),
        )
    }
