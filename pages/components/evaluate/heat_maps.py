"""Where a model looks: class activation maps over one photo, and over many."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.scan.walk import check_photo
from core.errors import PhotoError
from core.inference.prediction import Look
from pages.components.cached import models, services
from pages.components.evaluate.photos import (
    OPENED,
    PHOTO_PIXELS,
    Part,
    look_button,
    one_page,
)
from pages.components.shared import drawings, heat, markdown, state

TAKEN_FOR, SHOWS = "the class that each photo is taken for", "the class that each photo shows"
CHOICES = ("All", "Wrong", "Right")
EVERY_CLASS = "every class"
TOP, LARGE_PIXELS = 5, 300
QUESTION = "Which places of a photo speak **for** a class (orange), and which **against** it (blue)?"

ROUNDING = 1e-3
"""How far the probabilities that follow from the maps may be from those of the model."""

WITHOUT_MAPS = (
    "This run was trained by a former version, whose models do not tell where they look. Train one with the same recipe"
    " to see it."
)

Seen = tuple[NDArray[np.uint8], Look]
Evidence = NDArray[np.float32]


def where_it_looks(part: Part) -> None:
    """What speaks for a class in many photos."""
    st.markdown(QUESTION)
    options = [TAKEN_FOR, SHOWS, *part.found.class_names]
    chosen = st.selectbox(
        "Show what speaks for", options, key=f"look-class-{part.shown.run.id}", width=420, persist_state="session"
    )
    _grid(part, options.index(chosen) - 2)


def show_opened_photo() -> None:
    """A closer look at the photo that was just opened, if one was, over the page."""
    opened = state.take(OPENED)
    if opened:
        st.dialog("A closer look", width="medium", icon=":material/center_focus_strong:")(_one)(*opened)


def _asked(part: Part, position: int, label: int) -> int:
    """The class whose map is shown for a photo; -2 stands for the predicted one, -1 for its own."""
    return label if label >= 0 else int((part.found.predicted, part.found.labels)[label + 2][position])


def _see(part: Part, position: int) -> Seen:
    path = check_photo(part.folder.absolute(position), services.settings().dataset_roots)
    return models.look(part.shown.run.id, part.shown.status.ended, path, path.stat().st_mtime)


def _one(part: Part, position: int) -> None:
    """One photo as it is, what speaks for a class in it, and its most probable classes."""
    names = part.found.class_names
    st.markdown(f"**{markdown.escape(part.folder.paths[position])}**, a {part.name} photo: {part.said(position)}")
    try:
        pixels, look = _see(part, position)
    except PhotoError as error:
        st.warning(f"This photo can no longer be shown: {error}.", icon=":material/broken_image:")
        return
    taken_for = int(part.found.predicted[position])
    key = f"look-class-{part.key}-{position}"
    label = names.index(st.selectbox("Show what speaks for", names, index=taken_for, key=key, width=320))
    found = _evidence(part, position, label, look)
    with st.container(horizontal=True, gap="medium"):
        st.image(pixels, width=LARGE_PIXELS, alt=f"{part.folder.paths[position]} as the model sees it")
        if found is not None:
            _picture(part, position, label, pixels, found, heat.limit_of([found]), LARGE_PIXELS)
    if found is not None:
        st.html(heat.scale(heat.limit_of([found])))
        st.markdown(f"Most of what speaks for **{markdown.escape(names[label])}** lies {heat.where(found)}.")
    _answers(part, look)
    _agreement([look])


def _answers(part: Part, look: Look) -> None:
    order = np.argsort(-look.probabilities, kind="stable")[:TOP]
    st.html(drawings.probability_bars([(part.found.class_names[i], float(look.probabilities[i])) for i in order]))


def _evidence(part: Part, position: int, label: int, look: Look) -> Evidence | None:
    """What the places of a photo say for the class that is asked for; None for models that do not tell."""
    return None if look.maps is None else heat.evidence(look.maps, _asked(part, position, label))


def _picture(
    part: Part, position: int, label: int, pixels: NDArray[np.uint8], found: Evidence, limit: float, width: int
) -> None:
    """A photo with what speaks for a class, and for those who cannot see it, where that is."""
    asked = part.found.class_names[_asked(part, position, label)]
    alt = f"Heat map of {part.folder.paths[position]}: most of what speaks for {asked} lies {heat.where(found)}"
    st.image(heat.overlay(pixels, found, limit), width=width, alt=alt)


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
            " from these maps, up to rounding."
        )


def _grid(part: Part, label: int) -> None:
    """Some photos at a time, all on one scale."""
    shown = one_page(_choose(part), f"look-{part.key}")
    seen = _see_all(part, [position for _, position in shown])
    if not seen:
        st.caption("There are none.")
        return
    found = {position: _evidence(part, position, label, look) for position, (_, look) in seen.items()}
    limit = heat.limit_of([each for each in found.values() if each is not None])
    st.html(heat.scale(limit))
    with st.container(horizontal=True, gap="small"):
        for number, position in shown:
            if position in seen:
                with st.container(width=PHOTO_PIXELS, gap="xxsmall"):
                    pixels, evidence = seen[position][0], found[position]
                    if evidence is None:
                        st.image(pixels, width=PHOTO_PIXELS, alt=part.folder.paths[position])
                    else:
                        _picture(part, position, label, pixels, evidence, limit, PHOTO_PIXELS)
                    st.caption(part.said(position))
                    look_button(part, position, number, "grid")
    _agreement([look for _, look in seen.values()])


def _see_all(part: Part, positions: Sequence[int]) -> dict[int, Seen]:
    """What the model makes of these photos; what can no longer be read is named with its reason."""
    seen, lost = {}, []
    for position in positions:
        try:
            seen[position] = _see(part, position)
        except PhotoError as error:
            lost.append(f"{markdown.escape(part.folder.paths[position])} ({error})")
    if lost:
        st.caption(f":material/broken_image: No longer readable: {', '.join(lost)}")
    return seen


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
