"""One photo and the model's answer for it: large, as a card, and where the evidence for the answer is."""

import base64
from collections.abc import Sequence
from html import escape

import streamlit as st

from core.errors import PhotoError
from core.formatting import whole
from core.inference.batch import BatchJob
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE
from core.inference.prediction import Predictor
from core.inference.prediction_table import PredictionTable
from core.language import sentences as together
from core.language import tr
from pages.components.cached import services
from pages.components.predict.sentences import KINDS, answer
from pages.components.shared import drawings, heat, markdown, state

TOP, PHOTO_PIXELS, LARGE_PIXELS = 3, 128, 340
LONG = 14
"""Signs of an answer that is set smaller, so that it takes no more than a few lines."""

NO_CORRECTION = -1
"""In place of the class that a photo is corrected to."""

ICONS = {
    UNSURE: (":gray-badge", ":material/question_mark:"),
    OUT_OF_DISTRIBUTION: (":violet-badge", ":material/help:"),
}
"""The badge of an answer that is no class, and its icon."""

LARGE_STYLE = f"""
<style>
.uf-large{{display:grid;grid-template-columns:minmax(9rem,{LARGE_PIXELS}px) minmax(0,1fr);
  gap:1.5rem;align-items:center}}
.uf-large>img,.uf-large>.uf-lost{{width:100%;aspect-ratio:1;border-radius:12px}}
.uf-large>.uf-lost{{display:grid;place-items:center;padding:1rem;border:1px dashed}}
.uf-told h2{{font-size:clamp(2.4rem,5vw,3.5rem);line-height:1.1;padding:0;margin:0;overflow-wrap:anywhere}}
.uf-told h2.uf-long{{font-size:clamp(1.4rem,3vw,2.2rem)}}
.uf-told p{{margin:.5rem 0 .9rem;overflow-wrap:anywhere}}
@media (max-width:640px){{.uf-large{{grid-template-columns:11fr 13fr;gap:1rem;align-items:start}}}}
</style>
"""


def told(heading: str, notes: Sequence[str], top: Sequence[tuple[str, float]]) -> str:
    """HTML of an answer that is read from afar: the answer, a line for each note, and the most probable classes."""
    lines = "<br>".join(escape(note) for note in notes)
    drawn = drawings.probability_bars(top, below=True)
    kind = ' class="uf-long"' if len(heading) > LONG else ""
    return f'{LARGE_STYLE}<div class="uf-told"><h2{kind}>{escape(heading)}</h2><p>{lines}</p>{drawn}</div>'


def notes(found: PredictionTable, place: int) -> list[str]:
    """What is to be known about an answer; not yet safe as HTML or Markdown."""
    kind = str(found.decisions.kinds[place])
    if place in found.corrected:
        return [tr("Corrected by hand. Predicted: {class_name}", class_name=found.top(place, 1)[0][0])]
    if kind == UNSURE:
        least = whole(found.decisions.least_confidence)
        return [tr("The confidence is below {least}, too low for an answer.", least=least)]
    if kind == OUT_OF_DISTRIBUTION:
        return [tr("It may show something else than any of the classes.")]
    return []


def title(found: PredictionTable, place: int) -> str:
    """The answer of the model, or the correction by a person; not yet safe as HTML or Markdown."""
    if place in found.corrected:
        return found.shown_names[found.corrected[place]]
    return answer(str(found.decisions.kinds[place]), found.top(place, 1)[0][0])


def large(found: PredictionTable, place: int, job: BatchJob, predictor: Predictor) -> None:
    """A photo and the answer for it, large."""
    name = found.photos[place].name
    try:
        picture = base64.b64encode(job.picture(place, side(predictor))).decode()
        alt = tr("{photo} as the model sees it", photo=name)
        shown = f'<img src="data:image/jpeg;base64,{picture}" alt="{escape(alt)}">'
    except PhotoError as error:
        lost = tr("No longer readable: {reason}", reason=error.text)
        shown = f'<div class="uf-lost">{escape(lost)}</div>'
    words = told(title(found, place), [*notes(found, place), name], found.top(place, TOP))
    st.html(f'<div class="uf-large">{shown}{words}</div>')
    buttons(found, place, job, "large")
    if place in state.recall(f"heat-{job.id}", set()):
        heat_map(found, place, predictor, LARGE_PIXELS)


