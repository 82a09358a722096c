"""An evaluation in sentences for somebody who has never seen a confusion matrix. Draws nothing.

Names of classes come as people gave them; they are made safe for Markdown here.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.evaluation.calibration import Coverage, Reliability
from core.evaluation.metrics import ClassScores, Confused, Evaluation
from core.formatting import percent, photos, unbroken, whole
from core.language import number, sentences, tr, tr_context, tr_mark, tr_plural
from pages.components.shared import markdown

FEW_PHOTOS = 10
"""Fewer photos say too little about how often the model is right, where there are more of others."""

SUBSETS: Mapping[str, Callable[[], str]] = {
    "test": lambda: tr_context("subset", "Test"),
    "validation": lambda: tr_context("subset", "Validation"),
    "training": lambda: tr_context("subset", "Training"),
}
"""The subsets of a run's photos, and what each is called."""

OTHER = "other"
"""In place of a subset of the run's own photos: photos from elsewhere."""

TITLES = {
    "test": tr_mark("Test photos"),
    "validation": tr_mark("Validation photos"),
    "training": tr_mark("Training photos"),
    OTHER: tr_mark("Other photos"),
}
"""What the photos are called where nothing stands before."""

PHOTOS = {
    "test": tr_mark("test photos"),
    "validation": tr_mark("validation photos"),
    "training": tr_mark("training photos"),
    OTHER: tr_mark("other photos"),
}
"""What the photos are called within a sentence."""

ONE = {
    "test": tr_mark("a test photo"),
    "validation": tr_mark("a validation photo"),
    "training": tr_mark("a training photo"),
    OTHER: tr_mark("not from this dataset"),
}
"""What a single photo is."""

MEANT = {
    "test": tr_mark(
        "Test photos were not used in training: expect the same results for new photos from the same source."
    ),
    "validation": tr_mark(
        "The best epoch was chosen by the validation photos, so these results are slightly optimistic."
    ),
    "training": tr_mark(
        "The model has learned from the training photos, so these results do not tell how good it is with new"
        " ones. A mistake here is a hard photo, or a wrong label."
    ),
    OTHER: tr_mark("These photos come from outside the model's dataset: they show how good it is elsewhere."),
}


def correct(found: Evaluation, subset: str) -> str:
    """How many photos of a subset are classified correctly; and what to expect, unless the model learned from them."""
    right = tr(
        "**{correct} of {photos}** are classified correctly.",
        correct=int(found.correct),
        photos=photos(len(found), subset),
    )
    if subset == "training":
        return right
    return unbroken(sentences(right, _expected(found)))


def correct_elsewhere(found: Evaluation, name: str) -> str:
    """The same of photos that are not from the dataset, by the name of their folder or archive."""
    right = tr(
        "**{correct} of {photos}** of **{source}**, not from this dataset, are classified correctly.",
        correct=int(found.correct),
        photos=photos(len(found)),
        source=markdown.escape(name),
    )
    return unbroken(sentences(right, _expected(found)))


def _expected(found: Evaluation) -> str:
    low, high = found.interval
    return tr(
        "With other photos from the same source, expect between {low} and {high} (95 % interval).",
        low=whole(low),
        high=whole(high),
    )


def learned_from(counts: Mapping[str, int]) -> str:
    """Which of the photos from elsewhere are photos of the run, by subset; empty where none is."""
    training, validation, test = (counts.get(name, 0) for name in ("training", "validation", "test"))
    said = []
    if training or validation:
        said.append(
            tr_plural(
                "{count} photo is left out: {training} of the training and {validation} of the validation photos of"
                " this run.",
                "{count} photos are left out: {training} of the training and {validation} of the validation photos of"
                " this run.",
                training + validation,
                training=training,
                validation=validation,
            )
        )
    if test:
        said.append(
            tr_plural(
                "{count} photo is also among the test photos of this run.",
                "{count} photos are also among the test photos of this run.",
                test,
            )
        )
    return sentences(*said)


def unknown_class(name: str, count: int) -> str:
    """That the model has no class of this name."""
    return tr_plural(
        "{count} photo of class **{class_name}**: the model does not know it.",
        "{count} photos of class **{class_name}**: the model does not know it.",
        count,
        class_name=markdown.escape(name),
    )


