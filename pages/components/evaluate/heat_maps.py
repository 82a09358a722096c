"""Heat maps: class activation maps over one photo, and over many."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.scan.walk import check_photo
from core.errors import PhotoError
from core.inference.prediction import DetailedPrediction
from core.language import tr, tr_mark
from pages.components.cached import datasets, models
from pages.components.evaluate.photos import OPENED, EvaluatedSubset, one_page, open_photo, photo
from pages.components.evaluate.sentences import ONE, TITLES
from pages.components.gallery.gallery import gallery
from pages.components.shared import drawings, elements, glossary, heat, markdown, state, thumbnails

PREDICTED, LABEL = -2, -1
OF_EACH = {PREDICTED: tr_mark("the predicted class of each photo"), LABEL: tr_mark("the label of each photo")}
"""In place of a class: one that is another for each photo."""

ALL, WRONG, RIGHT = "all", "wrong", "right"
CHOICES = {ALL: tr_mark("All"), WRONG: tr_mark("Wrong"), RIGHT: tr_mark("Right")}
EVERY_CLASS = -1
A_PAGE, TOP, LARGE_PIXELS = 12, 5, 300
MEANING = tr_mark("**Blue** places are evidence for a class, **purple** places evidence against it.")

ROUNDING = 1e-3
"""How far the probabilities that follow from the maps may be from those of the model."""

WITHOUT_MAPS = tr_mark(
    "This run was trained by an earlier version, whose models have no heat maps. Train again with the same recipe to"
    " see them."
)

Seen = tuple[NDArray[np.uint8], DetailedPrediction]
Evidence = NDArray[np.float32]


def heat_maps(subset: EvaluatedSubset) -> None:
    """The evidence for a class in many photos."""
    with st.container(key="heat-maps"):
        st.container(key="heat-meaning").markdown(tr(MEANING))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                tr("Evidence for"),
                [PREDICTED, LABEL, *range(len(subset.names))],
                format_func=lambda label: tr(OF_EACH[label]) if label in OF_EACH else subset.names[label],
                key=f"look-class-{subset.shown.run.id}",
                width=260,
                persist_state="session",
            )
            wanted = _choose(subset)
        grid = st.container(key="heat-grid")
        with st.container(key="heat-pages"):
            shown = one_page(wanted, f"look-{subset.key}", A_PAGE)
        with grid:
            _grid(subset, chosen, shown)
    elements.first_on_phone("heat-maps", "heat-meaning", "heat-grid", "heat-pages")


def show_opened_photo() -> None:
    """A dialog with the photo that was just opened, if one was."""
    opened = state.take(OPENED)
    if opened:
        st.dialog(tr("Heat map of a photo"), width="medium", icon=":material/center_focus_strong:")(_one)(*opened)


def chosen_class(subset: EvaluatedSubset, position: int, label: int) -> int:
    """The class whose map is shown for a photo; -2 stands for the predicted one, -1 for its own."""
    return label if label >= 0 else int((subset.found.predicted, subset.found.labels)[label + 2][position])


def _see(subset: EvaluatedSubset, position: int) -> Seen:
    path = check_photo(subset.folder.absolute(position), datasets.photo_roots())
    return models.detailed_prediction(subset.shown.run.id, subset.shown.status.ended, path, path.stat().st_mtime)


def _one(subset: EvaluatedSubset, position: int) -> None:
    """One photo, the evidence for a class in it, and its most probable classes."""
    names = subset.names
    st.markdown(
        tr(
            "**{photo}**, {kind}: {description}",
            photo=markdown.escape(subset.folder.paths[position]),
            kind=tr(ONE[subset.name]),
            description=subset.describe(position),
        )
    )
    try:
        pixels, look = _see(subset, position)
    except PhotoError as error:
        st.warning(
            tr("This photo can no longer be shown: {reason}.", reason=markdown.escape(error)),
            icon=":material/broken_image:",
        )
        return
    taken_for = int(subset.found.predicted[position])
    key = f"look-class-{subset.key}-{position}"
    label = names.index(st.selectbox(tr("Evidence for"), names, index=taken_for, key=key, width=320))
    found = evidence_of(subset, position, label, look)
    with st.container(horizontal=True, gap="medium"):
        alt = tr("{photo} as the model sees it", photo=subset.folder.paths[position])
        st.image(pixels, width=LARGE_PIXELS, alt=alt)
        if found is not None:
            _picture(subset, position, label, pixels, found, heat.limit_of([found]), LARGE_PIXELS)
    if found is not None:
        st.html(heat.scale(heat.limit_of([found])))
        st.markdown(heat.summary(found, f"**{markdown.escape(names[label])}**"))
    _probabilities(subset, look)
    _agreement([look])


def _probabilities(subset: EvaluatedSubset, look: DetailedPrediction) -> None:
    order = np.argsort(-look.probabilities, kind="stable")[:TOP]
    st.html(drawings.probability_bars([(subset.names[i], float(look.probabilities[i])) for i in order]))


def evidence_of(subset: EvaluatedSubset, position: int, label: int, look: DetailedPrediction) -> Evidence | None:
    """The evidence for the chosen class, place by place; None for models without heat maps."""
    return None if look.maps is None else heat.evidence(look.maps, chosen_class(subset, position, label))


def _picture(
    subset: EvaluatedSubset,
    position: int,
    label: int,
    pixels: NDArray[np.uint8],
    found: Evidence,
    limit: float,
    width: int,
) -> None:
    """A photo with the evidence for a class, and a text that says where most of it is."""
    name = subset.names[chosen_class(subset, position, label)]
    alt = tr("Heat map of {photo}. {summary}", photo=subset.folder.paths[position], summary=heat.summary(found, name))
    st.image(heat.overlay(pixels, found, limit), width=width, alt=alt)


def _agreement(looks: Sequence[DetailedPrediction]) -> None:
    """Whether the predictions follow from the maps."""
    if any(look.maps is None for look in looks):
        st.info(tr(WITHOUT_MAPS), icon=":material/visibility_off:")
        return
    most = max((look.disagreement() for look in looks), default=0.0)
    if most > ROUNDING:
        st.warning(
            tr(
                "These heat maps do not match the model: its probabilities differ by up to {difference} from those that"
                " follow from the maps. Do not rely on the heat maps of this run.",
                difference=f"{most:.2g}",
            ),
            icon=":material/warning:",
        )
    else:
        st.caption(
            tr(
                ":material/check: Verified: the mean of each map is the logit of its class, so the prediction follows"
                " from these maps, up to rounding."
            ),
            help=glossary.meaning(glossary.LOGIT),
        )


def _grid(subset: EvaluatedSubset, label: int, shown: Sequence[int]) -> None:
    """Some photos, all on one scale."""
    seen = _see_all(subset, shown)
    if not seen:
        st.caption(tr("No photos match."))
        return
    found = {position: evidence_of(subset, position, label, look) for position, (_, look) in seen.items()}
    limit = heat.limit_of([each for each in found.values() if each is not None])
    st.html(heat.scale(limit))
    photos = []
    for position, (pixels, _) in seen.items():
        drawn, words, evidence = pixels, "", found[position]
        if evidence is not None:
            drawn = heat.overlay(pixels, evidence, limit)
            words = heat.summary(evidence, subset.names[chosen_class(subset, position, label)])
        photos.append(photo(subset, position, thumbnails.small_jpeg(drawn), subset.confidence(position), words))
    gallery(f"heat-maps-{subset.key}", photos, tr("Heat maps"), lambda place: open_photo(subset, int(place)))
    _agreement([look for _, look in seen.values()])


def _see_all(subset: EvaluatedSubset, positions: Sequence[int]) -> dict[int, Seen]:
    """The predictions and maps of these photos; photos that can no longer be read are listed with the reason."""
    seen, lost = {}, []
    for position in positions:
        try:
            seen[position] = _see(subset, position)
        except PhotoError as error:
            lost.append(f"{markdown.escape(subset.folder.paths[position])} ({markdown.escape(error)})")
    if lost:
        st.caption(tr(":material/broken_image: No longer readable: {photos}", photos=", ".join(lost)))
    return seen


def _choose(subset: EvaluatedSubset) -> list[int]:
    """Which photos are in the grid."""
    names, found = subset.names, subset.found
    kind = st.segmented_control(
        tr(TITLES[subset.name]),
        list(CHOICES),
        default=ALL,
        required=True,
        format_func=lambda choice: tr(CHOICES[choice]),
        key="look-kind",
    )
    own = st.selectbox(
        tr("Class"),
        [EVERY_CLASS, *range(len(names))],
        format_func=lambda label: tr("Every class") if label == EVERY_CLASS else names[label],
        key=f"look-of-{subset.shown.run.id}",
        width=220,
    )
    wanted = np.ones(len(found), bool) if kind == ALL else found.right == (kind == RIGHT)
    if own != EVERY_CLASS:
        wanted &= found.labels == own
    mixed = np.random.default_rng(0).permutation(len(found))  # else the first page would hold the first class alone
    return [int(position) for position in mixed[wanted[mixed]]]
