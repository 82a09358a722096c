"""Labelled photos from elsewhere: choosing them, how far their evaluation is, and what does not count."""

import io
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core import formatting
from core.data.class_names import similar_classes
from core.data.scan.layout_choices import LayoutChoice
from core.errors import UndecidedLayout
from core.inference.external_test import ExternalTest, Facts, kept_tests, remove_test, said_at
from core.inference.external_test_job import PREDICTING, SCANNING, UNPACKING, ExternalTestJob, Source
from core.language import tr, tr_mark, tr_plural
from pages.components.cached import models, runs
from pages.components.dataset import folder_choice, label_source, start
from pages.components.evaluate import sentences
from pages.components.evaluate.photos import EvaluatedSubset
from pages.components.evaluate.sentences import OTHER
from pages.components.shared import elements, markdown, state, upload_limits
from pages.components.shared.report_errors import ask, telling
from pages.components.shared.run_descriptions import LoadedRun

MOMENT = 0.8
"""Seconds that the page waits before it shows a progress bar."""

UPLOAD, UPLOAD_NUMBER = "elsewhere-upload", "elsewhere-number"
UNFOLDED = 3
"""So many classes that the model does not know are asked about at once."""

STAGES = {
    "": tr_mark("Waiting for the evaluation of other photos to end…"),
    UNPACKING: tr_mark("Unpacking"),
    SCANNING: tr_mark("Checking every photo"),
    PREDICTING: tr_mark("Predicting"),
}

WHAT_FOR = tr_mark(
    "How good is the model on **photos that are not from its dataset**, such as those that"
    " somebody else has taken? Choose a folder"
    " with a subfolder for each class, or with a table (CSV) that names each photo's class, or send a ZIP file of one."
    " Classes are matched by their names."
)

STAYS = tr_mark(
    "The photos of a folder stay where they are. Those of a ZIP file are kept with the run until you remove them."
)


def elsewhere(shown: LoadedRun) -> EvaluatedSubset | None:
    """Photos from elsewhere under the run's model; None while there are none, and the page shows what can be done."""
    job = models.external_tests().find(shown.run)
    if job is not None and not job.wait(MOMENT):
        _progress(job)
        return None
    if job is not None and job.error is not None:
        _trouble(shown, job)
        return None
    if job is not None:
        if job.test:
            state.remember(_key(shown), job.test)
        _forget(shown)
    kept = kept_tests(shown.run, shown.status.ended)
    if not kept or state.recall(_choosing(shown), False):
        _choose_photos(shown, bool(kept))
        return None
    return _evaluated(shown, kept)


def _key(shown: LoadedRun) -> str:
    return f"elsewhere-{shown.run.id}"


def _choosing(shown: LoadedRun) -> str:
    return f"elsewhere-choosing-{shown.run.id}"


def _evaluated(shown: LoadedRun, kept: dict[str, Facts]) -> EvaluatedSubset | None:
    labels = {each: _words(kept[each]) for each in kept}
    test = elements.choose(tr("Photos from elsewhere"), labels, _key(shown), labelled=False)
    found = runs.external_test(shown.run.id, test, kept[test].made, said_at(shown.run, test))
    if found.evaluation is not None:
        return EvaluatedSubset(shown, OTHER, found.evaluation, found)
    st.info(
        tr("None of these photos can be counted: the model does not know their classes, or has learned from them."),
        icon=":material/info:",
    )
    what_does_not_count(shown, found)
    return None


def what_does_not_count(shown: LoadedRun, found: ExternalTest) -> None:
    """Classes that the model does not know, photos that it has learned from, files that cannot be used; and buttons to
    evaluate others, or these again."""
    _say_which_classes(found)
    own = sentences.learned_from(found.of_run())
    if own:
        st.markdown(f":material/school: {own}")
    if found.facts.uncompared:
        st.caption(
            tr(
                ":material/info: Some photos of the run are not at hand any more, so some of these may be among the"
                " photos that it has learned from."
            )
        )
    _left_out(found)
    with st.container(horizontal=True, gap="small"):
        st.button(
            tr("Other photos…"),
            key="elsewhere-others",
            icon=":material/add:",
            on_click=state.remember,
            args=(_choosing(shown), True),
        )
        if not found.is_unpacked:
            again = (_begin_folder, shown, found.root)
            st.button(tr("Evaluate again"), key="elsewhere-again", icon=":material/refresh:", on_click=ask, args=again)
        gone = (remove_test, shown.run, found.id)
        st.button(
            tr("Remove this evaluation"),
            key="elsewhere-remove",
            icon=":material/delete:",
            type="tertiary",
            on_click=ask,
            args=gone,
        )


def _words(facts: Facts) -> str:
    return f"{facts.name} · {formatting.photos(facts.photos)} · {formatting.moment(facts.made, year=False)}"


def _say_which_classes(found: ExternalTest) -> None:
    names = [name for name in found.class_names if name in found.unknown or name in (found.meant or {})]
    for name in found.unknown:
        st.markdown(f":material/help: {sentences.unknown_class(name, found.unknown[name])}")
    if names:
        expanded = bool(found.unknown) and len(names) <= UNFOLDED
        with st.expander(tr("Say which class is meant"), icon=":material/rule:", expanded=expanded):
            for name in names:
                _say_which(found, name)


