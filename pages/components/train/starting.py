"""Which model to start from, on the Train page: pretrained weights, or those of an earlier run."""

import streamlit as st

from core.errors import UnfreezeError
from core.formatting import listed
from core.language import tr
from core.models.backbones import Backbone, backbone
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.recipe.start_point import can_be_started_from, columns_taken
from core.runs.store import Run
from pages.components.cached import runs
from pages.components.shared import markdown, run_descriptions
from pages.components.train.draft import Draft

MOST_RUNS = 200
"""So many runs are offered, the newest."""

MOST_NAMES = 8


def choose(start: Draft, chosen: Backbone | None) -> str:
    """Ask which earlier run to start from, of one variant or, without one, of any; returns its id, or an empty text."""
    names = _offered(chosen)
    wanted = start.first("start_from", "")
    if not names:
        return ""
    ids = ["", *names]
    place = chosen.key if chosen else "any"
    return str(
        st.selectbox(
            tr("Start from"),
            ids,
            index=ids.index(wanted) if wanted in names else 0,
            format_func=lambda run: names[run] if run else tr("Pretrained weights (ImageNet)"),
            key=start.key(f"start-from-{place}"),
            persist_state="session",
            help=tr("A run can go on from what an earlier one has learned. Its classes may be others."),
        )
    )


def _offered(chosen: Backbone | None) -> dict[str, str]:
    """The names of the runs that can be started from by their ids, newest first."""
    found: dict[str, str] = {}
    for run in runs.store().runs():
        try:
            recipe = read_recipe(run)
            row = backbone(recipe.backbone)
            if not row.pretrained or (chosen is not None and row.key != chosen.key) or not can_be_started_from(run):
                continue
        except UnfreezeError:
            continue
        found[run.id] = f"{run_descriptions.name_of(run, recipe)} · {run.id}"
        if len(found) == MOST_RUNS:
            break
    return found


def variant_of(run_id: str) -> Backbone:
    """The variant that a run has trained; raises `UnfreezeError` where it cannot be read."""
    return backbone(read_recipe(runs.store().get(run_id)).backbone)


def show_taken_over(recipe: Recipe, class_names: tuple[str, ...]) -> None:
    """Which classes the head takes over from the run that a recipe starts from, and which are new."""
    if not recipe.start_from:
        return
    try:
        run = runs.store().get(recipe.start_from)
        st.caption(f":material/route: {_taken_over(run, recipe, class_names)}")
    except UnfreezeError as error:
        st.caption(f":material/info: {markdown.escape(error)}")


def _taken_over(run: Run, recipe: Recipe, class_names: tuple[str, ...]) -> str:
    theirs = read_recipe(run)
    columns = columns_taken(theirs.head, run.class_names(), recipe.head, class_names)
    known = [name for name, column in zip(class_names, columns, strict=True) if column >= 0]
    new = [name for name, column in zip(class_names, columns, strict=True) if column < 0]
    if not new:
        return tr("The head knows all {count} classes from that run and keeps what it has learned.", count=len(known))
    if known:
        return tr("Taken over by the head: {known}. New: {new}.", known=_names(known), new=_names(new))
    if set(class_names) & set(run.class_names()):
        return tr("The network is taken over. The head begins anew, because it has another pooling or BatchNorm.")
    return tr("The network is taken over. The head begins anew, because no class has the same name.")


def _names(names: list[str]) -> str:
    return markdown.escape(listed(names, MOST_NAMES))
