"""The labels of a dataset: what the check has found, view by view."""

import streamlit as st

from core.data.dataset import ALIKE_CONFLICT, CONFLICT, Dataset
from core.labels.dataset_check import DatasetCheck, check
from pages.components.cached import datasets
from pages.components.dataset import decisions, label_source
from pages.components.labels import features as check_features
from pages.components.labels import retraining, suspects
from pages.components.shared import dataset_choice, markdown, state
from pages.components.shared.report_errors import reporting

VIEW = "label-check-view"
SUSPECTS, CONFLICTS, OUTLIERS, DECISIONS = "Probably wrong", "Two labels for one photo", "Unlike the rest", "Decisions"
AGAIN = "check-again"


def show() -> None:
    """The chosen dataset's check, or the way to it."""
    dataset = dataset_choice.dataset_or_stop(label_source.choose_for)
    _head(dataset)
    decisions.notice()
    found = _check_or_stop(dataset)
    _sentence(dataset, found)
    views = {
        SUSPECTS: (len(found.suspects), lambda: suspects.show(dataset, found)),
        CONFLICTS: (len(_conflicts(dataset)), lambda: _show_conflicts(dataset)),
        OUTLIERS: (len(found.outliers), lambda: suspects.show_outliers(dataset, found)),
        DECISIONS: (len(dataset.review.decisions), lambda: decisions.decided(dataset)),
    }
    view = st.segmented_control(
        "View",
        list(views),
        default=SUSPECTS,
        required=True,
        key=VIEW,
        persist_state="session",
        format_func=lambda name: f"{name} · {views[name][0]:,}" if views[name][0] else name,
        label_visibility="collapsed",
    )
    views[view][1]()
    retraining.offer(dataset)
    _how()


def _head(dataset: Dataset) -> None:
    root = dataset.folder.root
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder: **{markdown.escape(root.name)}** &nbsp; {markdown.escape(str(root))}")
        st.page_link("pages/prepare/dataset.py", label="Look at it, or choose another", icon=":material/swap_horiz:")


def _check_or_stop(dataset: Dataset) -> DatasetCheck:
    """The last check of these photos, whatever was decided since; a new one where there is none, or it is asked for."""
    features = check_features.features_or_stop(dataset)
    key = check_features.network().key
    found = datasets.label_checks().get((dataset.scan.token, key))
    if found is None or state.take(AGAIN):
        with reporting(), st.spinner("Comparing each photo with the others…"):
            found = check(dataset, features.values, features.row_of)
        datasets.keep_label_check(dataset.scan.token, key, found)
    return found


def _sentence(dataset: Dataset, found: DatasetCheck) -> None:
    """What came out, in a sentence or two."""
    count, photos = len(found.suspects), len(found.folder)
    decided = len(suspects.decided_among(dataset, found, found.suspects))
    unread = f" {found.unread:,} photos could not be read and were passed over." if found.unread else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        if count:
            st.markdown(
                f"### {count:,} of {photos:,} labels are probably wrong\n"
                f"You have decided about **{decided:,}** of them.{unread}",
                width="stretch",
            )
        else:
            st.markdown(f"### No label looks wrong\n{photos:,} photos were compared with each other.{unread}")
        st.button(
            "Check again with what was decided",
            icon=":material/refresh:",
            on_click=state.remember,
            args=(AGAIN, True),
            help="The list stays as it is while you decide. A new check learns from your corrections, and often finds"
            " more.",
        )


def _conflicts(dataset: Dataset) -> list[str]:
    return [finding.kind.key for finding in dataset.findings if finding.kind.key in (CONFLICT, ALIKE_CONFLICT)]


def _show_conflicts(dataset: Dataset) -> None:
    """Copies and look-alikes whose labels differ."""
    found = {finding.kind.key: finding for finding in dataset.findings}
    kinds = _conflicts(dataset)
    decisions.undo_bar(dataset)
    if not kinds:
        st.success("No photo, and nothing that looks nearly the same, stands in two classes.")
        return
    chosen = st.pills(
        "Kind",
        kinds,
        default=kinds[0],
        required=True,
        format_func=lambda key: f"{found[key].kind.title} · {found[key].count:,}",
        label_visibility="collapsed",
    )
    decisions.finding_in_full(dataset, found[str(chosen)])


def _how() -> None:
    """What the check rests on, and the network that it is made with."""
    with st.expander("How labels are checked", icon=":material/help:"):
        st.markdown(
            "A pretrained network describes every photo by some hundred numbers. The photos are divided into five"
            " parts; for each part, a small model learns from the labels of the other four and then says what it takes"
            " these photos for. So **no label is judged by a model that has seen it**, and copies and look-alikes stay"
            " together. A photo is listed where that model is as sure of another class as it usually is of photos that"
            " do belong to it (confident learning). It can be wrong: the decision is yours."
        )
        check_features.choose_network()
