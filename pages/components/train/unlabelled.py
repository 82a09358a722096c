"""The switch that has a run learn from unlabelled photos, too, and what labels have spread to them."""

import streamlit as st

from core import formatting
from core.data.dataset import Dataset
from core.data.subsets import TRAINING
from core.errors import DataError
from core.labelling.for_training import FLOOR, ForTraining
from core.labelling.spreading import OFFERED_BELOW, UNEQUAL
from pages.components.cached import datasets
from pages.components.shared import markdown
from pages.components.train import draft
from pages.components.train.draft import Draft


def choose(dataset: Dataset, start: Draft) -> ForTraining | None:
    """Offer it where the dataset has unlabelled photos; return them where they shall be used, and can be."""
    if not len(dataset.unlabelled):
        return None
    wanted = st.toggle(
        f"Use the {formatting.photos(len(dataset.unlabelled), 'unlabelled')}, too",
        start.first("unlabelled", False),
        key=start.key(f"unlabelled-{dataset.folder.root}"),
        persist_state="session",
        help="Your labels spread to photos that look like yours. The network learns from these, too, each as much as"
        " its label is certain. Your own labels count fully, and only photos that you have labelled judge the result.",
    )
    if not wanted:
        return None
    without = draft.left_out_classes(dataset, start)
    try:
        parts = draft.parts(dataset, start)
        found = datasets.unlabelled_photos(dataset, parts, without)
    except DataError as error:
        st.warning(f"They cannot be used yet. {markdown.escape(error)}", icon=":material/warning:")
        return None
    _say(found)
    if int((parts == TRAINING).sum()) >= OFFERED_BELOW * len(dataset.folder.class_names):
        st.caption(f"With {OFFERED_BELOW} labels a class or more it hardly brings anything.")
    return found


def _say(found: ForTraining) -> None:
    """How many photos these are, and what may go wrong."""
    st.caption(
        f":material/label: {len(found.labels):,} of the {found.unlabelled:,} are learned from. The others are less than"
        f" {formatting.whole(FLOOR)} certain, unlike all that are labelled, or like a photo that judges the result."
    )
    if not found.helps:
        st.warning(
            f"It may do harm here: of {found.left_out:,} labelled photos, each left out once, spreading names"
            f" {found.right:,} rightly, a model that learns from labels alone {found.head_right:,}.",
            icon=":material/warning:",
        )
    if found.imbalance >= UNEQUAL:
        st.warning(
            f"The classes seem to be very unequal: the largest about {found.imbalance:,.0f} times the smallest. Photos"
            " of small classes may then be taken for a large one.",
            icon=":material/warning:",
        )
