"""Thorough label checks: what is asked for, how long that takes, and what it came to. No Keras.

A check has a folder like a run's, in a store of its own, and waits in the same queue as runs.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.arrays import read_arrays
from core.data.dataset import Dataset
from core.errors import RunBusy, RunError, RunNotReady, UnfreezeError, words_of
from core.json_values import read_json
from core.labels.dataset_check import HeldOutScores, labelled_photos
from core.language import tr
from core.models.backbones import Backbone, backbone
from core.recipe.recipe import unfreeze_point_for
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import FINISHED, LIVE, Run, RunStore
from core.training.budget.cost_model import STEP_COST, Throughput
from core.training.dataset_features.features import jobs_for, sweep

PHOTOS, SCORES = "photos.json", "scores.npz"

EPOCHS = 4
"""Epochs of each of the fine-tunings."""

FOLDS = 5
"""Fine-tunings, each without a fifth of the photos."""

VIEWS = 2
"""Each photo is seen as it is, and augmented."""


@dataclass(frozen=True)
class Request:
    """The labels that a check is to judge: those of N photos, as they stood when it was asked for.

    Attributes:
        dataset: The folder of the photos, resolved.
        backbone: Key of the network.
        class_names: Names of the K classes.
        paths: Of the photos, relative to the folder.
        digests: The digest that each photo's file had when it was scanned, as hexadecimal text.
        labels: 0..K-1.
        groups: Photos with one number are never judged by each other.

    Raises:
        RunError: The lists do not fit together.
        RecipeError: There is no such network.
    """

    dataset: str
    backbone: str
    class_names: tuple[str, ...]
    paths: tuple[str, ...] = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    labels: tuple[int, ...] = field(repr=False)
    groups: tuple[int, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Check the fields."""
        backbone(self.backbone)
        counts = {len(self.paths), len(self.digests), len(self.labels), len(self.groups)}
        if len(counts) != 1 or not all(0 <= label < len(self.class_names) for label in self.labels):
            raise RunError(
                tr("Expected a digest, a label and a group for each of {photos} photos.", photos=len(self.paths))
            )

    @classmethod
    def of(cls, dataset: Dataset, key: str) -> "Request":
        """The photos of a dataset that are used; raises `DataError` where there are no two classes to compare."""
        positions, folder = labelled_photos(dataset)
        return cls(
            str(folder.root),
            key,
            folder.class_names,
            folder.paths,
            tuple(dataset.digest(int(i)) for i in positions),
            tuple(folder.labels.tolist()),
            tuple(dataset.groups[positions].tolist()),
        )


def begin(queue: Queue, request: Request) -> Run:
    """Queue a check, or return the one of this dataset and network that waits or is going; what can start is started.

    Raises:
        RunError: It cannot be written, or no process can be started.
    """
    checks = checks_of(queue)
    for old in jobs_for(checks, Path(request.dataset), request.backbone):
        if old.state in LIVE:
            return old
    sweep(checks, request.dataset, request.backbone)
    run = queue.create(lambda making: write_request(making, request), checks)
    trainers.advance(queue)
    return run


def begin_or_go_on(queue: Queue, request: Request) -> Run:
    """The newest check if it judges the same labels, which goes on unless it has finished; or a new one."""
    newest = latest(checks_of(queue), Path(request.dataset), request.backbone)
    if newest is None or newest.state in LIVE or not _is_for(newest, request):
        return begin(queue, request)
    if newest.state != FINISHED:
        go_on(queue, newest)
    return newest


def go_on(queue: Queue, run: Run) -> None:
    """Queue a check that was stopped, has failed or has crashed, to go on from where it was.

    Raises:
        RunBusy: It waits or is going already.
        RunError: It was deleted, or no process can be started.
    """
    queue.add(run)
    trainers.advance(queue)


def stop(queue: Queue, run: Run) -> None:
    """Stop a check that waits or is going; what it has learned is kept. Raises `RunError` where it was deleted."""
    try:
        queue.cancel(run)
    except RunBusy:
        run.request_stop()


def checks_of(queue: Queue) -> RunStore:
    """Where a queue's checks are."""
    if queue.checks is None:
        raise RunError(tr("This queue takes no label checks."))
    return queue.checks


def latest(store: RunStore, dataset: Path, key: str) -> Run | None:
    """The newest check of a dataset by a network, however far it is; None where there is none."""
    return next(jobs_for(store, dataset, key), None)


def kept(store: RunStore, dataset: Path, key: str) -> Run | None:
    """The newest check of a dataset by a network that has a result; None where there is none."""
    return next((run for run in jobs_for(store, dataset, key) if (run.folder / SCORES).exists()), None)


def dataset_of(run: Run) -> str:
    """The folder whose labels a check judges; empty where that cannot be read."""
    try:
        return str(run.recipe_values().get("dataset", ""))
    except RunError:
        return ""


def read_request(run: Run) -> Request:
    """What a check was asked for; raises `RunError` where that cannot be read."""
    try:
        listed: dict[str, Any] = {name: tuple(values) for name, values in read_json(run.folder / PHOTOS, dict).items()}
        return Request(**run.recipe_values(), class_names=run.class_names(), **listed)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            tr("What {run} was asked for cannot be read ({reason}). Start again.", run=run.id, reason=words_of(error))
        ) from error


def read_scores(run: Run) -> HeldOutScores:
    """What a check has found; raises `RunNotReady` where it has not, or that cannot be read."""
    try:
        request, scores = read_request(run), read_arrays(run.folder / SCORES, "scores")["scores"]
        labels = np.array(request.labels, np.int32)
        return HeldOutScores(request.class_names, request.digests, labels, scores.astype(np.float32))
    except (OSError, ValueError, UnfreezeError) as error:
        raise RunNotReady(
            tr("The result of the label check cannot be read ({reason}). Check again.", reason=words_of(error))
        ) from error


def seconds(chosen: Backbone, photos: int, throughput: Throughput) -> float:
    """About how long a check of so many photos takes, nothing of it computed before."""
    forward = throughput.forward_seconds(chosen)
    above = chosen.work_share(boundary_of(chosen)) * forward
    learning = (FOLDS - 1) * EPOCHS * STEP_COST * above
    return throughput.fixed_seconds + photos * (VIEWS * forward + learning + VIEWS * above)


def boundary_of(chosen: Backbone) -> str:
    """The block from which on the networks of a check learn: the last ones that hold a quarter of the weights."""
    return unfreeze_point_for(chosen, 0.25)


def write_request(run: Run, request: Request) -> None:
    """Write into the folder of a new check what it is asked for."""
    values = asdict(request)
    listed = {name: values.pop(name) for name in ("paths", "digests", "labels", "groups")}
    names = {"class_names": values.pop("class_names")}
    run.recipe_file.write_text(json.dumps(values, ensure_ascii=False), "utf-8")
    run.classes_file.write_text(json.dumps(names, ensure_ascii=False), "utf-8")
    (run.folder / PHOTOS).write_text(json.dumps(listed, ensure_ascii=False), "utf-8")


def _is_for(run: Run, request: Request) -> bool:
    try:
        return read_request(run) == request
    except UnfreezeError:
        return False
