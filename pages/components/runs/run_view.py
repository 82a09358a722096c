"""One run on the screen, rebuilt from its folder at every look: while it trains, and when it has ended."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import streamlit as st

from core import formatting
from core.errors import UnfreezeError
from core.evaluation.metrics import accuracy_interval
from core.language import sentences, tr, tr_mark, tr_plural
from core.models.backbones import backbone
from core.recipe.phases import FINE_TUNE, phase_of_epoch
from core.recipe.plan import phases_of
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.recipe.start_point import read_start_point
from core.recipe.wording import what_it_adapts_to
from core.runs.messages import text_of
from core.runs.store import ACTIVE, CRASHED, FAILED, LIVE, QUEUED, Run, Status
from pages.components.cached import runs
from pages.components.export.report_view import offer
from pages.components.network.picture import frozen_blocks, learns_from, row, still
from pages.components.runs import run_figures
from pages.components.runs.changing_photos import show_changing_photos
from pages.components.runs.code_view import show_code
from pages.components.runs.diagnosis_view import comparison, show_diagnosis
from pages.components.runs.queue_view import show_place
from pages.components.runs.run_controls import (
    ask_about_cancelling,
    ask_for_photos,
    ask_to_rename,
    badge,
    pause_and_stop,
    show_next_steps,
)
from pages.components.runs.run_figures import Marks
from pages.components.runs.run_text import (
    bar,
    describe_ending,
    describe_kept_model,
    describe_loss,
    describe_seen,
    describe_start,
    large_figures,
    reached,
    setting_text,
    training_figures,
)
from pages.components.runs.transfer_view import show_export
from pages.components.shared import drawings, elements, glossary, markdown, run_descriptions
from pages.components.shared.report_errors import reporting, telling
from pages.components.shared.run_descriptions import LoadedRun

LOOK_EVERY_SECONDS = 1.0

ONE_STOP = "<style>[data-testid=stStatusWidget]{display:none}</style>"
"""Hides Streamlit's own "Stop", which ends the drawing of a page: beside a run it would be taken for the run's."""

CURVES = {
    run_figures.LOSS: (tr_mark("Loss"), tr_mark("Loss over epochs")),
    run_figures.RATE: (tr_mark("Learning rate, logarithmic"), tr_mark("Learning rate, logarithmic, over epochs")),
    run_figures.SPEED: (tr_mark("Images per second"), tr_mark("Images per second over epochs")),
}
"""The curves that are folded away at first, with their titles and what they are to those who cannot see them."""


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
        st.html(ONE_STOP)
        st.fragment(_watch, run_every=LOOK_EVERY_SECONDS)(run)
    else:
        _outcome(run, recipe, status)
        _details(run, recipe, status)
        show_code(run, status)


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
        tr("This model started from **random weights**, not from pretrained ones: expect much worse results."),
        icon=":material/casino:",
    )


def _watch(run: Run) -> None:
    if not run.folder.is_dir():  # it was deleted meanwhile
        st.rerun()
    with reporting():
        status = run.read_status()
        recipe = read_recipe(run)  # a time budget settles it while the run goes on
    if status.state not in LIVE:
        st.rerun()
    rows = run.read_metrics()
    if status.state == QUEUED:
        show_place(run)
    else:
        _progress(run, status)
    if status.state != QUEUED or rows:
        _so_far(run, recipe, status, rows)
    if status.state != QUEUED:
        st.caption(tr("You can close this page: training continues, and this address leads back to it."))
    _tensorboard(run)


def _progress(run: Run, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        badge(status.state)
        ellipsis = "…" if status.progress is None else ""
        st.markdown(f"**{markdown.escape(text_of(status.message))}**{ellipsis}", width="stretch")
        pause_and_stop(run, status)
    st.progress(bar(status, time.time()))


def _so_far(run: Run, recipe: Recipe, status: Status, rows: Sequence[dict[str, Any]]) -> None:
    """What a run has reached."""
    st.html(large_figures(reached(status)))
    _linear_probe(status)
    _course(run, recipe, status, rows)


def _course(run: Run, recipe: Recipe, status: Status, rows: Sequence[dict[str, Any]]) -> None:
    """How a run went so far: what learns, its curve, and photos whose answers change."""
    _what_learns(run, recipe, status)
    _where_it_starts(run, status)
    if recipe.unlabelled:
        st.caption(
            ":material/label: "
            + tr(
                "It also learns from {photos}, each as much as the label that has spread to it is certain. Only photos"
                " that you have labelled judge it.",
                photos=formatting.photos(runs.unlabelled_photos(run.id), "unlabelled"),
            )
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _accuracy(run, recipe, status, rows)
    with right:
        show_changing_photos(run, recipe, rows)
    _more_curves(status, rows)


def _where_it_starts(run: Run, status: Status) -> None:
    """The earlier run that it starts from, if any, and the photos that this one has learned from already."""
    with telling():
        start = read_start_point(run)
        if start is not None:
            st.caption(f":material/route: {describe_start(start)}")
            if words := describe_seen(start, status):
                st.warning(words, icon=":material/visibility:")


def _what_learns(run: Run, recipe: Recipe, status: Status) -> None:
    """The network, small, with the border where it is in the epoch that is going or was the last."""
    chosen = backbone(recipe.backbone)
    phase = phase_of_epoch(phases_of(recipe, chosen), status.epoch)
    frozen = frozen_blocks(chosen, phase.unfreeze_point)
    words = learns_from(chosen, frozen, phase.unfreeze_layer)
    st.html(still(chosen, row(chosen, frozen, small=True), words))
    with suppress(UnfreezeError):  # the list of its photos is damaged, which the page says elsewhere
        st.caption(what_it_adapts_to(recipe, runs.training_photos(run.id), len(run.class_names())))


def _linear_probe(status: Status) -> None:
    """The accuracy of a linear probe, known after a few seconds; in small print once an epoch says more."""
    if status.first_accuracy is None:
        return
    if status.best_val_accuracy is not None:
        after, share = formatting.duration(status.first_seconds), drawings.percent(status.first_accuracy)
        words = tr("Linear probe, after {duration}: {accuracy}", duration=after, accuracy=share)
        st.caption(f":material/bolt: {words}", help=glossary.meaning(glossary.PROBE))
    else:
        st.markdown(
            ":material/bolt: "
            + tr(
                "**Linear probe: {accuracy}** of {count} validation photos are classified correctly by a linear"
                " classifier on the pretrained features, fitted to {training} photos.",
                accuracy=drawings.percent(status.first_accuracy),
                count=status.first_validation or 0,
                training=status.first_training or 0,
            ),
            help=glossary.meaning(glossary.PROBE),
        )


def _outcome(run: Run, recipe: Recipe, status: Status) -> None:
    rows = run.read_metrics()
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(status.state)
        st.markdown(describe_ending(status), width="stretch")
        show_next_steps(run, status)
    if status.state == FAILED:
        st.warning(markdown.escape(status.error), icon=":material/error:")
    if status.state == CRASHED:
        crash = tr(
            "The training process ended unexpectedly: the computer may have been switched off, or memory may have run"
            " out. Everything measured until then is shown below."
        )
        st.warning(sentences(crash, describe_loss(run)), icon=":material/power_off:")
    ask_for_photos(run, recipe)
    if status.test_accuracy is None:
        if rows:
            _so_far(run, recipe, status, rows)
        return
    _grade(run, recipe, status)
    show_diagnosis(run, recipe, status)
    _course(run, recipe, status, rows)


def _next_pages() -> None:
    """Where a trained model leads on to."""
    with st.container(horizontal=True, gap="small"):
        if st.button(tr("Try a photo"), type="primary", icon=":material/image_search:", key="try-a-photo"):
            st.switch_page("pages/use/predict.py")
        if st.button(tr("See its mistakes"), icon=":material/troubleshoot:", key="see-mistakes"):
            st.switch_page("pages/use/evaluate.py")


def _grade(run: Run, recipe: Recipe, status: Status) -> None:
    correct, count = status.test_correct or 0, status.test_count or 1
    low, high = accuracy_interval(correct, count)
    accuracy = drawings.percent(status.test_accuracy or 0.0)
    grade, beside = st.columns([2, 3], gap="large")
    with grade:
        st.html(large_figures([(accuracy, tr("accuracy on the test photos"), "test-accuracy")]))
        _next_pages()
    with beside:
        words = tr(
            "**{correct} of {count}** photos that it had never seen were classified correctly. With other test photos"
            " from the same source, expect between {low} and {high}.",
            correct=correct,
            count=count,
            low=formatting.whole(low),
            high=formatting.whole(high),
        )
        st.markdown(formatting.unbroken(words))
        st.caption(formatting.unbroken(sentences(describe_kept_model(recipe, status), comparison(run, status))))


def _accuracy(run: Run, recipe: Recipe, status: Status, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        if status.state in ACTIVE:
            st.caption(tr("The curve starts with the first batch."))
        return
    counts = runs.validation_classes(run.id, status.left_out)
    random = recipe.weights == "random"
    st.markdown(tr("**Accuracy – from random weights**") if random else tr("**Accuracy**"))
    guess = max(counts) / sum(counts) if counts else None
    marks = Marks(_fine_tuning_from(rows), guess)
    _curve(rows, run_figures.ACCURACY, marks, tr("Accuracy over epochs, training and validation; dotted: guessing"))
    caching = markdown.escape(text_of(status.caching))
    words = sentences(
        tr("Training: on augmented photos while it learns, smoothed. Validation: on photos it does not train on."),
        "" if guess is None else tr("Guessing would be right for {share} of them.", share=formatting.whole(guess)),
    )
    st.caption(f"{words}  \n:material/bolt: {caching}" if caching else words)


def _fine_tuning_from(rows: Sequence[dict[str, Any]]) -> float | None:
    return next((row["epoch"] - 1 for row in rows if row["phase"] == FINE_TUNE), None)


def _curve(rows: Sequence[dict[str, Any]], measure: str, marks: Marks, alt: str) -> None:
    st.vega_lite_chart(
        run_figures.curve_data(rows, measure, marks), run_figures.curve_chart(measure), key=f"curve-{measure}", alt=alt
    )


def _more_curves(status: Status, rows: Sequence[dict[str, Any]]) -> None:
    """Loss, learning rate and speed, drawn once they are unfolded."""
    if not rows:
        return
    opened = st.expander(
        tr("Loss, learning rate and speed"), icon=":material/show_chart:", key="curves", on_change="rerun"
    )
    if not opened.open:
        return
    with opened:
        elements.facts(training_figures(status, rows))
        marks = Marks(_fine_tuning_from(rows))
        for measure, (name, described) in CURVES.items():
            st.markdown(f"**{tr(name)}**", help=glossary.meaning(name.partition(",")[0]))
            _curve(rows, measure, marks, tr(described))


def _details(run: Run, recipe: Recipe, status: Status) -> None:
    if status.left_out and run.left_out_file.exists():
        title = tr_plural(
            "{count} photo could not be read while training",
            "{count} photos could not be read while training",
            status.left_out,
        )
        with st.expander(title, icon=":material/rule:"), telling():
            st.dataframe([asdict(photo) for photo in run.left_out()], hide_index=True)
    with st.expander(tr("Report to read, print and hand in"), icon=":material/summarize:"):
        offer(LoadedRun(run, status, recipe))
    with st.expander(tr("All settings of this run"), icon=":material/receipt_long:"):
        rows = [
            {tr("setting"): name.replace("_", " "), tr("value"): setting_text(value)}
            for name, value in vars(recipe).items()
        ]
        st.dataframe(rows, hide_index=True)
    if run.environment_file.exists():
        with st.expander(tr("Versions and hardware"), icon=":material/memory:"), telling():
            facts = run.environment().items()
            rows = [{tr("what"): name, tr("value"): setting_text(value)} for name, value in facts]
            st.dataframe(rows, hide_index=True)
    _tensorboard(run)
    with st.expander(tr("Move this run to another computer"), icon=":material/drive_file_move:"):
        show_export(run)
    if status.state in (FAILED, CRASHED) and run.log_tail():
        with st.expander(tr("End of the trainer's log"), icon=":material/terminal:"):
            st.code(run.log_tail(), language=None)


def _tensorboard(run: Run) -> None:
    if run.tensorboard_folder.is_dir():
        with st.expander(tr("Logs for TensorBoard"), icon=":material/show_chart:"):
            st.markdown(tr("Enter this in a terminal in the folder of Unfreeze, then open the address that it names."))
            st.code(f'uv run --extra tensorboard tensorboard --logdir "{run.tensorboard_folder}"', language="bash")
