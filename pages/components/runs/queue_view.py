"""The queue on the screen: what trains now, what is queued, and in which order."""

import time
from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

from core import formatting
from core.errors import RunError
from core.language import tr, tr_context
from core.runs.queue import Queue
from core.runs.store import QUEUED, Run
from core.training.thorough_check import checks
from pages.components.cached import runs
from pages.components.runs.run_controls import badge, cancel_button
from pages.components.runs.run_text import bar, describe_place, describe_progress
from pages.components.shared import markdown, run_descriptions, state
from pages.components.shared.report_errors import ask

LOOK_EVERY_SECONDS = 2.0

ROWS = 20
"""How many rows of a long list are drawn at first, and how many more at each click."""

Row = TypeVar("Row")


def show_queue(waiting: Sequence[Run], going: Sequence[Run]) -> None:
    """The runs that train now, with their progress, and the queued ones, in order; redrawn while anything is live."""
    if going or waiting:
        st.header(tr("Queue"), anchor=False)
        st.fragment(_look, run_every=LOOK_EVERY_SECONDS)([run.id for run in going], sorted(run.id for run in waiting))


def _look(going: list[str], waiting: list[str]) -> None:
    """Draw the queue; as soon as it holds other runs than when the page was drawn, have all of it drawn."""
    queue = runs.queue()
    order, active = queue.queued_and_active()
    if [run.id for run in active] != going or sorted(run.id for run in order) != waiting:
        st.rerun()
    for run in active:
        _going_row(run)
    for place, run in enumerate(some_of(order, "queue")):
        _waiting_row(queue, run, place, len(order))
    show_more(order, "queue")


def _going_row(run: Run) -> None:
    try:
        status = run.read_status()
    except RunError:  # it has just been deleted; the next look redraws the page
        return
    with st.container(border=True, key=f"going-{run.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status.state)
            st.markdown(f"**{markdown.escape(run_descriptions.name_or_id(run))}**", width="stretch")
            if st.button(tr("Watch"), key=f"watch-{run.id}", icon=":material/monitoring:"):
                watch(run)
        st.progress(bar(status, time.time()), describe_progress(status))


def watch(run: Run) -> None:
    """Go to the page where a run, or a label check, is shown."""
    if runs.queue().is_check(run):
        state.choose_dataset(checks.dataset_of(run))
        st.switch_page("pages/use/label_check.py")
    state.open_run(run.id)
    st.switch_page("pages/train/train.py")


def _waiting_row(queue: Queue, run: Run, place: int, count: int) -> None:
    with st.container(border=True, key=f"waiting-{run.id}"), st.container(horizontal=True, vertical_alignment="center"):
        badge(QUEUED)
        st.markdown(f"{place + 1}\\. **{markdown.escape(run_descriptions.name_or_id(run))}**", width="stretch")
        with st.container(horizontal=True, width="content", gap="small"):
            first, last = place == 0, place == count - 1
            for name, words, icon, disabled, order, arguments in (
                ("up", tr("Up"), "arrow_upward", first, queue.move, (run, -1)),
                ("down", tr("Down"), "arrow_downward", last, queue.move, (run, 1)),
                ("first", tr_context("queue", "First"), "vertical_align_top", first, queue.move_to_front, (run,)),
            ):
                st.button(
                    words,
                    key=f"{name}-{run.id}",
                    icon=f":material/{icon}:",
                    type="tertiary",
                    disabled=disabled,
                    on_click=ask,
                    args=(order, *arguments),
                )
            cancel_button(run, f"cancel-{run.id}", "tertiary")


def show_place(run: Run) -> None:
    """Where a run stands in the queue, and what goes before it."""
    order, active = runs.queue().queued_and_active()
    before = order.index(run) if run in order else 0
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        badge(QUEUED)
        st.markdown(f"**{describe_place(before)}**", width="stretch")
        cancel_button(run, "cancel", "secondary")
    for other in active:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                tr("Training now: {run}", run=markdown.escape(run_descriptions.name_or_id(other))), width="content"
            )
            if st.button(tr("Watch it"), key=f"watch-{other.id}"):
                watch(other)
    if before:
        names = [markdown.escape(run_descriptions.name_or_id(other)) for other in order[:before]]
        st.markdown(tr("Before it: {runs}", runs=formatting.listed(names, 3)))
    st.page_link("pages/train/runs.py", label=tr("Change the order"), icon=":material/low_priority:")
    st.caption(tr("You can close this page: the run starts by itself, and this address leads back to it."))


def some_of(rows: Sequence[Row], name: str) -> Sequence[Row]:
    """The first rows of a long list, as many as were asked for so far."""
    return rows[: state.recall(f"shown-{name}", ROWS)]


def show_more(rows: Sequence[object], name: str) -> None:
    """A button for more rows of a list of which `some_of` are drawn, if there are more."""
    shown = state.recall(f"shown-{name}", ROWS)
    if len(rows) > shown:
        st.button(
            tr("Show more ({count})", count=len(rows) - shown),
            key=f"more-{name}",
            icon=":material/expand_more:",
            on_click=state.remember,
            args=(f"shown-{name}", shown + ROWS),
        )
