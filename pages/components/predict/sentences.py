"""Predictions in sentences and small charts. Knows nothing of Streamlit."""

import numpy as np

from core.formatting import photos, whole
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE
from core.inference.out_of_distribution import SelectiveAccuracy
from core.inference.prediction_table import PredictionTable
from pages.components.shared import drawings
from pages.components.shared.colours import ANSWER, OTHER

MOST_CLASSES = 10
"""So many classes have a bar of their own."""


def answer(kind: str, class_name: str) -> str:
    """The answer for a photo, of which this class is the most probable."""
    return f"{kind.capitalize()}: perhaps {class_name}" if kind in (UNSURE, OUT_OF_DISTRIBUTION) else class_name


def summary(found: PredictionTable) -> str:
    """One line on all photos; not yet safe as Markdown."""
    counts = found.counts()
    order = [label for label in np.argsort(-counts, kind="stable") if counts[label]]
    parts = [f"{found.shown_names[label]} × {counts[label]:,}" for label in order[:MOST_CLASSES]]
    if len(order) > MOST_CLASSES:
        parts.append(f"{counts[order[MOST_CLASSES:]].sum():,} of {len(order) - MOST_CLASSES:,} other classes")
    for kind in (UNSURE, OUT_OF_DISTRIBUTION):
        number = int(found.is_open(kind).sum())
        parts += [f"{number:,} {kind}"] if number else []
    return f"{photos(len(found))}: {', '.join(parts)}"


def selective_accuracy(found: SelectiveAccuracy) -> str:
    """The effect of a least confidence, in a sentence."""
    if not found.total:
        return "This run has no validation photos to measure the effect on."
    if not found.accepted:
        return f"The model would be unsure about all {photos(found.total, 'validation')}."
    return (
        f"The model gives an answer for {found.accepted:,} of {photos(found.total, 'validation')}"
        f" ({whole(found.accepted / found.total)}), and {whole(found.right / found.accepted)} of these are right."
    )


def count_bars(found: PredictionTable) -> str:
    """HTML: the number of photos of each class, of unsure ones, and of those unlike the training photos."""
    counts = found.counts()
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    rows = [(found.shown_names[label], int(counts[label]), ANSWER) for label in order[:MOST_CLASSES]]
    rows += [("other classes", int(counts[order[MOST_CLASSES:]].sum()), ANSWER)] if len(order) > MOST_CLASSES else []
    rows += [
        (kind, int(found.is_open(kind).sum()), OTHER)
        for kind in (UNSURE, OUT_OF_DISTRIBUTION)
        if found.is_open(kind).any()
    ]
    most = max((count for _, count, _ in rows), default=1)
    drawn = drawings.bars([(name, count / most, colour, f"{count:,}") for name, count, colour in rows])
    return f'<div style="max-width:34rem">{drawn}</div>'
