"""Heat maps over photos: the evidence for a class and against it, place by place. Knows nothing of Streamlit.

Blue is for, purple is against, the stronger the colour, the more; without colours, light is for, dark against.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.language import number, tr, tr_mark
from pages.components.shared.colours import AGAINST, EDGE, FOR
from pages.components.shared.glossary import LOGIT, meaning

STRONGEST = 0.8
"""How much of a photo the colour covers where the evidence is strongest."""

LEAST_LIMIT = 1e-6
"""The end of the scale where there is no evidence at all."""

NINTHS = (
    (
        tr_mark("Most of the evidence for {name} is in the upper left."),
        tr_mark("Most of the evidence for {name} is at the top."),
        tr_mark("Most of the evidence for {name} is in the upper right."),
    ),
    (
        tr_mark("Most of the evidence for {name} is on the left."),
        tr_mark("Most of the evidence for {name} is in the middle."),
        tr_mark("Most of the evidence for {name} is on the right."),
    ),
    (
        tr_mark("Most of the evidence for {name} is in the lower left."),
        tr_mark("Most of the evidence for {name} is at the bottom."),
        tr_mark("Most of the evidence for {name} is in the lower right."),
    ),
)
"""What is said of the places of a photo, from top to bottom."""


def evidence(maps: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """The evidence of each place for a class, in logits above the average of all: `(h, w)` of maps `(h, w, K)`.

    A number that is the same for all classes changes no probability, so it is taken away.
    """
    return np.asarray(maps[..., label] - maps.mean(-1), dtype=np.float32)


def limit_of(found: Sequence[NDArray[np.float32]]) -> float:
    """The end of a scale on which all of these can be compared, above 0: the median of the strongest value in each.

    So one photo with much evidence leaves colour for the others.
    """
    return max(LEAST_LIMIT, float(np.median([np.abs(each).max() for each in found]))) if found else LEAST_LIMIT


def overlay(photo: NDArray[np.uint8], found: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    """A photo in grey with its evidence in colour.

    Args:
        photo: `(S, S, 3)`, 0..255.
        found: `(h, w)`, as `evidence` gives it; it is drawn smoothly.
        limit: Where the colour is strongest, above 0.

    Returns pixels `(S, S, 3)`.
    """
    size = (photo.shape[1], photo.shape[0])
    smooth = np.asarray(Image.fromarray(np.asarray(found, np.float32)).resize(size, Image.Resampling.BICUBIC))
    strength = np.clip(smooth / limit, -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[..., None]
    colour = np.where(strength > 0, _rgb(FOR), _rgb(AGAINST))
    covered = STRONGEST * np.abs(strength)
    return np.asarray(np.rint((1 - covered) * grey + covered * colour), np.uint8)


def summary(found: NDArray[np.float32], class_name: str) -> str:
    """Where in a photo most of the evidence for a class is, as a sentence; `(h, w)` as `evidence` gives it."""
    place = _strongest_ninth(found)
    return tr(place, name=class_name) if place else tr("There is no evidence for {name}.", name=class_name)


def _strongest_ninth(found: NDArray[np.float32]) -> str:
    """One of `NINTHS`, with most evidence for the class, `(h, w)`, each 3 or more; empty where there is none."""
    rows = np.array_split(np.maximum(found, 0), 3)
    sums = np.array([[part.sum() for part in np.array_split(row, 3, axis=1)] for row in rows])
    row, column = divmod(int(sums.argmax()), 3)
    return NINTHS[row][column] if sums.any() else ""


def scale(limit: float) -> str:
    """HTML of the colour scale; its ends are in logits, and stand for stronger evidence, too."""
    far = f"{limit:.0f}" if limit >= 10 else f"{limit:.2g}"
    if "e" not in far:
        far = number(float(far), len(far.partition(".")[2]))
    texts = tr("against (−{limit} logits)", limit=far), tr("neither"), tr("for (+{limit} logits)", limit=far)
    ends = "".join(f"<span>{text}</span>" for text in texts)
    words = tr("Scale: purple is evidence against the class, blue evidence for it, up to {limit} logits", limit=far)
    return (
        f'<div style="max-width:24rem;font-size:.85rem" title="{meaning(LOGIT)}" role="img" aria-label="{words}">'
        '<div style="height:.8rem;border-radius:4px;'
        f'border:1px solid {EDGE};background:linear-gradient(90deg,{AGAINST},{EDGE},{FOR})"></div>'
        f'<div style="display:flex;justify-content:space-between">{ends}</div></div>'
    )


def _rgb(colour: str) -> NDArray[np.float32]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float32)
