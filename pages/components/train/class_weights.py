"""The switch that compensates for unequal classes."""

import streamlit as st

from core import formatting
from core.data.class_names import shown_names
from core.data.dataset import imbalance
from core.data.scan.folder import ImageFolder
from pages.components.shared import markdown
from pages.components.train.draft import Draft

NOTABLE = 1.5
"""How many times as many photos the largest class must have as the smallest to be worth a sentence."""


def class_weights_toggle(folder: ImageFolder, start: Draft) -> bool:
    """Say how unequal the classes are, and offer to compensate for it; return whether that is wanted."""
    counts = folder.counts()
    times = imbalance(counts)
    if times < NOTABLE:
        st.caption(":material/balance: The classes have about the same number of photos.")
        return False
    most, least = int(counts.argmax()), int(counts.argmin())
    largest, smallest = (markdown.escape(shown_names(folder.class_names)[label]) for label in (most, least))
    st.markdown(
        f":material/balance: **{largest}** has {times:.1f} times as many photos as **{smallest}** ({counts[most]:,}"
        f" against {counts[least]:,}). Always guessing {largest} would be right"
        f" {formatting.whole(counts[most] / len(folder))} of the time."
    )
    factors = folder.class_weights()
    return st.toggle(
        "Give rare classes more weight (class weights)",
        start.first("class_weights", False),
        key=start.key(f"class-weights-{folder.root}"),
        persist_state="session",
        help=f"During training, each photo of {smallest} counts {factors[least]:.1f} times and each photo of {largest}"
        f" {factors[most]:.1f} times. Useful when rare classes matter as much as frequent ones.",
    )