def _left_out(found: ExternalTest) -> None:
    number = len(found.left_out)
    if number:
        title = tr_plural("{count} file could not be used: reasons", "{count} files could not be used: reasons", number)
        with st.expander(title, icon=":material/block:"):
            elements.left_out_list(found.left_out)


def _say_which(found: ExternalTest, name: str) -> None:
    """Choose the class of the model that is meant by a name; those with similar names come first."""
    known = found.run.class_names()
    near = [known[label] for label in similar_classes(name, known)]
    options = ["", *dict.fromkeys([*near, *known])]
    meant = (found.meant or {}).get(name, "")
    key = f"meant-{found.id}-{found.facts.made}-{name}"
    st.selectbox(
        tr("“{name}” means", name=markdown.escape(name)),
        options,
        index=options.index(meant) if meant in options else 0,
        format_func=lambda each: each or tr("None of its classes"),
        key=key,
        width=320,
        on_change=lambda: ask(found.saying, name, state.widget(key)),
    )


def _choose_photos(shown: LoadedRun, back: bool) -> None:
    """Choose a folder, or send a ZIP file."""
    st.markdown(tr(WHAT_FOR))
    folder, archive = st.tabs([tr("Folder"), tr("ZIP file")])
    with folder:
        folder_choice.pick(start.DATASET_FOLDER, lambda path: ask(_begin_folder, shown, path))
    with archive:
        key = f"elsewhere-zip-{state.recall(UPLOAD_NUMBER, 0)}"
        file = upload_limits.archive_uploader(tr("A ZIP file with a folder for each class"), key)
        if file is not None:
            with telling():
                _begin(shown, Source(Path(file.name).stem, archive=io.BytesIO(file.getvalue())))
                state.remember(UPLOAD, file)
                state.remember(UPLOAD_NUMBER, state.recall(UPLOAD_NUMBER, 0) + 1)
                st.rerun()
        upload_limits.show_limits()
    st.caption(tr(STAYS))
    if back:
        st.button(
            tr("Back"),
            key="elsewhere-back",
            icon=":material/arrow_back:",
            on_click=state.remember,
            args=(_choosing(shown), False),
        )


def _begin_folder(shown: LoadedRun, folder: Path) -> None:
    _begin(shown, Source(folder.name, folder))


def _begin(shown: LoadedRun, source: Source) -> None:
    """Begin to evaluate photos; raises `RunBusy` while others are evaluated."""
    models.external_tests().begin(shown.run, source)
    state.remember(_choosing(shown), False)


def _forget(shown: LoadedRun) -> None:
    """Forget what has ended, and give back the memory of an upload."""
    models.external_tests().forget(shown.run)
    file = state.take(UPLOAD)
    upload_limits.release([file] if file else [])


@st.fragment(run_every=0.5)
def _progress(job: ExternalTestJob) -> None:
    """How far an evaluation is, and a button to stop it."""
    if job.is_over:
        st.rerun()
    words: str = tr(STAGES[job.stage])
    if job.total:
        left = job.seconds_left()
        done: str | int = job.done
        total = formatting.photos(job.total)
        if job.stage == UNPACKING:
            done, total = formatting.size(job.done), formatting.size(job.total)
        if left is None:
            words = tr("{stage}: {done} of {total}", stage=words, done=done, total=total)
        else:
            words = tr(
                "{stage}: {done} of {total} · about {duration} left",
                stage=words,
                done=done,
                total=total,
                duration=formatting.duration(left),
            )
    st.progress(min(1.0, job.done / max(1, job.total)), f"{markdown.escape(job.source.name)} · {words}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(tr("Stop"), key="elsewhere-stop", icon=":material/stop:", on_click=job.cancel)
        st.caption(tr("You can leave this page; the work goes on."), width="content")


def _trouble(shown: LoadedRun, job: ExternalTestJob) -> None:
    """Why photos could not be evaluated, and what can be done: other ones, or another reading of them."""
    error = job.error
    if isinstance(error, UndecidedLayout) and error.choices:
        st.subheader(tr("How are these photos meant?"), anchor=False)
        st.markdown(markdown.escape(error.question))
        _readings(shown, job.source, error.choices)
    else:
        st.warning(markdown.escape(error), icon=":material/info:")
    st.button(
        tr("Choose other photos"),
        key="elsewhere-give-up",
        icon=":material/arrow_back:",
        on_click=_give_up,
        args=(shown,),
    )


def _give_up(shown: LoadedRun) -> None:
    _forget(shown)
    state.remember(_choosing(shown), True)


def _readings(shown: LoadedRun, source: Source, readings: Sequence[LayoutChoice]) -> None:
    with st.grid(min_column_width=300, gap="small"):
        for number, reading in enumerate(readings):
            with st.container(border=True):
                st.markdown(f"**{markdown.escape(reading.words)}**")
                label_source.draw(reading)
                st.button(
                    tr("Use this"),
                    type="primary" if number == 0 else "secondary",
                    key=f"elsewhere-reading-{number}",
                    on_click=ask,
                    args=(_begin, shown, source.read_as(reading.layout, reading.folder)),
                )
