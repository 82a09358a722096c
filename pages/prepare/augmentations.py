"""Choose random changes to the training photos, and see them as the network will."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.images import decode
from core.data.scan.walk import check_photo
from core.data.subsets import TRAINING
from core.errors import PhotoError
from core.language import number, tr, tr_context
from core.recipe.augmentations import (
    AUGMENTATION_OF,
    AUGMENTATIONS,
    GROUPS,
    PRESETS,
    Augmentation,
    Choice,
    default_augmentations,
    preset,
    reads_as_characters,
)
from core.training.budget.augmentation_costs import SLOW, describe_costs
from pages.components.cached import datasets, services
from pages.components.shared import dataset_choice, elements, state, thumbnails
from pages.components.shared.report_errors import reporting

PHOTOS, VIEWS, SIDE = 3, 4, 224
EVERYTHING = ""
"""In place of the key of one augmentation: all that are on."""


def start_from(name: str, class_names: tuple[str, ...]) -> None:
    """Switch on what belongs to a preset, and nothing else; widgets are drawn again with its values."""
    state.choose_augmentations(preset(name, class_names))
    state.remember("augmentation-widgets", state.recall("augmentation-widgets", 0) + 1)


def choose(class_names: tuple[str, ...]) -> dict[str, Choice]:
    """Presets, then a tab for each group of augmentations."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name in PRESETS:
            st.button(tr(name), on_click=start_from, args=(name, class_names), key=f"preset-{name}")
    summary = st.empty()
    before = state.augmentations(default_augmentations(class_names))
    chosen: dict[str, Choice] = {}
    for group, tab in zip(GROUPS, st.tabs([tr(group) for group in GROUPS]), strict=True):
        with tab:
            for row in (row for row in AUGMENTATIONS if row.group == group):
                chosen |= choose_row(row, before.get(row.key), class_names)
    state.choose_augmentations(chosen)
    names = ""
    for name in (tr(AUGMENTATION_OF[key].name).lower() for key in chosen):
        names = tr_context("list", "{before}, {next}", before=names, next=name) if names else name
    summary.markdown(tr("**On:** {names}", names=names) if names else tr("Nothing is switched on."))
    return chosen


def choose_row(row: Augmentation, before: Choice | None, class_names: tuple[str, ...]) -> dict[str, Choice]:
    """A switch, with sliders under it for how strong and how often, and what it costs."""
    key = f"{row.key}-{state.recall('augmentation-widgets', 0)}"
    if not st.toggle(tr(row.name), value=before is not None, key=f"on-{key}", help=tr(row.explanation)):
        return {}
    with st.container(border=True):
        found = choose_how(row, before or row.choice(), key)
        if row.mirrors and reads_as_characters(class_names):
            st.warning(
                tr(
                    "The class names look like letters or digits. A mirrored letter is a different character or none at"
                    " all, so this would teach the model wrong labels: better leave it off."
                ),
                icon=":material/lightbulb:",
            )
        cost = services.augmentation_costs().known().get(row.key)
        if cost is not None:
            milliseconds = number(cost, 1)
            if cost > SLOW:
                words = tr("slow: {milliseconds} ms per photo on this computer", milliseconds=milliseconds)
                st.caption(f":material/hourglass_bottom: {words}")
            else:
                st.caption(tr("{milliseconds} ms per photo on this computer", milliseconds=milliseconds))
    return {row.key: found}


def choose_how(row: Augmentation, before: Choice, key: str) -> Choice:
    """How strong, in the unit that the table gives, and how often."""
    often, strong = st.columns(2) if not row.has_strength else st.columns(2)[::-1]
    probability = often.slider(
        tr("Share of photos"), 5, 100, round(before.probability * 100), 5, "%d %%", f"share-{key}"
    )
    if not row.has_strength:
        return Choice(row.default, probability / 100)
    highest, shape = round(row.maximum * row.scale), "%d %%" if row.unit == "%" else f"%d{row.unit}"
    at_most = strong.slider(
        tr("Strength, at most"), 1, highest, round(before.strength * row.scale), 1, shape, f"strength-{key}"
    )
    return Choice(at_most / row.scale, probability / 100)


