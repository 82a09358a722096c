"""Choose random changes to the training photos, and see them as the network will."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.images import decode
from core.data.walk import check_photo
from core.errors import PhotoError
from core.training.augmentations import AUGMENTATIONS, Augmentation, default_augmentations, reads_as_characters
from pages.components import cached, inputs, state
from pages.components.report_errors import reporting

PHOTOS, VIEWS, SIDE = 3, 4, 224


def choose(class_names: tuple[str, ...]) -> dict[str, float]:
    """One switch for each augmentation, with a slider under it for its strength."""
    before = state.augmentations(default_augmentations(class_names))
    chosen = {}
    for row in AUGMENTATIONS:
        if st.toggle(row.name, value=row.key in before, key=f"on-{row.key}", help=row.explanation):
            chosen[row.key] = strength(row, before.get(row.key, row.default)) if row.has_strength else row.default
            if row.mirrors and reads_as_characters(class_names):
                st.caption(":material/lightbulb: The classes look like letters or digits: mirrored ones mislead.")
    state.choose_augmentations(chosen)
    return chosen


def strength(row: Augmentation, value: float) -> float:
    """A slider in the unit that the table gives."""
    shown = st.slider(
        f"{row.name}: at most",
        min_value=1,
        max_value=round(row.maximum * row.scale),
        value=round(value * row.scale),
        format="%d %%" if row.unit == "%" else f"%d{row.unit}",
        key=f"strength-{row.key}",
        label_visibility="collapsed",
    )
    return shown / row.scale


def sample_photos(dataset: Dataset, seed: int) -> NDArray[np.uint8]:
    """A few photos of different classes, decoded as for training."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(len(dataset.folder.class_names))[:PHOTOS]
    chosen = [int(rng.choice(np.flatnonzero(dataset.folder.labels == label))) for label in classes]
    return np.stack([pixels(dataset, index) for index in chosen])


def pixels(dataset: Dataset, index: int) -> NDArray[np.uint8]:
    """One photo, decoded as for training; raises `PhotoError` with its name where it has gone since the scan."""
    try:
        settings = cached.settings()
        return decode(check_photo(dataset.folder.absolute(index), settings.dataset_roots), SIDE, settings.limits.pixels)
    except PhotoError as error:
        raise PhotoError(
            f"{dataset.folder.paths[index]}: {error}. Press “Other photos”, or open the dataset again."
        ) from error


def preview(dataset: Dataset, strengths: dict[str, float]) -> None:
    """Rows of photos: the photo itself, then random versions of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("What the network will see", anchor=False)
        if st.button("Other photos", icon=":material/casino:"):
            state.remember("preview-seed", state.recall("preview-seed", 0) + 1)
    seed = state.recall("preview-seed", 0)
    with reporting():
        photos = sample_photos(dataset, seed)
        with st.spinner("Drawing… the first time takes a few seconds"):
            versions = cached.preview_worker().augment(photos, strengths, seed, VIEWS)
    captions = ["as it is", *(f"version {number}" for number in range(1, VIEWS + 1))]
    for photo, drawn in zip(photos, versions, strict=True):
        inputs.photo_row([photo, *drawn], captions, show_names=True)
    st.caption(
        "Every epoch draws new versions. Validation and test photos are never changed."
        if strengths
        else "Nothing is switched on: every epoch sees the photos as they are."
    )


inputs.page_head(
    "Augmentations",
    "Small random changes to the training photos, so that the model learns what matters and not the angle.",
)
found = inputs.dataset_or_stop()
cached.preview_worker().start()
left, right = st.columns([1, 2], gap="large")
with left:
    wanted = choose(found.folder.class_names)
with right:
    preview(found, wanted)
st.page_link("pages/train/train.py", label="**Train with these**", icon=":material/local_fire_department:")