def _lost(error: PhotoError) -> None:
    lost = tr("No longer readable: {reason}", reason=markdown.escape(error))
    st.caption(f":material/broken_image: {lost}")


def side(predictor: Predictor) -> int:
    """The side of the pictures that are shown, in pixels."""
    return max(LARGE_PIXELS, predictor.resolution)


def card(found: PredictionTable, place: int, job: BatchJob, predictor: Predictor) -> None:
    """A photo, its most probable classes, and its buttons."""
    name = found.photos[place].name
    with st.container(horizontal=True, vertical_alignment="center"):
        try:
            alt = tr("{photo} as the model sees it", photo=name)
            st.image(job.picture(place, side(predictor)), width=PHOTO_PIXELS, alt=alt)
        except PhotoError as error:
            _lost(error)
        with st.container(width="stretch", gap="xsmall"):
            heading(found, place)
            st.caption(markdown.escape(name))
            st.html(drawings.probability_bars(found.top(place, TOP), below=True))
    buttons(found, place, job, "card")
    if place in state.recall(f"heat-{job.id}", set()):
        heat_map(found, place, predictor, PHOTO_PIXELS)


def buttons(found: PredictionTable, place: int, job: BatchJob, where: str) -> None:
    """What can be done about an answer; `where` tells apart two places that show the same photo."""
    with st.container(horizontal=True):
        opened = place in state.recall(f"heat-{job.id}", set())
        st.button(
            tr("Hide the heat map") if opened else tr("Heat map"),
            key=f"heat-{where}-{job.id}-{place}",
            icon=":material/blur_on:",
            type="tertiary",
            on_click=_turn,
            args=(job, place),
            help=tr("Where in {photo} the evidence for the answer is", photo=markdown.escape(found.photos[place].name)),
        )
        correct(found, place, job, where)


def heading(found: PredictionTable, place: int) -> None:
    """The answer on a card."""
    st.markdown(f"### {markdown.escape(title(found, place))}")
    if place in found.corrected:
        predicted = tr("predicted: {class_name}", class_name=markdown.escape(found.top(place, 1)[0][0]))
        corrected = tr("corrected")
        st.markdown(f":green-badge[:material/edit: {corrected}] {predicted}")
    elif (kind := str(found.decisions.kinds[place])) in ICONS:
        badge, icon = ICONS[kind]
        st.markdown(f"{badge}[{icon} {tr(KINDS[kind])}]")


def correct(found: PredictionTable, place: int, job: BatchJob, where: str) -> None:
    """A menu to give a photo another class."""
    back = [NO_CORRECTION] if place in found.corrected else []
    picked = st.menu_button(
        tr("Correct"),
        [*back, *range(len(found.shown_names))],
        key=f"correct-{where}-{job.id}-{place}",
        icon=":material/edit:",
        type="tertiary",
        format_func=lambda label: (
            tr("Undo the correction") if label == NO_CORRECTION else markdown.escape(found.shown_names[label])
        ),
        help=tr("Choose the class that {photo} really shows", photo=markdown.escape(found.photos[place].name)),
    )
    if picked is not None:
        corrected = {at: label for at, label in found.corrected.items() if at != place}
        if picked != NO_CORRECTION:
            corrected[place] = picked
        state.remember(f"corrected-{job.id}", corrected)
        st.rerun()


def _turn(job: BatchJob, place: int) -> None:
    """Show or hide the heat map of a photo."""
    state.remember(f"heat-{job.id}", state.recall(f"heat-{job.id}", set()) ^ {place})


def heat_map(found: PredictionTable, place: int, predictor: Predictor, width: int) -> None:
    """The evidence for the most probable class, place by place, so many pixels wide."""
    try:
        pixels = predictor.see(found.photos[place].read(), services.settings().limits.pixels)
    except PhotoError as error:
        _lost(error)
        return
    maps = predictor.predict_one(pixels).maps
    if maps is None:
        st.info(
            tr("This run was trained by an earlier version, whose models have no heat maps. Train again to see them.")
        )
        return
    label = int(found.decisions.predicted[place])
    evidence, title = heat.evidence(maps, label), found.shown_names[label]
    limit = heat.limit_of([evidence])
    text = heat.summary(evidence, title)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(heat.overlay(pixels, evidence, limit), width=width, alt=together(tr("Heat map."), text))
        with st.container(width="stretch"):
            st.markdown(markdown.escape(text))
            st.html(heat.scale(limit))
