"""Where the photos come from that are predicted: uploads, a ZIP archive, a folder, the camera."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from core.data.images import PHOTO_SUFFIXES
from core.data.scan import folder_picker
from core.data.scan.walk import check_inside
from core.errors import PhotoError
from core.evaluation.calibration import with_temperature
from core.inference.batch import BatchJob, Find
from core.inference.out_of_distribution import OutOfDistributionDetector, answers
from core.inference.prediction import Predictor
from core.inference.sources import uploaded, zipped
from pages.components.cached import services
from pages.components.camera.live_camera import Frame, live_camera
from pages.components.predict.sentences import in_words
from pages.components.shared import drawings, markdown, state, upload_limits
from pages.components.shared.run_descriptions import LoadedRun

PHOTOS, ZIP, FOLDER, CAMERA = "Photos", "ZIP file", "Folder", "Camera"
ARCHIVE_MEGABYTES = 1000
LIVE_TOP = 3
BROWSE = "predict-browse"

GONE = "Nothing is kept: the photos are gone from the server when this browser tab is closed."


def model_key(chosen: LoadedRun) -> str:
    """What tells a run's model from others, and from what it was before the run went on."""
    return f"{chosen.run.id}-{chosen.status.ended}"


def from_photos(chosen: LoadedRun, predictor: Predictor, detector: OutOfDistributionDetector | None) -> BatchJob | None:
    """Photos that are dropped on the page; those that come later are added."""
    number = state.recall("predict-number", 0)
    files = st.file_uploader(
        "Photos",
        type=sorted(PHOTO_SUFFIXES),
        accept_multiple_files=True,
        key=f"predict-photos-{number}",
        max_upload_size=upload_limits.photo_megabytes(),
    )
    if files:
        sent = [(file.name, io.BytesIO(file.getvalue())) for file in files]
        _add(PHOTOS, chosen, predictor, lambda stop: uploaded(sent, services.settings().limits))
        state.remember("predict-number", number + 1)  # an empty uploader, which takes more
        st.rerun()
    return _job(PHOTOS, chosen, predictor, GONE)


def from_zip(chosen: LoadedRun, predictor: Predictor, detector: OutOfDistributionDetector | None) -> BatchJob | None:
    """The photos of an archive, which is read and never unpacked to disk."""
    number = state.recall("predict-zip-number", 0)
    file = st.file_uploader(
        "A ZIP file with photos, in folders or not",
        type=["zip"],
        key=f"predict-zip-{number}",
        max_upload_size=ARCHIVE_MEGABYTES,
    )
    if file is not None:
        sent = io.BytesIO(file.getvalue())
        _forget(ZIP)
        _add(ZIP, chosen, predictor, lambda stop: zipped(sent, services.settings().limits))
        state.remember("predict-zip-number", number + 1)
        st.rerun()
    return _job(ZIP, chosen, predictor, GONE)


def from_folder(chosen: LoadedRun, predictor: Predictor, detector: OutOfDistributionDetector | None) -> BatchJob | None:
    """The photos below a folder of this computer; what the model makes of them is known to all sessions."""
    path = state.predicted_folder()
    if not path:
        _choose_folder()
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder: **{markdown.escape(Path(path).name)}** &nbsp; {markdown.escape(path)}")
        st.button("Choose another", icon=":material/swap_horiz:", on_click=state.predict_folder, args=("",))
        again = st.button("Look again", icon=":material/refresh:")
    root = str(check_inside(path, services.settings().dataset_roots))
    jobs, key = services.folder_jobs(), model_key(chosen)
    job = None if again else jobs.find(key, root)
    return job or jobs.begin(key, root, predictor, chosen.run.serving_folder)


def _choose_folder() -> None:
    with st.form("predict-folder", border=False):
        typed = st.text_input(
            "Folder with photos, in subfolders or not",
            placeholder=str(Path.home() / "Pictures"),
            help="Type or paste its path. The photos are read, never changed, and stay where they are.",
        )
        if st.form_submit_button("Predict the folder", icon=":material/folder_open:", type="primary") and typed:
            found = check_inside(typed.strip().strip("\"'"), services.settings().dataset_roots)
            state.predict_folder(str(found))
            st.rerun()
    _browse()


def _browse() -> None:
    """Walk through the folders under the allowed roots."""
    roots = services.settings().dataset_roots
    here = state.recall(BROWSE, "")
    with st.expander("Look for it in my folders", icon=":material/search:", expanded=bool(here)):
        inner = folder_picker.browse(here, roots) if here else roots
        if here:
            st.caption(here)
            with st.container(horizontal=True, gap="small"):
                up = "" if Path(here) in roots else str(Path(here).parent)
                st.button("One up", icon=":material/arrow_upward:", on_click=state.remember, args=(BROWSE, up))
                st.button("Use this folder", icon=":material/check:", on_click=state.predict_folder, args=(here,))
        with st.container(horizontal=True, gap="small", height=220 if len(inner) > 12 else "content"):
            for path in inner:
                st.button(
                    path.name or str(path),
                    key=f"predict-go-{path}",
                    icon=":material/folder:",
                    on_click=state.remember,
                    args=(BROWSE, str(path)),
                )


