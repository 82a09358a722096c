"""Looking once more at the photos of a run, with the model that came out: what it makes of each is kept with the run.

The trainer does this as its last act, when the run has finished and everybody can use it. For runs where that did not
happen, because they were stopped or come from a former version, `request` is the server's side, and the photos are
looked at by a niced child process, `python -m core.inference.embeddings_job RUN`. Whoever looks holds a lock of
its own. No TensorFlow.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import portalocker
from numpy.typing import NDArray

from core.data.images import decode
from core.data.scan.folder import ImageFolder, check_inside
from core.data.scan.walk import check_photo
from core.data.split import read_split_csv
from core.data.subsets import NO_SUBSET, TRAINING
from core.errors import PhotoError, RunError, UnfreezeError
from core.files import write_atomically
from core.models.serving import EMBEDDING, GRAPH, PROBABILITIES, ServingGraph
from core.processes.children import PROJECT
from core.processes.locks import is_locked
from core.runs.embeddings import Embeddings, write_embeddings
from core.runs.store import Run
from core.settings import Settings, settings_from

NICENESS = 5
PROGRESS, LOCK = "looking.json", "looking.lock"

START_SECONDS = 15.0
"""How long a process may take to begin before another one is started."""

EVERY = 64
"""Photos between two words about the progress."""

MOST_BYTES = 128_000_000
"""What embeddings may take on the disk; where all would take more, some of the training photos have none."""

BYTES_PER_NUMBER = 2


@dataclass(frozen=True)
class Looking:
    """How far it is.

    Attributes:
        done, total: Photos looked at, and photos that there are; 0 of 0 in the beginning.
        error: Why it came to nothing; empty if it did not.
    """

    done: int = 0
    total: int = 0
    error: str = ""


def request(run: Run) -> Looking | None:
    """Have the photos of a run with a model looked at; returns how far that is, None once there is something to read.

    What has failed is not tried again before `try_again`. Raises `RunError` when no process can be started.
    """
    if run.embeddings_file.exists():
        return None
    found = _progress(run)
    if not found.error and not is_locked(run.folder / LOCK) and not _has_just_been_started(run):
        _tell(run, found)
        _start(run)
    return found


def try_again(run: Run) -> None:
    """Forget that looking has failed."""
    (run.folder / PROGRESS).unlink(missing_ok=True)


def look_again(run: Run, settings: Settings) -> None:
    """Look at the photos of a run that has a model, unless that was done or is being done; what goes wrong is kept."""
    if run.embeddings_file.exists() or not run.serving_folder.is_dir():
        return
    with suppress(FileNotFoundError), (run.folder / LOCK).open("a") as file:  # the run may be deleted at any moment
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            return
        try:
            look(run, settings)
        except (UnfreezeError, OSError) as error:
            _tell(run, Looking(error=str(error)))
        else:
            try_again(run)


def look(run: Run, settings: Settings) -> None:
    """Look at the photos of a run's split and keep what its model makes of them; what cannot be read is left out.

    Raises:
        UnfreezeError: The folder, the split or the model cannot be used.
    """
    graph, version = ServingGraph(run.serving_folder), _version(run)
    root = check_inside(str(run.recipe_values().get("dataset", "")), settings.dataset_roots)
    folder, parts = read_split_csv(run.split_file, root)
    chosen = _as_many_as_fit(parts, graph.width)
    lost: set[int] = set()

    def pixels(some: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.stack([_photo(folder, int(i), graph.resolution, settings, lost) for i in chosen[some]])

    def on_photos(done: int) -> None:
        if done % EVERY == 0:
            _tell(run, Looking(done, len(chosen)))

    outputs = graph.run_many(len(chosen), pixels, on_photos)
    few, names = folder.subset(chosen), run.class_names()
    labels = np.array([names.index(few.class_names[label]) for label in few.labels], np.int32)
    found = Embeddings(few.paths, labels, parts[chosen], outputs[EMBEDDING], outputs[PROBABILITIES])
    if _version(run) == version:  # else the run went on meanwhile, and has another model
        write_embeddings(run, found.subset(np.flatnonzero(~np.isin(chosen, list(lost)))))


def _as_many_as_fit(parts: NDArray[np.int8], width: int) -> NDArray[np.intp]:
    """Positions of all photos, or of those that are not trained on and, by chance, of some others."""
    used = np.flatnonzero(parts != NO_SUBSET)
    most = MOST_BYTES // (BYTES_PER_NUMBER * width)
    if len(used) <= most:
        return used
    spared = used[parts[used] != TRAINING][:most]
    training = np.random.default_rng(0).permutation(used[parts[used] == TRAINING])
    return np.sort(np.concatenate([spared, training[: most - len(spared)]]))


def _photo(folder: ImageFolder, position: int, size: int, settings: Settings, lost: set[int]) -> NDArray[np.uint8]:
    try:
        return decode(check_photo(folder.absolute(position), settings.dataset_roots), size, settings.limits.pixels)
    except PhotoError:
        lost.add(position)
        return np.zeros((size, size, 3), np.uint8)


def _version(run: Run) -> int:
    """What tells a run's model from the one that it has after more epochs."""
    return (run.serving_folder / GRAPH).stat().st_mtime_ns


def _has_just_been_started(run: Run) -> bool:
    try:
        return time.time() - (run.folder / PROGRESS).stat().st_mtime < START_SECONDS
    except FileNotFoundError:
        return False


def _progress(run: Run) -> Looking:
    try:
        return Looking(**json.loads((run.folder / PROGRESS).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Looking()


def _tell(run: Run, progress: Looking) -> None:
    write_atomically(run.folder / PROGRESS, json.dumps(asdict(progress), ensure_ascii=False))


def _start(run: Run) -> None:
    try:
        subprocess.Popen(
            [sys.executable, "-m", "core.inference.embeddings_job", str(run.folder.resolve())],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"The photos cannot be looked at ({error.strerror}). Is memory or the disk full?") from error


def main(folder: Path) -> None:
    """Look at the photos of the run in a folder, for those who wait for it."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    look_again(Run(folder), settings_from())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
