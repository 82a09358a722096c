"""The switch that has a run learn from unlabelled photos, too, and what labels have spread to them."""

import streamlit as st

from core import formatting
from core.data.dataset import Dataset
from core.data.subsets import TRAINING
from core.errors import DataError
from core.labelling.for_training import FLOOR, ForTraining
from core.labelling.spreading import OFFERED_BELOW, UNEQUAL
from core.language import sentences, tr
from pages.components.cached import datasets
from pages.components.shared import markdown
from pages.components.train import draft
from pages.components.train.draft import Draft


def choose(dataset: Dataset, start: Draft) -> ForTraining | None:
    """Offer it where the dataset has unlabelled photos; return them where they shall be used, and can be."""
    if not len(dataset.unlabelled):
        return None
    wanted = st.toggle(
        tr("Use the {photos}, too", photos=formatting.photos(len(dataset.unlabelled), "unlabelled")),
        start.first("unlabelled", False),
        key=start.key(f"unlabelled-{dataset.folder.root}"),
        persist_state="session",
        help=tr(
            "Your labels spread to photos that look like yours. The network learns from these, too, each as much as its"
            " label is certain. Your own labels count fully, and only photos that you have labelled judge the result."
        ),
    )
    if not wanted:
        return None
    without = draft.left_out_classes(dataset, start)
    try:
        parts = draft.parts(dataset, start)
        found = datasets.unlabelled_photos(dataset, parts, without)
    except DataError as error:
        st.warning(sentences(tr("They cannot be used yet."), markdown.escape(error)), icon=":material/warning:")
        return None
    _say(found)
    if int((parts == TRAINING).sum()) >= OFFERED_BELOW * len(dataset.folder.class_names):
        st.caption(tr("With {count} labels a class or more it hardly brings anything.", count=OFFERED_BELOW))
    return found


def _say(found: ForTraining) -> None:
    """How many photos these are, and what may go wrong."""
    words = tr(
        "{count} of the {total} are learned from. The others are less than {share} certain, unlike all that are"
        " labelled, or like a photo that judges the result.",
        count=len(found.labels),
        total=found.unlabelled,
        share=formatting.whole(FLOOR),
    )
    st.caption(f":material/label: {words}")
    if not found.helps:
        st.warning(
            tr(
                "It may do harm here: of {total} labelled photos, each left out once, spreading names {right} rightly,"
                " a model that learns from labels alone {head_right}.",
                total=found.left_out,
                right=found.right,
                head_right=found.head_right,
            ),
            icon=":material/warning:",
        )
    if found.imbalance >= UNEQUAL:
        st.warning(
            tr(
                "The classes seem to be very unequal: the largest about {times} times the smallest. Photos of small"
                " classes may then be taken for a large one.",
                times=round(found.imbalance),
            ),
            icon=":material/warning:",
        )