def from_camera(chosen: LoadedRun, predictor: Predictor, detector: OutOfDistributionDetector | None) -> BatchJob | None:
    """What the model says while the camera runs; a button keeps a photo."""
    with st.container(horizontal=True, gap="medium"):
        _live(chosen, predictor, detector)
    return _job(CAMERA, chosen, predictor, f"The camera's pictures are looked at and forgotten. {GONE}")


@st.fragment
def _live(chosen: LoadedRun, predictor: Predictor, detector: OutOfDistributionDetector | None) -> None:
    """The camera and the latest answer; a frame draws this part of the page anew and nothing else."""
    answered, words, top = state.recall("live-answer", ("", "", []))
    left, right = st.columns(2, gap="medium")
    with left:
        frame = live_camera(answered, words)
    if frame is not None and frame.id != answered:
        state.remember("live-answer", (frame.id, *_answer(frame, predictor, detector)))
        if frame.keep:
            _keep(frame, chosen, predictor)
        st.rerun(scope="app" if frame.keep else "fragment")
    with right:
        if top:
            st.markdown(f"#### {markdown.escape(words)}")
            st.html(drawings.probability_bars(top))
        else:
            st.caption("Start the camera and hold something in front of it: the model says at once what it sees.")


def _answer(
    frame: Frame, predictor: Predictor, detector: OutOfDistributionDetector | None
) -> tuple[str, list[tuple[str, float]]]:
    """What the model says of a frame, in words and as its most probable classes."""
    try:
        look = predictor.look(predictor.see(frame.jpeg, services.settings().limits.pixels))
    except PhotoError as error:
        return f"The picture cannot be read: {error}", []
    temperature = detector.temperature if detector else 1.0
    shares = with_temperature(look.probabilities[None], temperature)
    strange = detector.ood_scores(look.embedding[None]) if detector else np.zeros(1)
    order = np.argsort(-shares[0], kind="stable")[:LIVE_TOP]
    said = answers(shares.max(1), strange, state.recall("predict-careful", 0) / 100)[0]
    top = [(predictor.class_names[label], float(shares[0, label])) for label in order]
    return in_words(str(said), top[0][0]), top


def _keep(frame: Frame, chosen: LoadedRun, predictor: Predictor) -> None:
    number = state.recall("shots", 0) + 1
    state.remember("shots", number)
    sent = [(f"camera-{number:03d}.jpg", io.BytesIO(frame.jpeg))]
    _add(CAMERA, chosen, predictor, lambda stop: uploaded(sent, services.settings().limits))


def _add(source: str, chosen: LoadedRun, predictor: Predictor, find: Find) -> None:
    """Hand photos to this session's job for a source, and remember them in case another model is asked."""
    finds = [*state.recall(f"sent-{source}", []), find]
    state.remember(f"sent-{source}", finds)
    key, job = state.recall(f"job-{source}", ("", None))
    if key == model_key(chosen) and isinstance(job, BatchJob):
        job.add(find)


def _job(source: str, chosen: LoadedRun, predictor: Predictor, without: str) -> BatchJob | None:
    """This session's job for a source; with another model than before, everything that was sent is predicted anew."""
    finds = state.recall(f"sent-{source}", [])
    if not finds:
        st.caption(without)
        return None
    key, job = state.recall(f"job-{source}", ("", None))
    if key != model_key(chosen) or not isinstance(job, BatchJob):
        job = BatchJob(predictor, chosen.run.serving_folder, services.settings().limits.pixels)
        for find in finds:
            job.add(find)
        state.remember(f"job-{source}", (model_key(chosen), job))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(GONE, width="stretch")
        st.button("Clear", icon=":material/delete:", type="tertiary", on_click=_forget, args=(source,))
    return job


def _forget(source: str) -> None:
    """Let go of all photos of a source, and of what was made of them."""
    _, job = state.recall(f"job-{source}", ("", None))
    if isinstance(job, BatchJob):
        job.cancel()
    state.take(f"job-{source}")
    state.take(f"sent-{source}")


SOURCES: dict[str, Callable[[LoadedRun, Predictor, OutOfDistributionDetector | None], BatchJob | None]] = {
    PHOTOS: from_photos,
    ZIP: from_zip,
    FOLDER: from_folder,
    CAMERA: from_camera,
}
