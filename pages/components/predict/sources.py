"""The sources of photos to predict: the camera, uploads and the clipboard, a ZIP archive, a folder."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.images import PHOTO_SUFFIXES
from core.data.scan import folder_picker
from core.data.scan.walk import check_inside
from core.errors import PhotoError
from core.inference.batch import BatchJob, Find
from core.inference.prediction_table import PredictionTable
from core.inference.sources import uploaded, zipped
from core.language import retold, tr, tr_mark
from pages.components.cached import services
from pages.components.camera.live_camera import Frame, live_camera
from pages.components.predict.model import Model
from pages.components.predict.paste import Pasted, paste
from pages.components.predict.photo import told
from pages.components.predict.sentences import answer
from pages.components.shared import markdown, state, upload_limits
from pages.components.shared.report_errors import ask

CAMERA, PHOTOS, ZIP, FOLDER = "camera", "photos", "zip", "folder"
TITLES = {
    CAMERA: tr_mark("Camera"),
    PHOTOS: tr_mark("Photos"),
    ZIP: tr_mark("ZIP file"),
    FOLDER: tr_mark("Folder"),
}
SOURCE = "predict-source"
LIVE_TOP = 3
BROWSE = "predict-browse"

SMALLER_ON_PHONE = """
<style>@media (max-width:640px){.st-key-live-camera-place{max-width:15rem}}</style>
"""
"""So that the answer below the camera's picture needs no scrolling."""

GONE = tr_mark("Nothing is stored: when you close this browser tab, the photos are gone from the server.")


def choose_source() -> str:
    """Choose where photos come from: the camera, where a browser allows one, unless a folder is predicted."""
    place = urlsplit(str(st.context.url or ""))
    safe = place.scheme == "https" or place.hostname in ("localhost", "127.0.0.1", "::1")
    return st.segmented_control(
        tr("Source of the photos"),
        list(SOURCES),
        default=FOLDER if state.predicted_folder() else CAMERA if safe else PHOTOS,
        required=True,
        format_func=lambda source: tr(TITLES[source]),
        key=SOURCE,
        persist_state="session",
        label_visibility="collapsed",
    )


def have_any() -> bool:
    """Whether this session has photos to predict from any source."""
    return bool(state.predicted_folder()) or any(state.recall(f"sent-{source}", []) for source in SOURCES)


def from_clipboard() -> None:
    """Take pictures that are pasted anywhere on the page; they come to the uploaded photos."""
    paste(state.recall("pasted-id", ""), lambda picture: ask(_take, picture))


def _take(picture: Pasted) -> None:
    """Keep a picture as if it had been uploaded, once; raises `PhotoError` where there is no room for it."""
    if picture.id == state.recall("pasted-id", ""):
        return
    state.remember("pasted-id", picture.id)
    number = state.recall("pasted-number", 0) + 1
    file = upload_limits.keep(f"pasted-{number:03d}{picture.suffix}", picture.content)
    state.remember("pasted-number", number)
    state.remember("pasted", [*state.recall("pasted", []), file])
    state.set_widget(SOURCE, PHOTOS)


def from_photos(model: Model) -> BatchJob | None:
    """Uploaded and pasted photos; later ones are added."""
    for file in state.take("pasted") or []:
        _add_files([file], model)
    number = state.recall("predict-number", 0)
    files = st.file_uploader(
        tr("Photos"),
        type=sorted(PHOTO_SUFFIXES),
        accept_multiple_files=True,
        key=f"predict-photos-{number}",
        max_upload_size=upload_limits.photo_megabytes(),
    )
    if files:
        _add_files(files, model)
        state.remember("predict-number", number + 1)  # an empty uploader, which takes more
        st.rerun()
    return _job(PHOTOS, model, tr(GONE))


def _add_files(files: Sequence[UploadedFile], model: Model) -> None:
    sent = [(file.name, io.BytesIO(file.getvalue())) for file in files]
    _add(PHOTOS, model, lambda stop: uploaded(sent, services.settings().limits), files)


def from_zip(model: Model) -> BatchJob | None:
    """The photos of an archive, which is read and never unpacked to disk."""
    number = state.recall("predict-zip-number", 0)
    file = upload_limits.archive_uploader(tr("A ZIP file with photos, in folders or not"), f"predict-zip-{number}")
    if file is not None:
        sent = io.BytesIO(file.getvalue())
        _forget(ZIP)
        _add(ZIP, model, lambda stop: zipped(sent, services.settings().limits), [file])
        state.remember("predict-zip-number", number + 1)
        st.rerun()
    return _job(ZIP, model, tr(GONE))


def from_folder(model: Model) -> BatchJob | None:
    """The photos in a folder of this computer; their predictions are shared by all sessions."""
    path = state.predicted_folder()
    if not path:
        _choose_folder()
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder: **{markdown.escape(Path(path).name)}** &nbsp; {markdown.escape(path)}")
        st.button(
            tr("Choose another"),
            key="predict-another",
            icon=":material/swap_horiz:",
            on_click=state.predict_folder,
            args=("",),
        )
        again = st.button(tr("Predict again"), key="predict-again", icon=":material/refresh:")
    root = str(check_inside(path, services.settings().dataset_roots))
    jobs, key = services.folder_jobs(), model.key
    job = None if again else jobs.find(key, root)
    return job or jobs.begin(key, root, model.predictor, model.shown.run.serving_folder)


