"""What is known of a model, as plain values, so that a page, a report and an export tell the same of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.split import read_split_csv
from core.data.subsets import SUBSETS, TEST
from core.errors import RunError, RunNotReady
from core.evaluation.metrics import ClassScores, Evaluation, class_scores
from core.evaluation.run_results import evaluation
from core.models.backbones import Backbone, backbone
from core.recipe.plan import starts_from_nothing
from core.recipe.recipe import Recipe
from core.runs.store import Run

PROGRAMS: Mapping[str, str] = {"tensorflow": "TensorFlow", "keras": "Keras"}
"""What a model card says of the environment."""


@dataclass(frozen=True, eq=False)
class CardFacts:
    """What is known of a model.

    Attributes:
        name: What people call it.
        dataset: The name of the dataset's folder.
        backbone: Its network.
        from_nothing: Whether it began with random weights instead of pretrained ones.
        class_names: K names, in the order of its answers.
        counts: (K, 3), int: photos of each class in the training, validation and test part.
        found: What it says of the test photos; None where it has not been measured.
        made: The day on which it was trained, as in "26 November 2026"; empty where that is not known.
        versions: Names of programs with their versions.

    Raises:
        ValueError: These do not fit each other.
    """

    name: str
    dataset: str
    backbone: Backbone
    from_nothing: bool
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    found: Evaluation | None = None
    made: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the facts fit together."""
        if self.counts.shape != (len(self.class_names), 3):
            raise ValueError(f"counts {self.counts.shape} do not fit {len(self.class_names)} classes in three parts")
        if self.found is not None and self.found.class_names != self.class_names:
            raise ValueError(f"the evaluation is of {self.found.class_names}, the model of {self.class_names}")

    @cached_property
    def scores(self) -> ClassScores | None:
        """How well each class is told from the others; None where that has not been measured."""
        return None if self.found is None else class_scores(self.found.confusion)

    def part(self, number: int) -> int:
        """How many photos there are in a part."""
        return int(self.counts[:, number].sum())


def read_card_facts(run: Run, name: str) -> CardFacts:
    """Read what is known of a run's model from the run's folder; `name` is what people call it.

    Raises:
        DataError: The list of the run's photos cannot be read.
        RecipeError: The recipe cannot be read.
        RunError: Something else of the run cannot be read.
    """
    class_names, status, environment = run.class_names(), run.read_status(), read_environment(run)
    recipe = Recipe.from_values(run.recipe_values())
    chosen = backbone(recipe.backbone)
    return CardFacts(
        name,
        Path(recipe.dataset).name,
        chosen,
        starts_from_nothing(recipe, chosen),
        class_names,
        _counts(run, class_names),
        tested(run),
        day(status.ended) if status.ended else "",
        {words: str(environment[key]) for key, words in PROGRAMS.items() if key in environment},
    )


def tested(run: Run) -> Evaluation | None:
    """What the model says of the test photos; None where it has not been measured."""
    try:
        return evaluation(run, SUBSETS[TEST])
    except RunNotReady:
        return None


def read_environment(run: Run) -> dict[str, Any]:
    """Versions and hardware; nothing where the trainer did not come to writing them."""
    try:
        values = json.loads(run.environment_file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"The environment of the run {run.id} cannot be read ({error}).") from error
    return values if isinstance(values, dict) else {}


def day(moment: float) -> str:
    """The day of a moment, seconds since 1970, as in "26 November 2026", in the time zone of this machine."""
    date = datetime.fromtimestamp(moment)
    return f"{date.day} {date:%B %Y}"


def _counts(run: Run, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """(K, 3): photos of each class in each part of the split."""
    folder, parts = read_split_csv(run.split_file, run.folder)
    place = {name: number for number, name in enumerate(class_names)}
    counts = np.zeros((len(class_names), len(SUBSETS)), np.int64)
    for label, part in zip(folder.labels, parts, strict=True):
        counts[place[folder.class_names[label]], part] += 1
    return counts
