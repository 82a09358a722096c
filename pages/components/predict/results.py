"""Predictions for many photos: summary, filters, cards, downloads."""

import io
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import formatting
from core.data.intake import collect, sample
from core.errors import PhotoError
from core.formatting import photos
from core.inference.batch import Batch, BatchJob
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE, keep_least_confidence
from core.inference.prediction import Predictor
from core.inference.prediction_table import ORDERS, PredictionTable, Saved, as_csv, as_sorted_zip, save
from pages.components.cached import services
from pages.components.predict.model import Model
from pages.components.predict.sentences import answer, count_bars, selective_accuracy, summary
from pages.components.shared import drawings, elements, heat, markdown, state
from pages.components.shared.report_errors import reporting

TOP, PER_PAGE, PHOTO_PIXELS = 3, 12, 150
MOMENT = 0.8
"""Seconds that the page waits for predictions before it shows a progress bar."""

ALL, CORRECTED, NO_CORRECTION = "All photos", "Corrected by hand", "Undo the correction"
NEW = "A new dataset"
ICONS = {
    UNSURE: ":gray-badge[:material/question_mark: unsure]",
    OUT_OF_DISTRIBUTION: ":violet-badge[:material/help: unlike the training photos]",
}


def show(model: Model, job: BatchJob) -> None:
    """The predictions of a job, and its progress."""
    with st.container(key="predict-answer"):
        batch = answered(job)
        found = table_of(model, job, batch) if len(batch) else None
        if found is None:
            return
        st.markdown(f"**{markdown.escape(summary(found))}**")
    with st.container(key="predict-controls"):
        st.html(count_bars(found))
        least_confidence(model)
        shown = filters(found, job)
        with st.container(horizontal=True):
            downloads(found, f"{job.id}-{len(found)}")
            saving(found, shown, job)
    with st.container(key="predict-cards"):
        cards(found, shown, job, model.predictor)


def answered(job: BatchJob) -> Batch:
    """What is predicted so far; what goes on, what went wrong and what was left out is said."""
    job.wait(MOMENT)
    if not job.is_over:
        progress(job)
    if job.error:
        st.warning(markdown.escape(job.error), icon=":material/info:")
    batch = job.batch()
    left_out(batch)
    if not len(batch) and job.is_over and not job.error and not batch.left_out:
        st.info("It contains no photos.", icon=":material/image_not_supported:")
    return batch


@st.fragment(run_every=0.5)
def progress(job: BatchJob) -> None:
    """The progress of a job, and a button to stop it."""
    if job.is_over:
        st.rerun()
    if job.listing:
        st.progress(0.0, "Listing the photos…")
    else:
        left = job.seconds_left()
        words = f" · about {formatting.duration(left)} left" if left is not None else ""
        st.progress(job.done / max(1, job.total), f"Predicting: {job.done:,} of {job.total:,} photos{words}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", icon=":material/stop:", on_click=job.cancel)
        st.button("Show the predictions so far", icon=":material/visibility:", on_click=_draw_all)
        st.caption("You can leave this page; the work goes on.", width="content")
    if state.take("predict-draw-all"):
        st.rerun()


def _draw_all() -> None:
    state.remember("predict-draw-all", True)


def left_out(batch: Batch) -> None:
    """Files that could not be used, with reasons."""
    if batch.left_out:
        number, total = len(batch.left_out), len(batch) + len(batch.left_out)
        st.warning(f"{number:,} of {total:,} files could not be used.", icon=":material/rule:")
        rows = [{"file": entry.path, "why it was left out": entry.reason} for entry in batch.left_out]
        with st.expander("List with reasons", icon=":material/list:", expanded=number <= 5):
            elements.long_list(rows, "left-out.csv")


def table_of(model: Model, job: BatchJob, batch: Batch) -> PredictionTable:
    """The predictions for a job's photos, with the corrections that were made here."""
    corrected = state.recall(f"corrected-{job.id}", {})
    return PredictionTable(model.predictor.class_names, batch.photos, model.decide_all(job.id, batch), corrected)


