"""One run on the screen, rebuilt from its folder at every look: while it trains, and when it has ended."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from core import formatting
from core.evaluation.metrics import accuracy_interval
from core.recipe.phases import FINE_TUNE
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.runs.messages import text_of
from core.runs.store import ACTIVE, CRASHED, FAILED, LIVE, QUEUED, Run, Status
from pages.components.export.report_view import offer
from pages.components.runs.code_view import show_code
from pages.components.runs.queue_view import show_place
from pages.components.runs.run_controls import (
    ask_about_cancelling,
    ask_for_photos,
    ask_to_rename,
    badge,
    pause_and_stop,
    show_next_steps,
)
from pages.components.runs.run_text import (
    describe_ending,
    describe_kept_model,
    describe_loss,
    setting_text,
    training_figures,
)
from pages.components.runs.transfer_view import show_export
from pages.components.shared import drawings, elements, figures, markdown, run_descriptions
from pages.components.shared.report_errors import reporting, telling
from pages.components.shared.run_descriptions import LoadedRun

LOOK_EVERY_SECONDS = 1.0


def show_run(run: Run) -> None:
    """The run's name, then its progress or its results."""
    with reporting():
        recipe = read_recipe(run)
        status = run.read_status()
    ask_about_cancelling()
    _title(run, recipe)
    if recipe.weights == "random":
        random_weights_warning()
    if status.state in LIVE:
        st.fragment(_watch, run_every=LOOK_EVERY_SECONDS)(run, recipe)
    else:
        _outcome(run, status)
        ask_for_photos(run, recipe)
        _curves(run.read_metrics(), recipe, status)
        _details(run, recipe, status)
        show_code(run)


def _title(run: Run, recipe: Recipe) -> None:
    name, otherwise = run_descriptions.name_of(run, recipe), run_descriptions.describe(recipe)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(markdown.escape(name), anchor=False, width="content")
        ask_to_rename(run, otherwise)
    if otherwise not in name:
        st.markdown(markdown.escape(otherwise))


def random_weights_warning() -> None:
    """Said wherever a model that started from random weights shows."""
    st.warning(
        "This model started from **random weights**, not from pretrained ones: expect much worse results.",
        icon=":material/casino:",
    )


def _watch(run: Run, recipe: Recipe) -> None:
    if not run.folder.is_dir():  # it was deleted meanwhile
        st.rerun()
    with reporting():
        status = run.read_status()
    if status.state not in LIVE:
        st.rerun()
    rows = run.read_metrics()
    if status.state == QUEUED:
        show_place(run)
    else:
        _progress(run, status, rows)
    _curves(rows, recipe, status)
    if status.state != QUEUED:
        st.caption("You can close this page: training continues, and this address leads back to it.")
    _tensorboard(run)


def _progress(run: Run, status: Status, rows: Sequence[dict[str, Any]]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        badge(status.state)
        ellipsis = "…" if status.progress is None else ""
        st.markdown(f"**{markdown.escape(text_of(status.message))}**{ellipsis}", width="stretch")
        pause_and_stop(run, status)
    st.progress(min(1.0, status.progress or 0.0))
    _linear_probe(status)
    elements.facts(training_figures(status, rows))


def _linear_probe(status: Status) -> None:
    """The accuracy of a linear probe, known after a few seconds; in small print once an epoch says more."""
    if status.first_accuracy is None:
        return
    if status.best_val_accuracy is not None:
        after, share = formatting.duration(status.first_seconds), drawings.percent(status.first_accuracy)
        st.caption(f":material/bolt: Linear probe, after {after}: {share}")
    else:
        st.markdown(
            f":material/bolt: **Linear probe: {drawings.percent(status.first_accuracy)}** of"
            f" {status.first_validation:,} validation photos are classified correctly by a linear classifier on the"
            f" pretrained features, fitted to {status.first_training:,} photos."
        )


def _outcome(run: Run, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(status.state)
        st.markdown(describe_ending(status), width="stretch")
        show_next_steps(run, status)
    if status.state == FAILED:
        st.warning(markdown.escape(status.error), icon=":material/error:")
    if status.state == CRASHED:
        st.warning(
            "The training process ended unexpectedly: the computer may have been switched off, or memory may have run"
            f" out. Everything measured until then is shown below. {describe_loss(run)}",
            icon=":material/power_off:",
        )
    if status.test_accuracy is not None:
        _grade(status)
        st.page_link("pages/use/evaluate.py", label="**What it gets right and wrong**", icon=":material/troubleshoot:")
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
        f"**{correct:,} of {count:,}** photos that it had never seen were classified correctly. With other test photos"
        f" from the same source, expect between {low:.0%} and {high:.0%}.  \n{describe_kept_model(status)}"
    )


def _curves(rows: Sequence[dict[str, Any]], recipe: Recipe, status: Status) -> None:
    if not rows:
        if status.state in ACTIVE:
            st.caption("The curves start with the first batch.")
        return
    begun = next((row["epoch"] - 1 for row in rows if row["phase"] == FINE_TUNE), None)
    epochs = max(status.epochs, recipe.head_epochs + recipe.fine_tune_epochs + sum(recipe.more_epochs))
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
    st.markdown("**Learning rate**")
    st.vega_lite_chart(
        figures.curve_data(rows, "learning_rate", begun),
        figures.curve_chart("learning_rate", epochs),
        key="curve-learning-rate",
        alt="Learning rate in force over epochs, logarithmic",
    )
    words = (
        "Training: on augmented photos while the network learns, smoothed. Validation: on photos it does not train on."
    )
    caching = markdown.escape(text_of(status.caching))
    st.caption(f"{words}  \n:material/bolt: {caching}" if caching else words)


def _details(run: Run, recipe: Recipe, status: Status) -> None:
    if status.left_out and run.left_out_file.exists():
        title = f"{status.left_out} photos could not be read while training"
        with st.expander(title, icon=":material/rule:"), telling():
            st.dataframe([asdict(photo) for photo in run.left_out()], hide_index=True)
    with st.expander("Report to read, print and hand in", icon=":material/summarize:"):
        offer(LoadedRun(run, status, recipe))
    with st.expander("All settings of this run", icon=":material/receipt_long:"):
        rows = [
            {"setting": name.replace("_", " "), "value": setting_text(value)} for name, value in vars(recipe).items()
        ]
        st.dataframe(rows, hide_index=True)
    if run.environment_file.exists():
        with st.expander("Versions and hardware", icon=":material/memory:"), telling():
            facts = run.environment().items()
            st.dataframe([{"what": name, "value": setting_text(value)} for name, value in facts], hide_index=True)
    _tensorboard(run)
    with st.expander("Move this run to another computer", icon=":material/drive_file_move:"):
        show_export(run)
    if status.state in (FAILED, CRASHED) and run.log_tail():
        with st.expander("End of the trainer's log", icon=":material/terminal:"):
            st.code(run.log_tail(), language=None)


def _tensorboard(run: Run) -> None:
    if run.tensorboard_folder.is_dir():
        with st.expander("Logs for TensorBoard", icon=":material/show_chart:"):
            st.markdown("Enter this in a terminal in the folder of Unfreeze, then open the address that it names.")
            st.code(f'uv run --extra tensorboard tensorboard --logdir "{run.tensorboard_folder}"', language="bash")
