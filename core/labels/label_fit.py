"""Whether labels and photos fit together at all: without that, a check of single labels says nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.formatting import whole
from core.labels.label_noise import GREATEST_SHARE
from core.language import tr

LEAST_FIT = 0.3
"""Cohen's kappa of held-out predictions and labels below which they do not fit.

Set on 400 flower photos of five classes and 250 of two, with features of EfficientNet-Lite0: 0.8 with right labels, 0.6
with 20 % wrong ones, 0.3 with 50 %, 0.1 with 60 %, where the check names hardly any suspect any more; 0.6 with right
labels of only eight photos a class."""

MOST_SUSPECT = 0.9 * GREATEST_SHARE
"""The share of suspects from which on there are about as many as the check can find."""

SURE = 1.645
"""Standard deviations above chance that one guess in twenty exceeds."""


@dataclass(frozen=True)
class LabelFit:
    """How well held-out predictions match the given labels.

    Attributes:
        photos: How many labels could be compared.
        matched: The share of them that the predictions match, 0 to 1.
        by_chance: The share that they would match if labels had nothing to do with photos.
        deviations: By how many standard deviations more match than by chance.
        suspected: The share of labels that are suspects.
    """

    photos: int
    matched: float
    by_chance: float
    deviations: float
    suspected: float

    @property
    def misfit(self) -> str:
        """Why single suspects, or their absence, say little; empty where labels and photos fit together."""
        if self.photos < 2:
            return tr("No label can be judged: no class has two photos. Add photos, then check again.")
        figures = tr(
            "predictions for photos held out match {share} of {count} labels; guessing would match {by_chance}",
            share=whole(self.matched),
            count=self.photos,
            by_chance=whole(self.by_chance),
        )
        kappa = (self.matched - self.by_chance) / max(1 - self.by_chance, 1e-9)
        if self.deviations < SURE or kappa < LEAST_FIT:
            return tr(
                "Labels and photos do not fit together: {figures}. Either many labels are wrong, for example taken"
                " from the wrong folders or the wrong column, or this network cannot tell these classes apart. Single"
                " labels cannot be judged until that is settled.",
                figures=figures,
            )
        if self.suspected >= MOST_SUSPECT:
            return tr(
                "Labels and photos hardly fit together: {share} of the labels look wrong, about as many as can be found"
                " ({most}), and {figures}. There may be more.",
                share=whole(self.suspected),
                most=whole(GREATEST_SHARE),
                figures=figures,
            )
        return ""


def label_fit(probabilities: ArrayLike, labels: ArrayLike, suspects: int) -> LabelFit:
    """Compare held-out predictions with labels.

    How many match by chance, and how far that varies, is that of all orders of the labels.

    Args:
        probabilities: Shape (N, K): of each class, by a model that has not learned from the photo.
        labels: Shape (N,): the given ones. Those that no other photo has are left out: nothing can predict them.
        suspects: How many labels are probably wrong.
    """
    shares, given = np.asarray(probabilities), np.asarray(labels, np.intp)
    compared = np.bincount(given, minlength=shares.shape[1])[given] > 1
    predicted, kept = shares.argmax(axis=1)[compared], given[compared]
    count = len(kept)
    if count < 2:
        return LabelFit(count, 0.0, 0.0, 0.0, 0.0)
    together = np.bincount(predicted, minlength=shares.shape[1]) * np.bincount(kept, minlength=shares.shape[1])
    ones = np.bincount(predicted, minlength=shares.shape[1]) + np.bincount(kept, minlength=shares.shape[1])
    expected = together.sum() / count
    variance = (expected * (count + expected) - (together * ones).sum() / count) / (count - 1)
    matched = int((predicted == kept).sum())
    deviations = (matched - expected) / np.sqrt(max(variance, 1e-9))
    return LabelFit(count, matched / count, expected / count, float(deviations), suspects / len(given))
