"""The thorough label check: offered with its minutes, watched, stopped, and shown beside the quick one."""

import streamlit as st

from core import formatting
from core.data.dataset import Dataset
from core.labels.dataset_check import DatasetCheck, check_with
from core.language import sentences, tr, tr_mark
from core.models.backbones import Backbone
from core.runs.messages import text_of
from core.runs.store import CRASHED, FAILED, FINISHED, LIVE, PAUSED, QUEUED, STOPPED, Run, Status
from core.training.dataset_features.features import Features
from core.training.thorough_check import checks
from core.training.thorough_check.checks import Request
from pages.components.cached import datasets, runs, services
from pages.components.labels.features import status_while
from pages.components.shared import markdown
from pages.components.shared.report_errors import ask, reporting, telling

LOOK_EVERY_SECONDS = 0.7
QUICK, THOROUGH = "quick", "thorough"
TITLES = {QUICK: tr_mark("Quick check"), THOROUGH: tr_mark("Thorough check")}
SHOWN = "label-check-result"

WAITS = {
    0: tr_mark("Thorough check: next in the queue"),
    1: tr_mark("Thorough check: second in the queue"),
    2: tr_mark("Thorough check: third in the queue"),
    3: tr_mark("Thorough check: fourth in the queue"),
}
"""A place in the queue by the number of runs before it; further back it is a number."""

ENDINGS = {
    STOPPED: tr_mark("You stopped the thorough check."),
    PAUSED: tr_mark("The thorough check was paused."),
    CRASHED: tr_mark(
        "The thorough check ended unexpectedly: the computer may have been switched off, or memory may have run out."
    ),
}


def choose_result(
    dataset: Dataset, features: Features, chosen: Backbone, quick: DatasetCheck
) -> tuple[str, DatasetCheck]:
    """Which check is on show, with its result: where there is a thorough one, a person chooses between the two."""
    found = None
    with telling():
        found = _result(dataset, features, chosen)
    if found is None:
        return QUICK, quick
    results = {QUICK: quick, THOROUGH: found}
    shown = st.segmented_control(
        tr("Result of"),
        list(results),
        default=THOROUGH,
        required=True,
        format_func=lambda name: tr(TITLES[name]),
        key=SHOWN,
        persist_state="session",
        label_visibility="collapsed",
    )
    return shown, results[shown]


def offer(dataset: Dataset, chosen: Backbone) -> None:
    """The button that starts a thorough check; while it waits or is going, how far it is."""
    run = checks.latest(checks.checks_of(runs.queue()), dataset.scan.folder.root, chosen.key)
    with reporting():
        status = run.read_status() if run is not None else None
    with st.container(border=True, key="thorough-check"):
        if run is not None and status is not None and status.state in LIVE:
            st.fragment(_watch, run_every=LOOK_EVERY_SECONDS)(run)
        else:
            _start(dataset, chosen, run, status)


def _result(dataset: Dataset, features: Features, chosen: Backbone) -> DatasetCheck | None:
    run = checks.kept(checks.checks_of(runs.queue()), dataset.scan.folder.root, chosen.key)
    if run is None:
        return None
    found = datasets.label_checks().get((dataset.scan.token, run.id))
    if found is None:
        found = check_with(checks.read_scores(run), dataset, features.values, features.row_of)
        datasets.keep_label_check(dataset.scan.token, run.id, found)
    return found


def _start(dataset: Dataset, chosen: Backbone, run: Run | None, status: Status | None) -> None:
    ended = status.state if status is not None else ""
    if status is not None and ended == FAILED:
        st.warning(markdown.escape(status.error), icon=":material/error:")
    elif ended in ENDINGS:
        st.info(sentences(tr(ENDINGS[ended]), tr("It can go on from where it was.")), icon=":material/info:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if ended != FINISHED:
            st.markdown(
                tr(
                    "**A thorough check** fine-tunes the network five times, each time without a fifth of the photos,"
                    " and asks each of the five about the photos that it has not seen. It usually finds more."
                ),
                width="stretch",
            )
        if (
            run is not None
            and ended not in ("", FINISHED)
            and st.button(tr("Continue"), key="continue-thorough", icon=":material/play_arrow:")
        ):
            with reporting():
                checks.go_on(runs.queue(), run)
            st.rerun()
        minutes = _minutes(dataset, chosen)
        if ended == "":
            words = tr("Look more closely · about {minutes}", minutes=minutes)
        elif ended == FINISHED:
            words = tr("Look more closely again · about {minutes}", minutes=minutes)
        else:
            words = tr("Start over · about {minutes}", minutes=minutes)
        if st.button(words, icon=":material/manage_search:", key="start-thorough"):
            with reporting():
                checks.begin(runs.queue(), Request.of(dataset, chosen.key))
            st.rerun()


def _minutes(dataset: Dataset, chosen: Backbone) -> str:
    throughput = services.known_throughput(chosen).throughput
    return formatting.minutes(checks.seconds(chosen, len(dataset.folder) - len(dataset.withheld), throughput))


def _watch(run: Run) -> None:
    status = status_while(run, LIVE)
    stopping = run.stop_requested()
    with st.container(horizontal=True, vertical_alignment="center"):
        if status.state == QUEUED:
            order, _ = runs.queue().queued_and_active()
            place = order.index(run) if run in order else 0
            waits = tr(WAITS[place]) if place in WAITS else tr("Thorough check: {count} runs ahead of it", count=place)
            st.markdown(f":material/schedule: **{waits}**", width="stretch")
        else:
            stage = markdown.escape(text_of(status.message))
            said = tr("Thorough check: {stage}…", stage=stage)
            if status.seconds_left:
                left = formatting.duration(status.seconds_left)
                said = tr("Thorough check: {stage}… · about {duration} left", stage=stage, duration=left)
            st.progress(min(1.0, status.progress or 0.0), said)
        st.button(
            tr("Stopping…") if stopping else tr("Stop"),
            icon=":material/stop:",
            key="stop-thorough",
            disabled=stopping,
            on_click=ask,
            args=(checks.stop, runs.queue(), run),
        )
    st.caption(tr("You can close this page; the check goes on, and the result will be here."))
