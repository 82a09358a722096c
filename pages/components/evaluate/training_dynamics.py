"""How the predictions for validation photos changed during training."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.errors import RunError
from core.evaluation.training_dynamics import TrainingDynamics
from core.language import tr, tr_mark, tr_plural
from pages.components.cached import runs
from pages.components.evaluate import figures
from pages.components.evaluate.figures import saving_as
from pages.components.evaluate.photos import EvaluatedSubset, open_photo, show_photos
from pages.components.shared import markdown, state

NEVER, FORGOTTEN, LATE = "never", "forgotten", "late"

TITLES = {NEVER: tr_mark("Never learned"), FORGOTTEN: tr_mark("Forgotten"), LATE: tr_mark("Learned last")}

MEANT = {
    NEVER: tr_mark("Wrong at the end of training: hard photos, rare ones, or wrong labels."),
    FORGOTTEN: tr_mark(
        "Predicted correctly at some time and wrongly later (a forgetting event), the most forgotten first."
    ),
    LATE: tr_mark("Predicted correctly to the end, but only since late in training, the latest first."),
}


def training_dynamics(subset: EvaluatedSubset) -> None:
    """When validation photos were learned, which were forgotten or never learned, and the history of one.

    `subset` must be that of the validation photos.
    """
    shown = subset.shown
    try:
        found = runs.training_dynamics(shown.run.id, shown.status.ended)
    except RunError as error:
        st.info(markdown.escape(error), icon=":material/history:")
        return
    if found.paths != subset.found.paths:
        st.info(
            tr("It is no longer known which validation photos this run's predictions were for."),
            icon=":material/history:",
        )
        return
    st.caption(tr(":material/info: Only **validation** photos are predicted during training, so this is about them."))
    _summary(found)
    at, forgotten = found.learned_at(), found.forgotten()
    groups = {
        NEVER: np.flatnonzero(at == len(found.epochs)),
        FORGOTTEN: _falling(forgotten, forgotten > 0),
        LATE: _falling(at, (at > 0) & (at < len(found.epochs))),
    }
    kind = st.segmented_control(
        tr("Photos"),
        list(groups),
        default=NEVER,
        required=True,
        format_func=lambda name: tr("{group} ({count})", group=tr(TITLES[name]), count=len(groups[name])),
        key="timeline-kind",
        label_visibility="collapsed",
        persist_state="session",
    )
    st.markdown(tr(MEANT[kind]))
    _history(subset, found, groups[kind].tolist())
    show_photos(
        subset,
        groups[kind].tolist(),
        f"timeline-{list(MEANT).index(kind)}",
        tr(TITLES[kind]),
        lambda position: _history_in_words(subset, found, position),
        _choose,
    )


def _summary(found: TrainingDynamics) -> None:
    at, last = found.learned_at(), len(found.epochs)
    first, later, never = int((at == 0).sum()), int(((at > 0) & (at < last)).sum()), int((at == last).sum())
    forgotten = int((found.forgotten() > 0).sum())
    st.markdown(
        tr(
            "Of **{count} validation photos**, {first} were predicted correctly from the first validation on, and"
            " {later} from a later one. Forgotten at least once: {forgotten}. Wrong at the end of training: {never};"
            " the model that is kept may be from an earlier epoch.",
            count=len(at),
            first=first,
            later=later,
            forgotten=forgotten,
            never=never,
        )
    )
    st.plotly_chart(
        figures.learned(found),
        config=saving_as("learned"),
        key="learned",
        alt=tr(
            "How many validation photos are predicted correctly from each epoch on, and how many are wrong at the end"
        ),
    )


def _falling(values: Sequence[int] | np.ndarray, wanted: np.ndarray) -> np.ndarray:
    positions = np.flatnonzero(wanted)
    return positions[np.argsort(-np.asarray(values)[positions], kind="stable")]


def _choose(subset: EvaluatedSubset, position: int) -> None:
    state.remember(f"history-{subset.key}", position)


def _history(subset: EvaluatedSubset, found: TrainingDynamics, positions: Sequence[int]) -> None:
    """The history of the photo that was chosen, or else of the first."""
    chosen = state.recall(f"history-{subset.key}", None)
    if chosen not in positions:
        if not positions:
            return
        chosen = positions[0]
    with st.container(border=True, key="history"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{markdown.escape(found.paths[chosen])}**: {_caption(subset, found, chosen)}", width="stretch"
            )
            st.button(
                tr("Heat map"),
                key="history-heat-map",
                on_click=open_photo,
                args=(subset, chosen),
                icon=":material/visibility:",
            )
        st.plotly_chart(
            figures.history(found, chosen, subset.names),
            config=saving_as("history"),
            key="history-chart",
            alt=tr("How probable the class of {photo} was after each epoch", photo=found.paths[chosen]),
        )
        st.caption(tr("Dot: predicted correctly. Cross: another class was more probable."))


def _caption(subset: EvaluatedSubset, found: TrainingDynamics, position: int) -> str:
    name = markdown.escape(subset.names[subset.found.labels[position]])
    return tr(
        "{class_name}, {history}",
        class_name=name,
        history=markdown.escape(_history_in_words(subset, found, position)),
    )


def _history_in_words(subset: EvaluatedSubset, found: TrainingDynamics, position: int) -> str:
    """When a photo was learned, and how often it was forgotten; plain text."""
    at, times = int(found.learned_at()[position]), int(found.forgotten()[position])
    last = subset.names[found.predicted[-1, position]]
    if at == len(found.epochs):
        if not times:
            return tr("predicted as {class_name} at the end", class_name=last)
        return tr_plural(
            "predicted as {class_name} at the end, forgotten once",
            "predicted as {class_name} at the end, forgotten {count} times",
            times,
            class_name=last,
        )
    epoch = f"{found.epochs[at]:.3g}"
    if not times:
        return tr("right from epoch {epoch} on", epoch=epoch)
    return tr_plural(
        "right from epoch {epoch} on, forgotten once",
        "right from epoch {epoch} on, forgotten {count} times",
        times,
        epoch=epoch,
    )
