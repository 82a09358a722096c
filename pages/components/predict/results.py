"""What the model says of many photos: summary, controls, cards, exports."""

import io
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import formatting
from core.data.intake import collect, sample
from core.errors import PhotoError
from core.evaluation.calibration import with_temperature
from core.formatting import photos
from core.inference.batch import Batch, BatchJob
from core.inference.out_of_distribution import OUT_OF_DISTRIBUTION, UNSURE, OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.inference.prediction_table import ORDERS, PredictionTable, Saved, as_csv, as_sorted_zip, save
from pages.components.cached import models, services
from pages.components.predict.sentences import cost_in_words, count_bars, in_words, summary
from pages.components.shared import drawings, elements, heat, markdown, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_descriptions import LoadedRun

TOP, PER_PAGE, PHOTO_PIXELS = 3, 12, 150
MOMENT = 0.8
"""Seconds that the page waits for answers before it shows a bar."""

ALL, CORRECTED, NO_CORRECTION = "All photos", "Corrected by hand", "Take the correction back"
NEW = "A new dataset"
CAREFUL = "predict-careful"
USUAL = 60
"""How sure the model must be to answer, in percent, unless somebody chooses otherwise."""

ICONS = {
    UNSURE: ":orange-badge[:material/question_mark: unsure]",
    OUT_OF_DISTRIBUTION: ":violet-badge[:material/help: not like its photos]",
}


def show(chosen: LoadedRun, job: BatchJob, predictor: Predictor, detector: OutOfDistributionDetector | None) -> None:
    """All of it, and how far the job is."""
    job.wait(MOMENT)
    if not job.is_over:
        progress(job)
    if job.error:
        st.warning(str(job.error), icon=":material/info:")
    batch = job.batch()
    left_out(batch)
    if not len(batch):
        if job.is_over and not job.error and not batch.left_out:
            st.info("There are no photos in it.", icon=":material/image_not_supported:")
        return
    found = answered(chosen, job, batch, predictor, detector)
    st.markdown(f"**{markdown.escape(summary(found))}**")
    st.html(count_bars(found))
    shown = controls(found, job)
    with st.container(horizontal=True):
        downloads(found, f"{job.id}-{len(found)}")
        saving(found, shown, job)
    cards(found, shown, job, predictor)


@st.fragment(run_every=0.5)
def progress(job: BatchJob) -> None:
    """How far a job is, and a button to stop it."""
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
        st.button("Show what is there so far", icon=":material/visibility:", on_click=_draw_all)
        st.caption("You can leave this page: it goes on.", width="content")
    if state.take("predict-draw-all"):
        st.rerun()


def _draw_all() -> None:
    state.remember("predict-draw-all", True)


def left_out(batch: Batch) -> None:
    """What could not be used, with reasons."""
    if batch.left_out:
        number, total = len(batch.left_out), len(batch) + len(batch.left_out)
        st.warning(f"{number:,} of {total:,} files could not be used.", icon=":material/rule:")
        rows = [{"file": entry.path, "why it was left out": entry.reason} for entry in batch.left_out]
        with st.expander("Which, and why", icon=":material/list:", expanded=number <= 5):
            elements.long_list(rows, "left-out.csv")


def answered(
    chosen: LoadedRun, job: BatchJob, batch: Batch, predictor: Predictor, detector: OutOfDistributionDetector | None
) -> PredictionTable:
    """The predictions with calibrated probabilities and everything that was chosen and corrected here."""
    ood_score = np.zeros(len(batch))
    if detector is not None:
        modified = chosen.run.embeddings_file.stat().st_mtime_ns
        ood_score = models.ood_scores(job.id, len(batch), chosen.run.id, modified, batch)
    careful = dial(detector)
    return PredictionTable(
        predictor.class_names,
        batch.photos,
        with_temperature(batch.probabilities, detector.temperature if detector else 1.0),
        ood_score,
        careful / 100,
        state.recall(f"corrected-{job.id}", {}),
    )


