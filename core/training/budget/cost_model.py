"""What the steps of a run take, in seconds: the one model that all estimates rest on.

The estimate before the start (`costs_of`), the choice that a time budget makes (`time_budget`) and the time that
remains during a run (`remaining_time`) use these constants and functions; `throughput` says how fast this machine is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.data.subsets import SUBSETS
from core.models.backbones import FEATURES, Backbone
from core.models.heads import feature_width
from core.recipe.phases import Phase
from core.recipe.plan import PhasePlan, final_boundary, new_versions, plan_phases
from core.recipe.recipe import Recipe

FIXED_SECONDS = 6.0
"""What no choice changes, until runs have measured it: TensorFlow is loaded, the network converted, the model written.

Two quiet cores take 6 s at the first use of B0, 4 s where its converted network is kept, 2 s with a warm trainer, too.
"""

LEAST_FIXED_SECONDS = 2.0
"""What is left of that at least, once TensorFlow is loaded and the network converted."""

STEP_COST = 3.3
"""Learning from a photo, in relation to a forward pass through the same part: forward, two gradients, the optimizer.

Measured on two cores: 3.1 for block6 and 2.4 for block7 of EfficientNet-B0, more where more learns.
"""

VERSION_SECONDS = 0.002
"""Seconds that augmenting takes for a photo of 224 x 224 pixels, until it was measured; in proportion to the pixels."""

HEAD_EPOCH_SECONDS = 0.6
"""Of the head alone on cached features, for `USUAL_TRAINING` photos."""

PLAIN_FORWARD = 2.7
"""A step in TensorFlow in which nothing but the head learns, against a forward pass through OpenVINO.

60 photos a second against 165, for B0 on two cores.
"""

PLAIN_LEARNING = 6.0
"""A step in which everything learns, likewise: 28 photos a second."""

USUAL_TRAINING = 2_200
"""Training photos for which an epoch of the head takes `HEAD_EPOCH_SECONDS`."""

WIDTH_FOR_FREE = 10_000
"""Features that a head reads in that time; more take longer."""

WRITING_SECONDS, TESTED_PER_SECOND = 2.0, 60.0
"""Seconds to write the model and its graph, and photos that this graph predicts in one, until that was measured."""

VALIDATION_SHARE = 0.05
"""Seconds of a pass over the validation part in relation to an epoch's steps, a guess until one was measured."""


@dataclass(frozen=True)
class Throughput:
    """How fast this machine is.

    Attributes:
        photos_per_second: Photos that go through a backbone's forward pass.
        flops: That backbone's published multiply-adds a photo.
        fixed_seconds: What a run takes whatever is chosen: until photos are looked at, and after the last epoch.
    """

    photos_per_second: float
    flops: int
    fixed_seconds: float = FIXED_SECONDS

    def forward_seconds(self, chosen: Backbone) -> float:
        """Seconds of a forward pass of one photo through another backbone, in proportion to its multiply-adds."""
        return chosen.flops / self.flops / self.photos_per_second


@dataclass(frozen=True)
class Counts:
    """Numbers of photos."""

    training: int
    validation: int
    test: int

    @classmethod
    def of(cls, parts: NDArray[np.int8]) -> "Counts":
        """Count them by the subset of each photo (N,), a position in `SUBSETS`."""
        return cls(*(int((parts == number).sum()) for number in range(len(SUBSETS))))

    def with_training(self, more: int) -> "Counts":
        """With so many more photos to train on."""
        return replace(self, training=self.training + more)

    @property
    def others(self) -> int:
        """Photos that are not trained on."""
        return self.validation + self.test


@dataclass(frozen=True)
class PhaseCost:
    """What a phase will take.

    Attributes:
        phase: The phase.
        epoch_seconds: Of one of its epochs in the mean, validation and new versions of photos included.
    """

    phase: Phase
    epoch_seconds: float


