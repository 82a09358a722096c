"""Choose random changes to the training photos, and see them as the network will."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.images import decode
from core.data.walk import check_photo
from core.errors import PhotoError
from core.training.augmentations import AUGMENTATIONS, Augmentation, Choice, default_augmentations, reads_as_characters
from pages.components import cached, inputs, state
from pages.components.report_errors import reporting

PHOTOS, VIEWS, SIDE = 3, 4, 224


def choose(class_names: tuple[str, ...]) -> dict[str, Choice]:
    """One switch for each augmentation, with sliders under it for how strong and how often."""
    before = state.augmentations(default_augmentations(class_names))
    chosen = {}
    for row in AUGMENTATIONS:
        if st.toggle(row.name, value=row.key in before, key=f"on-{row.key}", help=row.explanation):
            chosen[row.key] = choose_how(row, before.get(row.key, row.choice()))
            if row.mirrors and reads_as_characters(class_names):
                st.caption(":material/lightbulb: The classes look like letters or digits: mirrored ones mislead.")
    state.choose_augmentations(chosen)
    return chosen


def choose_how(row: Augmentation, before: Choice) -> Choice:
    """How strong, in the unit that the table gives, and how often."""
    often, strong = st.columns(2)
    probability = often.slider(
        "Share of photos", 5, 100, round(before.probability * 100), 5, "%d %%", f"share-{row.key}"
    )
    if not row.has_strength:
        return Choice(row.default, probability / 100)
    highest, shape = round(row.maximum * row.scale), "%d %%" if row.unit == "%" else f"%d{row.unit}"
    at_most = strong.slider("At most", 1, highest, round(before.strength * row.scale), 1, shape, f"strength-{row.key}")
    return Choice(at_most / row.scale, probability / 100)


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


def preview(dataset: Dataset, choices: dict[str, Choice]) -> None:
    """Rows of photos: the photo itself, then random versions of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("What the network will see", anchor=False)
        if st.button("Other photos", icon=":material/casino:"):
            state.remember("preview-seed", state.recall("preview-seed", 0) + 1)
    seed = state.recall("preview-seed", 0)
    with reporting():
        photos = sample_photos(dataset, seed)
        with st.spinner("Drawing… the first time takes a few seconds"):
            versions = cached.preview_worker().augment(photos, choices, seed, VIEWS)
    captions = ["as it is", *(f"version {number}" for number in range(1, VIEWS + 1))]
    for photo, drawn in zip(photos, versions, strict=True):
        inputs.photo_row([photo, *drawn], captions, show_names=True)
    st.caption(
        "Every epoch draws new versions. Validation and test photos are never changed."
        if choices
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
