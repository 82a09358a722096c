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
from core.language import tr
from pages.components.cached import services
from pages.components.shared import elements, markdown, state
from pages.components.shared.report_errors import reporting

NEW = ""
"""In place of the name of a dataset."""


def downloads(found: PredictionTable, key: str) -> None:
    """The predictions as a table, and the photos sorted into folders; both are made on request."""
    st.download_button(
        tr("Download the predictions (CSV)"),
        lambda: as_csv(found),
        "predictions.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{key}",
    )
    st.download_button(
        tr("Photos sorted into folders (ZIP)"),
        lambda: io.BytesIO(_sorted(found)),
        "predictions.zip",
        "application/zip",
        icon=":material/folder_zip:",
        on_click="ignore",
        key=f"zip-{key}",
        help=tr(
            "A folder for each class, as predicted or corrected, one for unsure photos and one for photos unlike the"
            " training photos."
        ),
    )


def _sorted(found: PredictionTable) -> bytes:
    with as_sorted_zip(found) as file:
        return file.read()


def saving(found: PredictionTable, shown: NDArray[np.intp], job: BatchJob) -> None:
    """Add the photos on show to a dataset of this app."""
    folder = services.settings().datasets_folder
    with st.popover(tr("Save into a dataset"), icon=":material/library_add:"):
        st.markdown(tr("Each photo is added to its predicted or corrected class."))
        name = st.selectbox(
            tr("Dataset"),
            [NEW, *own_dataset_names(folder)],
            format_func=lambda name: tr("A new dataset") if name == NEW else name,
            key=f"save-into-{job.id}",
        )
        typed = st.text_input(tr("Name of the dataset"), key=f"save-name-{job.id}") if name == NEW else ""
        label = tr("Save {photos} as shown", photos=photos(len(shown)))
        if st.button(label, type="primary", key=f"save-{job.id}"):
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
    name = markdown.escape(saved.dataset.name)
    parts = ", ".join(
        tr("{count} as {class_name}", count=count, class_name=markdown.escape(class_name))
        for class_name, count in saved.added.items()
        if count
    )
    if parts:
        st.success(tr("Saved into {dataset}: {photos}.", dataset=name, photos=parts), icon=":material/check_circle:")
    else:
        st.warning(tr("No photo was saved into {dataset}.", dataset=name), icon=":material/info:")
    if saved.left_out:
        title = tr("{photos} not saved, with reasons", photos=photos(len(saved.left_out)))
        with st.expander(title, icon=":material/rule:"):
            elements.left_out_list(saved.left_out, "not-saved.csv")
    if st.button(tr("Open the dataset"), icon=":material/photo_library:", key=f"look-{saved.dataset}"):
        state.choose_dataset(str(Path(saved.dataset)))
        st.switch_page("pages/prepare/dataset.py")