def what_it_costs(dataset: Dataset, choices: dict[str, Choice]) -> None:
    """What all of them take in a pass over the training photos; what is not known yet is measured first."""
    costs = services.augmentation_costs()
    with reporting():
        if unknown := costs.unknown(choices):
            with st.spinner(tr("Measuring their cost on this computer…")):
                costs.add(services.preview_worker().measure(unknown, SIDE))
            st.rerun()
        _, parts = datasets.used(dataset, 0)
    if choices:
        st.caption(describe_costs(costs.milliseconds(choices), int(np.sum(parts == TRAINING))))


def on_show(choices: dict[str, Choice]) -> dict[str, Choice]:
    """All that are on, or the one to be looked at alone."""
    if len(choices) < 2:
        return choices
    key = st.selectbox(
        tr("Show the effect of"), [EVERYTHING, *choices], format_func=_effect, key="augmentation-on-show"
    )
    return {key: choices[key]} if key in choices else choices


def _effect(key: str) -> str:
    return tr(AUGMENTATION_OF[key].name) if key else tr("all of them together")


def sample_photos(dataset: Dataset, seed: int) -> NDArray[np.uint8]:
    """A few photos of different classes, decoded as for training."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(len(dataset.folder.class_names))[:PHOTOS]
    chosen = [int(rng.choice(np.flatnonzero(dataset.folder.labels == label))) for label in classes]
    return np.stack([pixels(dataset, index) for index in chosen])


def pixels(dataset: Dataset, index: int) -> NDArray[np.uint8]:
    """One photo, decoded as for training; raises `PhotoError` with its name where it has gone since the scan."""
    try:
        settings = services.settings()
        return decode(check_photo(dataset.folder.absolute(index), settings.dataset_roots), SIDE, settings.limits.pixels)
    except PhotoError as error:
        raise PhotoError(
            tr(
                "{photo}: {reason}. Press “Other photos”, or scan the dataset again.",
                photo=dataset.folder.paths[index],
                reason=error.text,
            )
        ) from error


def preview(dataset: Dataset, choices: dict[str, Choice]) -> None:
    """Rows of photos: the photo itself, then random versions of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(tr("What the network will see"), anchor=False)
        if st.button(tr("Other photos"), key="other-photos", icon=":material/casino:"):
            state.remember("preview-seed", state.recall("preview-seed", 0) + 1)
    seed, shown = state.recall("preview-seed", 0), on_show(choices)
    with reporting():
        photos = sample_photos(dataset, seed)
        with st.spinner(tr("Drawing… the first time takes a few seconds")):
            versions = services.preview_worker().augment(photos, shown, seed, VIEWS)
    captions = [tr("original"), *(tr("version {number}", number=which) for which in range(1, VIEWS + 1))]
    for photo, drawn in zip(photos, versions, strict=True):
        thumbnails.photo_row([photo, *drawn], captions, show_names=True)
    st.caption(
        tr("Different epochs use different versions. Validation and test photos are never changed.")
        if choices
        else tr("Nothing is switched on: every epoch sees the photos as they are.")
    )


lead_on = elements.page_head(
    tr("Augmentations"),
    tr("Small random changes to the training photos, so that the model learns what matters and not the angle."),
)
found = dataset_choice.dataset_or_stop()
services.preview_worker().start()
with st.container(key="augmentations"):
    left, right = st.columns([1, 1.9], gap="medium")
with left:
    wanted = choose(found.folder.class_names)
with right, st.container(key="augmented"):
    preview(found, wanted)
    what_it_costs(found, wanted)
elements.first_on_phone("augmentations", "augmented")
elements.lead_on(
    lead_on, tr("Train with these"), "pages/train/train.py", ":material/local_fire_department:", state.close_run
)