def dial(detector: OutOfDistributionDetector | None) -> int:
    """How sure the model must be to answer, in percent, and what that costs."""
    careful = state.recall(CAREFUL, USUAL)
    with st.expander(f"Answers only when at least {careful} % sure", icon=":material/tune:", key="predict-dial"):
        careful = st.slider(
            "Answer only when at least this sure",
            0,
            99,
            careful,
            format="%d %%",
            help="Below, the model says “unsure”. The more careful, the fewer answers, and the more of them are right.",
        )
        if detector is not None:
            st.markdown(cost_in_words(detector.cost(careful / 100)))
            st.caption(
                "Photos that are like none the model has learned from are called “something else”, however sure it"
                " seems. About 5 in 100 photos of the right kind are called so by mistake."
            )
    if careful != state.recall(CAREFUL, USUAL):
        state.remember(CAREFUL, careful)
        st.rerun()
    state.remember(CAREFUL, careful)
    return int(careful)


def controls(found: PredictionTable, job: BatchJob) -> NDArray[np.intp]:
    """Which photos are shown, in which order."""
    masks = kinds(found)
    left, middle, right = st.columns(3, gap="medium", vertical_alignment="bottom")
    counted = [kind for kind in masks if kind == ALL or masks[kind].any()]
    kind = left.selectbox(
        "Show",
        counted,
        format_func=lambda kind: f"{kind} · {int(masks[kind].sum()):,}",
        key=f"predict-show-{job.id}",
    )
    order = middle.selectbox("In which order", list(ORDERS), key="predict-order", persist_state="session")
    low, high = right.slider("How sure the model is", 0, 100, (0, 100), format="%d %%", key=f"predict-sure-{job.id}")
    percent = np.rint(100 * found.confidence)
    wanted = masks[kind] & (percent >= low) & (percent <= high)
    placed = ORDERS[order](found)
    return np.asarray(placed[wanted[placed]], np.intp)


def kinds(found: PredictionTable) -> dict[str, NDArray[np.bool_]]:
    """What can be shown alone, by its title; a class may not be called as one of the others."""
    masks = {ALL: np.ones(len(found), bool)}
    masks |= {name: found.classes == label for label, name in enumerate(found.class_names)}
    masks |= {
        title: found.is_open(kind) for kind, title in ((UNSURE, "Unsure"), (OUT_OF_DISTRIBUTION, "Something else"))
    }
    return masks | {CORRECTED: np.isin(np.arange(len(found)), list(found.corrected))}


