"""Where one is and where one can go: the sidebar with the three steps, and on a phone a line of them on the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.language import tr
from pages.components.way import reader_language
from pages.components.way.steps import Step, is_live, steps

STYLE = Path(__file__).with_name("way.css")

_close_on_phone = st.components.v2.component(
    "unfreeze_close_on_phone", js=Path(__file__).with_name("close_on_phone.js").read_text("utf-8")
)

LOOK_EVERY_SECONDS = 2.0

Row = tuple[str, str, str]
"""File, title and icon of a page."""


def draw(pages: Mapping[str, Sequence[Row]]) -> None:
    """Draw both, kept up to date while a run goes; `pages` are those of each step, the step's own first."""
    st.html(STYLE)
    line = st.container(key="way-line", horizontal=True, wrap=False, gap="xsmall")
    places: list[DeltaGenerator] = []
    with st.sidebar, st.container(key="way", gap="xsmall"):
        for name, rows in pages.items():
            places.append(st.container(key=f"way-step-{name.lower()}"))
            for page, title, icon in rows[1:]:
                st.page_link(page, label=tr(title), icon=icon, width="stretch")
        reader_language.draw()
        _close_on_phone(key="close-on-phone")
    st.fragment(_show_steps, run_every=LOOK_EVERY_SECONDS if is_live() else None)(places, line)


def _show_steps(places: Sequence[DeltaGenerator], line: DeltaGenerator) -> None:
    for number, (step, place) in enumerate(zip(steps(), places, strict=True), 1):
        _link(place, step, f"**{step.name}** {step.words}".strip(), number)
        _link(line, step, step.words or step.name, number)


def _link(place: DeltaGenerator, step: Step, label: str, number: int) -> None:
    icon = f":material/counter_{number}:"
    place.page_link(step.page, label=label, icon=icon, width="stretch", query_params=dict(step.shown) or None)
