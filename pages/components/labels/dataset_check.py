"""The label check of a dataset, view by view."""

from collections.abc import Mapping

import streamlit as st

from core.data.dataset import ALIKE_CONFLICT, CONFLICT, Dataset, Finding
from core.labels.dataset_check import DatasetCheck, check
from core.language import number, sentences, tr, tr_mark, tr_plural
from core.training.dataset_features.features import Features
from pages.components.cached import datasets
from pages.components.dataset import decisions, label_source, opened_photo
from pages.components.labels import features as check_features
from pages.components.labels import retraining, suspects, thorough
from pages.components.shared import dataset_choice, markdown, state
from pages.components.shared.report_errors import reporting

VIEW = "label-check-view"
SUSPECTS, EVERY, CONFLICTS, OUTLIERS, DECISIONS = "suspects", "every", "conflicts", "outliers", "decisions"
TITLES = {
    SUSPECTS: tr_mark("Probably wrong"),
    EVERY: tr_mark("Every photo"),
    CONFLICTS: tr_mark("Two labels for one photo"),
    OUTLIERS: tr_mark("Outliers"),
    DECISIONS: tr_mark("Decisions"),
}
"""What each view is called."""

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
        tr("View"),
        list(views),
        default=SUSPECTS,
        required=True,
        key=VIEW,
        persist_state="session",
        format_func=lambda name: (
            f"{tr(TITLES[name])} · {number(views[name][0])}" if views[name][0] else tr(TITLES[name])
        ),
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
        st.page_link("pages/prepare/dataset.py", label=tr("Open, or choose another"), icon=":material/swap_horiz:")


def _check(dataset: Dataset, features: Features, key: str) -> DatasetCheck:
    """The last check of these photos, whatever was decided since; a new one where there is none, or on request."""
    found = datasets.label_checks().get((dataset.scan.token, key))
    if found is None or state.take(AGAIN):
        with reporting(), st.spinner(tr("Comparing each photo with the others…")):
            found = check(dataset, features.values, features.row_of)
        datasets.keep_label_check(dataset.scan.token, key, found)
    return found


def _headline(dataset: Dataset, found: DatasetCheck, *, quick: bool) -> None:
    """The result in a sentence or two."""
    count, photos = len(found.suspects), len(found.folder)
    decided = len(suspects.decided_among(dataset, found, found.suspects))
    unread = _unread(found.unread, quick=quick)
    with st.container(horizontal=True, vertical_alignment="center", key="label-headline"):
        if found.fit.misfit:
            looks = tr("No single label stands out.")
            if count:
                looks = tr("{count} of {total} labels look wrong.", count=count, total=photos)
            said = sentences(found.fit.misfit, looks, unread)
            title = tr("These labels do not fit these photos")
            st.markdown(f"## {title}\n{said}", width="stretch")
        elif count:
            made = tr("You have decided about **{count}** of them.", count=decided) if decided else ""
            title = tr("{count} of {total} labels are probably wrong", count=count, total=photos)
            st.markdown(f"## {title}\n{sentences(made, unread)}", width="stretch")
        else:
            compared = tr_plural(
                "{count} photo was compared with each other.", "{count} photos were compared with each other.", photos
            )
            title = tr("No label looks wrong")
            st.markdown(f"## {title}\n{sentences(compared, unread)}")
        if quick and dataset.review.decisions:
            st.button(
                tr("Check again with your decisions"),
                key="check-again",
                icon=":material/refresh:",
                on_click=state.remember,
                args=(AGAIN, True),
                help=tr(
                    "The list stays as it is while you decide. A new check learns from your corrections, and often"
                    " finds more."
                ),
            )


def _unread(count: int, *, quick: bool) -> str:
    """How many photos were not checked; empty where all were."""
    if not count:
        return ""
    if quick:
        return tr_plural(
            "{count} photo could not be read and was skipped.",
            "{count} photos could not be read and were skipped.",
            count,
        )
    return tr_plural(
        "{count} photo could not be read or came later, and was skipped.",
        "{count} photos could not be read or came later, and were skipped.",
        count,
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
        st.success(tr("No photo has copies or near duplicates in another class."))
        return
    kinds = list(conflicts)
    chosen = st.pills(
        tr("Kind"),
        kinds,
        default=kinds[0],
        required=True,
        format_func=lambda key: f"{tr(conflicts[key].kind.title)} · {number(conflicts[key].count)}",
        key="label-check-conflicts",
        label_visibility="collapsed",
    )
    decisions.finding_in_full(dataset, conflicts[str(chosen)])


def _how() -> None:
    """The method of the check, and the network that computes the features."""
    with st.expander(tr("How labels are checked"), icon=":material/help:"):
        st.markdown(
            tr(
                "A pretrained network turns every photo into some hundred numbers (features). The photos are divided"
                " into five folds; a small model learns from the labels of four folds and predicts those of the fifth,"
                " for each fold in turn (cross-validation). So **no label is judged by a model that has seen it**;"
                " copies and near duplicates stay in one fold. From the predictions and the labels, it is estimated"
                " how often each class is mislabelled as each other class; a photo is listed where, given all that,"
                " another class is more probable than its label. The check can be wrong: the decision is yours."
            )
        )
        check_features.choose_network()
