"""Label a heap of photos: the ones whose labels teach most, by keyboard; then let the labels spread."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.dataset import Dataset
from core.errors import DataError
from core.labelling.pool import Labels
from core.language import tr, tr_mark, tr_plural
from pages.components.cached import datasets
from pages.components.dataset import decisions, label_source
from pages.components.labelling import confirming, one_by_one, start
from pages.components.labels import features
from pages.components.labels.features import Purpose
from pages.components.shared import dataset_choice, elements, state
from pages.components.shared.report_errors import reporting

VIEW = "label-view"
LABEL, CONFIRM, DECISIONS = "label", "confirm", "decisions"
TITLES = {LABEL: tr_mark("Label"), CONFIRM: tr_mark("Spread and confirm"), DECISIONS: tr_mark("Decisions")}

LABELLING = Purpose(
    tr_mark("Look at the photos"),
    ":material/label:",
    tr_mark("Then you are asked about the photos whose labels teach most."),
    at_once=True,
)


def lead_on_to_training(place: DeltaGenerator, dataset: Dataset) -> None:
    """The button that leads on to training, once there are enough labels for it; else why not."""
    try:
        datasets.split_of(dataset, 0)
    except DataError:
        place.button(
            tr("Train"),
            key="train-later",
            icon=":material/local_fire_department:",
            disabled=True,
            help=tr("Label photos of two classes."),
        )
        return
    used = len(dataset.folder) - len(dataset.withheld)
    words = tr_plural("Train on this photo", "Train on these {count} photos", used)
    icon = ":material/local_fire_department:"
    elements.lead_on(place, words, "pages/train/train.py", icon, state.close_run)


def views(dataset: Dataset) -> None:
    """One photo after another, spread labels, or what was decided."""
    network = features.network()
    found = features.features_or_stop(dataset.scan, LABELLING)
    with reporting():
        pool = datasets.pool(dataset.scan, network.key, found)
    labels = Labels.of(pool, dataset)
    view = st.segmented_control(
        tr("View"),
        [LABEL, CONFIRM, DECISIONS],
        default=LABEL,
        required=True,
        format_func=lambda name: tr(TITLES[name]),
        key=VIEW,
        persist_state="session",
        label_visibility="collapsed",
    )
    if view == LABEL:
        one_by_one.show(dataset, pool, labels)
    elif view == CONFIRM:
        confirming.show(dataset, pool, labels)
    else:
        decisions.decided(dataset)
    if pool.total > len(pool) + pool.unread:
        words = tr("Of the {total} photos, {count} drawn by chance are asked about.", total=pool.total, count=len(pool))
        st.caption(words)
    if pool.unread:
        unread = tr_plural(
            "{count} photo could not be read and cannot be labelled.",
            "{count} photos could not be read and cannot be labelled.",
            pool.unread,
        )
        st.caption(unread)


with st.container(key="label-page"):
    with st.container(key="label-title"):
        place = elements.page_head(
            tr("Label"),
            tr("Photos without classes become a dataset: a few labels, of the photos that teach most."),
        )
    root = start.folder_or_stop()
    start.head(root)
    start.classes_or_stop(root)
    chosen = dataset_choice.dataset_or_stop(label_source.choose_for, in_the_making=True)
    decisions.notice()
    lead_on_to_training(place, chosen)
    with st.container(key="label-views"):
        views(chosen)
    elements.first_on_phone("label-page", "label-title", "label-views")
