"""What is said of predictions, and small pictures of them. Knows nothing of Streamlit."""

from collections.abc import Sequence
from html import escape

import numpy as np

from core.formatting import photos, whole
from core.inference.out_of_distribution import OUT_OF_DISTRIBUTION, UNSURE, Cost
from core.inference.prediction_table import PredictionTable
from pages.components.shared.drawings import BARS_STYLE

MOST_CLASSES = 10
"""So many classes have a bar of their own."""

PLAIN, OPEN = "#2b93c4", "#8a8f94"


def in_words(said: str, class_name: str) -> str:
    """What the model says of a photo, of which this class is the most probable."""
    return {UNSURE: f"Unsure: perhaps {class_name}", OUT_OF_DISTRIBUTION: f"Something else, if not {class_name}"}.get(
        said, class_name
    )


def summary(found: PredictionTable) -> str:
    """One line on all photos; not yet safe as Markdown."""
    counts = found.counts()
    order = [label for label in np.argsort(-counts, kind="stable") if counts[label]]
    parts = [f"{counts[label]:,} {found.class_names[label]}" for label in order[:MOST_CLASSES]]
    if len(order) > MOST_CLASSES:
        parts.append(f"{counts[order[MOST_CLASSES:]].sum():,} of {len(order) - MOST_CLASSES:,} other classes")
    for kind in (UNSURE, OUT_OF_DISTRIBUTION):
        number = int(found.is_open(kind).sum())
        parts += [f"{number:,} {kind}"] if number else []
    return f"{photos(len(found))}: {', '.join(parts)}"


def cost_in_words(cost: Cost) -> str:
    """What the dial costs, in a sentence."""
    if not cost.total:
        return "This run has no validation photos to tell what that costs."
    if not cost.answered:
        return f"Of {cost.total:,} validation photos the model would answer none."
    return (
        f"Of {photos(cost.total, 'validation')} the model answers {cost.answered:,}"
        f" ({whole(cost.answered / cost.total)}), and {whole(cost.right / cost.answered)} of these answers are right."
    )


def count_bars(found: PredictionTable) -> str:
    """HTML: how many photos there are of each class, unsure, and of something else."""
    counts = found.counts()
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    rows = [(found.class_names[label], int(counts[label]), PLAIN) for label in order[:MOST_CLASSES]]
    rows += [("other classes", int(counts[order[MOST_CLASSES:]].sum()), PLAIN)] if len(order) > MOST_CLASSES else []
    rows += [
        (kind, int(found.is_open(kind).sum()), OPEN)
        for kind in (UNSURE, OUT_OF_DISTRIBUTION)
        if found.is_open(kind).any()
    ]
    return f'{BARS_STYLE}<div class="uf-bars uf-counts" style="max-width:34rem">{_bars(rows)}</div>'


def _bars(rows: Sequence[tuple[str, int, str]]) -> str:
    most = max((count for _, count, _ in rows), default=1)
    return "".join(
        f'<span>{escape(name)}</span><div><div class="uf-bar" style="width:{100 * count / most:.2f}%;'
        f'background:{colour}"></div></div><span class="uf-share">{count:,}</span>'
        for name, count, colour in rows
    )
