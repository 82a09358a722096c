"""Choose how to train, press Start, and watch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from core import formatting
from core.data.dataset import Dataset
from core.data.scan.folder import ImageFolder
from core.errors import RunNotFound
from core.language import tr
from core.models.architecture import Layer, head_layers
from core.models.backbones import Backbone, backbone
from core.recipe.augmentations import AUGMENTATION_OF, Choice, default_augmentations
from core.recipe.combinations import check_combination
from core.recipe.plan import plan_phases
from core.recipe.recipe import Recipe, are_few, default_recipe, default_unfreeze_point
from core.training.budget.augmentation_costs import describe_costs
from core.training.budget.cost_model import Counts, costs_of
from core.training.launch import launch
from pages.components.cached import datasets, runs, services
from pages.components.runs.queue_view import watch
from pages.components.runs.run_view import show_run
from pages.components.shared import dataset_choice, drawings, elements, markdown, state, thumbnails
from pages.components.shared.report_errors import reporting
from pages.components.train import (
    class_weights,
    draft,
    expert,
    length,
    lr_finder_view,
    network_view,
    recipes_view,
    starting,
    unlabelled,
    variant,
)
from pages.components.train.draft import Draft
from pages.components.train.expert import Around

STYLE = Path(length.__file__).with_name("train.css")

MOST_THUMBNAILS = 12


def show_augmentations(folder: ImageFolder, training_photos: int) -> Mapping[str, Choice]:
    """Which augmentations are on, what they cost, and the way to change them."""
    found = state.augmentations(default_augmentations(folder.class_names))
    if found:
        names = formatting.listed([AUGMENTATION_OF[key].name.lower() for key in found], len(found))
        st.markdown(tr("**Augmentations:** {names}", names=names))
    else:
        st.markdown(tr("**Augmentations:** none"))
    if found:
        st.caption(describe_costs(services.augmentation_costs().milliseconds(found), training_photos))
    st.page_link("pages/prepare/augmentations.py", label=tr("Change them"), icon=":material/auto_fix_high:")
    return found


def set_up(dataset: Dataset) -> None:
    """The photos, how long it may take, and Start; everything else is folded away."""
    with reporting():
        start = draft.present(dataset)
        folder, parts = draft.used_photos(dataset, start)
    for note in start.notes:
        st.info(markdown.escape(note), icon=":material/info:")
    show_photos(folder, draft.left_out_classes(dataset, start), draft.photos_per_class(start))
    more = unlabelled.choose(dataset, start)
    counts = Counts.of(parts).with_training(len(more.labels) if more else 0)
    usual = usual_recipe(folder, counts.training)
    augmentations = state.augmentations(default_augmentations(folder.class_names))
    few = are_few(counts.training, len(folder.class_names))
    minutes = length.choose(start, replace(usual, augmentations=augmentations), counts, few=few)
    go = st.container()
    with st.expander(
        tr("Change how it learns"), icon=":material/tune:", key=f"change-{minutes > 0}", expanded=not minutes
    ):
        recipe = choose_recipe(
            start, dataset, (folder, parts), counts, {"minutes": minutes, "unlabelled": more is not None}, usual
        )
    if go.button(tr("Start training"), key="start", type="primary", icon=":material/play_arrow:", width="stretch"):
        begin(dataset, recipe)


def show_photos(folder: ImageFolder, without: Sequence[str], limit: int) -> None:
    """Which photos will be learned from: their name, how many, and some of each class as far as there is room."""
    photos, classes = formatting.photos(len(folder)), len(folder.class_names)
    words = [
        f"**{markdown.escape(folder.root.name)}**",
        tr("{photos} in {count} classes", photos=photos, count=classes),
    ]
    if without:
        words.append(tr("without {classes}", classes=markdown.escape(formatting.listed(without, len(without)))))
    if limit:
        words.append(tr("at most {photos} per class", photos=formatting.photos(limit, "training")))
    st.html(STYLE)
    labels = np.unique(folder.labels)[:MOST_THUMBNAILS]
    each = MOST_THUMBNAILS // len(labels)
    members = np.concatenate([np.flatnonzero(folder.labels == label)[:each] for label in labels])
    with st.container(key="train-photos", gap="xsmall"):
        st.markdown(" · ".join(words))
        thumbnails.show_thumbnails(folder, members.tolist())


def usual_recipe(folder: ImageFolder, training_photos: int) -> Recipe:
    """What Start begins before anything is changed."""
    found = default_recipe(folder, training_photos, backbone(variant.default()))
    return replace(found, minutes=length.usual_minutes())


def choose_recipe(
    start: Draft,
    dataset: Dataset,
    used: tuple[ImageFolder, NDArray[np.int8]],
    counts: Counts,
    values: dict[str, Any],
    usual: Recipe,
) -> Recipe:
    """Everything that can be chosen besides these values; `used` is what `draft.used_photos` gives."""
    folder, parts = used
    minutes = values["minutes"]
    above = st.container(horizontal=True)
    left, right = st.columns([1, 1], gap="large")
    timed, few = minutes > 0, are_few(counts.training, len(folder.class_names))
    with left:
        st.header(tr("Network"), anchor=False)
        choose = variant.choose_for_minutes if timed else variant.choose
        chosen, values["weights"], values["start_from"] = choose(start)
        taken = st.container()
        around = choose_point(chosen, start, timed, values["weights"], few)
        drawn = st.container()
    with right:
        st.header(tr("How long"), anchor=False)
        if timed:
            length.exact_minutes(start, minutes)
        alone = few and around.point == "none"
        fields = length.usual_epochs if timed else partial(length.epochs, start)
        values |= fields(counts.training, few=alone)
        values["augmentations"] = show_augmentations(folder, counts.training)
        values["without_classes"] = choose_classes(dataset, start)
        values["class_weights"] = class_weights.class_weights_toggle(folder, start)
        priced = st.container()
    below = st.container()
    within = not timed and network_view.begins_within(chosen, around.point, start)
    more, places = expert.section(start, around, within)
    with places[expert.UNFREEZING]:
        layer = choose_layer(around, start)
    with reporting():
        recipe = Recipe(
            str(folder.root), chosen.key, unfreeze_point=around.point, unfreeze_layer=layer, **values, **more
        )
        check_combination(recipe)
    head = head_layers(chosen, len(folder.class_names), recipe.pooling, batch_norm=recipe.head_batch_norm)
    explain(places, around, head)
    with taken:
        starting.show_taken_over(recipe, tuple(folder.class_names))
    if not timed:
        with drawn:
            network_view.picture(chosen, recipe, head, start, folder)
        with priced:
            show_costs(chosen, recipe, head, counts)
        with below:
            network_view.every_layer(chosen, recipe, head)
        with places[expert.RATE]:
            lr_finder_view.show_lr_finder(recipe, folder, parts)
    with above:
        recipes_view.box(start, recipe, dataset.folder, counts.training)
        words = tr("Reset to the defaults")
        st.button(words, icon=":material/undo:", disabled=recipe == usual, on_click=draft.start_over)
    keep_warm(chosen)
    return recipe


def choose_classes(dataset: Dataset, start: Draft) -> tuple[str, ...]:
    """Classes that this run shall not learn; at least two are left."""
    names = dataset.folder.class_names
    if len(names) < 3:
        return ()
    return tuple(
        st.multiselect(
            tr("Classes to leave out"),
            names,
            start.first("without_classes", ()),
            key=draft.classes_key(dataset, start),
            max_selections=len(names) - 2,
            persist_state="session",
            placeholder=tr("None: all {count} classes are learned", count=len(names)),
            help=tr("For this run only. The photos stay where they are."),
        )
    )


def choose_point(chosen: Backbone, start: Draft, timed: bool, kind: str, few: bool) -> Around:
    """From where on the network learns, if that can be chosen."""
    scratch = not timed and (not chosen.pretrained or kind == "random")
    if timed:
        return Around(chosen, default_unfreeze_point(chosen, few=few), from_scratch=False, timed=True)
    st.header(tr("Trainable layers"), anchor=False)
    point = "all" if scratch else network_view.chosen_point(chosen, start, few=few)
    return Around(chosen, point, scratch, timed=False)


def choose_layer(around: Around, start: Draft) -> str:
    """The layer within the unfreeze point's block that learning begins at; empty for the whole block."""
    if around.timed:
        st.caption(tr("The time budget decides which layers are trained."))
    elif around.from_scratch:
        st.caption(tr("Everything is trained from the start, so there is nothing to unfreeze."))
    else:
        return network_view.choose_layer(around.chosen, around.point, start)
    return ""


