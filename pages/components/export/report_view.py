"""The report of a run: what is in it, a button that makes it, and its model card to read and to download."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from core.data.review import EXCLUDE, KEEP, RELABEL, Review
from core.data.scan.walk import check_inside
from core.errors import DataError, UnfreezeError
from core.labels.dataset_check import DatasetCheck
from core.language import number, tr, tr_plural
from core.recipe.recipe import Recipe
from core.reports.facts import ReportContext, Suspect
from core.reports.model_card import as_markdown, card
from pages.components.cached import datasets, runs, services
from pages.components.shared import elements, markdown, run_descriptions, state
from pages.components.shared.report_errors import tell
from pages.components.shared.run_descriptions import LoadedRun

DECIDED: Mapping[str, Callable[[int], str]] = {
    EXCLUDE: lambda count: tr_plural(
        "{count} photo was left out of the dataset.", "{count} photos were left out of the dataset.", count
    ),
    RELABEL: lambda count: tr_plural("{count} photo was relabelled.", "{count} photos were relabelled.", count),
    KEEP: lambda count: tr_plural(
        "{count} photo was checked and found right.", "{count} photos were checked and found right.", count
    ),
}
"""What decisions on so many photos did to them."""


def show(shown: LoadedRun) -> None:
    """What the report holds, the buttons to make and to download it, and the model card."""
    offer(shown)
    try:
        _card(shown)
    except UnfreezeError as error:
        tell(error)


def offer(shown: LoadedRun) -> None:
    """What the report holds, and the buttons to make and to download it."""
    st.markdown(
        tr(
            "**One file that opens in any browser, without a network:** what was trained and how, the curves, the data"
            " with examples, what the model gets right and wrong, the photos it got wrong, and a model card in plain"
            " language. It has lines for a name and for what you noticed; print it, or save it as PDF, and hand it in."
        )
    )
    key = f"report-{shown.run.id}"
    if not state.recall(key, False):
        st.button(
            tr("Make the report"),
            key="make-the-report",
            icon=":material/summarize:",
            type="primary",
            on_click=state.remember,
            args=(key, True),
        )
        return
    try:
        _made(shown)
    except UnfreezeError as error:
        reason = markdown.escape(error)
        st.warning(tr("The report could not be made: {reason}", reason=reason), icon=":material/info:")


def _made(shown: LoadedRun) -> None:
    recipe = shown.recipe
    name = run_descriptions.name_of(shown.run, recipe)
    check = _last_check(recipe)
    misfit = check.fit.misfit if check else ""
    context = ReportContext(name, suspects_of(check), _decisions(recipe), misfit)
    made = runs.report(shown.run.id, shown.status.ended, context, Path(recipe.dataset).is_dir())
    st.download_button(
        tr("Download the report (HTML)"),
        made.html.encode("utf-8"),
        f"{shown.run.id}-report.html",
        "text/html",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    size = tr("{number} MB", number=number(len(made.html) / 1e6, 1))
    counts = [(tr("Photos"), number(made.photos)), (tr("Sections"), number(made.sections))]
    elements.facts([(tr("Size"), size), *counts])
    if made.gone:
        st.caption(
            tr_plural(
                ":material/broken_image: {count} photo could no longer be read; the report lists their names instead."
                " Is the dataset still in {folder}?",
                ":material/broken_image: {count} photos could no longer be read; the report lists their names instead."
                " Is the dataset still in {folder}?",
                made.gone,
                folder=markdown.escape(recipe.dataset),
            )
        )


def _card(shown: LoadedRun) -> None:
    name = run_descriptions.name_of(shown.run, shown.recipe)
    facts = runs.card_facts(shown.run.id, shown.status.ended, name)
    st.header(tr("Model card"), anchor=False)
    with st.container(border=True):
        for section in card(facts):
            sentences = "\n".join(f"- {markdown.escape(sentence)}" for sentence in section.sentences)
            st.markdown(f"**{section.title}**\n{sentences}")
    st.download_button(
        tr("Download the model card (Markdown)"),
        as_markdown(facts),
        f"{shown.run.id}-model-card.md",
        "text/markdown",
        icon=":material/download:",
        on_click="ignore",
    )


def suspects_of(check: DatasetCheck | None) -> tuple[Suspect, ...] | None:
    """What a check of labels found; None where there was none."""
    return None if check is None else tuple(_suspect(check, position) for position in check.suspects)


def _suspect(check: DatasetCheck, position: int) -> Suspect:
    path = check.folder.paths[position]
    return Suspect(path, check.given(position), check.suggested(position), check.confidence(position))


def _last_check(recipe: Recipe) -> DatasetCheck | None:
    """The last check of the dataset's labels since the server was started."""
    found = [check for check in datasets.label_checks().values() if check.folder.root == Path(recipe.dataset)]
    return found[-1] if found else None


def _decisions(recipe: Recipe) -> tuple[str, ...]:
    """The decisions on photos of the dataset; none where it is gone."""
    try:
        root = check_inside(recipe.dataset, services.settings().dataset_roots)
        return describe_decisions(datasets.reviews().read(root))
    except DataError:
        return ()


def describe_decisions(review: Review) -> tuple[str, ...]:
    """How many photos there are decisions on, by kind, a sentence each."""
    counts = Counter(decision.action for decision in review.standing().values())
    return tuple(said(counts[action]) for action, said in DECIDED.items() if counts[action])
