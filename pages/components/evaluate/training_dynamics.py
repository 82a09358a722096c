"""How the predictions for validation photos changed while a model learned."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.errors import RunError
from core.evaluation.training_dynamics import TrainingDynamics
from pages.components.cached import runs
from pages.components.evaluate import figures, sentences
from pages.components.evaluate.figures import saving_as
from pages.components.evaluate.photos import Part, gallery, open_photo
from pages.components.shared import markdown, state

NEVER, FORGOTTEN, LATE = "Never learned", "Forgotten", "Learned last"

MEANT = {
    NEVER: "Wrong at the end of training: hard photos, rare ones, or wrong labels.",
    FORGOTTEN: "Named correctly at some time, and wrongly after that (a forgetting event), most often first.",
    LATE: "Named correctly from then on, but only late in training, the latest first.",
}


def while_it_learned(part: Part) -> None:
    """When validation photos were learned, which were forgotten or never learned, and the history of one."""
    shown = part.shown
    try:
        found = runs.training_dynamics(shown.run.id, shown.status.ended)
        watched = Part(shown, "validation", runs.evaluation(shown.run.id, "validation", shown.status.ended))
    except RunError as error:
        st.info(str(error), icon=":material/history:")
        return
    if found.paths != watched.found.paths:
        st.info("It is lost which validation photos this run's predictions were for.", icon=":material/history:")
        return
    if part.name != "validation":
        st.caption(
            ":material/info: This is about the **validation** photos: only they are looked at while a model learns."
        )
    _summary(found)
    at, forgotten = found.learned_at(), found.forgotten()
    groups = {
        NEVER: np.flatnonzero(at == len(found.epochs)),
        FORGOTTEN: _falling(forgotten, forgotten > 0),
        LATE: _falling(at, (at > 0) & (at < len(found.epochs))),
    }
    kind = st.segmented_control(
        "Photos that were",
        list(groups),
        default=NEVER,
        required=True,
        format_func=lambda name: f"{name} ({len(groups[name]):,})",
        key="timeline-kind",
        label_visibility="collapsed",
        persist_state="session",
    )
    st.markdown(MEANT[kind])
    _history(watched, found, groups[kind].tolist())
    gallery(
        watched,
        groups[kind].tolist(),
        f"timeline-{list(MEANT).index(kind)}",
        lambda position: _words(watched, found, position),
        ("History", _choose),
    )


def _summary(found: TrainingDynamics) -> None:
    at, last = found.learned_at(), len(found.epochs)
    first, later, never = int((at == 0).sum()), int(((at > 0) & (at < last)).sum()), int((at == last).sum())
    forgotten = int((found.forgotten() > 0).sum())
    st.markdown(
        f"Of **{len(at):,} validation photos**, {first:,} were named correctly from the first look on, and {later:,}"
        f" from a later one. Forgotten at least once: {forgotten:,}. Wrong at the end of training: {never:,}; the model"
        " that is kept may be one from before the end."
    )
    st.plotly_chart(
        figures.learned(found),
        config=saving_as("learned"),
        key="learned",
        alt="How many validation photos are named correctly for good from each epoch on, and how many never",
    )


def _falling(values: Sequence[int] | np.ndarray, wanted: np.ndarray) -> np.ndarray:
    positions = np.flatnonzero(wanted)
    return positions[np.argsort(-np.asarray(values)[positions], kind="stable")]


def _choose(part: Part, position: int) -> None:
    state.remember(f"history-{part.key}", position)


def _history(part: Part, found: TrainingDynamics, positions: Sequence[int]) -> None:
    """The history of the photo that was chosen, or else of the first."""
    chosen = state.recall(f"history-{part.key}", None)
    if chosen not in positions:
        if not positions:
            return
        chosen = positions[0]
    with st.container(border=True, key="history"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{markdown.escape(found.paths[chosen])}**: {_words(part, found, chosen)}", width="stretch")
            st.button("See where it looks", on_click=open_photo, args=(part, chosen), icon=":material/visibility:")
        st.plotly_chart(
            figures.history(found, chosen, part.found.class_names),
            config=saving_as("history"),
            key="history-chart",
            alt=f"How probable the class of {found.paths[chosen]} was after each epoch",
        )
        st.caption("A dot where the photo was named correctly, a cross where another class was more probable.")


def _words(part: Part, found: TrainingDynamics, position: int) -> str:
    name = markdown.escape(part.found.class_names[part.found.labels[position]])
    at, times = int(found.learned_at()[position]), int(found.forgotten()[position])
    never = at == len(found.epochs)
    last = markdown.escape(part.found.class_names[found.predicted[-1, position]])
    ends = f"taken for **{last}** at the end" if never else f"right from epoch {found.epochs[at]:.3g} on"
    return f"{name}, {ends}" + (f", forgotten {sentences.times(times)}" if times else "")
