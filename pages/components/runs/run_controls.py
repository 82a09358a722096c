"""The state of a run, and what can be done with it: pause, stop, resume, leave the queue, rename."""

from dataclasses import replace
from typing import Literal

import streamlit as st

from core.language import sentences, tr, tr_mark
from core.models.backbones import backbone
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.recipe.start_point import can_be_started_from
from core.runs.queue import has_begun
from core.runs.store import FINISHED, PAUSED, STOPPED, Run, Status
from core.training.launch import extend, move_photos, photos_are_gone, resume
from pages.components.cached import runs, services
from pages.components.shared import markdown, run_descriptions, state
from pages.components.shared.report_errors import ask, reporting, telling

STATE_BADGES = {
    "queued": (tr_mark("Queued"), "blue", ":material/schedule:"),
    "starting": (tr_mark("Starting"), "blue", ":material/hourglass_top:"),
    "running": (tr_mark("Training"), "orange", ":material/local_fire_department:"),
    "paused": (tr_mark("Paused"), "violet", ":material/pause_circle:"),
    "finished": (tr_mark("Finished"), "green", ":material/check_circle:"),
    "stopped": (tr_mark("Stopped"), "gray", ":material/stop_circle:"),
    "failed": (tr_mark("Failed"), "red", ":material/error:"),
    "crashed": (tr_mark("Crashed"), "red", ":material/power_off:"),
}

LONGEST_NAME = 80
MOST_EPOCHS = 500


def badge(name: str) -> None:
    """The state of a run in a word, a colour and an icon."""
    words, colour, icon = STATE_BADGES[name]
    st.badge(tr(words), color=colour, icon=icon)  # type: ignore[arg-type]


def pause_and_stop(run: Run, status: Status) -> None:
    """Pause and Stop of a run that is going, until one of them was pressed or there is nothing left to train."""
    if status.phase == "finishing":
        return
    pausing, stopping = run.pause_requested(), run.stop_requested()
    st.button(
        tr("Pausing…") if pausing and not stopping else tr("Pause"),
        icon=":material/pause:",
        key="pause",
        disabled=pausing or stopping,
        help=tr("Saves the state of training, then ends it. You can resume from there at any time."),
        on_click=ask,
        args=(run.request_pause,),
    )
    st.button(
        tr("Stopping…") if stopping else tr("Stop"),
        icon=":material/stop:",
        key="stop",
        disabled=stopping,
        help=tr("Ends training. The best model so far is kept and tested."),
        on_click=ask,
        args=(run.request_stop,),
    )


def show_next_steps(run: Run, status: Status) -> None:
    """What can be done with a run that has ended: resume it, train more epochs, start a new one."""
    kept = run.has_checkpoint()
    if status.state != FINISHED and not run.is_imported:
        words = tr("Resume") if status.state == PAUSED or kept else tr("Start over")
        if st.button(words, icon=":material/play_arrow:", type="primary", key="go-on"):
            with reporting():
                resume(runs.queue(), run, services.warm_trainer())
            st.rerun()
    if status.state in (FINISHED, STOPPED) and kept:
        with st.popover(tr("Train more epochs"), icon=":material/more_time:"):
            _more_epochs(run)
    if status.state in (FINISHED, STOPPED):
        _train_on(run)
    st.button(tr("New run"), icon=":material/add:", on_click=state.close_run)


def _train_on(run: Run) -> None:
    """A quiet way to a new run that begins with the model of this one."""
    with telling():
        recipe = read_recipe(run)
        if can_be_started_from(run) and backbone(recipe.backbone).pretrained:
            st.button(
                tr("Train on from this model"),
                icon=":material/route:",
                key="train-on",
                type="tertiary",
                help=tr("A new run that begins with what this one has learned. Its photos and classes may be others."),
                on_click=_hand_over,
                args=(replace(recipe, start_from=run.id, weights="imagenet", more_epochs=()),),
            )


def _hand_over(recipe: Recipe) -> None:
    state.remember("recipe", recipe.to_json())
    state.close_run()


def _more_epochs(run: Run) -> None:
    epochs = st.number_input(tr("Additional epochs"), 1, MOST_EPOCHS, 5, key="more-epochs")
    st.caption(tr("Training continues after the last epoch. The best model of all epochs is kept."))
    if st.button(tr("Continue training"), type="primary", icon=":material/play_arrow:"):
        with reporting():
            extend(runs.queue(), run, int(epochs), services.warm_trainer())
        st.rerun()


def ask_for_photos(run: Run, recipe: Recipe) -> None:
    """Where the photos of a run are gone: ask where they are now."""
    if run.is_imported or not photos_are_gone(recipe):
        return
    with st.container(border=True, key="moved-photos"):
        st.markdown(
            tr(
                "The photos of this run were in **{folder}**, and there are none now. If it is a drive, connect it"
                " again. If they were moved, enter their new folder; it must hold the very same photos.",
                folder=markdown.escape(recipe.dataset),
            )
        )
        folder = st.text_input(tr("New folder of the photos"), key="moved-to")
        if st.button(tr("Use this folder"), icon=":material/drive_file_move:") and folder.strip():
            with reporting():
                move_photos(run, folder, services.settings())
            st.rerun()


def ask_to_rename(run: Run, otherwise: str) -> None:
    """A small button that asks name of the run; without a name it is called `otherwise`."""
    if st.button(tr("Rename"), icon=":material/edit:", type="tertiary", key="rename"):
        st.dialog(tr("Rename this run"))(_rename)(run, otherwise)


def _rename(run: Run, otherwise: str) -> None:
    label = run.read_label()
    with st.form("new-name", border=False):
        name = st.text_input(tr("Name"), label.name, max_chars=LONGEST_NAME, placeholder=otherwise)
        if st.form_submit_button(tr("Save name"), type="primary", icon=":material/check:"):
            with reporting():
                run_descriptions.rename(run, name)
            st.rerun()


def cancel_button(run: Run, key: str, kind: Literal["secondary", "tertiary"]) -> None:
    """Take a run out of the queue; one that has never begun only after a second question, since it is deleted."""
    stays, goes = tr("The run stays as it was."), tr("It has not started yet, so it is deleted.")
    words = sentences(tr("Remove it from the queue."), stays if has_begun(run) else goes)
    if st.button(tr("Cancel"), icon=":material/close:", key=key, type=kind, help=words):
        if has_begun(run) or runs.queue().is_check(run):
            ask(runs.queue().cancel, run)
        else:
            state.remember("cancelling", run.id)
        st.rerun()


def ask_about_cancelling() -> None:
    """Ask the second question where `cancel_button` was pressed; not to be called from what is drawn every second."""
    chosen = state.take("cancelling")
    if chosen:
        with reporting():
            run = runs.store().get(chosen)
        dialog = st.dialog(tr("Remove this run from the queue?"))
        dialog(_cancel)(run, run_descriptions.name_or_id(run))


def _cancel(run: Run, name: str) -> None:
    st.markdown(
        tr("**{run}** has not started yet. It is deleted together with its settings.", run=markdown.escape(name))
    )
    with st.container(horizontal=True):
        if st.button(tr("Remove from the queue"), type="primary", icon=":material/close:"):
            with reporting():
                runs.queue().cancel(run)
            if state.run_id() == run.id:
                state.close_run()
            st.rerun()
        if st.button(tr("Keep in the queue")):
            st.rerun()
