"""How long epochs will take, said before a run starts: from what former runs measured here, or else from a guess.

Nothing here imports Keras. A trainer calls `remember`, pages call `known_pace` and `costs_of`.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.files import write_atomically
from core.models.backbones import BACKBONES, FEATURES, Backbone, backbone
from core.models.heads import feature_width
from core.recipe.phases import Phase
from core.recipe.plan import PhasePlan, new_versions
from core.recipe.recipe import Recipe
from core.training.budget.time_budget import (
    FIXED_SECONDS,
    HEAD_EPOCH_SECONDS,
    Counts,
    Pace,
    augmenting_seconds,
    learning_seconds,
)

FILE_NAME = "pace.json"

ENOUGH = 1_000
"""Photos that a measurement rests on at least."""

PLAIN_FORWARD = 2.7
"""A step in TensorFlow in which nothing but the head learns, against a forward pass through OpenVINO.

60 photos a second against 165, for B0 on two cores.
"""

PLAIN_LEARNING = 6.0
"""A step in which everything learns, likewise: 28 photos a second."""

EFFICIENCY = 0.68
"""How many operations of an EfficientNet are done in the time of one of a matrix product on all cores.

165 photos a second go through B0 where two cores multiply matrices at 95 gigaflops each.
"""

PRODUCT_SIDE, PRODUCTS, GUESS_SECONDS = 64, 8, 0.05
"""What is timed to guess: products of square matrices so small that numpy computes them on one core."""

USUAL_TRAINING = 2_200
"""Training photos for which an epoch of the head takes `HEAD_EPOCH_SECONDS`."""

WIDTH_FOR_FREE = 10_000
"""Features that a head reads in that time; more take longer."""


@dataclass(frozen=True)
class Known:
    """How fast this machine is, as far as that is known.

    Attributes:
        pace: The pace.
        measured: Whether a run has measured it here; else it is a guess.
    """

    pace: Pace
    measured: bool


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


def remember(home: Path, key: str, photos: int, seconds: float) -> None:
    """Keep, for a backbone, how long so many photos took to go through its frozen part, as last measured here.

    Decoding is included, and so is augmenting. A few photos say nothing, because getting ready takes seconds; what
    cannot be kept is measured again by the next run.
    """
    if photos < ENOUGH or seconds <= 0:
        return
    rates = _read(home) | {key: {"photos_per_second": photos / seconds, "measured": time.time()}}
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(home / FILE_NAME, json.dumps(rates, indent=1))


def known_pace(home: Path, chosen: Backbone, guess: Pace) -> Known:
    """What a run with this backbone measured, or the latest with another one; where there was none, the guess."""
    rates = _read(home)
    key = chosen.key if chosen.key in rates else max(rates, key=lambda each: rates[each]["measured"], default="")
    if not key:
        return Known(guess, False)
    row = backbone(key)
    whole = 1 / rates[key]["photos_per_second"]
    forward = max(whole / 2, whole - augmenting_seconds(row))
    return Known(Pace(1 / forward, row.flops), True)


def guessed_pace() -> Pace:
    """A guess from how fast numpy multiplies matrices here; takes a twentieth of a second."""
    cores = os.cpu_count() or 1
    reference = backbone("efficientnet-b0")
    return Pace(EFFICIENCY * cores * _gigaflops() * 1e9 / (2 * reference.flops), reference.flops)


def costs_of(
    recipe: Recipe,
    chosen: Backbone,
    plans: Sequence[PhasePlan],
    pace: Pace,
    counts: Counts,
    augmenting: float | None = None,
) -> Costs:
    """What a run will take.

    Args:
        recipe: What was chosen.
        chosen: Its backbone.
        plans: Of `plan_phases`.
        pace: What is known of this machine.
        counts: Numbers of photos.
        augmenting: Seconds that augmenting a photo takes; None where that was not measured.
    """
    each = (augmenting_seconds(chosen) if augmenting is None else augmenting) if recipe.augmentations else 0.0
    forward, seen = pace.forward_seconds(chosen), _seen_in_an_epoch(recipe, counts)
    version = counts.training * (forward + each)
    phases = []
    for plan, new in zip(plans, new_versions(plans), strict=True):
        changed = version * new / plan.phase.epochs if plan.cached else seen.training * each
        phases.append(PhaseCost(plan.phase, _learning(plan, recipe, chosen, pace, seen) + changed))
    first = version + counts.validation * forward if any(plan.cached for plan in plans) else 0.0
    return Costs(FIXED_SECONDS + first + (counts.validation + counts.test) * forward, tuple(phases))


def _seen_in_an_epoch(recipe: Recipe, counts: Counts) -> Counts:
    """Photos that go by in an epoch: as many steps as the recipe says, and a validation every so many of them."""
    steps = recipe.steps_per_epoch or math.ceil(counts.training / recipe.batch_size)
    validations = max(1, steps // recipe.validate_every) if recipe.validate_every else 1
    training = steps * recipe.batch_size if recipe.steps_per_epoch else counts.training
    return replace(counts, training=training, validation=validations * counts.validation)


def _learning(plan: PhasePlan, recipe: Recipe, chosen: Backbone, pace: Pace, seen: Counts) -> float:
    """Seconds of an epoch without new versions."""
    if plan.boundary == FEATURES:
        wider = feature_width(chosen, recipe.pooling) / WIDTH_FOR_FREE
        return HEAD_EPOCH_SECONDS * seen.training / USUAL_TRAINING * max(1.0, wider)
    if plan.cached:
        return learning_seconds(chosen, plan.phase.unfreeze_point, pace, seen)
    share = chosen.work_share(plan.phase.unfreeze_point)
    step = PLAIN_FORWARD + (PLAIN_LEARNING - PLAIN_FORWARD) * share
    return (step * seen.training + PLAIN_FORWARD * seen.validation) * pace.forward_seconds(chosen)


def _gigaflops() -> float:
    left = np.random.default_rng(0).random((PRODUCT_SIDE, PRODUCT_SIDE), np.float32)
    product = left @ left
    fastest, end = math.inf, time.perf_counter() + GUESS_SECONDS
    while fastest == math.inf or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(PRODUCTS):
            np.matmul(left, left, out=product)
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * PRODUCT_SIDE**3 * PRODUCTS / fastest / 1e9


def _read(home: Path) -> dict[str, dict[str, float]]:
    """What was remembered; a file that is damaged is as good as none, since the next run writes it anew."""
    try:
        values: Any = json.loads((home / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    known = {row.key for row in BACKBONES}
    entries = values.items() if isinstance(values, dict) else ()
    return {key: entry for key, entry in entries if key in known and _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(_is_rate(entry.get(name)) for name in ("photos_per_second", "measured"))


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
