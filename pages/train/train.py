"""Choose how to train, press Start, and watch."""

from typing import Any

import numpy as np
import streamlit as st

from core.data.dataset import Dataset
from core.errors import RunNotFound
from core.models import weights
from core.models.architecture import head_layers
from core.models.backbones import BACKBONES, Backbone, backbone
from core.training.augmentation_costs import in_words
from core.training.augmentations import AUGMENTATION_OF, default_augmentations
from core.training.launch import launch
from core.training.plan import ways_of
from core.training.recipe import RANGES, Recipe, default_epochs, default_unfreeze_point
from core.training.timebox import timed_variants
from pages.components import cached, drawings, inputs, state
from pages.components.report_errors import reporting
from pages.components.run_view import show_run

PREFERRED = ("efficientnet-b0", "efficientnet-lite0")
POINT_WORDS = {"none": "the head only", "all": "everything"}


def default_backbone() -> str:
    """The first of the preferred variants whose weights are on this machine."""
    settings = cached.settings()
    return next((key for key in PREFERRED if weights.look_up(backbone(key), settings)), PREFERRED[-1])


def choose_backbone() -> tuple[Backbone, str]:
    """The variant with what is known about it, and the weights it starts from."""
    keys = [row.key for row in BACKBONES]
    chosen = backbone(
        st.selectbox(
            "Variant",
            keys,
            index=keys.index(default_backbone()),
            format_func=lambda key: f"{backbone(key).name} · {backbone(key).resolution} px",
            key="variant",
            persist_state="session",
        )
    )
    inputs.facts(
        [
            ("Resolution", f"{chosen.resolution} px"),
            ("Parameters", drawings.count(chosen.parameters)),
            ("ImageNet top-1", f"{chosen.top1:.1f} %" if chosen.top1 else "–"),
        ]
    )
    return chosen, choose_weights(chosen)


def choose_for_minutes() -> tuple[Backbone, str]:
    """What a time box chooses from."""
    here = [row for row in timed_variants() if weights.look_up(row, cached.settings())]
    names = ", ".join(row.name for row in here) or "none"
    st.markdown(f"The best variant that there is time for, of those whose weights are on this computer: **{names}**.")
    return backbone(default_backbone()), "imagenet"


def keep_warm(chosen: Backbone) -> None:
    """Have a trainer load TensorFlow and this variant meanwhile, unless a run is going."""
    trainer = cached.warm_trainer()
    if trainer is not None and cached.store().active() is None:
        trainer.prepare(chosen.key)


def choose_weights(chosen: Backbone) -> str:
    """Where the pretrained weights come from; random ones only after an explicit choice."""
    if not chosen.pretrained:
        st.caption(
            ":material/info: Starts from nothing, for comparison: expect far less than from a pretrained variant."
        )
        return "imagenet"
    settings = cached.settings()
    found = weights.look_up(chosen, settings)
    if found:
        st.caption(
            f":material/check_circle: Pretrained on ImageNet; the weights are on this computer ({found.origin})."
        )
        return "imagenet"
    source = chosen.weights
    if source and source.url and settings.allow_downloads:
        st.caption(":material/download: Pretrained on ImageNet; the weights will be downloaded when you press Start.")
    else:
        st.caption(f":material/info: {weights.describe_missing(chosen, settings)}")
    ticked = st.checkbox(
        "Start from random weights instead",
        key=f"random-{chosen.key}",
        help="For showing what pretraining is worth. The result will be much worse, and it will be marked everywhere.",
    )
    return "random" if ticked else "imagenet"


def choose_point(chosen: Backbone, class_count: int, kind: str) -> str:
    """The unfreeze point, drawn."""
    st.subheader("What learns", anchor=False)
    points = list(chosen.unfreeze_points)
    point = points[-1]
    if chosen.pretrained and kind == "imagenet":
        point = st.select_slider(
            "Unfreeze, after the head has learned",
            points,
            value=default_unfreeze_point(chosen),
            format_func=lambda name: POINT_WORDS.get(name, f"from {name}"),
            key=f"point-{chosen.key}",
            persist_state="session",
            help="The head always learns. Further left is faster and safer with few photos; further right learns more.",
        )
    st.html(drawings.network_picture(chosen, point, head_layers(chosen, class_count)))
    return str(point)


def choose_length(training_photos: int) -> dict[str, Any]:
    """So many epochs, or so many minutes; rates, batch size and the like behind a fold."""
    st.subheader("How long", anchor=False)
    kind = st.segmented_control(
        "Length",
        LENGTHS,
        default=LENGTHS[0],
        required=True,
        label_visibility="collapsed",
        key="length",
        persist_state="session",
    )
    chosen = choose_minutes() if kind == LENGTHS[1] else choose_epochs(training_photos)
    with st.expander("Learning rates, batch size, seed", icon=":material/tune:"):
        columns = st.columns(2)
        for number, (name, label, words) in enumerate(FINE_PRINT):
            chosen[name] = columns[number % 2].number_input(label, **number_widget(name), key=name, help=words)
    return chosen


