"""What a run really did, told by its folder: which phases, how many epochs of each, on which versions of the photos."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.errors import RunError
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.recipe.plan import PhasePlan, plan_phases, starts_from_nothing
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.runs.store import Run
from core.settings import Settings
from core.training.checkpoint import Checkpoints
from core.training.schedule import Schedule

FIRST_LAYERS: Mapping[str, Mapping[str, str]] = {
    "MobileNetV2": {
        "all": "Conv1",
        "block1": "expanded_conv_",
        "block2": "block_1_",
        "block3": "block_3_",
        "block4": "block_6_",
        "block5": "block_10_",
        "block6": "block_13_",
        "block7": "block_16_",
        "top_conv": "Conv_1",
    },
    "ResNet": {"all": "conv1", "block1": "conv2", "block2": "conv3", "block3": "conv4", "block4": "conv5"},
}
"""How the name of a block's first layer begins, for families in which that is not the block's name."""


@dataclass(frozen=True)
class TrainedPhase:
    """A phase as it really went.

    Attributes:
        plan: The phase, and what it was fed with.
        planned: Epochs that the learning rate was planned for.
        epochs: Epochs that it had; a part of one counts where the phase ended amid an epoch.
        losses: What its validations found, in order.
    """

    plan: PhasePlan
    planned: int
    epochs: float
    losses: tuple[float, ...]


@dataclass(frozen=True)
class RunHistory:
    """What a run did, told by its folder.

    Attributes:
        run: The run.
        recipe: Its recipe.
        counts: How many photos of each part it could read.
        left_out: Files that it could not.
        weights: Where its pretrained weights are on this machine, as a script writes it; empty without such.
    """

    run: Run
    recipe: Recipe
    counts: Mapping[str, int]
    left_out: tuple[str, ...]
    weights: str

    @cached_property
    def chosen(self) -> Backbone:
        """The backbone."""
        return backbone(self.recipe.backbone)

    @cached_property
    def validations(self) -> list[dict[str, Any]]:
        """The recorded validations, oldest first."""
        return [row for row in self.run.read_metrics() if "val_loss" in row]

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.recipe.steps_per_epoch or -(-self.counts["training"] // self.recipe.batch_size)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the run wrote down to go on from."""
        return Checkpoints(self.run.checkpoints_folder).facts()

    @cached_property
    def phases(self) -> tuple[TrainedPhase, ...]:
        """Its phases, as far as they were trained and validated."""
        plans = plan_phases(
            self.recipe, self.chosen, self.counts["training"], self.counts["validation"], lambda needed: True
        )
        known, before, found = self.facts["epochs"], 0, []
        for number, plan in enumerate(plans):
            epochs = known[number] if number < len(known) else plan.phase.epochs
            rows = [row for row in self.validations if before < row["epoch"] <= before + epochs]
            if not rows:
                break
            had = rows[-1]["epoch"] - 1 - before + rows[-1]["step"] / self.steps
            planned = self._planned(plan, had, rows[-1]["learning_rate"])
            found.append(TrainedPhase(plan, planned, had, tuple(row["val_loss"] for row in rows)))
            before += epochs
        return tuple(found)

    def _planned(self, plan: PhasePlan, had: float, last_rate: float) -> int:
        """The epochs that the learning rate was planned for; a run by time planned them while it went."""
        if not self.recipe.minutes or self.recipe.schedule != "cosine":
            return plan.phase.epochs
        step = round(had * self.steps) - 1

        def apart(epochs: int) -> float:
            return abs(Schedule(self.recipe, plan.phase.learning_rate, epochs, self.steps).rate(step) - last_rate)

        return min(range(-(-step // self.steps) or 1, 2 * plan.phase.epochs + 2), key=apart)

    @cached_property
    def versions(self) -> list[int]:
        """The version of the photos that each epoch saw, counted over the whole run."""
        recorded = {row["epoch"] - 1: int(row["version"]) for row in self.validations}
        made = self.facts["versions"]
        every = range(self.validations[-1]["epoch"])
        return [recorded.get(epoch, made[epoch % len(made)] if made else epoch) for epoch in every]

    @property
    def reduced_after(self) -> list[int]:
        """The validations, counted from 1, after which the learning rate was reduced."""
        found, number = [], 0
        for each in self.phases:
            schedule = Schedule(self.recipe, each.plan.phase.learning_rate, each.planned, self.steps)
            for loss in each.losses:
                before, number = schedule.state()["drops"], number + 1
                schedule.validated(loss)
                if schedule.state()["drops"] > before:
                    found.append(number)
        return found

    @property
    def augmented(self) -> bool:
        """Whether photos are changed."""
        return bool(self.recipe.augmentations)

    @property
    def scratch(self) -> bool:
        """Whether everything learns from the start."""
        return starts_from_nothing(self.recipe, self.chosen)

    @property
    def cached(self) -> tuple[bool, ...]:
        """For each phase whether the frozen part is computed once."""
        return tuple(each.plan.cached for each in self.phases)

    @property
    def has_drops(self) -> bool:
        """Whether the network has layers that skip whole blocks."""
        return self.chosen.family.startswith("EfficientNet")

    @property
    def drops_act(self) -> bool:
        """Whether such layers learn in some phase."""
        return self.has_drops and any(each.plan.phase.unfreeze_point != "none" for each in self.phases)

    def first_layer(self, point: str) -> str:
        """How the name of the first layer that learns at an unfreeze point begins."""
        usual = {"none": "head", "all": "stem"}
        return FIRST_LAYERS.get(self.chosen.family, {}).get(point) or usual.get(point, point)

    def rows(self) -> list[tuple[str, str]]:
        """For each phase the first layer that learns, and the one before which the network is cut, empty for none."""
        found = []
        for each in self.phases:
            block = self.first_layer(each.plan.phase.unfreeze_point)
            found.append((each.plan.phase.unfreeze_layer or block, block if each.plan.cached else ""))
        return found

    @property
    def names_cuts(self) -> bool:
        """Whether a phase is cut elsewhere than where learning begins, or only some phases are cut."""
        return any(self.cached) and any(first != cut for first, cut in self.rows())


def read_run_history(run: Run, settings: Settings) -> RunHistory:
    """What a run did, as far as it has come.

    Raises:
        UnfreezeError: It has no validated epoch yet, its folder does not say all that there is to tell, or cannot be
            read.
    """
    recipe = read_recipe(run)
    left_out = _left_out(run)
    with run.split_file.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] not in left_out]
    counts = {part: sum(row["part"] == part for row in rows) for part in ("training", "validation", "test")}
    history = RunHistory(run, recipe, counts, left_out, _weights(recipe, settings))
    if not history.validations:
        raise RunError("This run has no validated epoch yet; there is a script of what it did once it has one.")
    if not history.facts or "version" not in history.validations[0]:
        raise RunError("This run does not say all that its script would need; repeat it to have one.")
    return history


def _left_out(run: Run) -> tuple[str, ...]:
    try:
        return tuple(row["file"] for row in json.loads(run.left_out_file.read_text("utf-8")))
    except FileNotFoundError:
        return ()


def _weights(recipe: Recipe, settings: Settings) -> str:
    """What stands in the script for the weights: a file, "imagenet" where Keras finds them itself, or nothing."""
    chosen = backbone(recipe.backbone)
    if starts_from_nothing(recipe, chosen):
        return ""
    if chosen.family == "EfficientNet-Lite":
        return json.dumps(f"{chosen.key}.npz")
    found = weights.look_up(chosen, settings)
    if found and found.path.parent == settings.weights_folder:
        return json.dumps(str(found.path), ensure_ascii=False)
    return '"imagenet"'
