"""Choose a folder of photos, and see what is in it."""

from pathlib import Path

import numpy as np
import streamlit as st

from core.data import intake
from core.data.folder import Scan, check_inside
from core.data.split import PARTS
from pages.components import cached, figures, inputs, state
from pages.components.report_errors import reporting

EXAMPLES, CLASSES_AT_ONCE = 8, 10


def choose() -> None:
    """The sample, a path to paste, or a walk through the folders."""
    sample, folder = st.columns([1, 2], gap="large")
    with sample:
        st.subheader("Try the sample", anchor=False)
        st.markdown("1,797 handwritten digits, ready at once and without a download.")
        if st.button(
            "Use the digits", icon=":material/counter_7:", type="primary" if not state.dataset() else "secondary"
        ):
            with st.spinner("Writing the digits as photos…"), reporting():
                open_dataset(intake.write_sample(cached.settings().datasets_folder))
    with folder:
        st.subheader("Or pick a folder of your own", anchor=False)
        with st.form("path", border=False):
            typed = st.text_input(
                "Folder with one subfolder for each class",
                placeholder=str(Path.home() / "Pictures" / "flowers"),
                help="For example flowers/roses and flowers/tulips: type or paste the path of “flowers”.",
            )
            if st.form_submit_button("Open the folder", icon=":material/folder_open:") and typed:
                with reporting():
                    open_dataset(check_inside(typed.strip().strip("\"'"), cached.settings().dataset_roots))
        browse()


def open_dataset(path: Path) -> None:
    """Choose this dataset and draw the page anew."""
    state.choose_dataset(str(path))
    state.remember("choosing", False)
    st.rerun()


def browse() -> None:
    """Walk through the folders under the allowed roots."""
    roots = cached.settings().dataset_roots
    with st.expander("Look for it in my folders", icon=":material/search:", expanded=bool(state.recall("browse", ""))):
        here = Path(state.recall("browse", "") or roots[-1])
        with reporting():
            inner = intake.browse(here, roots)
        st.caption(str(here))
        with st.container(horizontal=True, gap="small"):
            for root in roots:
                st.button(
                    root.name or str(root), key=f"root-{root}", icon=":material/home:", on_click=_go, args=(root,)
                )
            if here not in roots:
                st.button("One up", icon=":material/arrow_upward:", on_click=_go, args=(here.parent,))
        with st.container(horizontal=True, gap="small", height=220 if len(inner) > 12 else "content"):
            for path in inner:
                ready = intake.looks_like_dataset(path)
                icon = ":material/photo_library:" if ready else ":material/folder:"
                if st.button(path.name, key=f"go-{path}", icon=icon, type="primary" if ready else "secondary"):
                    open_dataset(path) if ready else _go(path)
                    st.rerun()
        st.caption(
            "Folders in colour hold one subfolder of photos for each class and can be used as they are."
            if inner
            else "There are no folders in here."
        )


def _go(path: Path) -> None:
    state.remember("browse", str(path))


def show(scan: Scan) -> None:
    """Counts, split, examples and what was left out."""
    folder = scan.folder
    parts = cached.split_of(folder, 0)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Photos per class, and how they will be used", anchor=False)
        figure = figures.class_counts(folder.class_names, folder.labels, parts)
        st.plotly_chart(figure, config={"displayModeBar": False}, alt="Bar chart of photos per class and part")
    with right:
        with st.container(horizontal=True, gap="medium"):
            st.metric("Photos", f"{len(folder):,}", width="content")
            st.metric("Classes", f"{len(folder.class_names):,}", width="content")
            st.metric("Left out", f"{len(scan.left_out):,}", width="content")
        training, validation, test = (int(np.sum(parts == number)) for number in range(len(PARTS)))
        st.markdown(
            f":blue[**{training:,} for training**] – the model learns from these.  \n"
            f":orange[**{validation:,} for validation**] – looked at after each epoch, to keep the best model.  \n"
            f":green[**{test:,} for the test**] – kept away until the end, for an honest grade."
        )
        st.page_link("pages/train/train.py", label="**Train a model on it**", icon=":material/local_fire_department:")
        st.page_link("pages/prepare/augmentations.py", label="Look at augmentations", icon=":material/auto_fix_high:")
    left_out(scan)
    gallery(scan)


def left_out(scan: Scan) -> None:
    """What is not used, each with its reason."""
    if scan.datasets_inside:
        names = ", ".join(f"“{name}”" for name in scan.datasets_inside[:5])
        st.info(
            f"{names} are divided into folders of photos themselves. If they are datasets, or the parts of one, open"
            " one of them instead; here each counts as one class.",
            icon=":material/lightbulb:",
        )
    if scan.left_out:
        label = f"{len(scan.left_out):,} left out, and why"
        with st.expander(label, icon=":material/rule:"):
            st.dataframe(
                [{"file": entry.path, "why it is left out": entry.reason} for entry in scan.left_out],
                hide_index=True,
            )


def gallery(scan: Scan) -> None:
    """Examples of each class, a handful of classes at a time."""
    folder = scan.folder
    st.subheader("Examples", anchor=False)
    names = list(folder.class_names)
    if len(names) > CLASSES_AT_ONCE:
        starts = list(range(0, len(names), CLASSES_AT_ONCE))
        start = st.selectbox(
            "Classes",
            starts,
            format_func=lambda first: f"{names[first]} to {names[min(first + CLASSES_AT_ONCE, len(names)) - 1]}",
        )
        names = names[start : start + CLASSES_AT_ONCE]
    for name in names:
        members = np.flatnonzero(folder.labels == folder.class_names.index(name))
        chosen = members[np.linspace(0, len(members) - 1, min(EXAMPLES, len(members))).astype(int)]
        st.markdown(f"**{inputs.plain(name)}** · {len(members):,} photos")
        inputs.thumbnails(scan, chosen.tolist())


inputs.page_head("Dataset", "A folder of photos with one subfolder for each class is all it takes.")
if not state.dataset() or state.recall("choosing", False):
    choose()
if state.dataset() and not state.recall("choosing", False):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/folder: **{inputs.plain(Path(state.dataset()).name)}** &nbsp; {inputs.plain(state.dataset())}"
        )
        if st.button("Choose another", icon=":material/swap_horiz:"):
            state.remember("choosing", True)
            st.rerun()
    show(inputs.dataset_or_stop())
