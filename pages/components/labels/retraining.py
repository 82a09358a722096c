"""Training again with corrected labels: the same recipe, the same subsets, in one click."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.scan.folder import ImageFolder
from core.data.split import keep_former_subsets, read_split_csv
from core.data.subsets import NO_SUBSET, TRAINING
from core.language import tr
from core.models.backbones import backbone
from core.recipe.recipe import Recipe, default_recipe
from core.runs.store import CORRECTED, FINISHED, Label, Run
from core.training.launch import launch
from pages.components.cached import datasets, runs, services
from pages.components.compare import comparison_view
from pages.components.shared import markdown, run_descriptions, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.train import variant


def offer(dataset: Dataset) -> None:
    """The button, once there are decisions; and the results before, to compare with."""
    if not dataset.review.decisions:
        return
    finished = finished_runs(dataset)
    before = finished[0] if finished else None
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(_description(before), width="stretch")
        pair = _before_and_after(finished)
        if pair and st.button(
            tr("Compare before and after"), key="compare-before-and-after", icon=":material/balance:"
        ):
            comparison_view.open_side_by_side(pair)
        if st.button(
            tr("Train again with the corrections"),
            key="train-with-corrections",
            type="primary",
            icon=":material/local_fire_department:",
        ):
            _begin(dataset, before)


def finished_runs(dataset: Dataset) -> list[LoadedRun]:
    """The runs that have finished on this dataset, the newest first."""
    root = str(dataset.folder.root)
    finished = (shown for shown in run_descriptions.all_runs()[0] if shown.status.state == FINISHED)
    return [shown for shown in finished if shown.recipe.dataset == root]


def _before_and_after(finished: Sequence[LoadedRun]) -> tuple[str, str] | None:
    """The newest run with corrected labels, and the one before it, by their ids; None where there is no such pair."""
    if len(finished) < 2 or not _is_corrected(finished[0].run):
        return None
    return finished[0].run.id, finished[1].run.id


def _is_corrected(run: Run) -> bool:
    """Whether a run was trained again with corrected labels."""
    label = run.read_label()
    return label.purpose == CORRECTED or label.name.endswith(CORRECTED)


def _description(before: LoadedRun | None) -> str:
    if before is None:
        return tr(
            "Train with your decisions. There is no finished run on this dataset yet, so the default settings are used."
        )
    name = markdown.escape(run_descriptions.describe_with_accuracy(before))
    return tr(
        "Train with your decisions and the recipe of **{run}**, each photo in the same subset as there. Test photos"
        " with corrected labels are graded by these labels.",
        run=name,
    )


def _begin(dataset: Dataset, before: LoadedRun | None) -> None:
    with reporting():
        parts = datasets.split_of(dataset, before.recipe.split_seed if before else 0)
        if before is not None:
            parts = _as_in(before.run, dataset, parts)
        used = dataset.used(parts, before.recipe.without_classes if before else ())
        recipe = before.recipe if before else _default(*used)
        more = datasets.pseudo_labels_for(dataset, recipe, parts)
        name = run_descriptions.name_of(before.run, before.recipe) if before else run_descriptions.describe(recipe)
        if before is None or not _is_corrected(before.run):
            name = tr("{run} · corrected labels", run=name)
        label = Label(name, purpose=CORRECTED)
        services.preview_worker().close()
        run = launch(runs.queue(), recipe, *used, services.warm_trainer(), label, more)
    state.open_run(run.id)
    st.switch_page("pages/train/train.py")


def _as_in(before: Run, dataset: Dataset, parts: NDArray[np.int8]) -> NDArray[np.int8]:
    """The parts that photos had in an earlier run, as far as they can stay there, `(M,)`."""
    folder, given = read_split_csv(before.split_file, dataset.folder.root)
    part_of = dict(zip(folder.paths, given.tolist(), strict=True))
    former = np.array([part_of.get(path, NO_SUBSET) for path in dataset.folder.paths], np.int8)
    return keep_former_subsets(parts, former, dataset.folder.labels, dataset.groups)


def _default(folder: ImageFolder, parts: NDArray[np.int8]) -> Recipe:
    return default_recipe(folder, int(np.sum(parts == TRAINING)), backbone(variant.default()))
