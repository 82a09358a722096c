"""The report of a run: what is in it, a button that makes it, and its model card to read and to download."""

from collections import Counter
from pathlib import Path

import streamlit as st

from core.data.review import EXCLUDE, KEEP, RELABEL, Review
from core.data.scan.walk import check_inside
from core.errors import DataError, UnfreezeError
from core.formatting import photos
from core.labels.dataset_check import DatasetCheck
from core.recipe.recipe import Recipe
from core.reports.facts import ReportContext, Suspect
from core.reports.model_card import as_markdown, card
from pages.components.cached import datasets, runs, services
from pages.components.shared import elements, markdown, run_descriptions, state
from pages.components.shared.report_errors import tell
from pages.components.shared.run_descriptions import LoadedRun

DECIDED = {
    EXCLUDE: "left out of the dataset",
    RELABEL: "relabelled",
    KEEP: "checked and found right",
}
"""What decisions on photos did to them."""


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
        "**One file that opens in any browser, without a network:** what was trained and how, the curves, the data with"
        " examples, what the model gets right and wrong, the photos it got wrong, and a model card in plain"
        " language. It has lines for a name and for what you noticed; print it, or save it as PDF, and hand it in."
    )
    key = f"report-{shown.run.id}"
    if not state.recall(key, False):
        st.button(
            "Make the report", icon=":material/summarize:", type="primary", on_click=state.remember, args=(key, True)
        )
        return
    try:
        _made(shown)
    except UnfreezeError as error:
        st.warning(f"The report could not be made: {markdown.escape(error)}", icon=":material/info:")


def _made(shown: LoadedRun) -> None:
    recipe = shown.recipe
    name = run_descriptions.name_of(shown.run, recipe)
    check = _last_check(recipe)
    misfit = check.fit.misfit if check else ""
    context = ReportContext(name, suspects_of(check), _decisions(recipe), misfit)
    made = runs.report(shown.run.id, shown.status.ended, context, Path(recipe.dataset).is_dir())
    st.download_button(
        "Download the report (HTML)",
        made.html.encode("utf-8"),
        f"{shown.run.id}-report.html",
        "text/html",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    size = f"{len(made.html) / 1e6:.1f} MB"
    elements.facts([("Size", size), ("Photos", f"{made.photos:,}"), ("Sections", f"{made.sections}")])
    if made.gone:
        st.caption(
            f":material/broken_image: {photos(made.gone)} could no longer be read; the report lists their names"
            f" instead. Is the dataset still in {markdown.escape(recipe.dataset)}?"
        )


def _card(shown: LoadedRun) -> None:
    name = run_descriptions.name_of(shown.run, shown.recipe)
    facts = runs.card_facts(shown.run.id, shown.status.ended, name)
    st.header("Model card", anchor=False)
    with st.container(border=True):
        for section in card(facts):
            sentences = "\n".join(f"- {markdown.escape(sentence)}" for sentence in section.sentences)
            st.markdown(f"**{section.title}**\n{sentences}")
    st.download_button(
        "Download the model card (Markdown)",
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
    return tuple(
        f"{photos(counts[action])} {'was' if counts[action] == 1 else 'were'} {words}."
        for action, words in DECIDED.items()
        if counts[action]
    )
