"""An evaluation in sentences for somebody who has never seen a confusion matrix. Draws nothing.

Names of classes come as people gave them; they are made safe for Markdown here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.evaluation.calibration import Coverage, Reliability
from core.evaluation.metrics import ClassScores, Confused, Evaluation
from core.formatting import percent, photos, unbroken, whole
from pages.components.shared import markdown

FEW_PHOTOS = 10
"""Fewer photos say too little about how often the model is right, where there are more of others."""

SUBSETS = {"test": "Test", "validation": "Validation", "training": "Training"}

OTHER = "other"
"""In place of a subset of the run's own photos: photos from elsewhere."""

ONE = {**{name: f"a {name} photo" for name in SUBSETS}, OTHER: "not from this dataset"}
"""What a single photo is."""

MEANT = {
    "test": "Test photos were not used in training: expect the same results for new photos from the same source.",
    "validation": "The best epoch was chosen by the validation photos, so these results are slightly optimistic.",
    "training": "The model has learned from the training photos, so these results do not tell how good it is with new"
    " ones. A mistake here is a hard photo, or a wrong label.",
    OTHER: "These photos come from outside the model's dataset: they show how good it is elsewhere.",
}


def times(count: int) -> str:
    """How often: "once", "3 times"."""
    return "once" if count == 1 else f"{count} times"


def correct(found: Evaluation, subset: str) -> str:
    """How many photos of a subset are classified correctly; and what to expect, unless the model learned from them."""
    right = f"**{found.correct:,} of {photos(len(found), subset)}** are classified correctly."
    if subset == "training":
        return right
    low, high = found.interval
    return unbroken(
        f"{right} With other photos from the same source, expect between {whole(low)} and {whole(high)}"
        " (95 % interval)."
    )


def correct_elsewhere(found: Evaluation, name: str) -> str:
    """The same of photos that are not from the dataset, by the name of their folder or archive."""
    low, high = found.interval
    return unbroken(
        f"**{found.correct:,} of {photos(len(found))}** of **{markdown.escape(name)}**, not from this dataset, are"
        f" classified correctly. With other photos from the same source, expect between {whole(low)} and {whole(high)}"
        " (95 % interval)."
    )


def learned_from(counts: Mapping[str, int]) -> str:
    """Which of the photos from elsewhere are photos of the run, by subset; empty where none is."""
    training, validation, test = (counts.get(name, 0) for name in ("training", "validation", "test"))
    said = []
    if training or validation:
        verb = "is" if training + validation == 1 else "are"
        said.append(
            f"{photos(training + validation)} {verb} left out: {training:,} of the training and {validation:,} of the"
            " validation photos of this run."
        )
    if test:
        said.append(f"{photos(test)} {'is' if test == 1 else 'are'} also among the test photos of this run.")
    return " ".join(said)


def unknown_class(name: str, count: int) -> str:
    """That the model has no class of this name."""
    return f"{photos(count)} of class **{markdown.escape(name)}**: the model does not know it."


def confused(pair: Confused, names: Sequence[str]) -> str:
    """ "12 of 80 photos of roses are predicted as tulips." """
    verb = "is" if pair.count == 1 else "are"
    return (
        f"{pair.count:,} of {photos(pair.support)} of **{markdown.escape(names[pair.label])}** {verb} predicted as"
        f" **{markdown.escape(names[pair.taken_for])}**."
    )


def worst_and_best(scores: ClassScores, names: Sequence[str]) -> list[str]:
    """Which class is recognised worst and which best; one sentence where all are alike."""
    seen = np.flatnonzero(scores.support)
    recall = scores.recall[seen]
    if np.ptp(recall) == 0:
        return [f"It recognises every class equally well: {percent(float(recall[0]))} of the photos of each class."]
    best = seen[np.lexsort((-scores.support[seen], -recall))[0]]
    worst = seen[np.lexsort((-scores.support[seen], recall))[0]]
    return [
        f"It is weakest at **{markdown.escape(names[worst])}**: {_of(scores, worst)} are recognised.",
        f"It is best at **{markdown.escape(names[best])}**: {_of(scores, best)} are recognised.",
    ]


def _of(scores: ClassScores, label: int) -> str:
    support = int(scores.support[label])
    return f"{round(float(scores.recall[label]) * support):,} of {photos(support)}"


def confidence_and_accuracy(found: Reliability) -> list[str]:
    """ "With a confidence of about 90 %, it is right 84 % of the time": the commonest confidence, and the worst."""
    gaps = np.abs(found.confidence - found.accuracy) * found.counts
    enough = found.counts >= min(FEW_PHOTOS, int(found.counts.max()))
    steps = dict.fromkeys((int(found.counts.argmax()), int(np.argmax(np.where(enough, gaps, -1)))))
    return [
        f"With a confidence of about **{percent(float(found.confidence[step]))}**, it is right"
        f" **{percent(float(found.accuracy[step]))}** of the time ({photos(int(found.counts[step]))})."
        for step in steps
    ]


def temperature(found: float, better: bool) -> str:
    """The effect of temperature scaling on the probabilities, and whether it improves them."""
    if abs(found - 1) < 0.05:
        return f"The best temperature is {found:.2f}, which changes almost nothing."
    effect = "lowers" if found > 1 else "raises"
    lead = f"A temperature of {found:.2f} {effect} the confidence; the predicted class stays the same."
    return lead if better else f"{lead} On these photos, this is **no improvement**."


def abstention(found: Coverage) -> str:
    """The gain if the model can abstain on the photos with the lowest confidence."""
    everything = percent(float(found.accuracy[-1]))
    tenth, half = (found.at_least(share) for share in (0.9, 0.5))
    return (
        f"If it answers for every photo, {everything} of the answers are right. If it abstains on the"
        f" **{whole(1 - found.share[tenth])}** with the lowest confidence, **{percent(float(found.accuracy[tenth]))}**"
        f" of the others are right; of the {whole(found.share[half])} with the highest confidence,"
        f" **{percent(float(found.accuracy[half]))}**."
    )


def neighbours(shares: NDArray[np.float64], names: Sequence[str], most: int = 3) -> list[str]:
    """The closest classes, from the shares (K, K) of nearest photos; the closest first."""
    others = shares.copy()
    np.fill_diagonal(others, 0)
    pairs = [divmod(int(place), len(names)) for place in np.argsort(-others, axis=None, kind="stable")[:most]]
    return [
        f"Of the nearest photos to those of **{markdown.escape(names[row])}**, {percent(float(others[row, column]))}"
        f" are **{markdown.escape(names[column])}**."
        for row, column in pairs
        if others[row, column] > 0
    ]
