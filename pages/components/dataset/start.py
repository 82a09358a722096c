"""Where everybody begins: what this is, three ways to photos, and what was done before."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import streamlit as st

from core import formatting
from core.data.intake.sample import SAMPLE_NAME, SAMPLE_PHOTOS, write_sample
from core.data.scan import folder_picker
from core.data.scan.folder import check_inside
from core.errors import UnfreezeError
from core.language import tr, tr_mark
from core.runs.store import QUEUED, state_in_words
from pages.components.cached import services
from pages.components.collect import collecting
from pages.components.dataset import folder_choice, start_pictures
from pages.components.dataset.folder_choice import Wanted
from pages.components.shared import dataset_choice, markdown, run_descriptions, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_descriptions import LoadedRun

OWN_FOLDER = "own-folder"

DATASET_FOLDER = Wanted(
    tr_mark("Folder with one subfolder for each class"),
    "flowers",
    tr_mark("For example flowers/roses and flowers/tulips: type or paste the path of “flowers”."),
    tr_mark("Highlighted folders contain one subfolder of photos for each class and can be used as they are."),
    folder_picker.looks_like_dataset,
)

MOST_EARLIER = 4

STYLE = Path(__file__).with_name("start.css")


def show() -> None:
    """The three ways to photos or, once one's own folder was chosen among them, the field for its path."""
    st.html(STYLE)
    if state.recall(OWN_FOLDER, False):
        _own_folder()
        return
    st.title(tr("Teach your computer to see"), anchor=False)
    st.html(start_pictures.the_way())
    _cards()
    others = tr("Or a ZIP file, or a dataset from the internet")
    st.page_link("pages/prepare/collect.py", label=others, icon=":material/folder_zip:")
    _go_on()


def open_dataset(path: Path) -> None:
    """Choose this dataset and draw the page again."""
    _choose(path)
    st.rerun()


def _choose(path: Path) -> None:
    state.choose_dataset(str(path))
    state.remember(OWN_FOLDER, False)
    state.remember(*dataset_choice.GO_ON)


def _cards() -> None:
    camera, folder, sample = st.columns(3)
    with camera:
        words, button = tr("Two things, one minute."), tr("Take photos")
        if _card("camera", start_pictures.CAMERA, tr("Camera"), words, button, collecting.begin_new):
            st.switch_page("pages/prepare/collect.py")
    with folder:
        words, button = tr("One subfolder for each thing."), tr("Choose a folder")
        _card("folder", start_pictures.folder(), tr("My folder"), words, button, _ask_for_folder)
    with sample:
        words = tr("{count} handwritten digits.", count=SAMPLE_PHOTOS)
        if _card("sample", start_pictures.SAMPLE, tr("Sample"), words, tr("Use the digits")):
            with st.spinner(tr("Writing the digits as photos…")), reporting():
                open_dataset(write_sample(services.settings().datasets_folder))


def _card(
    key: str, picture: str, title: str, words: str, button: str, on_click: Callable[[], None] | None = None
) -> bool:
    """A picture with a title, a sentence and a button, all of which is the button; returns whether it was pressed."""
    with st.container(border=True, height="stretch", gap="small", key=f"start-{key}"):
        st.html(start_pictures.card(picture, title, words))
        return st.button(button, key=f"begin-{key}", width="stretch", type="primary", on_click=on_click)


def _ask_for_folder() -> None:
    state.remember(OWN_FOLDER, True)


def _go_on() -> None:
    """The datasets that somebody has worked with, newest first, each with what came of it."""
    earlier, more = _earlier()
    if not earlier:
        return
    st.header(tr("Go on"), anchor=False)
    with st.container(horizontal=True, gap="small"):
        for path, shown in earlier:
            icon = ":material/photo_library:" if shown is None else ":material/history:"
            if st.button(_words(path, shown), key=f"go-on-{path}", icon=icon):
                _take_up(path, shown)
        if more:
            st.page_link("pages/train/runs.py", label=tr("All runs"), icon=":material/history:")


def _take_up(path: Path, shown: LoadedRun | None) -> None:
    if shown is None:
        open_dataset(path)
    else:
        with suppress(UnfreezeError):  # a run of photos that are not here any more is shown all the same
            _choose(check_inside(path, services.settings().dataset_roots))
        state.remember("choosing", False)
        state.open_run(shown.run.id)
        st.switch_page("pages/train/train.py")


def _earlier() -> tuple[list[tuple[Path, LoadedRun | None]], bool]:
    """Folders with their newest run, then those made here that have none; and whether there are more than shown."""
    found: dict[Path, LoadedRun | None] = {Path(state.dataset()): None} if state.dataset() else {}
    for shown in run_descriptions.all_runs()[0]:
        if shown.status.state != QUEUED and found.get(Path(shown.recipe.dataset)) is None:
            found[Path(shown.recipe.dataset)] = shown
    made_here = folder_picker.browse(services.settings().datasets_folder, services.settings().dataset_roots)
    for path in made_here:
        if path.name != SAMPLE_NAME:
            found.setdefault(path, None)
    return list(found.items())[:MOST_EARLIER], len(found) > MOST_EARLIER


def _words(path: Path, shown: LoadedRun | None) -> str:
    name = f"**{markdown.escape(path.name)}**"
    if shown is None:
        return name
    accuracy = shown.status.test_accuracy
    grade = state_in_words(shown.status.state) if accuracy is None else formatting.percent(accuracy)
    return f"{name} · {grade}"


def _own_folder() -> None:
    """A path to paste, and a walk through the folders."""
    st.title(tr("My folder"), anchor=False)
    st.markdown(tr("A folder of photos with one subfolder for each class is all it takes."))
    folder_choice.pick(DATASET_FOLDER, _choose)
    st.button(
        tr("Back"), key="back-to-start", icon=":material/arrow_back:", on_click=state.remember, args=(OWN_FOLDER, False)
    )
