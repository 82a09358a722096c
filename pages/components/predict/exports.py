"""What one takes along from predictions: a table, photos sorted into folders, photos added to a dataset."""

import io
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.intake import collect
from core.data.intake.own_datasets import own_dataset_names
from core.formatting import photos
from core.inference.batch import BatchJob
from core.inference.prediction_table import PredictionTable, Saved, as_csv, as_sorted_zip, save
from pages.components.cached import services
from pages.components.shared import elements, markdown, state
from pages.components.shared.report_errors import reporting

NEW = "A new dataset"


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
    with st.popover("Save into a dataset", icon=":material/library_add:"):
        st.markdown("Each photo is added to its predicted or corrected class.")
        name = st.selectbox("Dataset", [NEW, *own_dataset_names(folder)], key=f"save-into-{job.id}")
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
        with st.expander(f"{photos(len(saved.left_out))} not saved, with reasons", icon=":material/rule:"):
            elements.left_out_list(saved.left_out, "not-saved.csv")
    if st.button("Open the dataset", icon=":material/photo_library:", key=f"look-{saved.dataset}"):
        state.choose_dataset(str(Path(saved.dataset)))
        st.switch_page("pages/prepare/dataset.py")
