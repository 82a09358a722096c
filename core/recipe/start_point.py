"""Where a run starts that begins with the model of an earlier run: a copy of that model, and what is known of it.

Both lie in the folder of the new run (`start.keras`, `start.json`), which therefore never needs the earlier one again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.data.pseudo_labels import read_pseudo_csv
from core.data.split import read_split_csv
from core.data.subsets import TRAINING
from core.errors import RecipeError, RunError, RunNotFound, words_of
from core.json_values import read_json
from core.language import tr
from core.models.backbones import backbone
from core.models.heads import POOLING_LAYERS, Head
from core.recipe.plan import starts_from_nothing
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.runs.store import FINISHED, RUN_ID, STOPPED, Run, RunStore

LONGEST_NAME = 255


@dataclass(frozen=True)
class LearnedPhotos:
    """Photos that a model has learned from: the folder of their dataset, and their paths in it."""

    dataset: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class StartPoint:
    """What is known of the model that a run begins with.

    Attributes:
        run: Id of the run that trained it.
        name: What people call that run.
        backbone: Key of its network.
        class_names: Its classes, in the order of its outputs.
        pooling: What makes features of the last map; a key of `POOLING_LAYERS`.
        head_batch_norm: Whether its head normalises features.
        from_nothing: Whether everything that it knows comes from random weights, without pretraining.
        sha256: Of the file `start.keras`, in hexadecimal digits.
        learned: The photos that it has learned from, with those of the runs that it started from itself.
    """

    run: str
    name: str
    backbone: str
    class_names: tuple[str, ...]
    pooling: str
    head_batch_norm: bool
    from_nothing: bool
    sha256: str
    learned: tuple[LearnedPhotos, ...]

    @property
    def head(self) -> Head:
        """How its head was made, as far as its weights depend on it."""
        return Head(0.0, self.pooling, self.head_batch_norm)

    def columns(self, recipe: Recipe, class_names: Sequence[str]) -> tuple[int, ...]:
        """For each class of a new run the number of the class of the same name here, or -1.

        It is -1 for all where the recipe's head reads other features than this one did.
        """
        return columns_taken(self.head, self.class_names, recipe.head, class_names)

    def to_json(self) -> str:
        """It as JSON, readable by `start_point_from`."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)


def columns_taken(before: Head, classes_before: Sequence[str], head: Head, classes: Sequence[str]) -> tuple[int, ...]:
    """For each class of a new head the number of the class of the same name in an earlier one, or -1.

    It is -1 for all where the heads read other features.
    """
    alike = (head.pooling, head.batch_norm) == (before.pooling, before.batch_norm)
    known = {name: number for number, name in enumerate(classes_before)} if alike else {}
    return tuple(known.get(name, -1) for name in classes)


def start_point_from(values: Any) -> StartPoint:
    """Read what `StartPoint.to_json` wrote, already parsed; raises `ValueError` for anything else."""
    kinds: dict[str, type] = {
        **dict.fromkeys(("run", "name", "backbone", "pooling", "sha256"), str),
        **dict.fromkeys(("head_batch_norm", "from_nothing"), bool),
        **dict.fromkeys(("class_names", "learned"), list),
    }
    for name, kind in kinds.items():
        if not isinstance(values, dict) or not isinstance(values.get(name), kind):
            raise ValueError(f"“{name}” is missing or not possible")
    found = {name: values[name] for name in kinds}
    if not RUN_ID.fullmatch(found["run"]) or len(found["name"]) > LONGEST_NAME:
        raise ValueError("it names no run")
    if found["pooling"] not in POOLING_LAYERS:
        raise ValueError(f"there is no pooling {found['pooling'][:40]!r}")
    try:
        backbone(found["backbone"])
    except RecipeError as error:
        raise ValueError(str(error)) from error
    if len(found["sha256"]) != 64 or set(found["sha256"]) - set("0123456789abcdef"):
        raise ValueError("its SHA-256 is not possible")
    names = found["class_names"]
    if len(names) < 2 or not all(isinstance(each, str) and 0 < len(each) <= LONGEST_NAME for each in names):
        raise ValueError("its classes are not two or more names")
    if len(set(names)) < len(names):
        raise ValueError("a class occurs twice")
    learned = tuple(_learned_from(each) for each in found["learned"])
    return StartPoint(**{**found, "class_names": tuple(names), "learned": learned})


