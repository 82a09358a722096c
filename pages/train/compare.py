"""Which choice is better, and by more than chance? Runs beside one another, and series of runs that answer it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import formatting
from core.data.dataset import Dataset
from core.data.subsets import NO_SUBSET, TRAINING
from core.errors import RecipeError
from core.language import number, tr, tr_mark, tr_plural
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.recipe import sweeps
from core.recipe.augmentations import AUGMENTATION_OF
from core.recipe.recipe import Recipe, default_recipe
from core.recipe.sweeps import FACTORS, Factor, Past, Planned
from core.recipe.wording import describe_value
from core.runs import trainers
from core.runs.store import FINISHED, Label
from core.training.launch import enqueue
from pages.components.cached import datasets, runs, services
from pages.components.compare import comparison_view, series_names
from pages.components.compare.comparison_figures import MOST_RUNS
from pages.components.compare.comparison_view import ASKED, NEW, PICKED, SERIES, SIDE_BY_SIDE, Member
from pages.components.compare.series_names import AUGMENTATIONS, REPEATS, STUDY, VARIED
from pages.components.shared import dataset_choice, elements, markdown, state
from pages.components.shared.report_errors import reporting
from pages.components.train import variant

DEFAULTS = ""
"""In place of a run to start from: the defaults for the dataset."""

NOTHING_ELSE = ""
"""In place of a second thing to vary."""

MOST_TICKED = 4  # of more values, only the first, the last and the recipe's own are ticked at first


@dataclass(frozen=True, eq=False)
class Base:
    """What all runs of a comparison begin with: recipe, photos, and the subset of each photo, `(M,)`."""

    recipe: Recipe
    dataset: Dataset
    parts: NDArray[np.int8]

    @property
    def training_of_class(self) -> list[int]:
        """How many training photos there are of each class."""
        found: list[int] = np.bincount(self.dataset.folder.labels[self.parts == TRAINING]).tolist()
        return found


@dataclass(frozen=True)
class Plan:
    """A comparison to be started: how its name begins, its runs, and what is to be said about it."""

    kind: str
    runs: tuple[Planned, ...]
    note: str = ""


def choose_base(dataset: Dataset, found: Sequence[Member]) -> Base:
    """The recipe that all runs begin with, how long each takes, and which photos they share."""
    folder, parts = datasets.used(dataset, 0)
    usable = {member.id: member for member in reversed(found) if of_dataset(member, str(folder.root))}
    base = st.selectbox(
        tr("Start from the recipe of"),
        [DEFAULTS, *usable],
        format_func=lambda each: usable[each].name if each in usable else tr("The defaults for this dataset"),
        key="base",
    )
    training, chosen = int(np.sum(parts == TRAINING)), backbone(variant.default())
    if base in usable:
        recipe = usable[base].shown.recipe
    else:
        recipe = default_recipe(folder, training, chosen, always_fine_tuned=True)
    left, middle, right = st.columns(3)
    head = left.number_input(tr("Epochs for the head"), 0, 500, recipe.head_epochs, key=f"head-{base}")
    fine = middle.number_input(tr("Epochs for fine-tuning"), 0, 500, recipe.fine_tune_epochs, key=f"fine-{base}")
    with right:
        shared = choose_photos(dataset, recipe)
    recipe = replace(recipe, head_epochs=head, fine_tune_epochs=fine, minutes=0, more_epochs=())
    return Base(recipe, dataset, shared)


def choose_photos(dataset: Dataset, recipe: Recipe) -> NDArray[np.int8]:
    """Which photos are used, as parts: all, or so many of each class."""
    parts = datasets.split_of(dataset, recipe.split_seed)
    most = int(np.bincount(dataset.folder.labels[parts != NO_SUBSET]).max())
    few = st.number_input(
        tr("Photos per class, at most"),
        5,
        max(5, most),
        max(5, most),
        key=f"few-{dataset.folder.root}",
        help=tr("Fewer photos give a faster but less certain answer. All runs use the same photos."),
    )
    return sweeps.few_per_class(dataset.folder.labels, parts, few) if few < most else parts


def of_dataset(member: Member, root: str) -> bool:
    """Whether a run has finished on the photos of this folder."""
    return member.state == FINISHED and member.shown.recipe.dataset == root


def plan_repeats(base: Base) -> Plan:
    """The same recipe with several seeds."""
    st.markdown(tr("The same recipe with different seeds: how large are differences that are due to chance?"))
    count = st.number_input(tr("Number of runs"), 2, 50, 5, key="count")
    return Plan(REPEATS, sweeps.repeats(base.recipe, count))


def plan_varied(base: Base) -> Plan:
    """One or two things varied, each value with each."""
    st.markdown(tr("Vary one setting, or combine two; everything else stays the same."))
    offered = [factor for factor in FACTORS if factor.key != "unlabelled" or len(base.dataset.unlabelled)]
    left, right = st.columns(2, gap="large")
    with left:
        first = choose_factor(tr("Vary"), "factor-Vary", offered, base)
    others = [factor for factor in offered if first and factor.key != first[0].key]
    with right:
        second = choose_factor(tr("and"), "factor-and", others, base, optional=True)
    count = choose_repeats("count-varied")
    choices = {factor.key: values for factor, values in (each for each in (first, second) if each)}
    return Plan(VARIED, sweeps.repeated(sweeps.grid(base.recipe, choices), count))


def choose_factor(
    label: str, key: str, factors: Sequence[Factor], base: Base, optional: bool = False
) -> tuple[Factor, list[Any]] | None:
    """A thing to vary and its values; None for nothing else."""
    by_key = {factor.key: factor for factor in factors}
    chosen_key = st.selectbox(
        label,
        [*([NOTHING_ELSE] if optional else []), *by_key],
        format_func=lambda each: by_key[each].title if each in by_key else tr("nothing else"),
        key=key,
    )
    factor = by_key.get(chosen_key)
    if factor is None:
        return None
    recipe, most = base.recipe, max(base.training_of_class)
    values = [value for value in factor.values(recipe, most) if factor.key != "backbone" or is_here(value)]
    own = recipe.backbone if factor.key == "backbone" else getattr(recipe, factor.key, values[0])
    all_of_them = len(values) <= MOST_TICKED or factor.key == "photos_per_class"
    few = values if all_of_them else [each for each in values if each in (values[0], values[-1], own)]
    chosen = st.multiselect(
        tr("Values"),
        values,
        few,
        format_func=lambda value: describe_value(factor.key, value),
        key=f"values-{factor.key}-{values if factor.key == 'photos_per_class' else recipe.backbone}",
    )
    return factor, chosen


def is_here(key: str) -> bool:
    """Whether a variant can be trained without a download."""
    chosen = backbone(key)
    return not chosen.pretrained or weights.look_up(chosen, services.settings()) is not None


def choose_repeats(key: str) -> int:
    """How many seeds each recipe is trained with."""
    return st.number_input(
        tr("Repeats of each"), 1, 20, 1, key=key, help=tr("2 or more show how large chance differences are.")
    )


def plan_augmentations(base: Base) -> Plan:
    """Each augmentation alone against none."""
    st.markdown(tr("Once without augmentation, then with each one alone: which ones help?"))
    keys = list(AUGMENTATION_OF)
    chosen = st.multiselect(
        tr("Augmentations"),
        keys,
        sweeps.STUDY_AUGMENTATIONS,
        format_func=lambda key: AUGMENTATION_OF[key].name,
        key="alone",
    )
    half = st.toggle(tr("Also on half of the photos"), key="half")
    count = choose_repeats("count-alone")
    if not chosen:
        raise RecipeError(tr("No augmentation is chosen. Choose at least one to compare with none."))
    alone = sweeps.each_augmentation_alone(base.recipe, chosen, also_half=half)
    return Plan(AUGMENTATIONS, sweeps.repeated(alone, count))


def plan_study(base: Base) -> Plan:
    """The published comparison."""
    st.markdown(
        tr(
            "The comparison of a published study on flower photos: a small network trained from scratch, with and"
            " without augmentation, against a pretrained one used as a feature extractor, and one that is fine-tuned."
        )
    )
    count = st.number_input(
        tr("Repeats of the first"), 1, 20, 4, key="count-study", help=tr("Their spread shows the noise.")
    )
    found = sweeps.flower_study(base.recipe, services.settings(), count)
    if found.note and services.settings().allow_downloads:
        offer_download(backbone(sweeps.STUDY_BACKBONE))
    return Plan(STUDY, found.runs, found.note)


def offer_download(chosen: Backbone) -> None:
    """Fetch the weights of a variant, if somebody wants them."""
    if st.button(tr("Download the weights of {network}", network=chosen.name), icon=":material/download:"):
        with st.spinner(tr("Downloading…")):
            weights.fetch(chosen, services.settings())
        st.rerun()


PLANS = {REPEATS: plan_repeats, VARIED: plan_varied, AUGMENTATIONS: plan_augmentations, STUDY: plan_study}
PLAN_TITLES = {
    REPEATS: tr_mark("Repeats"),
    VARIED: tr_mark("Vary one or two settings"),
    AUGMENTATIONS: tr_mark("Augmentations one by one"),
    STUDY: tr_mark("The flower study"),
}


def start_view(found: Sequence[Member]) -> None:
    """Choose a comparison, see what it takes, and put it into the queue."""
    dataset = dataset_choice.dataset_or_stop()
    prepare_question(dataset, found)
    kind = st.segmented_control(
        tr("What is compared"),
        list(PLANS),
        default=REPEATS,
        required=True,
        format_func=lambda each: tr(PLAN_TITLES[each]),
        key="kind",
    )
    with reporting():
        base = choose_base(dataset, found)
        plan = PLANS[kind or REPEATS](base)
        if len(plan.runs) < 2:
            raise RecipeError(
                tr("This is a single run. Choose more values or repeats, so that there is something to compare.")
            )
    photos = sorted({run.recipe.training_photos(base.training_of_class) for run in plan.runs})
    known = [past_of(member) for member in found if member.state == FINISHED]
    seconds = sweeps.estimated_seconds(plan.runs, base.training_of_class, known)
    st.markdown(f":material/schedule: {what_it_takes(len(plan.runs), photos, seconds)}")
    if plan.note:
        st.info(markdown.escape(plan.note), icon=":material/info:")
    with st.expander(tr("The runs"), icon=":material/list:"):
        st.dataframe([{"run": run.name} for run in plan.runs], hide_index=True, column_config={"run": tr("run")})
    words = tr_plural("Queue {count} run", "Queue {count} runs", len(plan.runs))
    if st.button(words, type="primary", icon=":material/playlist_add:", width="stretch"):
        queue_runs(dataset, plan, base.parts)


def what_it_takes(count: int, numbers: Sequence[int], seconds: float | None) -> str:
    """How many runs there are, on how many training photos (these numbers, ascending), and how long they take."""
    photos: str = number(numbers[0])
    if len(numbers) > 1:
        photos = tr("{first} to {last}", first=numbers[0], last=numbers[-1])
    if seconds:
        return tr_plural(
            "**{count} run** on {photos} training photos, about {duration}.",
            "**{count} runs** on {photos} training photos, one after the other, about {duration} in total.",
            count,
            photos=photos,
            duration=formatting.duration(seconds),
        )
    return tr_plural(
        "**{count} run** on {photos} training photos. How long it takes is known when it has ended.",
        "**{count} runs** on {photos} training photos, one after the other. How long they take is known after the"
        " first.",
        count,
        photos=photos,
    )


def prepare_question(dataset: Dataset, found: Sequence[Member]) -> None:
    """Choose what answers how many photos are needed, where that was asked about a run; it can be changed then."""
    asked = state.take(ASKED)
    if asked is None:
        return
    root = str(dataset.folder.root)
    base = next((each.id for each in found if each.id == asked and of_dataset(each, root)), DEFAULTS)
    prepared = {"kind": VARIED, "base": base, "factor-Vary": "photos_per_class", "factor-and": NOTHING_ELSE}
    for key, value in prepared.items():
        state.set_widget(key, value)


def past_of(member: Member) -> Past:
    """What a run that has finished took."""
    status = member.shown.status
    photos = runs.training_photos(member.id)
    return Past(member.shown.recipe, photos, status.seconds(status.ended or 0))


def queue_runs(dataset: Dataset, plan: Plan, parts: NDArray[np.int8]) -> None:
    """Put all runs into the queue under one name, and show the series."""
    group = series_names.new(plan.kind, dataset.folder.root.name)
    with reporting(), st.spinner(tr("Queuing the runs…")):
        services.preview_worker().close()
        for run in plan.runs:
            used = dataset.used(parts, run.recipe.without_classes)
            more = datasets.pseudo_labels_for(dataset, run.recipe, parts)
            enqueue(runs.queue(), run.recipe, *used, Label(run.name, group, run.variant), more)
        state.remember("series", group)
        state.remember("compare", SERIES)
        trainers.advance(runs.queue(), services.warm_trainer())
    st.rerun()


def series_view(found: Sequence[Member]) -> None:
    """One of the series, the newest at first."""
    groups = comparison_view.series_among(found)
    if not groups:
        st.info(tr("No comparison has been started yet."), icon=":material/balance:")
        st.button(tr("Start one"), icon=":material/add:", type="primary", on_click=state.set_widget, args=("view", NEW))
        return
    names = list(groups)
    wanted = state.recall("series", names[0])
    place = names.index(wanted) if wanted in names else 0
    chosen = st.selectbox(tr("Series"), names, index=place, format_func=series_names.told, key=f"series-of-{wanted}")
    comparison_view.show_series(chosen)


def side_by_side_view(found: Sequence[Member]) -> None:
    """Runs that somebody picks."""
    ready = [member for member in reversed(found) if member.is_measured]
    if len(ready) < 2:
        st.info(tr("A comparison needs two finished runs."), icon=":material/balance:")
        st.page_link("pages/train/train.py", label=tr("Train one"), icon=":material/local_fire_department:")
        return
    by_id = {member.id: member for member in ready}
    wanted = state.take(PICKED)
    if wanted:
        state.set_widget(PICKED, [each for each in by_id if each in wanted])
    chosen = st.multiselect(
        tr("Runs, 2 to {most}", most=MOST_RUNS),
        list(by_id),
        list(by_id)[:2],
        format_func=lambda each: by_id[each].name,
        max_selections=MOST_RUNS,
        key=PICKED,
        persist_state="session",
    )
    if len(chosen) < 2:
        st.caption(tr("Choose one more to compare."))
        return
    comparison_view.show_side_by_side([by_id[each] for each in chosen])


VIEWS = {SERIES: series_view, SIDE_BY_SIDE: side_by_side_view, NEW: start_view}
VIEW_TITLES = {
    SERIES: tr_mark("Series"),
    SIDE_BY_SIDE: tr_mark("Side by side"),
    NEW: tr_mark("Start a comparison"),
}

elements.page_head(tr("Compare"), tr("Which choice is better, and is the difference more than chance?"))
wanted = state.take("compare")
if wanted:
    state.set_widget("view", wanted)
everybody = comparison_view.members()
view = st.segmented_control(
    tr("View"),
    list(VIEWS),
    default=SERIES,
    required=True,
    format_func=lambda each: tr(VIEW_TITLES[each]),
    key="view",
    label_visibility="collapsed",
    persist_state="session",
)
VIEWS[view or SERIES](everybody)