def least_confidence(model: Model) -> None:
    """The least confidence of an answer, kept with the run, and its effect."""
    known = round(100 * model.rule.least_confidence)
    with st.expander(f"Unsure below {known} % confidence", icon=":material/tune:", key="predict-dial"):
        chosen = st.slider(
            "Least confidence of an answer",
            0,
            99,
            known,
            format="%d %%",
            help="Below it, the answer is “unsure”: the higher it is, the fewer answers, and the more of them are"
            " right. It is kept with the run and holds for the camera, the command line and new exports, too.",
        )
        if model.detector is not None:
            st.markdown(selective_accuracy(model.detector.selective_accuracy(known / 100)))
            st.caption(
                "Photos unlike the training photos are marked, however high the confidence. This also happens, by"
                " mistake, to about 5 in 100 photos of the right kind."
            )
    if chosen != known:
        with reporting():
            keep_least_confidence(model.shown.run, chosen / 100)
        st.rerun()


def filters(found: PredictionTable, job: BatchJob) -> NDArray[np.intp]:
    """The photos to show, in order."""
    masks = kinds(found)
    left, middle, right = st.columns(3, gap="medium", vertical_alignment="bottom")
    counted = [kind for kind in masks if kind == ALL or masks[kind].any()]
    with left:
        labels = {kind: f"{kind} · {int(masks[kind].sum()):,}" for kind in counted}
        kind = elements.choose("Show", labels, f"predict-show-{job.id}")
    order = middle.selectbox("Order", list(ORDERS), key="predict-order", persist_state="session")
    low, high = right.slider("Confidence", 0, 100, (0, 100), format="%d %%", key=f"predict-sure-{job.id}")
    percent = np.rint(100 * found.decisions.confidence)
    wanted = masks[kind] & (percent >= low) & (percent <= high)
    placed = ORDERS[order](found)
    return np.asarray(placed[wanted[placed]], np.intp)


def kinds(found: PredictionTable) -> dict[str, NDArray[np.bool_]]:
    """Which photos each filter shows, by its title; a class whose name is also a filter's title gives way to it."""
    masks = {ALL: np.ones(len(found), bool)}
    masks |= {name: found.classes == label for label, name in enumerate(found.class_names)}
    masks |= {kind.capitalize(): found.is_open(kind) for kind in (UNSURE, OUT_OF_DISTRIBUTION)}
    return masks | {CORRECTED: np.isin(np.arange(len(found)), list(found.corrected))}


