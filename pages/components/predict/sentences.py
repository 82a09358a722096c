"""Predictions in sentences and small charts. Knows nothing of Streamlit."""

import numpy as np

from core.formatting import photos, whole
from core.inference.decision import OUT_OF_DISTRIBUTION, UNSURE
from core.inference.out_of_distribution import SelectiveAccuracy
from core.inference.prediction_table import PredictionTable
from core.language import number, tr, tr_mark, tr_plural
from pages.components.shared import drawings
from pages.components.shared.colours import ANSWER, OTHER

MOST_CLASSES = 10
"""So many classes have a bar of their own."""

KINDS = {UNSURE: tr_mark("unsure"), OUT_OF_DISTRIBUTION: tr_mark("unlike the training photos")}
"""What answers are called that are no class."""


def answer(kind: str, class_name: str) -> str:
    """The answer for a photo, of which this class is the most probable."""
    if kind == UNSURE:
        return tr("Unsure: perhaps {class_name}", class_name=class_name)
    if kind == OUT_OF_DISTRIBUTION:
        return tr("Unlike the training photos: perhaps {class_name}", class_name=class_name)
    return class_name


def summary(found: PredictionTable) -> str:
    """One line on all photos; not yet safe as Markdown."""
    counts = found.counts()
    order = [label for label in np.argsort(-counts, kind="stable") if counts[label]]
    parts: list[str] = [
        tr("{class_name} × {count}", class_name=found.shown_names[label], count=int(counts[label]))
        for label in order[:MOST_CLASSES]
    ]
    if len(order) > MOST_CLASSES:
        parts.append(
            tr_plural(
                "{photos} of {count} other class",
                "{photos} of {count} other classes",
                len(order) - MOST_CLASSES,
                photos=int(counts[order[MOST_CLASSES:]].sum()),
            )
        )
    if undecided := int(found.is_open(UNSURE).sum()):
        parts.append(tr("{count} unsure", count=undecided))
    if undecided := int(found.is_open(OUT_OF_DISTRIBUTION).sum()):
        parts.append(tr("{count} unlike the training photos", count=undecided))
    return tr("{photos}: {answers}", photos=photos(len(found)), answers=", ".join(parts))


def selective_accuracy(found: SelectiveAccuracy) -> str:
    """The effect of a least confidence, in a sentence."""
    if not found.total:
        return tr("This run has no validation photos to measure the effect on.")
    if not found.accepted:
        return tr("The model would be unsure about all {photos}.", photos=photos(found.total, "validation"))
    return tr(
        "The model gives an answer for {accepted} of {photos} ({share}), and {right} of these are right.",
        accepted=int(found.accepted),
        photos=photos(found.total, "validation"),
        share=whole(found.accepted / found.total),
        right=whole(found.right / found.accepted),
    )


def count_bars(found: PredictionTable) -> str:
    """HTML: the number of photos of each class, of unsure ones, and of those unlike the training photos."""
    counts = found.counts()
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    rows: list[tuple[str, int, str]] = [
        (found.shown_names[label], int(counts[label]), ANSWER) for label in order[:MOST_CLASSES]
    ]
    rows += (
        [(tr("other classes"), int(counts[order[MOST_CLASSES:]].sum()), ANSWER)] if len(order) > MOST_CLASSES else []
    )
    rows += [
        (tr(KINDS[kind]), int(found.is_open(kind).sum()), OTHER)
        for kind in (UNSURE, OUT_OF_DISTRIBUTION)
        if found.is_open(kind).any()
    ]
    most = max((count for _, count, _ in rows), default=1)
    drawn = drawings.bars([(name, count / most, colour, number(count)) for name, count, colour in rows])
    return f'<div style="max-width:34rem">{drawn}</div>'
