"""One run on the screen, rebuilt from its folder at every look: while it goes, and when it has ended."""

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from core.results.evaluation import accuracy_interval
from core.runs.store import ACTIVE, CRASHED, FAILED, QUEUED, STOPPED, Run, Status
from core.training.augmentations import Choice
from core.training.recipe import Recipe
from core.training.recorder import FINE_TUNE
from pages.components import cached, drawings, figures, inputs, state
from pages.components.report_errors import reporting

LOOK_EVERY_SECONDS = 1.0

LIVE = (*ACTIVE, QUEUED)
"""States that change by themselves."""

STATE_BADGES = {
    "queued": ("Waiting", "blue", ":material/schedule:"),
    "starting": ("Starting", "blue", ":material/hourglass_top:"),
    "running": ("Training", "orange", ":material/local_fire_department:"),
    "paused": ("Paused", "violet", ":material/pause_circle:"),
    "finished": ("Finished", "green", ":material/check_circle:"),
    "stopped": ("Stopped", "gray", ":material/stop_circle:"),
    "failed": ("Failed", "red", ":material/error:"),
    "crashed": ("Crashed", "red", ":material/power_off:"),
}


def show_run(run: Run) -> None:
    """The run's name, then what is going on or what came out."""
    with reporting():
        recipe = inputs.recipe_of(run)
        status = run.read_status()
    st.title(inputs.plain(inputs.describe(recipe)), anchor=False)
    if recipe.weights == "random":
        random_weights_warning()
    if status.state in LIVE:
        st.fragment(_watch, run_every=LOOK_EVERY_SECONDS)(run, recipe)
    else:
        _outcome(status)
        _curves(run.read_metrics(), recipe, status)
        _details(run, recipe, status)


def random_weights_warning() -> None:
    """Said wherever a model that started from random weights shows."""
    st.warning(
        "This model started from **random weights**, not from pretrained ones: expect much worse results.",
        icon=":material/casino:",
    )


def _watch(run: Run, recipe: Recipe) -> None:
    with reporting():
        status = run.read_status()
    if status.state not in LIVE:
        st.rerun()
    if status.state == QUEUED:
        return _wait(run)
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        badge(status.state)
        st.markdown(f"**{status.message}**" + ("…" if status.progress is None else ""), width="stretch")
        _stop_button(run, status)
    st.progress(min(1.0, status.progress or 0.0))
    _first_look(status)
    rows = run.read_metrics()
    inputs.facts(_figures(status, rows))
    _curves(rows, recipe, status)
    st.caption("You can close this page: training goes on, and this address leads back to it.")


def _wait(run: Run) -> None:
    """The place of a run in the queue, until its turn comes."""
    order = [other.id for other in cached.queue().waiting()]
    before = order.index(run.id) if run.id in order else 0
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        badge(QUEUED)
        st.markdown("**It is the next one**" if not before else f"**{before + 1}th in the queue**", width="stretch")
    st.caption("You can close this page: it begins by itself, and this address leads back to it.")


def _first_look(status: Status) -> None:
    """What a first head could do after a few seconds, until an epoch says more."""
    if status.first_accuracy is not None and status.best_val_accuracy is None:
        st.markdown(
            f":material/bolt: **First look: {drawings.percent(status.first_accuracy)}** of"
            f" {status.first_validation:,} validation photos are named correctly, by a quick first head that has"
            f" learned from {status.first_training:,} photos."
        )


def _stop_button(run: Run, status: Status) -> None:
    if status.phase == "finishing":
        return
    asked = run.stop_requested()
    words = "Stopping…" if asked else "Stop"
    st.button(words, icon=":material/stop:", key="stop", disabled=asked, on_click=run.request_stop)


