"""All runs: those that train, those in the queue, and the results of the others; open one, delete one."""

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from core.language import tr
from core.runs.store import ACTIVE, QUEUED, Run
from pages.components.cached import runs
from pages.components.compare import series_names
from pages.components.runs.queue_view import show_more, show_queue, some_of
from pages.components.runs.run_controls import ask_about_cancelling, badge
from pages.components.runs.run_text import card_facts, group_runs
from pages.components.runs.transfer_view import show_import
from pages.components.shared import elements, markdown, run_descriptions, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_descriptions import LoadedRun


def ask_to_delete(run: Run, name: str) -> None:
    """Ask a second time, since there is no way back."""
    st.markdown(tr("**{run}** with its model and curves will be gone for good. Your photos stay.", run=name))
    with st.container(horizontal=True):
        if st.button(tr("Delete for good"), type="primary", icon=":material/delete_forever:"):
            with reporting():
                runs.store().delete(run.id)
            if state.run_id() == run.id:
                state.close_run()
            st.rerun()
        if st.button(tr("Keep it")):
            st.rerun()


def names_of(rows: Sequence[LoadedRun]) -> dict[str, str]:
    """The name of each run by its id, not yet Markdown; with the time it was made where several have the same."""
    names = {row.run.id: run_descriptions.name_of(row.run, row.recipe) for row in rows}
    counts = Counter(names.values())
    return {
        row.run.id: names[row.run.id] + (f" · {run_descriptions.made(row)}" if counts[names[row.run.id]] > 1 else "")
        for row in rows
    }


def show_row(shown: LoadedRun, name: str) -> None:
    """One run as a card."""
    run, status = shown.run, shown.status
    with st.container(border=True, key=f"run-{run.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status.state)
            st.markdown(f"**{name}**", width="stretch")
            if st.button(tr("Open"), key=f"open-{run.id}", icon=":material/open_in_new:"):
                state.open_run(run.id)
                st.switch_page("pages/train/train.py")
            going = status.state in ACTIVE
            delete_help = tr("Stop it first") if going else tr("Delete this run")
            if st.button(
                tr("Delete"),
                key=f"delete-{run.id}",
                icon=":material/delete:",
                type="tertiary",
                disabled=going,
                help=delete_help,
            ):
                st.dialog(tr("Delete this run?"))(ask_to_delete)(run, name)
        elements.facts(card_facts(status, shown.recipe))


def show_group(group: str, rows: Sequence[LoadedRun], names: Mapping[str, str]) -> None:
    """A run as a card, or those of a group in an expander."""
    if not group or len(rows) == 1:
        return show_row(rows[0], markdown.escape(names[rows[0].run.id]))
    with st.expander(
        tr("**{group}** · {count} runs", group=markdown.escape(series_names.told(group)), count=len(rows)),
        icon=":material/stacks:",
    ):
        for row in some_of(rows, group):
            show_row(row, markdown.escape(names[row.run.id]))
        show_more(rows, group)


elements.page_head(tr("Runs"), tr("Every training run is kept with its model and curves until you delete it."))
readable, broken = run_descriptions.all_runs()
ask_about_cancelling()
show_queue(*runs.queue().queued_and_active())
if not readable:
    st.info(tr("There are no runs yet."), icon=":material/history:")
    st.page_link("pages/train/train.py", label=tr("Train the first one"), icon=":material/local_fire_department:")
names = names_of(readable)
begun = group_runs(row for row in readable if row.status.state != QUEUED)
if begun and len(begun) < len(readable):
    st.header(tr("Started runs"), anchor=False)
for name_of_group, members_of_group in some_of(begun, "runs"):
    show_group(name_of_group, members_of_group, names)
show_more(begun, "runs")
show_import()
for folder, reason in broken:
    st.caption(
        ":material/warning: "
        + tr(
            "The run folder {folder} cannot be read, so it is ignored: {reason}",
            folder=markdown.escape(folder),
            reason=markdown.escape(reason),
        )
    )
