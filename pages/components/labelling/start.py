"""Before the first photo: a folder without classes, and the names of the classes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.data.scan import folder_picker
from core.data.scan.folder import check_inside
from core.data.scan.layout import BY_HAND, Layout
from core.errors import DataError
from core.language import tr, tr_mark
from pages.components.cached import datasets, services
from pages.components.dataset import decisions, folder_choice
from pages.components.dataset.folder_choice import Wanted
from pages.components.shared import dataset_choice, markdown, state
from pages.components.shared.report_errors import reporting, tell

KEYS = "1234567890abdefghijklmnopqtuvwy"
"""The keys of classes, in their order. Streamlit keeps C and R; S, X and Z do something else on the page."""

CHOOSING = "choosing-a-heap"

HEAP = Wanted(
    tr_mark("Folder of photos"),
    tr_mark("walk in the woods"),
    tr_mark("All photos in it and in its subfolders are shown to be labelled, whatever the subfolders are called."),
    tr_mark("Highlighted folders contain photos and can be used as they are."),
    folder_picker.holds_photos,
)


def folder_or_stop() -> Path:
    """The folder whose photos are labelled, resolved; the page ends with the picker until one is chosen."""
    path = state.dataset()
    if not path or state.recall(CHOOSING, False):
        st.markdown(tr("Choose a folder of photos. It needs no subfolders, and no file is moved or changed."))
        folder_choice.pick(HEAP, _choose)
        st.page_link("pages/prepare/collect.py", label=tr("Photos in a ZIP file"), icon=":material/folder_zip:")
        if path:
            words = tr("Back to {folder}", folder=markdown.escape(Path(path).name))
            st.button(
                words,
                key="heap-back",
                icon=":material/arrow_back:",
                on_click=state.remember,
                args=(CHOOSING, False),
            )
        st.stop()
    with reporting():
        return check_inside(path, services.settings().dataset_roots)


def _choose(path: Path) -> None:
    state.choose_dataset(str(path))
    state.remember(CHOOSING, False)
    state.remember(*dataset_choice.GO_ON)


def head(root: Path) -> None:
    """Which folder is being labelled, and the way to another one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder: **{markdown.escape(root.name)}** &nbsp; {markdown.escape(str(root))}")
        st.button(
            tr("Choose another"),
            key="heap-another",
            icon=":material/swap_horiz:",
            type="tertiary",
            on_click=state.remember,
            args=(CHOOSING, True),
        )


def classes_or_stop(root: Path) -> None:
    """End the page with the question for the classes until they have been named."""
    with reporting():
        review = datasets.reviews().read(root)
    if review.layout.label_by == BY_HAND and review.classes:
        return
    if folder_picker.looks_like_dataset(root):
        st.warning(
            tr(
                "The subfolders of this folder look like classes. If they are, train on it as it is; what you label"
                " here takes their place."
            ),
            icon=":material/warning:",
        )
        st.page_link(
            "pages/prepare/dataset.py", label=tr("Use the subfolders as classes"), icon=":material/photo_library:"
        )
    with st.form("classes", border=False):
        typed = st.text_area(
            tr("Classes, one in each line"),
            placeholder=tr("rose\ntulip\ndaisy"),
            help=tr("What there is to be told apart. Each class gets a key; you can add more later."),
            height=150,
            width=480,
            key="label-classes",
        )
        pressed = st.form_submit_button(tr("Begin"), key="classes-begin", icon=":material/label:", type="primary")
    if pressed:
        _begin(root, typed.splitlines())
    st.stop()


def _begin(root: Path, lines: Sequence[str]) -> None:
    try:
        names = checked_names(lines)
    except DataError as error:
        tell(error)
        return
    decisions.keep(root, lambda review: replace(review, layout=Layout(BY_HAND), classes=names))
    st.rerun()


def checked_names(lines: Sequence[str]) -> tuple[str, ...]:
    """The names of classes, without empty lines and space around them.

    Raises:
        DataError: There are fewer than two or more than there are keys, or two are the same.
    """
    names = tuple(name for line in lines if (name := " ".join(line.split())))
    if len(names) < 2:
        raise DataError(tr("Name at least two classes, one in each line."))
    if len(names) > len(KEYS):
        raise DataError(
            tr("At most {most} classes can have a key each; these are {count}.", most=len(KEYS), count=len(names))
        )
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise DataError(tr("“{class_name}” stands there twice. Name each class once.", class_name=twice))
    return names


def add_classes(root: Path, classes: Sequence[str]) -> None:
    """A form that adds a class to those that there are."""
    with (
        st.form("another-class", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        typed = st.text_input(tr("Another class"), key="label-another-class", width=240)
        if st.form_submit_button(tr("Add"), key="another-class-add", icon=":material/add:") and typed.strip():
            try:
                names = checked_names([*classes, typed])
            except DataError as error:
                tell(error)
                return
            decisions.keep(root, lambda review: replace(review, classes=names))
            st.rerun()