def _choose_folder() -> None:
    with st.form("predict-folder", border=False):
        typed = st.text_input(
            tr("Folder with photos, in subfolders or not"),
            key="predict-folder-path",
            placeholder=str(services.settings().dataset_roots[-1] / "Pictures"),
            help=tr("Type or paste its path. The photos are read, never changed, and stay where they are."),
        )
        pressed = st.form_submit_button(
            tr("Predict the folder"), key="predict-the-folder", icon=":material/folder_open:", type="primary"
        )
        if pressed and typed:
            found = check_inside(typed.strip().strip("\"'"), services.settings().dataset_roots)
            state.predict_folder(str(found))
            st.rerun()
    _browse()


def _browse() -> None:
    """Walk through the folders under the allowed roots."""
    roots = services.settings().dataset_roots
    here = state.recall(BROWSE, "")
    with st.expander(tr("Browse folders"), icon=":material/search:", expanded=bool(here)):
        inner = folder_picker.browse(here, roots) if here else roots
        if here:
            st.caption(markdown.escape(here))
            with st.container(horizontal=True, gap="small"):
                up = "" if Path(here) in roots else str(Path(here).parent)
                st.button(
                    tr("Up one level"),
                    key="predict-up",
                    icon=":material/arrow_upward:",
                    on_click=state.remember,
                    args=(BROWSE, up),
                )
                st.button(
                    tr("Use this folder"),
                    key="predict-use",
                    icon=":material/check:",
                    on_click=state.predict_folder,
                    args=(here,),
                )
        with st.container(horizontal=True, gap="small", height=220 if len(inner) > 12 else "content"):
            for path in inner:
                st.button(
                    markdown.escape(path.name or path),
                    key=f"predict-go-{path}",
                    icon=":material/folder:",
                    on_click=state.remember,
                    args=(BROWSE, str(path)),
                )


def from_camera(model: Model, first: DeltaGenerator) -> BatchJob | None:
    """Live predictions for the camera's pictures, in the place for what comes first; a button keeps a photo."""
    with first:
        _live(model)
    return _job(CAMERA, model, tr(GONE))


@st.fragment
def _live(model: Model) -> None:
    """The camera and the latest answer; a new frame redraws this part of the page alone."""
    frame_id, text, top = state.recall("live-answer", ("", "", []))
    st.html(SMALLER_ON_PHONE)
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with left.container(key="live-camera-place"):
        frame = live_camera(frame_id, retold(text))
    if frame is not None and frame.id != frame_id:
        state.remember("live-answer", (frame.id, *live_answer(model, frame.jpeg, services.settings().limits.pixels)))
        if frame.keep:
            _keep(frame, model)
        st.rerun(scope="app" if frame.keep else "fragment")
    with right:
        if top:
            st.html(told(retold(text), [], top))
        else:
            st.markdown(tr("Start the camera and hold something in front of it: the answer appears here at once."))
            words = tr("Upload a photo instead")
            if st.button(words, icon=":material/upload:", on_click=state.set_widget, args=(SOURCE, PHOTOS)):
                st.rerun(scope="app")


def live_answer(model: Model, jpeg: bytes, max_pixels: int) -> tuple[str, list[tuple[str, float]]]:
    """The answer for a picture of the camera as text, and its most probable classes."""
    try:
        look = model.predictor.predict_one(model.predictor.see(jpeg, max_pixels))
    except PhotoError as error:
        return tr("The picture cannot be read: {reason}", reason=error.text), []
    found = PredictionTable(model.predictor.class_names, (), model.decide(look))
    top = found.top(0, LIVE_TOP)
    return answer(str(found.decisions.kinds[0]), top[0][0]), top


def _keep(frame: Frame, model: Model) -> None:
    number = state.recall("shots", 0) + 1
    state.remember("shots", number)
    sent = [(f"camera-{number:03d}.jpg", io.BytesIO(frame.jpeg))]
    _add(CAMERA, model, lambda stop: uploaded(sent, services.settings().limits))


def _add(source: str, model: Model, find: Find, files: Sequence[UploadedFile] = ()) -> None:
    """Hand photos to this session's job for a source, and remember them in case another model is chosen."""
    state.remember(f"files-{source}", [*state.recall(f"files-{source}", []), *files])
    finds = [*state.recall(f"sent-{source}", []), find]
    state.remember(f"sent-{source}", finds)
    key, job = state.recall(f"job-{source}", ("", None))
    if key == model.key and isinstance(job, BatchJob):
        job.add(find)


def _job(source: str, model: Model, without: str) -> BatchJob | None:
    """This session's job for a source; for another model than before, all photos are predicted again."""
    finds = state.recall(f"sent-{source}", [])
    if not finds:
        st.caption(without)
        return None
    key, job = state.recall(f"job-{source}", ("", None))
    if key != model.key or not isinstance(job, BatchJob):
        job = BatchJob(model.predictor, model.shown.run.serving_folder, services.settings().limits.pixels)
        for find in finds:
            job.add(find)
        state.remember(f"job-{source}", (model.key, job))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(tr(GONE), width="stretch")
        st.button(
            tr("Clear"),
            key=f"predict-clear-{source}",
            icon=":material/delete:",
            type="tertiary",
            on_click=_forget,
            args=(source,),
        )
    return job


def _forget(source: str) -> None:
    """Drop all photos of a source, and their predictions."""
    _, job = state.recall(f"job-{source}", ("", None))
    if isinstance(job, BatchJob):
        job.cancel()
    state.take(f"job-{source}")
    state.take(f"sent-{source}")
    upload_limits.release(state.take(f"files-{source}") or [])


SOURCES: dict[str, Callable[[Model, DeltaGenerator], BatchJob | None]] = {
    CAMERA: from_camera,
    PHOTOS: lambda model, first: from_photos(model),
    ZIP: lambda model, first: from_zip(model),
    FOLDER: lambda model, first: from_folder(model),
}
"""By where photos come from, what chooses them and gives their job; a source may draw in the place for what comes
first."""
