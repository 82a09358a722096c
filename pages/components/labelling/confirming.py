"""Spread labels, class by class on a grid: the person clicks those that are wrong, and confirms the others at once."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.data.dataset import Dataset
from core.data.review import RELABEL, Decision
from core.labelling.pool import CONFIRMED, Labels, Pool
from core.labelling.spreading import LIKELY, OFFERED_BELOW, SpreadLabels, is_offered
from core.language import number, tr, tr_plural
from pages.components.cached import datasets
from pages.components.dataset import decisions
from pages.components.shared import markdown, state, thumbnails

PER_PAGE = 24
REFUSED, SHOWN_CLASS = "spread-labels-refused", "spread-class"


def show(dataset: Dataset, pool: Pool, labels: Labels) -> None:
    """Spread the labels where that may help, say whether it does, and have them confirmed."""
    if not is_offered(labels):
        _say_why_not(labels)
        return
    found = datasets.spread_labels(dataset.scan.token, labels.token, pool, labels)
    _judge(found, labels)
    proposed = proposals(pool, labels, found, state.recall(REFUSED, frozenset()))
    if not any(proposed):
        st.info(
            tr("There is nothing to confirm: no other photo is like one class only. Label some more."),
            icon=":material/info:",
        )
        decisions.undo_bar(dataset)
        return
    if not proposed[state.widget(SHOWN_CLASS) or 0]:
        state.set_widget(SHOWN_CLASS, next(i for i, each in enumerate(proposed) if each))
    chosen = st.pills(
        tr("Class"),
        [i for i, each in enumerate(proposed) if each],
        required=True,
        key=SHOWN_CLASS,
        format_func=lambda i: f"{markdown.escape(labels.classes[i])} · {number(len(proposed[i]))}",
        label_visibility="collapsed",
    )
    _grid(dataset, pool, proposed[chosen or 0][:PER_PAGE], labels.classes[chosen or 0])
    decisions.undo_bar(dataset)


def proposals(pool: Pool, labels: Labels, found: SpreadLabels, refused: frozenset[tuple[str, str]]) -> list[list[int]]:
    """For each class the positions of photos that it has spread to, the most certain first.

    Without strangers, uncertain ones, and those of which somebody has said that they are not of this class.
    """
    order = labels.open[np.argsort(-found.certainty[labels.open], kind="stable")]
    proposed: list[list[int]] = [[] for _ in labels.classes]
    for position in order.tolist():
        label = int(found.labels[position])
        likely = found.probabilities[position, label] > LIKELY and not found.strangers[position]
        if likely and (pool.paths[position], labels.classes[label]) not in refused:
            proposed[label].append(position)
    return proposed


def _say_why_not(labels: Labels) -> None:
    if int((labels.counts > 0).sum()) < 2:
        st.info(tr("Labels can be spread once two classes have some. Label photos first."), icon=":material/info:")
    else:
        st.info(
            tr(
                "With {count} labels a class or more, spreading brings nothing: the model learns as much from your"
                " labels alone.",
                count=OFFERED_BELOW,
            ),
            icon=":material/info:",
        )


def _judge(found: SpreadLabels, labels: Labels) -> None:
    """What leaving out each labelled photo said, and what may go wrong."""
    st.markdown(
        tr("Photos that are most like your labelled ones are taken to be of the same class, and so on from there.")
    )
    if not found.left_out:
        st.caption(tr("There are too few labels to check whether that helps, so look closely."))
    elif found.helps:
        checked = tr(
            "Checked on your {count} labelled photos, each left out once: spreading names **{right}** rightly, a model"
            " that learns from labels alone **{head_right}**.",
            count=int(found.left_out),
            right=int(found.right),
            head_right=int(found.head_right),
        )
        st.markdown(f":green[:material/check:] {checked}")
    else:
        st.warning(
            tr(
                "Here spreading does not help: of your {count} labelled photos, each left out once, it names {right}"
                " rightly, a model that learns from labels alone {head_right}. Label more photos instead, or look"
                " closely.",
                count=int(found.left_out),
                right=int(found.right),
                head_right=int(found.head_right),
            ),
            icon=":material/warning:",
        )
    if found.unequal:
        st.warning(
            tr(
                "The classes seem to be very unequal: the largest about {times} times the smallest. Photos of small"
                " classes may then be taken for a large one. Look closely, and label more of the small ones.",
                times=number(found.imbalance),
            ),
            icon=":material/warning:",
        )
    strangers = int(found.strangers[labels.open].sum())
    if strangers:
        st.caption(
            tr_plural(
                "{count} photo unlike all that you have labelled is left out of this.",
                "{count} photos unlike all that you have labelled are left out of this.",
                strangers,
            )
        )


def _grid(dataset: Dataset, pool: Pool, positions: Sequence[int], name: str) -> None:
    """Photos to confirm; nothing is drawn again while wrong ones are marked."""
    paths = [pool.paths[i] for i in positions]
    shown = markdown.escape(name)
    with st.form(f"confirm-{name}-{paths[0]}-{len(paths)}", border=False):
        question = tr_plural(
            "{count} photo of {class_name}? Mark those that are not.",
            "{count} photos of {class_name}? Mark those that are not.",
            len(paths),
            class_name=shown,
        )
        st.markdown(f"#### {question}")
        with st.grid(min_column_width=110, gap="small"):
            for path in paths:
                with st.container(gap="xxsmall"):
                    thumbnails.show_photo(dataset.folder.root / path, datasets.small, 110, path)
                    st.checkbox(tr("not {class_name}", class_name=shown), key=f"not-{name}-{path}")
        st.form_submit_button(
            tr("The others are {class_name}", class_name=shown),
            key=f"others-are-{name}-{paths[0]}-{len(paths)}",
            type="primary",
            icon=":material/done_all:",
            shortcut="Ctrl+Enter",  # a plain key does nothing while a checkbox has the focus
            on_click=_confirm,
            args=(dataset, {path: pool.digests[i] for path, i in zip(paths, positions, strict=True)}, name),
        )


def _confirm(dataset: Dataset, digests: dict[str, str], name: str) -> None:
    """Keep one decision about all that were not marked; the marked ones are not proposed as this class again."""
    wrong = {path for path in digests if state.widget(f"not-{name}-{path}")}
    state.remember(REFUSED, state.recall(REFUSED, frozenset()) | {(path, name) for path in wrong})
    photos = {path: digest for path, digest in digests.items() if path not in wrong}
    if photos:
        decision = Decision(RELABEL, photos, name, tr(CONFIRMED))
        decisions.keep(dataset.review.root, lambda review: review.with_decision(decision))
