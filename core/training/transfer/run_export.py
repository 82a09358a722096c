"""Export of a run as one ZIP file, for another installation. Needs no TensorFlow.

The file holds only data: recipe, classes, split, metrics and results as in the run's folder, and the weights as plain
arrays. Neither Keras' model file, which could hold code, nor the graph is in it; the import rebuilds both
(`core.training.transfer.run_import`).
"""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import RunBusy, RunError, words_of
from core.language import tr
from core.models.serving import PROBABILITIES, ServingGraph
from core.recipe.run_recipe import read_recipe
from core.runs.store import ACTIVE, QUEUED, Run
from core.settings import GIGABYTE, MEGABYTE

FORMAT, VERSION = "unfreeze-run", 1
"""The kind of file, and the version of its format, in the manifest."""

MANIFEST, WEIGHTS = "manifest.json", "weights.npz"
PREDICTION_HISTORY = "timeline/"

OPTIMIZER = "optimizer"
"""How the names of arrays begin that only training needs."""


@dataclass(frozen=True)
class RunFile:
    """A file of a run that is exported.

    Attributes:
        name: In the archive, and in the run's folder.
        max_bytes: The largest size that an import accepts.
        required: Whether there is no run without it.
    """

    name: str
    max_bytes: int
    required: bool = False


RUN_FILES: tuple[RunFile, ...] = (
    RunFile("recipe.json", MEGABYTE, required=True),
    RunFile("classes.json", 10 * MEGABYTE, required=True),
    RunFile("split.csv", 500 * MEGABYTE, required=True),
    RunFile("pseudo_labels.csv", 500 * MEGABYTE),
    RunFile("start.json", 500 * MEGABYTE),
    RunFile("status.json", MEGABYTE, required=True),
    RunFile("label.json", MEGABYTE),
    RunFile("environment.json", MEGABYTE),
    RunFile("decision.json", MEGABYTE),
    RunFile("left_out.json", 100 * MEGABYTE),
    RunFile("metrics.jsonl", 500 * MEGABYTE),
    RunFile("validation.npz", GIGABYTE),
    RunFile("test.npz", GIGABYTE),
    RunFile("embeddings.npz", GIGABYTE),
)
"""The files that are exported unchanged. The others are the manifest, the weights and the prediction history."""

MAX_WEIGHTS_BYTES, MAX_HISTORY_BYTES = 4 * GIGABYTE, 100 * MEGABYTE


def file_name(run: Run) -> str:
    """The name of a run's ZIP file."""
    return f"unfreeze-run-{run.id}.zip"


def export_run(run: Run, target: BinaryIO, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Write a run as a ZIP file.

    Args:
        run: Must have ended, or be paused.
        target: The file to write; it need not be seekable.
        on_progress: Called with the numbers of files done and of all files; may raise to cancel.

    Raises:
        RunBusy: The run is in progress or queued.
        RunError: Its files cannot be read.
    """
    _require_rest(run)
    listed: dict[str, dict[str, Any]] = {}
    files = list(_files(run))
    try:
        with zipfile.ZipFile(target, "w") as archive:
            for number, (name, read) in enumerate(files):
                on_progress(number, len(files))
                content = read()
                listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                arrays = name.endswith((".npy", ".npz"))  # hardly compressible
                archive.writestr(name, content, zipfile.ZIP_STORED if arrays else zipfile.ZIP_DEFLATED)
            archive.writestr(MANIFEST, json.dumps(_manifest(run, listed), indent=1), zipfile.ZIP_DEFLATED)
        on_progress(len(files), len(files))
    except OSError as error:
        raise RunError(
            tr("The run {run} cannot be exported ({reason}).", run=run.id, reason=error.strerror or words_of(error))
        ) from error


def exported_bytes(run: Run) -> bytes:
    """A run as the bytes of a ZIP file; raises as `export_run` does."""
    target = io.BytesIO()
    export_run(run, target)
    return target.getvalue()


def _require_rest(run: Run) -> None:
    state = run.read_status().state
    if state in ACTIVE:
        raise RunBusy(tr("This run is in progress. Stop it, pause it or wait until it has finished; then export it."))
    if state == QUEUED:
        raise RunBusy(
            tr("This run is queued. Remove it from the queue, or wait until it has finished; then export it.")
        )


def _files(run: Run) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files by name, each with a function that reads it, so that only one is in memory at a time."""
    for known in RUN_FILES:
        file = run.folder / known.name
        if known.required or file.exists():
            yield known.name, partial(_recipe, run) if file == run.recipe_file else file.read_bytes
    for file in sorted(run.timeline_folder.glob("*.npy")):
        yield f"{PREDICTION_HISTORY}{file.name}", file.read_bytes
    if run.best_file.exists():
        yield WEIGHTS, lambda: _as_npz(weights_of(run.best_file))


def _recipe(run: Run) -> bytes:
    """What the run trains by as its recipe, which is all that whoever imports it needs to know."""
    return read_recipe(run).to_json().encode()


def weights_of(best_file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a model that this app saved, by their path in Keras' file; nothing else in it is read.

    Raises `RunError` where it cannot be read.
    """
    import h5py

    found: dict[str, NDArray[Any]] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith(OPTIMIZER):
            found[name] = item[()]

    try:
        with zipfile.ZipFile(best_file) as archive, archive.open("model.weights.h5") as file, h5py.File(file) as arrays:
            arrays.visititems(note)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise RunError(
            tr("The weights in {file} cannot be read ({reason}).", file=str(best_file), reason=words_of(error))
        ) from error
    return {name: np.asarray(values) for name, values in found.items()}


def _as_npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type, unused-ignore]
    return buffer.getvalue()


def _manifest(run: Run, listed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": run.id,
        "exported": time.time(),
        "files": listed,
        "proof": reference_outputs(run),
    }


def reference_outputs(run: Run) -> list[list[float]]:
    """The model's probabilities (4, K) for the reference images, which a rebuilt model must give; empty without one."""
    if not (run.best_file.exists() and run.serving_folder.is_dir()):
        return []
    graph, found = ServingGraph(run.serving_folder), []
    with suppress(RuntimeError):
        found = graph.run(reference_images(graph.resolution))[PROBABILITIES].round(6).tolist()
    return found


def reference_images(side: int, count: int = 4) -> NDArray[np.float32]:
    """Smooth colour patterns `(count, side, side, 3)`, 0 to 255, the same in every installation."""
    across = np.linspace(0, 2 * np.pi, side)
    waves = [
        [
            np.sin((number + 1) * across + channel)[:, None] * np.cos((channel + 1) * across + number)
            for channel in range(3)
        ]
        for number in range(count)
    ]
    return np.asarray(127.5 * (1 + np.moveaxis(np.array(waves), 1, -1)), np.float32)
