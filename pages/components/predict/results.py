"""Predictions for many photos: the newest one large, or what there is in all; filters; cards."""

from collections.abc import Callable, Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from core import formatting
from core.inference.batch import Batch, BatchJob
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE, keep_least_confidence
from core.inference.prediction import Predictor
from core.inference.prediction_table import LATEST, ORDERS, PredictionTable
from core.language import number, tr, tr_mark
from pages.components.predict.exports import downloads, saving
from pages.components.predict.model import Model
from pages.components.predict.photo import card, large
from pages.components.predict.sentences import count_bars, selective_accuracy, summary
from pages.components.predict.sources import FOLDER, PHOTOS, ZIP
from pages.components.shared import elements, markdown, state
from pages.components.shared.report_errors import reporting

PER_PAGE = 12
MOMENT = 0.8
"""Seconds that the page waits for predictions before it shows a progress bar."""

ALL, CORRECTED = "all", "corrected"
FILTERS = {
    ALL: tr_mark("All photos"),
    UNSURE: tr_mark("Unsure"),
    OUT_OF_DISTRIBUTION: tr_mark("Unlike the training photos"),
    CORRECTED: tr_mark("Corrected by hand"),
}
"""Which photos can be shown, besides those of a class."""


def show(model: Model, job: BatchJob, source: str, first: DeltaGenerator) -> None:
    """The predictions of a job, and its progress: the answer in the place for what comes first, the others here."""
    with first:
        batch = answered(job)
        found = table_of(model, job, batch) if len(batch) else None
        if found is None:
            left_out(batch)
            return
        if source in LARGE:
            LARGE[source](found, job, model.predictor)
        left_out(batch)
    said = LARGE.get(source) is overview
    title: str = tr("Filters and downloads")
    if not said:
        title = f"{markdown.escape(summary(found))} · {title}"
    with st.expander(title, icon=":material/tune:", key="predict-fold"):
        if not said:
            st.html(count_bars(found))
        shown = filters(found, job, next(iter(ORDERS)) if said else LATEST)
        least_confidence(model)
        with st.container(horizontal=True):
            downloads(found, f"{job.id}-{len(found)}")
            saving(found, shown, job)
    with st.container(key="predict-cards"):
        cards(found, others(found, shown) if LARGE.get(source) is newest else shown, job, model.predictor)


def newest(found: PredictionTable, job: BatchJob, predictor: Predictor) -> None:
    """The photo that came last, and the answer for it."""
    with st.container(key="predict-newest"):
        large(found, len(found) - 1, job, predictor)


def overview(found: PredictionTable, job: BatchJob, predictor: Predictor) -> None:
    """What there is in all: of many photos that came at once, none is the newest."""
    st.header(markdown.escape(summary(found)), anchor=False)
    st.html(count_bars(found))


LARGE: Mapping[str, Callable[[PredictionTable, BatchJob, Predictor], None]] = {
    PHOTOS: newest,
    ZIP: overview,
    FOLDER: overview,
}
"""What comes first on the page, by where photos come from; for the camera that is its live picture."""


def others(found: PredictionTable, shown: NDArray[np.intp]) -> NDArray[np.intp]:
    """The photos to show below the newest one; with a filter, that one too if it passes."""
    return shown[shown != len(found) - 1] if len(shown) == len(found) else shown


def answered(job: BatchJob) -> Batch:
    """What is predicted so far; what goes on and what went wrong is said."""
    job.wait(MOMENT)
    if not job.is_over:
        progress(job)
    if job.error:
        st.warning(markdown.escape(job.error), icon=":material/info:")
    batch = job.batch()
    if not len(batch) and job.is_over and not job.error and not batch.left_out:
        st.info(tr("It contains no photos."), icon=":material/image_not_supported:")
    return batch


@st.fragment(run_every=0.5)
def progress(job: BatchJob) -> None:
    """The progress of a job, and a button to stop it."""
    if job.is_over:
        st.rerun()
    if job.listing:
        st.progress(0.0, tr("Listing the photos…"))
    else:
        left = job.seconds_left()
        words = tr("Predicting: {done} of {total} photos", done=job.done, total=job.total)
        if left is not None:
            words = tr(
                "Predicting: {done} of {total} photos · about {duration} left",
                done=job.done,
                total=job.total,
                duration=formatting.duration(left),
            )
        st.progress(job.done / max(1, job.total), words)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(tr("Stop"), key="predict-stop", icon=":material/stop:", on_click=job.cancel)
        st.button(
            tr("Show the predictions so far"), key="predict-so-far", icon=":material/visibility:", on_click=_draw_all
        )
        st.caption(tr("You can leave this page; the work goes on."), width="content")
    if state.take("predict-draw-all"):
        st.rerun()