def confused(pair: Confused, names: Sequence[str]) -> str:
    """ "12 of 80 photos of roses are predicted as tulips." """
    return tr_plural(
        "{count} of {photos} of **{class_name}** is predicted as **{predicted}**.",
        "{count} of {photos} of **{class_name}** are predicted as **{predicted}**.",
        int(pair.count),
        photos=photos(pair.support),
        class_name=markdown.escape(names[pair.label]),
        predicted=markdown.escape(names[pair.taken_for]),
    )


def worst_and_best(scores: ClassScores, names: Sequence[str]) -> list[str]:
    """Which class is recognised worst and which best; one sentence where all are alike."""
    seen = np.flatnonzero(scores.support)
    recall = scores.recall[seen]
    if np.ptp(recall) == 0:
        return [
            tr(
                "It recognises every class equally well: {share} of the photos of each class.",
                share=percent(float(recall[0])),
            )
        ]
    best = seen[np.lexsort((-scores.support[seen], -recall))[0]]
    worst = seen[np.lexsort((-scores.support[seen], recall))[0]]
    return [
        tr(
            "It is weakest at **{class_name}**: {right} of {photos} are recognised.",
            class_name=markdown.escape(names[worst]),
            **_right(scores, worst),
        ),
        tr(
            "It is best at **{class_name}**: {right} of {photos} are recognised.",
            class_name=markdown.escape(names[best]),
            **_right(scores, best),
        ),
    ]


def _right(scores: ClassScores, label: int) -> dict[str, str | int]:
    support = int(scores.support[label])
    return {"right": round(float(scores.recall[label]) * support), "photos": photos(support)}


def confidence_and_accuracy(found: Reliability) -> list[str]:
    """ "With a confidence of about 90 %, it is right 84 % of the time": the commonest confidence, and the worst."""
    gaps = np.abs(found.confidence - found.accuracy) * found.counts
    enough = found.counts >= min(FEW_PHOTOS, int(found.counts.max()))
    steps = dict.fromkeys((int(found.counts.argmax()), int(np.argmax(np.where(enough, gaps, -1)))))
    return [
        tr(
            "With a confidence of about **{confidence}**, it is right **{accuracy}** of the time ({photos}).",
            confidence=percent(float(found.confidence[step])),
            accuracy=percent(float(found.accuracy[step])),
            photos=photos(int(found.counts[step])),
        )
        for step in steps
    ]


def temperature(found: float, better: bool) -> str:
    """The effect of temperature scaling on the probabilities, and whether it improves them."""
    value = number(found, 2)
    if abs(found - 1) < 0.05:
        return tr("The best temperature is {temperature}, which changes almost nothing.", temperature=value)
    if found > 1:
        lead = tr(
            "A temperature of {temperature} lowers the confidence; the predicted class stays the same.",
            temperature=value,
        )
    else:
        lead = tr(
            "A temperature of {temperature} raises the confidence; the predicted class stays the same.",
            temperature=value,
        )
    return lead if better else sentences(lead, tr("On these photos, this is **no improvement**."))


def abstention(found: Coverage) -> str:
    """The gain if the model can abstain on the photos with the lowest confidence."""
    tenth, half = (found.at_least(share) for share in (0.9, 0.5))
    return tr(
        "If it answers for every photo, {all_right} of the answers are right. If it abstains on the **{lowest}** with"
        " the lowest confidence, **{others_right}** of the others are right; of the {highest} with the highest"
        " confidence, **{highest_right}**.",
        all_right=percent(float(found.accuracy[-1])),
        lowest=whole(1 - found.share[tenth]),
        others_right=percent(float(found.accuracy[tenth])),
        highest=whole(found.share[half]),
        highest_right=percent(float(found.accuracy[half])),
    )


def neighbours(shares: NDArray[np.float64], names: Sequence[str], most: int = 3) -> list[str]:
    """The closest classes, from the shares (K, K) of nearest photos; the closest first."""
    others = shares.copy()
    np.fill_diagonal(others, 0)
    pairs = [divmod(int(place), len(names)) for place in np.argsort(-others, axis=None, kind="stable")[:most]]
    return [
        tr(
            "Of the nearest photos to those of **{class_name}**, {share} are **{other}**.",
            class_name=markdown.escape(names[row]),
            share=percent(float(others[row, column])),
            other=markdown.escape(names[column]),
        )
        for row, column in pairs
        if others[row, column] > 0
    ]