@dataclass(frozen=True)
class Costs:
    """What a run will take.

    Attributes:
        beside: Seconds of all but epochs: starting, looking at each photo for the first time, the test at the end.
        phases: Of each phase, in order.
    """

    beside: float
    phases: tuple[PhaseCost, ...]

    @property
    def total(self) -> float:
        """Seconds from Start to the tested model."""
        return self.beside + sum(cost.phase.epochs * cost.epoch_seconds for cost in self.phases)


def augmenting_seconds(chosen: Backbone) -> float:
    """Seconds that augmenting a photo takes where it was not measured."""
    return VERSION_SECONDS * (chosen.resolution / 224) ** 2


def learning_seconds(chosen: Backbone, point: str, throughput: Throughput, counts: Counts) -> float:
    """Seconds of an epoch of fine-tuning on kept outputs, validation included."""
    forward = chosen.work_share(point) * throughput.forward_seconds(chosen)
    return (STEP_COST * counts.training + counts.validation) * forward


def costs_of(
    recipe: Recipe,
    chosen: Backbone,
    plans: Sequence[PhasePlan],
    throughput: Throughput,
    counts: Counts,
    augmenting: float | None = None,
) -> Costs:
    """What a run will take.

    Args:
        recipe: What was chosen.
        chosen: Its backbone.
        plans: Of `plan_phases`.
        throughput: What is known of this machine.
        counts: Numbers of photos.
        augmenting: Seconds that augmenting a photo takes; None where that was not measured.
    """
    each = (augmenting_seconds(chosen) if augmenting is None else augmenting) if recipe.augmentations else 0.0
    forward, seen = throughput.forward_seconds(chosen), _seen_in_an_epoch(recipe, counts)
    version = counts.training * (forward + each)
    phases = []
    for plan, new in zip(plans, new_versions(plans), strict=True):
        changed = version * new / plan.phase.epochs if plan.cached else seen.training * each
        phases.append(PhaseCost(plan.phase, _learning(plan, recipe, chosen, throughput, seen) + changed))
    first = version + counts.validation * forward if any(plan.cached for plan in plans) else 0.0
    tested = counts.test if final_boundary(plans, chosen) else counts.others
    return Costs(throughput.fixed_seconds + first + tested * forward, tuple(phases))


def finishing_seconds(photos: int, photos_per_second: float | None) -> float:
    """Seconds after the last epoch: the model is written, and looks at validation and test photos without outputs."""
    return WRITING_SECONDS + photos / (photos_per_second or TESTED_PER_SECOND)


def _seen_in_an_epoch(recipe: Recipe, counts: Counts) -> Counts:
    """Photos that go by in an epoch: as many steps as the recipe says, and a validation every so many of them."""
    steps = recipe.steps_per_epoch or math.ceil(counts.training / recipe.batch_size)
    validations = max(1, steps // recipe.validate_every) if recipe.validate_every else 1
    training = steps * recipe.batch_size if recipe.steps_per_epoch else counts.training
    return replace(counts, training=training, validation=validations * counts.validation)


def _learning(plan: PhasePlan, recipe: Recipe, chosen: Backbone, throughput: Throughput, seen: Counts) -> float:
    """Seconds of an epoch without new versions."""
    if plan.boundary == FEATURES:
        wider = feature_width(chosen, recipe.pooling) / WIDTH_FOR_FREE
        return HEAD_EPOCH_SECONDS * seen.training / USUAL_TRAINING * max(1.0, wider)
    if plan.cached:
        return learning_seconds(chosen, plan.phase.unfreeze_point, throughput, seen)
    share = chosen.work_share(plan.phase.unfreeze_point)
    step = PLAIN_FORWARD + (PLAIN_LEARNING - PLAIN_FORWARD) * share
    return (step * seen.training + PLAIN_FORWARD * seen.validation) * throughput.forward_seconds(chosen)


def seconds_of(recipe: Recipe, chosen: Backbone, throughput: Throughput, counts: Counts) -> float:
    """Seconds from the start of the trainer to the tested model, where there is room for all that can be cached."""
    plans = plan_phases(recipe, chosen, counts.training, counts.others, lambda needed: True)
    return costs_of(recipe, chosen, plans, throughput, counts).total