def explain(places: Mapping[str, DeltaGenerator], around: Around, head: Sequence[Layer]) -> None:
    """What the expert section says besides its widgets."""
    parameters = drawings.count(sum(each.parameters for each in head))
    places[expert.HEAD].caption(tr("This head has {number} parameters.", number=parameters))
    if not around.skips_blocks:
        places[expert.REGULAR].caption(
            tr(
                "There is no drop-connect: {network} has no blocks that can be skipped in training.",
                network=around.chosen.name,
            )
        )
    with places[expert.LOGS]:
        st.caption(tr("To view the logs of all runs:"))
        command = f'uv run --extra tensorboard tensorboard --logdir "{services.settings().runs_folder}"'
        st.code(command, language="bash", wrap_lines=True)


def show_costs(chosen: Backbone, recipe: Recipe, head: Sequence[Layer], counts: Counts) -> None:
    """What each phase will take on this machine."""
    plans = plan_phases(recipe, chosen, counts.training, counts.others, services.feature_cache().room)
    known = services.known_throughput(chosen)
    milliseconds = services.augmentation_costs().milliseconds(recipe.augmentations)
    augmenting = None if milliseconds is None else milliseconds / 1000 * (chosen.resolution / 224) ** 2
    costs = costs_of(recipe, chosen, plans, known.throughput, counts, augmenting)
    st.header(tr("What it takes"), anchor=False)
    network_view.show_costs(chosen, plans, costs, known, head)


