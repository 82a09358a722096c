"""Upload photos and see what the model says."""

import csv
import io
from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.images import PHOTO_SUFFIXES
from core.errors import PhotoError
from core.results.prediction import Prediction, Predictor
from pages.components import cached, drawings, inputs
from pages.components.report_errors import reporting
from pages.components.run_choice import choose_run
from pages.components.run_view import random_weights_warning

TOP, PHOTO_PIXELS = 3, 150


def read_photos(predictor: Predictor, files: Sequence[UploadedFile]) -> tuple[list[str], list[NDArray[np.uint8]]]:
    """Names and pixels of what can be read; the rest is listed with its reason."""
    names, photos, refused = [], [], []
    limit = cached.settings().limits
    for file in files[: limit.uploads]:
        try:
            inputs.check_upload_size(file.size, limit.file_bytes)
            photos.append(predictor.see(file.getvalue(), limit.pixels))
            names.append(file.name)
        except PhotoError as error:
            refused.append({"photo": file.name, "why it was left out": str(error)})
    for file in files[limit.uploads :]:
        refused.append({"photo": file.name, "why it was left out": f"At most {limit.uploads} photos at a time."})
    if refused:
        st.warning(f"{len(refused)} of {len(files)} files could not be used.", icon=":material/rule:")
        st.dataframe(refused, hide_index=True)
    return names, photos


def show_cards(names: Sequence[str], photos: Sequence[NDArray[np.uint8]], prediction: Prediction) -> None:
    """A card for each photo: what the model saw, and its most probable classes."""
    for first in range(0, len(names), 2):
        for number, column in zip(range(first, min(first + 2, len(names))), st.columns(2, gap="medium"), strict=False):
            with column.container(border=True, horizontal=True, vertical_alignment="center"):
                show_card(names[number], photos[number], prediction.top(number, min(TOP, len(prediction.class_names))))


def show_card(name: str, photo: NDArray[np.uint8], top: Sequence[tuple[str, float]]) -> None:
    """One photo and its most probable classes."""
    st.image(photo, width=PHOTO_PIXELS, alt=f"{name} as the model sees it")
    with st.container(width="stretch", gap="xsmall"):
        st.markdown(f"#### {inputs.plain(top[0][0])}")
        st.caption(inputs.plain(name))
        st.html(drawings.probability_bars(top))


def as_csv(names: Sequence[str], prediction: Prediction) -> bytes:
    """One row a photo: its name, the predicted class, and the probability of every class."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["photo", "predicted class", *prediction.class_names])
    for number, name in enumerate(names):
        row = prediction.probabilities[number]
        writer.writerow([inputs.spreadsheet_safe(name), prediction.top(number, 1)[0][0], *(f"{p:.6f}" for p in row)])
    return text.getvalue().encode("utf-8-sig")


inputs.page_head("Predict", "Upload photos, and see what the model takes them for.")
chosen = choose_run()
if chosen:
    if chosen.recipe.weights == "random":
        random_weights_warning()
    uploads = st.file_uploader(
        "Photos",
        type=sorted(PHOTO_SUFFIXES),
        accept_multiple_files=True,
        key="predict-photos",
        max_upload_size=inputs.photo_megabytes(),
    )
    with reporting():  # after the uploader, so that the model loads while a person looks for photos
        model = cached.predictor(chosen.run.id, chosen.status.ended)
    if uploads:
        known, seen = read_photos(model, uploads)
        if seen:
            result = model.predict(seen)
            st.download_button(
                "Download the predictions (CSV)",
                as_csv(known, result),
                "predictions.csv",
                "text/csv",
                icon=":material/download:",
            )
            show_cards(known, seen, result)
    else:
        st.caption("Nothing is kept: photos are gone from the server when this page is closed.")