LENGTHS = ("So many epochs", "I have … minutes")


def choose_minutes() -> dict[str, Any]:
    """A time box."""
    minutes = st.number_input("Minutes, from the click on Start", 1, 240, 5, key="minutes", persist_state="session")
    st.caption(
        ":material/timer: Start measures this computer first, then picks the variant, how much of it learns, and the"
        " epochs that fit. A first accuracy comes within seconds."
    )
    return {"minutes": minutes}


def choose_epochs(training_photos: int) -> dict[str, Any]:
    """Epochs of the two phases."""
    head, fine = default_epochs(training_photos)
    left, right = st.columns(2)
    return {
        name: column.number_input(label, 0, 500, first, key=f"{name}-{training_photos}", persist_state="session")
        for name, label, first, column in (
            ("head_epochs", "Epochs for the head", head, left),
            ("fine_tune_epochs", "Epochs for fine-tuning", fine, right),
        )
    }


FINE_PRINT = (
    ("head_learning_rate", "Learning rate, head", "How large the steps are while only the head learns."),
    ("fine_tune_learning_rate", "Learning rate, fine-tuning", "Small, so that what ImageNet taught is not lost."),
    ("scratch_learning_rate", "Learning rate, from scratch", "Used only where nothing is pretrained."),
    ("batch_size", "Batch size", "Photos per step. Halve it when memory runs out."),
    ("dropout", "Dropout before the head", "Share of features left out at random in each step."),
    ("drop_connect", "Drop-connect", "How often the last block is skipped in a step; EfficientNet only."),
    ("views", "Kept versions of each photo", "Augmented versions that are computed once. 0 computes all anew: slower."),
    ("seed", "Seed", "Same seed and machine, same split and same result."),
)


def number_widget(name: str) -> dict[str, Any]:
    """Range, first value and format of a number of the recipe."""
    value = getattr(Recipe, name)
    kind = type(value)
    allowed = RANGES[name]
    widget: dict[str, Any] = {
        "min_value": kind(allowed.low),
        "max_value": kind(allowed.high),
        "value": value,
        "persist_state": "session",
    }
    if kind is float:
        widget |= {"format": "%.2g" if "rate" in name else "%.2f", "step": value / 2 if "rate" in name else 0.05}
    return widget


def set_up(dataset: Dataset) -> None:
    """Everything that can be chosen, and Start."""
    with reporting():
        folder, parts = dataset.used(cached.split_of(dataset, 0))
    training, validation = (int(np.sum(parts == number)) for number in (0, 1))
    left, right = st.columns([1, 1], gap="large")
    with right:
        numbers = choose_length(training)
        chosen_changes = state.augmentations(default_augmentations(folder.class_names))
        names = ", ".join(AUGMENTATION_OF[key].name.lower() for key in chosen_changes) or "none"
        st.markdown(f"**Augmentations:** {names}")
        if chosen_changes:
            st.caption(in_words(cached.augmentation_costs().milliseconds(chosen_changes), training))
        st.page_link("pages/prepare/augmentations.py", label="Change them", icon=":material/auto_fix_high:")
        weighted = inputs.class_weights(folder)
    timed = "minutes" in numbers
    with left:
        st.subheader("Network", anchor=False)
        chosen, kind = choose_for_minutes() if timed else choose_backbone()
    point = default_unfreeze_point(chosen) if timed else choose_point(chosen, len(folder.class_names), kind)
    with reporting():
        recipe = Recipe(
            dataset=str(folder.root),
            backbone=chosen.key,
            weights=kind,
            unfreeze_point=point,
            augmentations=chosen_changes,
            class_weights=weighted,
            **numbers,
        )
    if not timed:
        way = ways_of(recipe, chosen, training, validation, cached.trunk().room)[-1]
        st.caption(f":material/{'bolt' if way.kept else 'hourglass_top'}: {way.reason}")
    keep_warm(chosen)
    if st.button("Start training", type="primary", icon=":material/play_arrow:", width="stretch"):
        with reporting():
            used = dataset.used(cached.split_of(dataset, recipe.split_seed))
            cached.preview_worker().close()
            run = launch(cached.queue(), recipe, *used, cached.warm_trainer())
        state.open_run(run.id)
        st.rerun()


def show_chosen_run(run_id: str) -> None:
    """The run on show, or a way on where it is gone."""
    try:
        run = cached.store().get(run_id)
    except RunNotFound as error:
        st.info(str(error), icon=":material/search_off:")
        st.button("Start a new run", icon=":material/add:", on_click=state.close_run)
        st.page_link("pages/train/runs.py", label="All runs", icon=":material/history:")
        return
    show_run(run)


if state.run_id():
    show_chosen_run(state.run_id())
else:
    inputs.page_head("Train", "The defaults are good: press Start, and change things when you are curious.")
    going = cached.store().active()
    if going:
        st.info("A run is going; what you start now waits its turn.", icon=":material/hourglass_top:")
        st.button("Watch it", on_click=state.open_run, args=(going.id,), type="primary")
    set_up(inputs.dataset_or_stop())
