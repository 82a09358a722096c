"""The embeddings of a run's photos: computed by the model that came out, and kept with the run.

The trainer does this as its last act, at idle priority, when the run has finished and everybody can use it; where
outputs of its frozen part are cached for all photos, it goes on from there. For runs where that did not happen, because
they were stopped or come from an older version, `request` is the server's side, and a niced child process,
`python -m core.inference.embeddings_job RUN`, does the work. Whoever computes them holds a lock of its own. A failure
is kept beside the run, and nothing is tried again before `retry`. No TensorFlow.
"""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.images import decode
from core.data.scan.folder import ImageFolder, check_inside
from core.data.scan.walk import check_photo
from core.data.split import read_split_csv
from core.data.subsets import NO_SUBSET, TRAINING
from core.errors import PhotoError, UnfreezeError
from core.files import saving, write_atomically
from core.json_values import checked, read_json
from core.language import from_json, kept, tr, tr_mark
from core.models.serving import EMBEDDING, GRAPH, PROBABILITIES, ServingGraph
from core.processes.children import ATTENDED, module_command, not_started, settle_in, start_logged_job
from core.processes.locks import is_locked, locked, was_touched_within
from core.recipe.run_recipe import read_recipe
from core.runs.embeddings import Embeddings, write_embeddings
from core.runs.store import Run
from core.settings import Settings, settings_from

PROGRESS, LOCK = "looking.json", "looking.lock"

START_SECONDS = 15.0
"""How long a process may take to begin before it counts as dead."""

LOCK_SECONDS = 0.5
"""How long to wait for another process that computes the embeddings, or only looks whether one does."""

EVERY = 64
"""Photos between two reports of the progress."""

MOST_BYTES = 128_000_000
"""What embeddings may take on the disk; where all would take more, some of the training photos have none."""

BYTES_PER_NUMBER = 2

Answer = Callable[[NDArray[np.intp]], Mapping[str, NDArray[np.float32]]]
"""From positions in a run's split `(n,)` to a model's probabilities and embeddings by name, `(n, ...)`."""

DIED = tr_mark("The process ended without a message; memory may have run out, or the computer was switched off.")
NO_MODEL = tr_mark("This run has no model.")


@dataclass(frozen=True)
class EmbeddingsProgress:
    """How far the computation is.

    Attributes:
        done, total: Photos that are done, and photos that there are; 0 of 0 in the beginning.
        error: Why it failed; empty if it did not.
    """

    done: int = 0
    total: int = 0
    error: str = ""


def request(run: Run) -> EmbeddingsProgress | None:
    """Have the embeddings of a run with a model computed; returns how far that is, None once they are there.

    What has failed stays so until `retry`. Raises `FileNotFoundError` where the run was deleted.
    """
    if run.embeddings_file.exists():
        return None
    found = _read_progress(run)
    if found is None:
        return EmbeddingsProgress() if is_locked(run.folder / LOCK) else _start(run)
    if found.error or is_locked(run.folder / LOCK) or was_touched_within(run.folder / PROGRESS, START_SECONDS):
        return found
    return _after_death(run)


def retry(run: Run) -> None:
    """Forget that the computation has failed, so that the next request starts it again."""
    with saving(run.folder / PROGRESS):
        (run.folder / PROGRESS).unlink(missing_ok=True)


def compute_if_missing(run: Run, settings: Settings, answer: Answer | None = None) -> None:
    """Compute the embeddings of a run that has a model, unless that was done or is being done; a failure is kept.

    Where the model need not look at the photos for that, `answer` says what it makes of them.
    """
    if run.embeddings_file.exists() or not run.serving_folder.is_dir():
        return
    with (
        suppress(FileNotFoundError),
        locked(run.folder / LOCK, LOCK_SECONDS) as held,
    ):  # it may be deleted at any moment
        if not held:
            return
        try:
            compute(run, settings, answer)
        except UnfreezeError as error:
            _fail(run, error.text)
        except OSError as error:
            _fail(run, str(error))
        except Exception as error:
            # Whatever it was, the pages that wait for the embeddings must hear of it.
            traceback.print_exc()
            _fail(
                run,
                tr(
                    "An unexpected {kind} ({reason}). The end of the trainer's log has the details.",
                    kind=type(error).__name__,
                    reason=str(error),
                ),
            )
        else:
            retry(run)


def compute(run: Run, settings: Settings, answer: Answer | None = None) -> None:
    """Compute the embeddings of the photos of a run's split, and keep them; what cannot be read is left out.

    `answer` is as in `compute_if_missing`.

    Raises:
        UnfreezeError: The folder, the split or the model cannot be used.
    """
    graph, version = ServingGraph(run.serving_folder), _version(run)
    root = check_inside(read_recipe(run).dataset, settings.dataset_roots)
    folder, parts = read_split_csv(run.split_file, root)
    chosen = _as_many_as_fit(parts, graph.width)
    lost: set[int] = set()

    def pixels(some: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.stack([_photo(folder, int(i), graph.resolution, settings, lost) for i in chosen[some]])

    def on_photos(done: int) -> None:
        if done % EVERY == 0:
            _write_progress(run, EmbeddingsProgress(done, len(chosen)))

    outputs = answer(chosen) if answer else graph.run_many(len(chosen), pixels, on_photos)
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


def _after_death(run: Run) -> EmbeddingsProgress | None:
    # The lock is free. Whoever held it may have come to its end between our first look and the lock's release.
    if run.embeddings_file.exists():
        return None
    found = _read_progress(run) or EmbeddingsProgress()
    return found if found.error or not (run.folder / PROGRESS).exists() else _fail(run, tr(DIED))


def _read_progress(run: Run) -> EmbeddingsProgress | None:
    try:
        found: dict[str, Any] = read_json(run.folder / PROGRESS, dict)
        counts = checked(found, {"done": int, "total": int}, {})
        return EmbeddingsProgress(**counts, error=from_json(found.get("error", "")))
    except (OSError, ValueError):
        return None


def _write_progress(run: Run, progress: EmbeddingsProgress) -> None:
    values = {"done": progress.done, "total": progress.total, "error": kept(progress.error)}
    write_atomically(run.folder / PROGRESS, json.dumps(values, ensure_ascii=False))


def _fail(run: Run, error: str) -> EmbeddingsProgress:
    failed = EmbeddingsProgress(error=error)
    with suppress(OSError):  # on a full disk it cannot be kept, and is concluded again
        _write_progress(run, failed)
    return failed


def _start(run: Run) -> EmbeddingsProgress:
    begun = EmbeddingsProgress()
    _write_progress(run, begun)
    command = module_command("core.inference.embeddings_job", str(run.folder.resolve()))
    try:
        start_logged_job(command, run.log_file)
    except OSError as error:
        return _fail(run, not_started(tr("The process"), error))
    return begun


def main(folder: Path) -> None:
    """Compute the embeddings of the run in a folder, for those who wait for them."""
    settle_in(ATTENDED)
    run = Run(folder)
    if not run.serving_folder.is_dir():
        _fail(run, tr(NO_MODEL))
    compute_if_missing(run, settings_from())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