def _draw_all() -> None:
    state.remember("predict-draw-all", True)


def left_out(batch: Batch) -> None:
    """Files that could not be used, with reasons."""
    if batch.left_out:
        count, total = len(batch.left_out), len(batch) + len(batch.left_out)
        words = tr("{count} of {total} files could not be used.", count=count, total=total)
        st.warning(words, icon=":material/rule:")
        with st.expander(tr("List with reasons"), icon=":material/list:", expanded=count <= 5):
            elements.left_out_list(batch.left_out)


def table_of(model: Model, job: BatchJob, batch: Batch) -> PredictionTable:
    """The predictions for a job's photos, with the corrections that were made here."""
    corrected = state.recall(f"corrected-{job.id}", {})
    return PredictionTable(model.predictor.class_names, batch.photos, model.decide_all(job.id, batch), corrected)


def least_confidence(model: Model) -> None:
    """The least confidence of an answer, kept with the run, and its effect."""
    known = round(100 * model.rule.least_confidence)
    chosen = st.slider(
        tr("Unsure below this confidence"),
        0,
        99,
        known,
        format="%d %%",
        help=tr(
            "Below it, the answer is “unsure”: the higher it is, the fewer answers, and the more of them are right."
            " It is kept with the run and holds for the camera, the command line and new exports, too."
        ),
        key=f"least-confidence-{model.shown.run.id}-{known}",
    )
    if model.detector is not None:
        st.markdown(selective_accuracy(model.detector.selective_accuracy(known / 100)))
        st.caption(
            tr(
                "Photos unlike the training photos are marked, however high the confidence. This also happens, by"
                " mistake, to about 5 in 100 photos of the right kind."
            )
        )
    if chosen != known:
        with reporting():
            keep_least_confidence(model.shown.run, chosen / 100)
        st.rerun()


def filters(found: PredictionTable, job: BatchJob, order: str) -> NDArray[np.intp]:
    """The photos to show, in order; at first in the one that is given."""
    masks = kinds(found)
    left, middle, right = st.columns(3, gap="medium", vertical_alignment="bottom")
    counted = [kind for kind in masks if kind == ALL or masks[kind].any()]
    with left:
        names: dict[str | int, str] = dict(enumerate(found.shown_names))
        names.update(FILTERS)
        labels = {
            kind: f"{tr(names[kind]) if kind in FILTERS else names[kind]} · {number(int(masks[kind].sum()))}"
            for kind in counted
        }
        kind = elements.choose(tr("Show"), labels, f"predict-show-{job.id}")
    orders = list(ORDERS)
    order = middle.selectbox(
        tr("Order"), orders, index=orders.index(order), format_func=tr, key=f"predict-order-{job.id}"
    )
    low, high = right.slider(tr("Confidence"), 0, 100, (0, 100), format="%d %%", key=f"predict-sure-{job.id}")
    percent = np.rint(100 * found.decisions.confidence)
    wanted = masks[kind] & (percent >= low) & (percent <= high)
    placed = ORDERS[order](found)
    return np.asarray(placed[wanted[placed]], np.intp)


def kinds(found: PredictionTable) -> dict[str | int, NDArray[np.bool_]]:
    """Which photos each filter shows, by its key in `FILTERS` or the number of its class."""
    masks: dict[str | int, NDArray[np.bool_]] = {ALL: np.ones(len(found), bool)}
    masks |= {label: found.classes == label for label in range(len(found.shown_names))}
    masks |= {kind: found.is_open(kind) for kind in (UNSURE, OUT_OF_DISTRIBUTION)}
    return masks | {CORRECTED: np.isin(np.arange(len(found)), list(found.corrected))}


def cards(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob, predictor: Predictor) -> None:
    """A page of cards."""
    if not len(shown):
        if len(found) > 1:
            st.caption(tr("No photo matches these filters. Change them above."))
        return
    pages = -(-len(shown) // PER_PAGE)
    page = st.pagination(pages, key=f"predict-page-{job.id}-{pages}") if pages > 1 else 1
    places = shown[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    for start in range(0, len(places), 2):
        for place, column in zip(places[start : start + 2], st.columns(2, gap="medium"), strict=False):
            with column.container(border=True, key=f"card-{job.id}-{place}"):
                card(found, place, job, predictor)