def cards(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob, predictor: Predictor) -> None:
    """A page of cards."""
    if not len(shown):
        st.caption("No photo is like that. Choose others above.")
        return
    pages = -(-len(shown) // PER_PAGE)
    page = st.pagination(pages, key=f"predict-page-{job.id}-{pages}") if pages > 1 else 1
    places = shown[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    for start in range(0, len(places), 2):
        for place, column in zip(places[start : start + 2], st.columns(2, gap="medium"), strict=False):
            with column.container(border=True, key=f"card-{job.id}-{place}"):
                card(found, place, job, predictor)


def card(found: PredictionTable, place: int, job: BatchJob, predictor: Predictor) -> None:
    """A photo, its most probable classes, and what can be done about it."""
    name = found.photos[place].name
    with st.container(horizontal=True, vertical_alignment="center"):
        try:
            picture = job.picture(place, predictor.resolution)
            st.image(picture, width=PHOTO_PIXELS, alt=f"{name} as the model sees it")
        except PhotoError as error:
            st.caption(f":material/broken_image: No longer readable: {error}")
        with st.container(width="stretch", gap="xsmall"):
            heading(found, place)
            st.caption(markdown.escape(name))
            st.html(drawings.probability_bars(found.top(place, min(TOP, len(found.class_names)))))
    with st.container(horizontal=True):
        opened = state.recall(f"heat-{job.id}", set())
        words = "Hide where it looks" if place in opened else "Where it looks"
        st.button(
            words,
            key=f"heat-{job.id}-{place}",
            icon=":material/blur_on:",
            type="tertiary",
            on_click=_turn,
            args=(job, place),
            help=f"Which places of {markdown.escape(name)} speak for the answer",
        )
        correct(found, place, job)
    if place in opened:
        heat_map(found, place, predictor)


def heading(found: PredictionTable, place: int) -> None:
    """What the model says, or what a person has said instead."""
    said = str(found.said[place])
    if place in found.corrected:
        st.markdown(f"#### {markdown.escape(found.class_names[found.corrected[place]])}")
        st.markdown(
            f":green-badge[:material/edit: corrected] the model said {markdown.escape(found.top(place, 1)[0][0])}"
        )
        return
    st.markdown(f"#### {markdown.escape(in_words(said, found.top(place, 1)[0][0]))}")
    if said in ICONS:
        st.markdown(ICONS[said])


def correct(found: PredictionTable, place: int, job: BatchJob) -> None:
    """A menu to give a photo another class."""
    back = [NO_CORRECTION] if place in found.corrected else []
    picked = st.menu_button(
        "Correct",
        [*back, *found.class_names],
        key=f"correct-{job.id}-{place}",
        icon=":material/edit:",
        type="tertiary",
        help=f"Say what {markdown.escape(found.photos[place].name)} really shows",
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
    """Which places of a photo speak for the most probable class."""
    try:
        pixels = predictor.see(found.photos[place].read(), services.settings().limits.pixels)
    except PhotoError as error:
        st.caption(f":material/broken_image: No longer readable: {error}")
        return
    maps = predictor.look(pixels).maps
    if maps is None:
        st.info("This run was trained by a former version, whose models do not tell where they look.")
        return
    label = int(found.predicted[place])
    evidence, title = heat.evidence(maps, label), found.class_names[label]
    limit = heat.limit_of([evidence])
    words = f"Most of what speaks for {title} lies in {heat.where(evidence)}."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(heat.overlay(pixels, evidence, limit), width=PHOTO_PIXELS, alt=f"Heat map. {words}")
        with st.container(width="stretch"):
            st.markdown(markdown.escape(words))
            st.html(heat.scale(limit))


def downloads(found: PredictionTable, key: str) -> None:
    """What was found as a table, and the photos sorted into folders; both are made when they are asked for."""
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
        help="A folder for each class, as predicted or corrected, and one for what the model is unsure about.",
    )


def _sorted(found: PredictionTable) -> bytes:
    with as_sorted_zip(found) as file:
        return file.read()


def saving(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob) -> None:
    """Put the photos on show into a dataset of our own."""
    folder = services.settings().datasets_folder
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    with st.popover("Save into a dataset", icon=":material/library_add:"):
        st.markdown("Each photo goes to the class that it was predicted as or corrected to.")
        own = [name for name in names if name != sample.SAMPLE_NAME]
        name = st.selectbox("Dataset", [NEW, *own], key=f"save-into-{job.id}")
        typed = st.text_input("Its name", key=f"save-name-{job.id}") if name == NEW else ""
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
    """What was saved, and what was not."""
    parts = ", ".join(f"{count:,} as {markdown.escape(name)}" for name, count in saved.added.items() if count)
    if parts:
        st.success(f"Saved into {markdown.escape(saved.dataset.name)}: {parts}.", icon=":material/check_circle:")
    else:
        st.warning(f"No photo was saved into {markdown.escape(saved.dataset.name)}.", icon=":material/info:")
    if saved.left_out:
        rows = [{"file": entry.path, "why it was left out": entry.reason} for entry in saved.left_out]
        with st.expander(f"{len(rows):,} were not saved, and why", icon=":material/rule:"):
            elements.long_list(rows, "not-saved.csv")
    if st.button("Look at the dataset", icon=":material/photo_library:", key=f"look-{saved.dataset}"):
        state.choose_dataset(str(Path(saved.dataset)))
        st.switch_page("pages/prepare/dataset.py")
