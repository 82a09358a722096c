"""Targets that are not one class alone: label smoothing, mixup and CutMix. No Keras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recipe.recipe import Recipe

Mixed = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Softening:
    """Turns labels into shares of classes, and mixes photos with each other.

    Mixup (Zhang et al., arXiv 1710.09412) lays another photo of the batch over each, CutMix (Yun et al., arXiv
    1905.04899) puts a rectangle of it in. How much is drawn from Beta(α, α), once for each photo; the targets are mixed
    alike. What is drawn depends on the seeds and the step alone.

    Attributes:
        classes: K.
        smoothing: Share of the truth that is spread evenly over all classes, 0 to 0.9.
        mixup, cutmix: α; 0 for never. With both, each batch takes one of them, by chance.
        seeds: Fix what is drawn, together with the step.
    """

    classes: int
    smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    seeds: tuple[int, ...] = (0,)

    def __call__(
        self,
        photos: NDArray[np.float32],
        labels: NDArray[np.int32],
        step: int,
        weights: NDArray[np.float32] | None = None,
    ) -> Mixed:
        """Soften one batch.

        Args:
            photos: (B, ...); (B, S, S, 3) if they are to be mixed.
            labels: (B,).
            step: Number of the batch in its epoch.
            weights: (B,), how much each photo counts; None if all do alike.

        Returns:
            Photos like those that came, and targets (B, K), each row summing to 1, or to what its photos count.
        """
        even = np.float32(self.smoothing / self.classes)
        targets = np.eye(self.classes, dtype=np.float32)[labels] * np.float32(1 - self.smoothing) + even
        targets = targets if weights is None else targets * weights[:, None]
        kinds = [kind for kind, alpha in ((_mixup, self.mixup), (_cutmix, self.cutmix)) if alpha]
        if not kinds or not len(photos):
            return photos, targets
        random = np.random.default_rng((*self.seeds, step))
        kind = kinds[random.integers(len(kinds))]
        alpha = self.mixup if kind is _mixup else self.cutmix
        shares = random.beta(alpha, alpha, len(photos)).astype(np.float32)
        return kind(photos, targets, random.permutation(len(photos)), shares, random)


def softening_of(recipe: Recipe, classes: int, epoch: int) -> Softening | None:
    """What a recipe asks for in an epoch's training; None where labels stay what they are."""
    if not recipe.needs_soft_targets:
        return None
    return Softening(classes, recipe.label_smoothing, recipe.mixup, recipe.cutmix, (recipe.seed, epoch))


def _mixup(
    photos: NDArray[np.float32],
    targets: NDArray[np.float32],
    partners: NDArray[np.int64],
    shares: NDArray[np.float32],
    random: np.random.Generator,
) -> Mixed:
    own = shares.reshape(-1, *[1] * (photos.ndim - 1))
    return photos * own + photos[partners] * (1 - own), _weighted(targets, partners, shares)


def _cutmix(
    photos: NDArray[np.float32],
    targets: NDArray[np.float32],
    partners: NDArray[np.int64],
    shares: NDArray[np.float32],
    random: np.random.Generator,
) -> Mixed:
    count, height, width = photos.shape[:3]
    mixed, own = photos.copy(), np.empty(count, np.float32)
    sides = np.sqrt(1 - shares)
    for photo in range(count):
        top, bottom = _stretch(height, sides[photo], random)
        left, right = _stretch(width, sides[photo], random)
        mixed[photo, top:bottom, left:right] = photos[partners[photo], top:bottom, left:right]
        own[photo] = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, _weighted(targets, partners, own)


def _stretch(length: int, share: float, random: np.random.Generator) -> tuple[int, int]:
    """A stretch of this share of a side around a random point, cut off at the ends."""
    middle, half = random.integers(length), round(length * float(share) / 2)
    return max(0, int(middle) - half), min(length, int(middle) + half)


def _weighted(
    targets: NDArray[np.float32], partners: NDArray[np.int64], own: NDArray[np.float32]
) -> NDArray[np.float32]:
    return targets * own[:, None] + targets[partners] * (1 - own[:, None])