def cards(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob, predictor: Predictor) -> None:
    """A page of cards."""
    if not len(shown):
        st.caption("No photo matches these filters. Change them above.")
        return
    pages = -(-len(shown) // PER_PAGE)
    page = st.pagination(pages, key=f"predict-page-{job.id}-{pages}") if pages > 1 else 1
    places = shown[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    for start in range(0, len(places), 2):
        for place, column in zip(places[start : start + 2], st.columns(2, gap="medium"), strict=False):
            with column.container(border=True, key=f"card-{job.id}-{place}"):
                card(found, place, job, predictor)


def card(found: PredictionTable, place: int, job: BatchJob, predictor: Predictor) -> None:
    """A photo, its most probable classes, and its buttons."""
    name = found.photos[place].name
    with st.container(horizontal=True, vertical_alignment="center"):
        try:
            picture = job.picture(place, predictor.resolution)
            st.image(picture, width=PHOTO_PIXELS, alt=f"{name} as the model sees it")
        except PhotoError as error:
            st.caption(f":material/broken_image: No longer readable: {markdown.escape(error)}")
        with st.container(width="stretch", gap="xsmall"):
            heading(found, place)
            st.caption(markdown.escape(name))
            st.html(drawings.probability_bars(found.top(place, min(TOP, len(found.class_names)))))
    with st.container(horizontal=True):
        opened = state.recall(f"heat-{job.id}", set())
        label = "Hide the heat map" if place in opened else "Heat map"
        st.button(
            label,
            key=f"heat-{job.id}-{place}",
            icon=":material/blur_on:",
            type="tertiary",
            on_click=_turn,
            args=(job, place),
            help=f"Where in {markdown.escape(name)} the evidence for the answer is",
        )
        correct(found, place, job)
    if place in opened:
        heat_map(found, place, predictor)


def heading(found: PredictionTable, place: int) -> None:
    """The answer of the model, or the correction by a person."""
    kind = str(found.decisions.kinds[place])
    if place in found.corrected:
        st.markdown(f"#### {markdown.escape(found.class_names[found.corrected[place]])}")
        st.markdown(f":green-badge[:material/edit: corrected] predicted: {markdown.escape(found.top(place, 1)[0][0])}")
        return
    st.markdown(f"#### {markdown.escape(answer(kind, found.top(place, 1)[0][0]))}")
    if kind in ICONS:
        st.markdown(ICONS[kind])


def correct(found: PredictionTable, place: int, job: BatchJob) -> None:
    """A menu to give a photo another class."""
    back = [NO_CORRECTION] if place in found.corrected else []
    picked = st.menu_button(
        "Correct",
        [*back, *found.class_names],
        key=f"correct-{job.id}-{place}",
        icon=":material/edit:",
        type="tertiary",
        format_func=markdown.escape,
        help=f"Choose the class that {markdown.escape(found.photos[place].name)} really shows",
    )
    if picked is not None:
        corrected = {at: label for at, label in found.corrected.items() if at != place}
        if picked in found.class_names:
            corrected[place] = found.class_names.index(picked)
        state.remember(f"corrected-{job.id}", corrected)
        st.rerun()


def _turn(job: BatchJob, place: int) -> None:
    """Show or hide the heat map of a photo."""
    state.remember(f"heat-{job.id}", state.recall(f"heat-{job.id}", set()) ^ {place})


def heat_map(found: PredictionTable, place: int, predictor: Predictor) -> None:
    """The evidence for the most probable class, place by place."""
    try:
        pixels = predictor.see(found.photos[place].read(), services.settings().limits.pixels)
    except PhotoError as error:
        st.caption(f":material/broken_image: No longer readable: {markdown.escape(error)}")
        return
    maps = predictor.predict_one(pixels).maps
    if maps is None:
        st.info("This run was trained by an earlier version, whose models have no heat maps. Train again to see them.")
        return
    label = int(found.decisions.predicted[place])
    evidence, title = heat.evidence(maps, label), found.class_names[label]
    limit = heat.limit_of([evidence])
    text = heat.summary(evidence, title)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(heat.overlay(pixels, evidence, limit), width=PHOTO_PIXELS, alt=f"Heat map. {text}")
        with st.container(width="stretch"):
            st.markdown(markdown.escape(text))
            st.html(heat.scale(limit))


def downloads(found: PredictionTable, key: str) -> None:
    """The predictions as a table, and the photos sorted into folders; both are made on request."""
    st.download_button(
        "Download the predictions (CSV)",
        lambda: as_csv(found),
        "predictions.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{key}",
    )
    st.download_button(
        "Photos sorted into folders (ZIP)",
        lambda: io.BytesIO(_sorted(found)),
        "predictions.zip",
        "application/zip",
        icon=":material/folder_zip:",
        on_click="ignore",
        key=f"zip-{key}",
        help="A folder for each class, as predicted or corrected, one for unsure photos and one for photos unlike the"
        " training photos.",
    )


def _sorted(found: PredictionTable) -> bytes:
    with as_sorted_zip(found) as file:
        return file.read()


def saving(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob) -> None:
    """Add the photos on show to a dataset of this app."""
    folder = services.settings().datasets_folder
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    with st.popover("Save into a dataset", icon=":material/library_add:"):
        st.markdown("Each photo is added to its predicted or corrected class.")
        own = [name for name in names if name != sample.SAMPLE_NAME]
        name = st.selectbox("Dataset", [NEW, *own], key=f"save-into-{job.id}")
        typed = st.text_input("Name of the dataset", key=f"save-name-{job.id}") if name == NEW else ""
        if st.button(f"Save {photos(len(shown))} as shown", type="primary", key=f"save-{job.id}"):
            with reporting():
                dataset = collect.new_dataset(folder, typed) if name == NEW else folder / name
                limits = services.settings().limits
                saved = save(found, shown.tolist(), dataset, limits, datasets_folder=folder)
            state.remember(f"saved-{job.id}", saved)
    last = state.recall(f"saved-{job.id}", None)
    if isinstance(last, Saved):
        report(last)


def report(saved: Saved) -> None:
    """The photos that were saved, and those that were not."""
    parts = ", ".join(f"{count:,} as {markdown.escape(name)}" for name, count in saved.added.items() if count)
    if parts:
        st.success(f"Saved into {markdown.escape(saved.dataset.name)}: {parts}.", icon=":material/check_circle:")
    else:
        st.warning(f"No photo was saved into {markdown.escape(saved.dataset.name)}.", icon=":material/info:")
    if saved.left_out:
        rows = [{"file": entry.path, "why it was left out": entry.reason} for entry in saved.left_out]
        with st.expander(f"{photos(len(rows))} not saved, with reasons", icon=":material/rule:"):
            elements.long_list(rows, "not-saved.csv")
    if st.button("Open the dataset", icon=":material/photo_library:", key=f"look-{saved.dataset}"):
        state.choose_dataset(str(Path(saved.dataset)))
        st.switch_page("pages/prepare/dataset.py")