def _figures(status: Status, rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    best = status.best_val_accuracy
    return [
        ("Epoch", f"{status.epoch} of {status.epochs}" if status.epochs else "–"),
        ("Best validation accuracy", drawings.percent(best) if best is not None else "–"),
        ("Elapsed", inputs.duration(status.seconds(time.time()))),
        ("Remaining, about", inputs.duration(status.seconds_left)),
        ("Images per second", f"{status.images_per_second:.0f}" if status.images_per_second else "–"),
        ("Learning rate", _positional(rows[-1]["learning_rate"]) if rows else "–"),
    ]


def _positional(number: float) -> str:
    return np.format_float_positional(number, precision=2, fractional=False, trim="-")


def badge(name: str) -> None:
    """The state of a run in a word, a colour and an icon."""
    words, colour, icon = STATE_BADGES[name]
    st.badge(words, color=colour, icon=icon)  # type: ignore[arg-type]


def _outcome(status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(status.state)
        words = f"{status.message}, " if status.state == STOPPED else ""
        st.markdown(f"{words}after {inputs.duration(status.seconds(time.time()))}", width="stretch")
        st.button("New run", icon=":material/add:", on_click=state.close_run)
    if status.state == FAILED:
        st.warning(status.error, icon=":material/error:")
    if status.state == CRASHED:
        st.warning(
            "The trainer ended without a word: the computer may have been switched off, or memory may have run out."
            " What it had measured until then is below.",
            icon=":material/power_off:",
        )
    if status.test_accuracy is not None:
        _grade(status)
        st.page_link("pages/use/predict.py", label="**Try it on your own photos**", icon=":material/image_search:")


def _grade(status: Status) -> None:
    correct, count = status.test_correct or 0, status.test_count or 1
    low, high = accuracy_interval(correct, count)
    grade, words = st.columns([1, 2], vertical_alignment="center", gap="large")
    grade.html(
        '<div style="line-height:1.1"><span style="font-size:3.2rem;font-weight:700" data-testid="test-accuracy">'
        f"{drawings.percent(status.test_accuracy or 0.0)}</span><br>"
        '<span style="opacity:.75">accuracy on the test photos</span></div>'
    )
    words.markdown(
        f"**{correct:,} of {count:,}** photos that it had never seen were named correctly. With other test photos from"
        f" the same source, expect between {low:.0%} and {high:.0%}.  \n{_which_model(status)}"
    )


def _which_model(status: Status) -> str:
    if status.best_epoch is None or status.best_val_accuracy is None:
        return "It was stopped before its first validation, so the model is what it was at that moment."
    return (
        f"The model kept is that of epoch {status.best_epoch} of {status.epochs}, the one with the lowest validation"
        f" loss (validation accuracy {drawings.percent(status.best_val_accuracy)})."
    )


def _curves(rows: Sequence[dict[str, Any]], recipe: Recipe, status: Status) -> None:
    if not rows:
        if status.state in ACTIVE:
            st.caption("The curves begin with the first batch.")
        return
    begun = next((row["epoch"] - 1 for row in rows if row["phase"] == FINE_TUNE), None)
    epochs = max(status.epochs, recipe.head_epochs + recipe.fine_tune_epochs)
    left, right = st.columns(2, gap="medium")
    for column, measure in ((left, "accuracy"), (right, "loss")):
        title = measure.capitalize() + (" – from random weights" if recipe.weights == "random" else "")
        column.markdown(f"**{title}**")
        column.vega_lite_chart(
            figures.curve_data(rows, measure, begun),
            figures.curve_chart(measure, epochs),
            key=f"curve-{measure}",
            alt=f"{title} over epochs, training and validation",
        )
    words = "Training: the network on changed photos while it learns, smoothed. Validation: on photos kept apart."
    st.caption(f"{words}  \n:material/bolt: {status.way}" if status.way else words)


def _details(run: Run, recipe: Recipe, status: Status) -> None:
    if status.left_out and run.left_out_file.exists():
        with st.expander(f"{status.left_out} photos could not be read while training", icon=":material/rule:"):
            st.dataframe(json.loads(run.left_out_file.read_text("utf-8")), hide_index=True)
    with st.expander("Every choice of this run", icon=":material/receipt_long:"):
        rows = [{"choice": name.replace("_", " "), "value": _as_text(value)} for name, value in vars(recipe).items()]
        st.dataframe(rows, hide_index=True)
    if status.state in (FAILED, CRASHED) and run.log_tail():
        with st.expander("The trainer's last words", icon=":material/terminal:"):
            st.code(run.log_tail(), language=None)


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(choice)}" for name, choice in value.items()) or "none"
    if isinstance(value, Choice):
        return f"{value.strength:g} (probability {value.probability:g})"
    return f"{value:g}" if isinstance(value, float) else str(value)
