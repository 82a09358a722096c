"""The label check of a dataset, view by view."""

from collections.abc import Mapping

import streamlit as st

from core.data.dataset import ALIKE_CONFLICT, CONFLICT, Dataset, Finding
from core.labels.dataset_check import DatasetCheck, check
from core.training.dataset_features.features import Features
from pages.components.cached import datasets
from pages.components.dataset import decisions, label_source, opened_photo
from pages.components.labels import features as check_features
from pages.components.labels import retraining, suspects, thorough
from pages.components.shared import dataset_choice, markdown, state
from pages.components.shared.report_errors import reporting

VIEW = "label-check-view"
SUSPECTS, EVERY, CONFLICTS = "Probably wrong", "Every photo", "Two labels for one photo"
OUTLIERS, DECISIONS = "Outliers", "Decisions"
AGAIN = "check-again"


def show() -> None:
    """The label check of the chosen dataset, or the button that starts it."""
    dataset = dataset_choice.dataset_or_stop(label_source.choose_for)
    _head(dataset)
    decisions.notice()
    features = check_features.features_or_stop(dataset.scan)
    network = check_features.network()
    quick = _check(dataset, features, network.key)
    which, found = thorough.choose_result(dataset, features, network, quick)
    _headline(dataset, found, quick=which == thorough.QUICK)
    conflicts = conflicts_of(dataset)
    views = {
        SUSPECTS: (len(found.suspects), lambda: suspects.show(dataset, found)),
        EVERY: (len(found.folder), lambda: suspects.show_every(dataset, found)),
        CONFLICTS: (count_conflicts(conflicts), lambda: _show_conflicts(dataset, conflicts)),
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
    opened_photo.show_opened()
    thorough.offer(dataset, network)
    retraining.offer(dataset)
    _how()


def _head(dataset: Dataset) -> None:
    root = dataset.folder.root
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder: **{markdown.escape(root.name)}** &nbsp; {markdown.escape(str(root))}")
        st.page_link("pages/prepare/dataset.py", label="Open, or choose another", icon=":material/swap_horiz:")


def _check(dataset: Dataset, features: Features, key: str) -> DatasetCheck:
    """The last check of these photos, whatever was decided since; a new one where there is none, or on request."""
    found = datasets.label_checks().get((dataset.scan.token, key))
    if found is None or state.take(AGAIN):
        with reporting(), st.spinner("Comparing each photo with the others…"):
            found = check(dataset, features.values, features.row_of)
        datasets.keep_label_check(dataset.scan.token, key, found)
    return found


def _headline(dataset: Dataset, found: DatasetCheck, *, quick: bool) -> None:
    """The result in a sentence or two."""
    count, photos = len(found.suspects), len(found.folder)
    decided = len(suspects.decided_among(dataset, found, found.suspects))
    skipped = "could not be read" if quick else "could not be read or came later,"
    unread = f" {found.unread:,} photos {skipped} and were skipped." if found.unread else ""
    with st.container(horizontal=True, vertical_alignment="center", key="label-headline"):
        if found.fit.misfit:
            looks = f"{count:,} of {photos:,} labels look wrong." if count else "No single label stands out."
            st.markdown(f"## These labels do not fit these photos\n{found.fit.misfit} {looks}{unread}", width="stretch")
        elif count:
            made = f"You have decided about **{decided:,}** of them." if decided else ""
            st.markdown(
                f"## {count:,} of {photos:,} labels are probably wrong\n{made}{unread}",
                width="stretch",
            )
        else:
            st.markdown(f"## No label looks wrong\n{photos:,} photos were compared with each other.{unread}")
        if quick and dataset.review.decisions:
            st.button(
                "Check again with your decisions",
                icon=":material/refresh:",
                on_click=state.remember,
                args=(AGAIN, True),
                help="The list stays as it is while you decide. A new check learns from your corrections, and often"
                " finds more.",
            )


def conflicts_of(dataset: Dataset) -> dict[str, Finding]:
    """Copies and near duplicates whose labels differ, by kind."""
    return {each.kind.key: each for each in dataset.findings if each.kind.key in (CONFLICT, ALIKE_CONFLICT)}


def count_conflicts(conflicts: Mapping[str, Finding]) -> int:
    """How many conflicts there are, of all kinds together."""
    return sum(finding.count for finding in conflicts.values())


def _show_conflicts(dataset: Dataset, conflicts: Mapping[str, Finding]) -> None:
    decisions.undo_bar(dataset)
    if not conflicts:
        st.success("No photo has copies or near duplicates in another class.")
        return
    kinds = list(conflicts)
    chosen = st.pills(
        "Kind",
        kinds,
        default=kinds[0],
        required=True,
        format_func=lambda key: f"{conflicts[key].kind.title} · {conflicts[key].count:,}",
        label_visibility="collapsed",
    )
    decisions.finding_in_full(dataset, conflicts[str(chosen)])


def _how() -> None:
    """The method of the check, and the network that computes the features."""
    with st.expander("How labels are checked", icon=":material/help:"):
        st.markdown(
            "A pretrained network turns every photo into some hundred numbers (features). The photos are divided into"
            " five folds; a small model learns from the labels of four folds and predicts those of the fifth, for each"
            " fold in turn (cross-validation). So **no label is judged by a model that has seen it**; copies and near"
            " duplicates stay in one fold. From the predictions and the labels, it is estimated how often each class"
            " is mislabelled as each other class; a photo is listed where, given all that, another class is more"
            " probable than its label. The check can be wrong: the decision is yours."
        )
        check_features.choose_network()