def _learned_from(values: Any) -> LearnedPhotos:
    dataset, files = (values.get("dataset"), values.get("files")) if isinstance(values, dict) else (None, None)
    if not isinstance(dataset, str) or not isinstance(files, list) or not all(isinstance(each, str) for each in files):
        raise ValueError("the photos that it has learned from are not a list of files")
    if any("\0" in each or each.startswith("/") or ".." in each.split("/") for each in (*files, dataset.lstrip("/"))):
        raise ValueError("a file that it has learned from leads outside its folder")
    return LearnedPhotos(dataset, tuple(files))


def read_start_point(run: Run) -> StartPoint | None:
    """What a run begins with; None where it does not begin with the model of an earlier one.

    Raises:
        RunError: That cannot be read.
    """
    try:
        return start_point_from(read_json(run.start_facts_file, dict))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            tr("What the run {run} starts from cannot be read ({reason}).", run=run.id, reason=words_of(error))
        ) from error


def can_be_started_from(run: Run) -> bool:
    """Whether a run has ended with a model that another run can begin with."""
    return run.best_file.exists() and run.state in (FINISHED, STOPPED)


def run_to_start_from(recipe: Recipe, store: RunStore) -> Run:
    """The earlier run that a recipe names; raises `RecipeError` where a run of this recipe cannot start from it."""
    try:
        run = store.get(recipe.start_from)
    except RunNotFound as error:
        raise RecipeError(
            tr(
                "The run {run} that this one is to start from does not exist; it may have been deleted. Choose another"
                " run to start from, or pretrained weights.",
                run=recipe.start_from,
            )
        ) from error
    if not can_be_started_from(run):
        raise RecipeError(
            tr(
                "The run {run} that this one is to start from has no model yet: it has not finished. Wait for it, or"
                " choose another run.",
                run=run.id,
            )
        )
    theirs, ours = backbone(read_recipe(run).backbone), backbone(recipe.backbone)
    if theirs.key != ours.key:
        raise RecipeError(
            tr(
                "The run to start from has trained {theirs}, and this recipe trains {ours}. Weights fit the same"
                " variant only: choose {theirs}, or another run to start from.",
                theirs=theirs.name,
                ours=ours.name,
            )
        )
    return run


def describe_start(run: Run, sha256: str) -> StartPoint:
    """What is known of the model of a run that another one begins with; `sha256` is that of its file.

    Raises:
        UnfreezeError: Something of the run cannot be read.
    """
    recipe, before = read_recipe(run), read_start_point(run)
    chosen, learned = backbone(recipe.backbone), _photos_learned_from(run, recipe)
    return StartPoint(
        run.id,
        run_name(run, recipe),
        chosen.key,
        run.class_names(),
        recipe.pooling,
        recipe.head_batch_norm,
        before.from_nothing if before else starts_from_nothing(recipe, chosen),
        sha256,
        (learned, *(before.learned if before else ())),
    )


def run_name(run: Run, recipe: Recipe) -> str:
    """What people call a run; without a name of its own it is called after its network and its photos."""
    usual = tr("{network} on {dataset}", network=backbone(recipe.backbone).name, dataset=Path(recipe.dataset).name)
    return (run.read_label().name or usual)[:LONGEST_NAME]


def _photos_learned_from(run: Run, recipe: Recipe) -> LearnedPhotos:
    folder, subsets = read_split_csv(run.split_file, Path(recipe.dataset))
    files = [path for path, subset in zip(folder.paths, subsets, strict=True) if subset == TRAINING]
    if run.pseudo_file.exists():
        files += read_pseudo_csv(run.pseudo_file).paths
    return LearnedPhotos(recipe.dataset, tuple(files))
