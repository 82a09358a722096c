"""The learning-rate finder on the Train page: a button, a curve that grows, and the rates that it suggests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.errors import RunNotFound, UnfreezeError
from core.formatting import listed
from core.language import retold, tr
from core.recipe.phases import FINE_TUNE, FROM_SCRATCH, HEAD
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import Loaded
from core.runs.messages import text_of
from core.runs.store import ACTIVE, FINISHED, Run
from core.training.lr_finder import finder
from core.training.lr_finder.finder import Sweep
from pages.components.cached import runs
from pages.components.shared import figures, markdown, state
from pages.components.shared.report_errors import ask, tell
from pages.components.train import draft

LOOK_EVERY_SECONDS = 1.0
SEARCH = "rate-search"

FIELDS: Mapping[str, str] = {
    HEAD: "head_learning_rate",
    FINE_TUNE: "fine_tune_learning_rate",
    FROM_SCRATCH: "scratch_learning_rate",
}
"""The recipe's field for the rate of each phase."""


def show_lr_finder(recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8]) -> None:
    """The button, and what the search that this session has started came to."""
    run = _search()
    going = run is not None and run.state in ACTIVE
    if st.button(
        tr("Find a learning rate"),
        icon=":material/troubleshoot:",
        disabled=going,
        help=tr(
            "Tries increasing rates on some of the photos, for about a minute per phase, and suggests one for each."
        ),
    ):
        _start(recipe, folder, parts)
    if run is not None:
        st.fragment(_watch, run_every=LOOK_EVERY_SECONDS if going else None)(run, recipe, going)


def _search() -> Run | None:
    name = state.recall(SEARCH, "")
    try:
        return runs.rate_searches().get(name) if name else None
    except RunNotFound:  # another session has begun a search, which takes the place of this one
        return None


def _start(recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8]) -> None:
    try:
        run = finder.start(runs.rate_searches(), recipe, folder, parts, runs.store())
    except UnfreezeError as error:
        tell(error)
        return
    state.remember(SEARCH, run.id)
    st.rerun()


def _watch(run: Run, recipe: Recipe, going: bool) -> None:
    try:
        status, found = run.read_status(), finder.sweeps(run)
    except UnfreezeError:  # it was replaced at this moment
        return
    if going and status.state not in ACTIVE:
        st.rerun()
    if going:
        st.progress(min(1.0, status.progress or 0.0), markdown.escape(text_of(status.message)))
        st.button(tr("Stop"), icon=":material/stop:", key="stop-search", on_click=ask, args=(run.request_stop,))
    elif status.state != FINISHED:
        words = retold(status.error) or tr("The search ended early.")
        st.caption(f":material/info: {markdown.escape(words)}")
    if found:
        st.vega_lite_chart(
            figures.rate_data(found),
            figures.rate_chart(),
            theme=None,  # its own labels are too pale to be read
            key="rates",
            alt=tr("Loss over the learning rate, by phase"),
        )
    if found and not going:
        _offer(found, recipe)


def _offer(found: Sequence[Sweep], recipe: Recipe) -> None:
    rates = {FIELDS[sweep.phase]: sweep.suggestion for sweep in found if sweep.suggestion is not None}
    if not rates:
        st.caption(tr("The loss never clearly decreased, so no rate is suggested; the defaults are a good choice."))
        return
    words = listed(
        [
            f"{figures.phase_name(sweep.phase)} **{sweep.suggestion:.2g}**"
            for sweep in found
            if sweep.suggestion is not None
        ]
    )
    st.markdown(tr("Suggested: {rates}", rates=words))
    taken = all(getattr(recipe, name) == rate for name, rate in rates.items())
    if st.button(tr("In use") if taken else tr("Use"), icon=":material/check:", disabled=taken):
        draft.start_from(Loaded(replace(recipe, **rates), ()))  # type: ignore[arg-type]
        st.rerun()  # all of the page: this is a part that is drawn by itself
