"""Where a model looks: class activation maps over one photo, and over many."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.walk import check_photo
from core.errors import PhotoError
from core.results.prediction import Look
from pages.components import cached, drawings, heat
from pages.components.evaluation_photos import (
    PHOTO_PIXELS,
    Part,
    close_photo,
    look_button,
    one_page,
    opened_photo,
)
from pages.components.inputs import plain

TAKEN_FOR, SHOWS = "the class that each photo is taken for", "the class that each photo shows"
CHOICES = ("All", "Wrong", "Right")
EVERY_CLASS = "every class"
TOP, LARGE_PIXELS = 5, 250

ROUNDING = 1e-3
"""How far the probabilities that follow from the maps may be from those of the model."""

WITHOUT_MAPS = (
    "This run was trained by a former version, whose models do not tell where they look. Train one with the same recipe"
    " to see it."
)

Seen = tuple[NDArray[np.uint8], Look]


def where_it_looks(part: Part) -> None:
    """One photo closely if one was opened, and a grid of others; what speaks for a class in each."""
    names = part.found.class_names
    st.markdown("Which places of a photo speak **for** a class (orange), and which **against** it (blue)?")
    options = [TAKEN_FOR, SHOWS, *names]
    chosen = st.selectbox(
        "Show what speaks for", options, key=f"look-class-{part.shown.run.id}", width=420, persist_state="session"
    )
    label = options.index(chosen) - 2
    position = opened_photo(part)
    if position is not None:
        _one(part, position, label)
    _grid(part, label)


def _asked(part: Part, position: int, label: int) -> int:
    """The class whose map is shown for a photo; -2 stands for the predicted one, -1 for its own."""
    return label if label >= 0 else int((part.found.predicted, part.found.labels)[label + 2][position])


def _see(part: Part, position: int) -> Seen:
    path = check_photo(part.folder.absolute(position), cached.settings().dataset_roots)
    return cached.look(part.shown.run.id, part.shown.status.ended, path, path.stat().st_mtime)


def _one(part: Part, position: int, label: int) -> None:
    names, path = part.found.class_names, part.folder.paths[position]
    asked = _asked(part, position, label)
    with st.container(border=True, key="one-photo"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(path)}**: {part.said(position)}", width="stretch")
            st.button("Close", icon=":material/close:", on_click=close_photo, args=(part,))
        try:
            pixels, look = _see(part, position)
        except PhotoError as error:
            st.warning(f"This photo can no longer be shown: {error}.", icon=":material/broken_image:")
            return
        with st.container(horizontal=True, gap="medium"):
            st.image(pixels, width=LARGE_PIXELS, alt=f"{path} as the model sees it")
            if look.maps is not None:
                found = heat.evidence(look.maps, asked)
                words = f"{heat.where(found)} speaks most for {names[asked]}"
                drawn = heat.overlay(pixels, found, heat.limit_of([found]))
                st.image(drawn, width=LARGE_PIXELS, alt=f"Heat map of {path}: {words}")
            with st.container(width=LARGE_PIXELS):
                order = np.argsort(-look.probabilities, kind="stable")[:TOP]
                st.html(drawings.probability_bars([(names[i], float(look.probabilities[i])) for i in order]))
                if look.maps is not None:
                    st.markdown(f"Most of what speaks for **{plain(names[asked])}** lies in {heat.where(found)}.")
                    st.html(heat.scale(heat.limit_of([found])))
        _agreement([look])


def _agreement(looks: Sequence[Look]) -> None:
    """Whether the maps are what the answers follow from."""
    if any(look.maps is None for look in looks):
        st.info(WITHOUT_MAPS, icon=":material/visibility_off:")
        return
    most = max((look.disagreement() for look in looks), default=0.0)
    if most > ROUNDING:
        st.warning(
            f"These maps do not fit what the model answers: its probabilities differ by up to {most:.2g} from those"
            " that follow from the maps. Do not rely on the maps of this run.",
            icon=":material/warning:",
        )
    else:
        st.caption(
            ":material/check: Checked: the mean of each map is what the class gets (its logit), so the answer follows"
            f" from these maps; the probabilities differ by {most:.0e} at most."
        )


def _grid(part: Part, label: int) -> None:
    positions = _choose(part)
    seen: dict[int, Seen] = {}
    shown = one_page(positions, f"look-{part.key}")
    lost = []
    for _, position in shown:
        try:
            seen[position] = _see(part, position)
        except PhotoError as error:
            lost.append(f"{plain(part.folder.paths[position])} ({error})")
    if lost:
        st.caption(f":material/broken_image: No longer readable: {', '.join(lost)}")
    if not seen:
        st.caption("There are none.")
        return
    found = {
        position: heat.evidence(look.maps, _asked(part, position, label))
        for position, (_, look) in seen.items()
        if look.maps is not None
    }
    limit = heat.limit_of(list(found.values()))
    if found:
        st.html(heat.scale(limit))
    with st.container(horizontal=True, gap="small"):
        for number, position in shown:
            if position in found:
                with st.container(width=PHOTO_PIXELS, gap="xxsmall"):
                    asked = part.found.class_names[_asked(part, position, label)]
                    alt = f"Heat map of {part.folder.paths[position]}: {heat.where(found[position])} speaks for {asked}"
                    drawn = heat.overlay(seen[position][0], found[position], limit)
                    st.image(drawn, width=PHOTO_PIXELS, alt=alt)
                    st.caption(part.said(position))
                    look_button(part, position, number, "grid")
    _agreement([look for _, look in seen.values()])


def _choose(part: Part) -> list[int]:
    """Which photos are in the grid."""
    names, found = part.found.class_names, part.found
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            f"{part.name.capitalize()} photos", CHOICES, default="All", required=True, key="look-kind"
        )
        own = st.selectbox("of", [EVERY_CLASS, *names], key=f"look-of-{part.shown.run.id}", width=260)
    wanted = np.ones(len(found), bool) if kind == "All" else found.right == (kind == "Right")
    if own != EVERY_CLASS:
        wanted &= found.labels == names.index(own)
    mixed = np.random.default_rng(0).permutation(len(found))  # else the first page would hold the first class alone
    return [int(position) for position in mixed[wanted[mixed]]]