def keep_warm(chosen: Backbone) -> None:
    """Have a trainer load TensorFlow and this variant meanwhile, unless a run is going."""
    trainer = services.warm_trainer()
    if trainer is not None and not runs.queue().queued_and_active()[1]:
        trainer.prepare(chosen.key)


def begin(dataset: Dataset, recipe: Recipe) -> None:
    """Start the run, or let it wait its turn, and show it."""
    with reporting():
        used = datasets.used(dataset, recipe.split_seed, recipe.without_classes)
        parts = datasets.split_of(dataset, recipe.split_seed)
        more = datasets.pseudo_labels_for(dataset, recipe, parts)
        services.preview_worker().close()
        run = launch(runs.queue(), recipe, *used, services.warm_trainer(), pseudo=more)
    state.open_run(run.id)
    st.rerun()


def show_chosen_run(run_id: str) -> None:
    """The run on show, or a way on where it is gone."""
    try:
        run = runs.store().get(run_id)
    except RunNotFound as error:
        st.info(markdown.escape(error), icon=":material/search_off:")
        st.button(tr("Start a new run"), icon=":material/add:", on_click=state.close_run)
        st.page_link("pages/train/runs.py", label=tr("All runs"), icon=":material/history:")
        return
    show_run(run)


if state.run_id():
    show_chosen_run(state.run_id())
else:
    elements.page_head(tr("Train"))
    _, going = runs.queue().queued_and_active()
    if going:
        if runs.queue().is_check(going[0]):
            words = tr("A label check is in progress; a run that you start now is queued.")
        else:
            words = tr("A run is in progress; a run that you start now is queued.")
        st.info(words, icon=":material/hourglass_top:")
        if st.button(tr("Show it")):
            watch(going[0])
    set_up(dataset_choice.dataset_or_stop())
