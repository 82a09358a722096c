"""What is known of a model, as plain values, so that a page, a report and an export say the same about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.split import read_split_csv
from core.data.subsets import SUBSETS, TEST
from core.errors import RunError, RunNotReady
from core.evaluation import run_results
from core.evaluation.metrics import ClassScores, Evaluation, class_scores
from core.language import tr, tr_mark
from core.models.backbones import Backbone, backbone
from core.recipe.plan import starts_from_nothing
from core.recipe.run_recipe import read_recipe
from core.recipe.start_point import StartPoint, read_start_point
from core.runs.store import Run

PROGRAMS: Mapping[str, str] = {"tensorflow": "TensorFlow", "keras": "Keras"}
"""The packages that a model card names, as the environment does and as people do."""


MONTHS = (
    *(tr_mark("January"), tr_mark("February"), tr_mark("March"), tr_mark("April"), tr_mark("May"), tr_mark("June")),
    *(tr_mark("July"), tr_mark("August"), tr_mark("September"), tr_mark("October"), tr_mark("November")),
    tr_mark("December"),
)


@dataclass(frozen=True, eq=False)
class CardFacts:
    """What is known of a model.

    Attributes:
        name: What people call it.
        dataset: The name of the dataset's folder.
        backbone: Its network.
        from_nothing: Whether it began with random weights instead of pretrained ones.
        class_names: K names, in the order of its outputs.
        counts: (K, 3), int: photos of each class in each of the subsets.
        evaluation: Its predictions on the test photos; None where it has not been tested.
        made: The day on which it was trained, as in "26 November 2026"; empty where that is not known.
        versions: Names of programs with their versions.
        start: The model of an earlier run that it began with, if it did.
        seen_test: How many of its test photos that one has learned from.
        unlabelled: How many photos without a label of their own were trained on, too, by labels that spread to them.

    Raises:
        ValueError: These do not fit each other.
    """

    name: str
    dataset: str
    backbone: Backbone
    from_nothing: bool
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    evaluation: Evaluation | None = None
    made: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    unlabelled: int = 0
    start: StartPoint | None = None
    seen_test: int = 0

    def __post_init__(self) -> None:
        """Check that the facts fit together."""
        if self.counts.shape != (len(self.class_names), 3):
            raise ValueError(f"counts {self.counts.shape} do not fit {len(self.class_names)} classes in three subsets")
        if self.evaluation is not None and self.evaluation.class_names != self.class_names:
            raise ValueError(f"the evaluation is of {self.evaluation.class_names}, the model of {self.class_names}")

    @cached_property
    def scores(self) -> ClassScores | None:
        """How well each class is recognised; None where it has not been tested."""
        return None if self.evaluation is None else class_scores(self.evaluation.confusion)

    def photos_in(self, subset: int) -> int:
        """How many photos there are in a subset."""
        return int(self.counts[:, subset].sum())


def read_card_facts(run: Run, name: str) -> CardFacts:
    """Read what is known of a run's model from the run's folder; `name` is what people call it.

    Raises:
        DataError: The list of the run's photos cannot be read.
        RecipeError: The recipe cannot be read.
        RunError: Something else of the run cannot be read.
    """
    class_names, status, environment = run.class_names(), run.read_status(), run.environment()
    recipe = read_recipe(run)
    chosen, start = backbone(recipe.backbone), read_start_point(run)
    return CardFacts(
        name,
        Path(recipe.dataset).name,
        chosen,
        start.from_nothing if start else starts_from_nothing(recipe, chosen),
        class_names,
        _counts(run, class_names),
        _tested(run),
        day(status.ended) if status.ended else "",
        {words: str(environment[key]) for key, words in PROGRAMS.items() if key in environment},
        run_results.unlabelled_photos_in(run),
        start,
        status.seen_test or 0,
    )


def _tested(run: Run) -> Evaluation | None:
    """The model's predictions on the test photos; None where it has not been tested."""
    try:
        return run_results.evaluation(run, SUBSETS[TEST])
    except RunNotReady:
        return None


def day(moment: float) -> str:
    """The day of a moment, seconds since 1970, as in "26 November 2026", in the time zone of this machine."""
    date = datetime.fromtimestamp(moment)
    return tr("{day} {month} {year}", day=date.day, month=tr(MONTHS[date.month - 1]), year=str(date.year))


def _counts(run: Run, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """(K, 3): photos of each class in each subset."""
    folder, subsets = read_split_csv(run.split_file, run.folder)
    if strange := set(folder.class_names) - set(class_names):
        raise RunError(
            tr(
                "The run {run} has photos of “{name}”, which is none of its classes.",
                run=run.id,
                name=min(strange)[:40],
            )
        )
    place = {name: number for number, name in enumerate(class_names)}
    counts = np.zeros((len(class_names), len(SUBSETS)), np.int64)
    for label, subset in zip(folder.labels, subsets, strict=True):
        counts[place[folder.class_names[label]], subset] += 1
    return counts
