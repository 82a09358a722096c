"""The switch that compensates for unequal classes."""

import streamlit as st

from core import formatting
from core.data.class_names import shown_names
from core.data.dataset import imbalance
from core.data.scan.folder import ImageFolder
from core.language import number, tr
from pages.components.shared import markdown
from pages.components.train.draft import Draft

NOTABLE = 1.5
"""How many times as many photos the largest class must have as the smallest to be worth a sentence."""


def class_weights_toggle(folder: ImageFolder, start: Draft) -> bool:
    """Say how unequal the classes are, and offer to compensate for it; return whether that is wanted."""
    counts = folder.counts()
    times = imbalance(counts)
    if times < NOTABLE:
        words = tr("The classes have about the same number of photos.")
        st.caption(f":material/balance: {words}")
        return False
    most, least = int(counts.argmax()), int(counts.argmin())
    largest, smallest = (markdown.escape(shown_names(folder.class_names)[label]) for label in (most, least))
    words = tr(
        "**{largest}** has {times} times as many photos as **{smallest}** ({most} against {least}). Always guessing"
        " {largest} would be right {share} of the time.",
        largest=largest,
        smallest=smallest,
        times=number(times, 1),
        most=int(counts[most]),
        least=int(counts[least]),
        share=formatting.whole(counts[most] / len(folder)),
    )
    st.markdown(f":material/balance: {words}")
    factors = folder.class_weights()
    return st.toggle(
        tr("Give rare classes more weight (class weights)"),
        start.first("class_weights", False),
        key=start.key(f"class-weights-{folder.root}"),
        persist_state="session",
        help=tr(
            "During training, each photo of {smallest} counts {more} times and each photo of {largest} {less} times."
            " Useful when rare classes matter as much as frequent ones.",
            smallest=smallest,
            largest=largest,
            more=number(factors[least], 1),
            less=number(factors[most], 1),
        ),
    )
