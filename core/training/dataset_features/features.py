"""Features of a dataset's photos: what a frozen network makes of each, computed once by a child process. No Keras.

The job has a folder like a run's, in a store of its own. What it computes goes into training's feature
cache, so whatever either has computed, the other does not compute again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import Scan
from core.errors import RunError, RunNotReady, UnfreezeError, words_of
from core.json_values import checked, read_json
from core.language import tr
from core.models.backbones import backbone
from core.runs import trainers
from core.runs.messages import Message
from core.runs.store import ACTIVE, FINISHED, LIVE, Run, RunStore, Status

COMPUTE = "--features"
FOLDER = "features"
"""Name of the store's folder in Unfreeze's home."""

KEPT = 4
"""Results that are kept when a new job starts, the newest ones."""

PHOTOS, ROWS, LISTED = "photos.json", "features.npy", "features.json"

FIRST = Status(message=Message("starting"))


@dataclass(frozen=True)
class Request:
    """What a job is to compute.

    Attributes:
        dataset: The folder of the photos, resolved.
        backbone: Key of the network.
        paths: Of the N photos, relative to the folder.
        digests: The digest that each photo's file had when it was scanned, as hexadecimal text.

    Raises:
        RunError: Paths and digests are not equally many.
        RecipeError: There is no such network.
    """

    dataset: str
    backbone: str
    paths: tuple[str, ...]
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the fields."""
        backbone(self.backbone)
        if len(self.paths) != len(self.digests):
            raise RunError(
                tr(
                    "Expected a digest for each of {photos} photos; got {digests}.",
                    photos=len(self.paths),
                    digests=len(self.digests),
                )
            )

    @classmethod
    def of(cls, scan: Scan, key: str) -> "Request":
        """Every photo that a scan has found, whatever was decided about it, so that decisions call for nothing new."""
        digests = tuple(row.tobytes().hex() for row in scan.digests)
        return cls(str(scan.folder.root), key, scan.folder.paths, digests)


@dataclass(frozen=True, eq=False)
class Features:
    """What a job came to.

    Attributes:
        values: Shape (M, D), float32, mapped from the disk.
        row_of: The row of each photo by its digest.
        unread: Why a photo has none, by its digest.
    """

    values: NDArray[np.float32]
    row_of: Mapping[str, int]
    unread: Mapping[str, str]

    def covers(self, digests: Sequence[str]) -> bool:
        """Whether all these photos were asked for when they were computed."""
        return not self.lacking(digests)

    def lacking(self, digests: Sequence[str]) -> int:
        """How many of these photos were not asked for when they were computed."""
        return sum(digest not in self.row_of and digest not in self.unread for digest in digests)


def start(store: RunStore, request: Request) -> Run:
    """Start a job, or return the one that computes features of the same photos already.

    Raises:
        RunError: It cannot be written, or no process can be started.
    """
    with store.exclusive():
        for old in store.runs():
            if old.state in ACTIVE and _is_for(old, request):
                return old
        sweep(store, request.dataset, request.backbone)
        run = store.create(lambda making: _write_request(making, request), FIRST)
    trainers.start_side_job(run, COMPUTE, tr("The work"))
    return run


def latest(store: RunStore, dataset: Path, key: str) -> Run | None:
    """The newest job for a dataset and a network, however far it is; None where there is none."""
    return next(jobs_for(store, dataset, key), None)


def kept(store: RunStore, dataset: Path, key: str) -> Run | None:
    """The newest job for a dataset and a network that has finished; None where there is none."""
    return next((run for run in jobs_for(store, dataset, key) if run.state == FINISHED), None)


def jobs_for(store: RunStore, dataset: Path, key: str) -> Iterator[Run]:
    """The jobs for a dataset and a network, the newest first, however far they are; a damaged one is passed over."""
    return (run for run in store.runs() if _facts(run) == (str(dataset), key))


def read_request(run: Run) -> Request:
    """What a job was asked for; raises `RunError` where that cannot be read."""
    try:
        listed = _texts(read_json(run.folder / PHOTOS, dict), "paths", "digests")
        return Request(**run.recipe_values(), paths=listed["paths"], digests=listed["digests"])
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            tr("What {run} was asked for cannot be read ({reason}). Start again.", run=run.id, reason=words_of(error))
        ) from error


def read_features(run: Run) -> Features:
    """What a job has computed; raises `RunNotReady` where it has not, or that cannot be read."""
    try:
        listed = read_json(run.folder / LISTED, dict)
        digests = _texts(listed, "digests")["digests"]
        unread = checked(listed, {"unread": dict}, {})["unread"]
        checked(unread, dict.fromkeys(unread, str), {})
        values = np.load(run.folder / ROWS, mmap_mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise RunNotReady(
            tr("The features that were computed cannot be read ({reason}). Compute them again.", reason=words_of(error))
        ) from error
    if values.ndim != 2 or len(values) != len(digests):
        raise RunNotReady(tr("The features that were computed are incomplete. Compute them again."))
    return Features(values, {digest: row for row, digest in enumerate(digests)}, unread)


def _texts(values: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    """The lists of texts of these names; raises `ValueError` where one is missing or is no such list."""
    found = {name: values.get(name) for name in names}
    for name, listed in found.items():
        if type(listed) is not list or not all(type(each) is str for each in listed):
            raise ValueError(f"{name} is not a list of texts")
    return {name: tuple(listed) for name, listed in found.items() if listed is not None}


def _write_request(run: Run, request: Request) -> None:
    values = asdict(request)
    listed = {name: values.pop(name) for name in ("paths", "digests")}
    run.recipe_file.write_text(json.dumps(values, ensure_ascii=False), "utf-8")
    (run.folder / PHOTOS).write_text(json.dumps(listed), "utf-8")


def _is_for(run: Run, request: Request) -> bool:
    try:
        return read_request(run) == request
    except UnfreezeError:
        return False


def _facts(run: Run) -> tuple[Any, Any]:
    try:
        values = run.recipe_values()
    except RunError:
        return None, None
    return values.get("dataset"), values.get("backbone")


def sweep(store: RunStore, dataset: str, key: str) -> None:
    """Remove what came to nothing, and of results all but the newest, before another job begins.

    What waits, is going or can go on stays, and the newest result for the dataset and the network.
    """
    store.sweep()
    newest: dict[tuple[Any, Any], Run] = {}
    for run in store.runs():
        if run.state == FINISHED or run.has_checkpoint():
            newest.setdefault(_facts(run), run)
    mine = newest.pop((dataset, key), None)
    staying = {run.id for run in list(newest.values())[: KEPT - 1]} | ({mine.id} if mine else set())
    for run in store.runs():
        if run.id not in staying and run.state not in LIVE:
            store.remove(run)
