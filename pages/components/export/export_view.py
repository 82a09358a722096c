"""The formats that a model can be exported in: a card each, with its purpose and the result of its verification."""

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from core.errors import UnfreezeError
from core.export import jobs
from core.export.formats import FORMATS, ExportFormat
from core.export.jobs import FAILED, MAKING, NOT_MADE, PROVEN, STALE, UNDER_WAY, WAITING, Export
from core.export.parity import ParityReport, as_text, share
from core.language import number, tr, tr_mark
from core.runs.messages import text_of
from core.runs.store import Run
from pages.components.shared import elements, markdown, state
from pages.components.shared.report_errors import ask, reporting

LOOK_EVERY_SECONDS = 1.0
CARDS_IN_A_ROW = 2
Colour = Literal["red", "violet", "blue", "green", "gray"]
TROUBLE = "export-trouble"

BADGES: Mapping[str, tuple[str, str, Colour]] = {
    NOT_MADE: (tr_mark("Not made yet"), ":material/radio_button_unchecked:", "gray"),
    WAITING: (tr_mark("Queued"), ":material/hourglass_empty:", "blue"),
    MAKING: (tr_mark("Being made"), ":material/autorenew:", "blue"),
    PROVEN: (tr_mark("Verified"), ":material/verified:", "green"),
    FAILED: (tr_mark("Failed"), ":material/block:", "red"),
    STALE: (tr_mark("Out of date"), ":material/update:", "violet"),
}
NEEDS_MORE: tuple[str, str, Colour] = (tr_mark("Needs extra packages"), ":material/extension:", "gray")


def show_exports(run: Run) -> None:
    """A card for each format, which keep themselves up to date while one is being made."""
    going = _under_way(jobs.read_exports(run))
    st.fragment(_cards, run_every=LOOK_EVERY_SECONDS if going else None)(run, going)
    st.caption(
        tr(
            "Each format comes as one ZIP file: the model, a short program `predict.py` that uses it, sample photos,"
            " and a **certificate**. Before you can download it, a separate process that has nothing but this file"
            " classifies photos, and its predictions are compared with those of the model here."
        )
    )


def _under_way(found: dict[str, Export]) -> bool:
    return any(each.state in UNDER_WAY for each in found.values())


def _cards(run: Run, going: bool) -> None:
    if not run.folder.is_dir():  # it was deleted meanwhile
        st.rerun()
    with reporting():
        found = jobs.read_exports(run)
    if going and not _under_way(found):
        st.rerun()
    if trouble := state.take(TROUBLE):
        st.warning(markdown.escape(trouble), icon=":material/info:")
    _make_all(run, found)
    for first in range(0, len(FORMATS), CARDS_IN_A_ROW):
        row = FORMATS[first : first + CARDS_IN_A_ROW]
        for chosen, column in zip(row, st.columns(CARDS_IN_A_ROW, gap="medium"), strict=False):
            with column.container(border=True, height="stretch", key=f"export-{chosen.key}"):
                _card(run, chosen, found[chosen.key])


def _make_all(run: Run, found: dict[str, Export]) -> None:
    rest = [chosen for chosen in FORMATS if found[chosen.key].state in (NOT_MADE, STALE) and not chosen.missing]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(tr("Make all"), icon=":material/inventory_2:", disabled=not rest, key="export-all"):
            _ask(run, rest)
        if _under_way(found):
            st.caption(tr("You can close this page; the export continues."), width="stretch")
        else:
            st.caption(tr("Each takes about a minute on a small computer."), width="stretch")


def _ask(run: Run, formats: list[ExportFormat]) -> None:
    try:
        jobs.request(run, formats)
    except UnfreezeError as error:
        state.remember(TROUBLE, error)
    st.rerun()


def _card(run: Run, chosen: ExportFormat, found: Export) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{chosen.name}**", width="stretch")
        words, icon, colour = NEEDS_MORE if chosen.missing and found.state == NOT_MADE else BADGES[found.state]
        st.badge(tr(words), icon=icon, color=colour)
    st.markdown(chosen.purpose)
    if found.state in UNDER_WAY:
        _progress(run, chosen, found)
        return
    if found.state == FAILED:
        st.markdown(f":red[:material/error:] {markdown.escape(found.error)}")
    elif found.state == STALE:
        st.caption(tr("The run's model has changed since. Make this export again."))
    elif found.parity:
        _figures(found.parity)
    if chosen.missing and found.state != PROVEN:
        missing = ", ".join(chosen.missing)
        st.caption(tr("Not installed: {packages}. To install them, start Unfreeze with:", packages=missing))
        st.code(chosen.install, language="bash")
        return
    _buttons(run, chosen, found)


def _progress(run: Run, chosen: ExportFormat, found: Export) -> None:
    if found.state == MAKING:
        stage = markdown.escape(text_of(found.stage))
        if found.total:
            words = tr("{stage}: {done} of {total} photos", stage=stage, done=found.done, total=found.total)
        else:
            words = tr("{stage}…", stage=stage)
        st.progress(found.done / found.total if found.total else 0.0, words)
    if st.button(
        tr("Cancel"),
        icon=":material/close:",
        key=f"cancel-{chosen.key}",
        help=tr("Cancel the export to {format}", format=chosen.name),
    ):
        ask(jobs.cancel, run, chosen)
        st.rerun(scope="fragment")


def _figures(found: ParityReport) -> None:
    pairs = [
        (
            tr("Same prediction"),
            tr("{share} of {photos} photos", share=share(found.equal_top1), photos=str(found.photos)),
        ),
        (tr("Size"), tr("{number} MB", number=number(found.bytes / 1e6, 1))),
        (tr("Time per photo"), tr("{number} ms", number=number(found.milliseconds))),
    ]
    if found.accuracy is not None and found.run_accuracy is not None and found.accuracy != found.run_accuracy:
        original = share(found.run_accuracy)
        accuracy = tr("{accuracy} (original: {original})", accuracy=share(found.accuracy), original=original)
        pairs.insert(1, (tr("Accuracy"), accuracy))
    elements.facts(pairs)
    for warning in found.warnings:
        st.markdown(f":material/warning: {markdown.escape(warning)}")


def _buttons(run: Run, chosen: ExportFormat, found: Export) -> None:
    with st.container(horizontal=True):
        if found.state == PROVEN:
            st.download_button(
                tr("Download"),
                lambda: jobs.zip_file(run, chosen).read_bytes(),
                f"{run.id}-{chosen.key}.zip",
                "application/zip",
                icon=":material/download:",
                type="primary",
                on_click="ignore",
                key=f"download-{chosen.key}",
                help=tr("{format} and everything that belongs to it, as a ZIP file", format=chosen.name),
            )
        elif st.button(
            tr("Make") if found.state == NOT_MADE else tr("Make again"),
            icon=":material/build:",
            key=f"make-{chosen.key}",
            help=tr("Convert the model to {format} and verify it", format=chosen.name),
        ):
            _ask(run, [chosen])
        if found.parity and found.state != STALE:
            of_what = tr("The certificate of {format}", format=chosen.name)
            with st.popover(tr("Details"), icon=":material/description:", help=of_what):
                st.code(as_text(found.parity), language=None, wrap_lines=True)
