"""What an evaluation says, in sentences for somebody who has never seen a confusion matrix. Draws nothing.

Names of classes are as people gave them; they are made safe for Markdown here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.evaluation.calibration import Coverage, Reliability
from core.evaluation.metrics import ClassScores, Confused
from core.formatting import percent, photos
from pages.components.shared import markdown

FEW_PHOTOS = 10
"""Of fewer photos it is not worth saying how often the model is right about them, where there are others."""

SUBSETS = {"test": "Test photos", "validation": "Validation photos"}

MEANT = {
    "test": "Test photos had no part in the training: this is what to expect of new photos from the same source.",
    "validation": "Validation photos chose which epoch's model was kept, so these figures flatter a little.",
}


def times(count: int) -> str:
    """How often: "once", "3 times"."""
    return "once" if count == 1 else f"{count} times"


def confused(pair: Confused, names: Sequence[str]) -> str:
    """ "12 of 80 photos of roses are taken for tulips." """
    verb = "is" if pair.count == 1 else "are"
    return (
        f"{pair.count:,} of {photos(pair.support)} of **{markdown.escape(names[pair.label])}** {verb} taken for"
        f" **{markdown.escape(names[pair.taken_for])}**."
    )


def best_and_worst(scores: ClassScores, names: Sequence[str]) -> list[str]:
    """Which class is recognised best and which worst; one sentence where all are alike."""
    seen = np.flatnonzero(scores.support)
    recall = scores.recall[seen]
    if np.ptp(recall) == 0:
        return [f"It recognises every class equally well: {percent(float(recall[0]))} of the photos of each."]
    best = seen[np.lexsort((-scores.support[seen], -recall))[0]]
    worst = seen[np.lexsort((-scores.support[seen], recall))[0]]
    return [
        f"It is best at **{markdown.escape(names[best])}**: {_of(scores, best)} are recognised.",
        f"It has most trouble with **{markdown.escape(names[worst])}**: {_of(scores, worst)} are recognised.",
    ]


def _of(scores: ClassScores, label: int) -> str:
    support = int(scores.support[label])
    return f"{round(float(scores.recall[label]) * support):,} of {photos(support)}"


def says_and_is(found: Reliability) -> list[str]:
    """ "When it says about 90 %, it is right in 84 %": where it says so most often, and where that is most wrong."""
    gaps = np.abs(found.confidence - found.accuracy) * found.counts
    enough = found.counts >= min(FEW_PHOTOS, int(found.counts.max()))
    steps = dict.fromkeys((int(found.counts.argmax()), int(np.argmax(np.where(enough, gaps, -1)))))
    return [
        f"When it says about **{percent(float(found.confidence[step]))}**, it is right in"
        f" **{percent(float(found.accuracy[step]))}**"
        f" ({photos(int(found.counts[step]))})."
        for step in steps
    ]


def temperature(found: float, better: bool) -> str:
    """What temperature scaling does to the probabilities, and whether that brings them nearer to what is true."""
    if abs(found - 1) < 0.05:
        return f"The temperature that fits best is {found:.2f}, which changes next to nothing."
    effect = "more careful" if found > 1 else "bolder"
    lead = f"A temperature of {found:.2f} makes what it says {effect}; which class it answers stays the same."
    return lead if better else f"{lead} On these photos that is **no better**."


def silence(found: Coverage) -> str:
    """What the model gains if it may be silent about the photos that it is least sure of."""
    whole = percent(float(found.accuracy[-1]))
    tenth, half = (found.at_least(share) for share in (0.9, 0.5))
    return (
        f"Answering every photo, it is right about {whole}. If it may pass on the **{1 - found.share[tenth]:.0%}** that"
        f" it is least sure of, it is right about **{percent(float(found.accuracy[tenth]))}** of the others; of the"
        f" {found.share[half]:.0%} that it is most sure of, about **{percent(float(found.accuracy[half]))}**."
    )


def neighbours(shares: NDArray[np.float64], names: Sequence[str], most: int = 3) -> list[str]:
    """Which classes lie closest together, from the shares (K, K) of nearest photos; the closest first."""
    others = shares.copy()
    np.fill_diagonal(others, 0)
    pairs = [divmod(int(place), len(names)) for place in np.argsort(-others, axis=None, kind="stable")[:most]]
    return [
        f"Of the photos nearest to those of **{markdown.escape(names[row])}**, {percent(float(others[row, column]))}"
        f" are **{markdown.escape(names[column])}**."
        for row, column in pairs
        if others[row, column] > 0
    ]
