"""The switch that makes up for unequal classes."""

import streamlit as st

from core.data.dataset import imbalance
from core.data.scan.folder import ImageFolder
from pages.components.shared import markdown
from pages.components.train.draft import Draft

NOTABLE = 1.5
"""How many times as many photos the largest class must have as the smallest to be worth a sentence."""


def class_weights_toggle(folder: ImageFolder, start: Draft) -> bool:
    """Say how unequal the classes are, and offer to make up for it; return whether that is wanted."""
    counts = folder.counts()
    times = imbalance(counts)
    if times < NOTABLE:
        st.caption(":material/balance: The classes have about equally many photos.")
        return False
    most, least = int(counts.argmax()), int(counts.argmin())
    largest, smallest = markdown.escape(folder.class_names[most]), markdown.escape(folder.class_names[least])
    st.markdown(
        f":material/balance: **{largest}** has {times:.1f} times as many photos as **{smallest}** ({counts[most]:,}"
        f" against {counts[least]:,}). Whoever always answers {largest} is right for {counts[most] / len(folder):.0%}."
    )
    factors = folder.class_weights()
    return st.toggle(
        "Let photos of rare classes count more (class weights)",
        start.first("class_weights", False),
        key=start.key(f"class-weights-{folder.root}"),
        persist_state="session",
        help=f"In training, a photo of {smallest} then counts {factors[least]:.1f} times, one of {largest}"
        f" {factors[most]:.1f} times. Useful when rare classes matter as much as frequent ones.",
    )
