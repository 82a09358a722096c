"""What a run really did, read from its folder: its phases, their epochs, and the versions of the photos they saw."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from core.data.images import HEIF_SUFFIXES
from core.data.subsets import SUBSETS, TRAINING
from core.errors import RunError
from core.language import tr
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.recipe.plan import PhasePlan, plan_phases, starts_from_nothing, starts_with_regression
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.recipe.start_point import StartPoint, read_start_point
from core.runs.store import Run
from core.settings import Settings
from core.training.checkpoint import Checkpoints
from core.training.inputs.photos import learned_and_judged
from core.training.schedule import Schedule

PLAIN = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
"""Endings of photos whose numbers mean one thing only: no 16 bits, no transparency, no further bands or pages."""


START = "start.keras"
"""The name of the file with the model of an earlier run, beside the script."""


@dataclass(frozen=True)
class TrainedPhase:
    """A phase as it really went.

    Attributes:
        learning_rate: Its peak.
        first: How the name of the first layer that learned begins.
        cut: How the name of the layer begins before which the network is cut, with the frozen part's outputs cached;
            empty where nothing was cached.
        planned: Epochs that the learning rate was planned for.
        steps: Training steps up to its last validation.
        losses: The validation losses, in order.
    """

    learning_rate: float
    first: str
    cut: str
    planned: int
    steps: int
    losses: tuple[float, ...]


@dataclass(frozen=True)
class RunHistory:
    """What a run did, read from its folder.

    Attributes:
        run: The run.
        recipe: Its recipe.
        counts: The number of readable photos in each subset, with those that labels have spread to.
        counted: What the training photos count together: a photo with a spread label as much as that is certain.
        unclear: Whether any of them is in a format whose numbers can mean several things; see `core.data.encodings`.
        heif: Whether any of them is named like a HEIC photo.
        left_out: Files that could not be read.
        weights: The file of its pretrained weights, "imagenet" where Keras downloads them, empty without any; `START`
            where it began with the model of an earlier run.
        validations: The recorded validations, oldest first.
        facts: What its newest checkpoint says of its phases and of the versions of its photos.
        start: The model that it began with, if that was one of an earlier run.
    """

    run: Run
    recipe: Recipe
    counts: Mapping[str, int]
    counted: float
    unclear: bool
    heif: bool
    left_out: tuple[str, ...]
    weights: str
    validations: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any]
    start: StartPoint | None = None

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """For each class the number of the same one in the head that it began with, or -1; empty without one."""
        return self.start.columns(self.recipe, self.run.class_names()) if self.start else ()

    @property
    def knows_all(self) -> bool:
        """Whether the head that it began with knew all classes."""
        return bool(self.columns) and min(self.columns) >= 0

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone."""
        return backbone(self.recipe.backbone)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.recipe.steps_per_epoch or -(-self.counts["training"] // self.recipe.batch_size)

    @cached_property
    def phases(self) -> tuple[TrainedPhase, ...]:
        """The phases, as far as they were trained and validated."""
        return tuple(self._phases())

    @cached_property
    def _plans(self) -> tuple[PhasePlan, ...]:
        training, validation = self.counts["training"], self.counts["validation"]
        recipe, chosen = self.recipe, self.backbone
        return plan_phases(recipe, chosen, training, validation, lambda needed: True, learned_head=self.knows_all)

    def _phases(self) -> Iterator[TrainedPhase]:
        known, before = self.facts["epochs"], 0
        for number, plan in enumerate(self._plans):
            epochs = known[number] if number < len(known) else plan.phase.epochs
            rows = [row for row in self.validations if before < row["epoch"] <= before + epochs]
            if not rows:
                return
            steps = (rows[-1]["epoch"] - 1 - before) * self.steps + rows[-1]["step"]
            block = self.backbone.first_layer(plan.phase.unfreeze_point)
            yield TrainedPhase(
                plan.phase.learning_rate,
                plan.phase.unfreeze_layer or block,
                block if plan.cached else "",
                self._planned(plan, steps, rows[-1]["learning_rate"]),
                steps,
                tuple(row["val_loss"] for row in rows),
            )
            before += epochs

    def _planned(self, plan: PhasePlan, steps: int, last_rate: float) -> int:
        """The epochs the learning rate was planned for; a run with a time budget planned them while it trained."""
        if not self.recipe.minutes or self.recipe.schedule != "cosine":
            return plan.phase.epochs

        def difference(epochs: int) -> float:
            schedule = Schedule(self.recipe, plan.phase.learning_rate, epochs, self.steps)
            return abs(schedule.rate(steps - 1) - last_rate)

        return min(range(-(-(steps - 1) // self.steps) or 1, 2 * plan.phase.epochs + 2), key=difference)

    @cached_property
    def versions(self) -> list[int]:
        """The version of the photos that each epoch saw, counted over the whole run."""
        recorded = {row["epoch"] - 1: int(row["version"]) for row in self.validations}
        made = self.facts["versions"]
        every = range(self.validations[-1]["epoch"])
        return [recorded.get(epoch, made[epoch % len(made)] if made else epoch) for epoch in every]

    @property
    def starts_with_regression(self) -> bool:
        """Whether the head began with the logistic regression on the features."""
        return not self.knows_all and starts_with_regression(self.recipe, self._plans[0], self.counts["training"])

    @property
    def reduced_after(self) -> list[int]:
        """The validations, counted from 1, after which the learning rate was reduced."""
        found, number = [], 0
        for phase in self.phases:
            schedule = Schedule(self.recipe, phase.learning_rate, phase.planned, self.steps)
            for loss in phase.losses:
                before, number = schedule.state()["drops"], number + 1
                schedule.validated(loss)
                if schedule.state()["drops"] > before:
                    found.append(number)
        return found


def read_run_history(run: Run, settings: Settings) -> RunHistory:
    """What a run has done so far.

    Raises:
        UnfreezeError: The run has no validated epoch yet, its folder lacks something that the history needs, or it
            cannot be read.
    """
    recipe = read_recipe(run)
    left_out = _left_out(run)
    folder, parts, certainty = learned_and_judged(run, run.folder)
    readable = np.array([path not in left_out for path in folder.paths], bool)
    kept = parts[readable]
    counts = {subset: int((kept == number).sum()) for number, subset in enumerate(SUBSETS)}
    if not all(counts.values()):
        raise RunError(
            tr("The split of the run {run} has a subset without photos, so there is no script of it.", run=run.id)
        )
    validations = tuple(row for row in run.read_metrics() if "val_loss" in row)
    facts = Checkpoints(run.checkpoints_folder).facts()
    if not validations:
        raise RunError(tr("This run has no validated epoch yet. Its script is available after the first one."))
    if not facts or "version" not in validations[0]:
        raise RunError(tr("This run did not record everything that its script needs. Repeat the run to get a script."))
    unclear = not all(path.lower().endswith(PLAIN) for path in folder.paths)
    heif = any(PurePosixPath(path).suffix.lower() in HEIF_SUFFIXES for path in folder.paths)
    counted = float(certainty[readable & (parts == TRAINING)].sum())
    start = read_start_point(run) if recipe.start_from else None
    found = START if start else _weights(recipe, settings)
    return RunHistory(run, recipe, counts, counted, unclear, heif, left_out, found, validations, facts, start)


def _left_out(run: Run) -> tuple[str, ...]:
    return tuple(photo.file for photo in run.left_out())


def _weights(recipe: Recipe, settings: Settings) -> str:
    chosen = backbone(recipe.backbone)
    if starts_from_nothing(recipe, chosen):
        return ""
    if chosen.family == "EfficientNet-Lite":
        return f"{chosen.key}.npz"
    found = weights.look_up(chosen, settings)
    return str(found.path) if found and found.path.parent == settings.weights_folder else "imagenet"
