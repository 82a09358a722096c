"""A run as one ZIP file, to be taken to another installation: what belongs to it, and how it is packed.

The file holds data alone: recipe, classes, split, metrics and results as a run's folder has them, and the weights as
plain arrays. Neither the model as Keras saves it, which may hold code, nor the graph is in it; whoever takes the run in
builds both anew (`core.training.transfer.run_import`). No TensorFlow.
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

from core.errors import RunBusy, RunError
from core.models.serving import PROBABILITIES, ServingGraph
from core.recipe.run_recipe import read_recipe
from core.runs.store import ACTIVE, QUEUED, Run
from core.settings import GIGABYTE, MEGABYTE

FORMAT, VERSION = "unfreeze-run", 1
"""What the manifest says of the file."""

MANIFEST, WEIGHTS = "manifest.json", "weights.npz"
PREDICTION_HISTORY = "timeline/"

OPTIMIZER = "optimizer"
"""What the names of arrays begin with that only training needs."""


@dataclass(frozen=True)
class RunFile:
    """A file of a run that is moved with it.

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
    RunFile("status.json", MEGABYTE, required=True),
    RunFile("label.json", MEGABYTE),
    RunFile("environment.json", MEGABYTE),
    RunFile("left_out.json", 100 * MEGABYTE),
    RunFile("metrics.jsonl", 500 * MEGABYTE),
    RunFile("validation.npz", GIGABYTE),
    RunFile("test.npz", GIGABYTE),
    RunFile("embeddings.npz", GIGABYTE),
)
"""What is moved as it is; more are the manifest, the weights, and the files of the timeline."""

MAX_WEIGHTS_BYTES, MAX_HISTORY_BYTES = 4 * GIGABYTE, 100 * MEGABYTE


def file_name(run: Run) -> str:
    """What the ZIP file of a run is called."""
    return f"unfreeze-run-{run.id}.zip"


def export_run(run: Run, target: BinaryIO, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Write a run as a ZIP file.

    Args:
        run: Must have ended, or be paused.
        target: Where to; it need not be seekable.
        on_progress: Hears how many of the files are packed, and may raise.

    Raises:
        RunBusy: The run is going or waits in the queue.
        RunError: Its files cannot be read.
    """
    _require_rest(run)
    listed: dict[str, dict[str, Any]] = {}
    pieces = list(_pieces(run))
    try:
        with zipfile.ZipFile(target, "w") as archive:
            for number, (name, read) in enumerate(pieces):
                on_progress(number, len(pieces))
                content = read()
                listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                arrays = name.endswith((".npy", ".npz"))  # these are not packed any tighter
                archive.writestr(name, content, zipfile.ZIP_STORED if arrays else zipfile.ZIP_DEFLATED)
            archive.writestr(MANIFEST, json.dumps(_manifest(run, listed), indent=1), zipfile.ZIP_DEFLATED)
        on_progress(len(pieces), len(pieces))
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be packed ({error.strerror or error}).") from error


def exported_bytes(run: Run) -> bytes:
    """A run as the bytes of a ZIP file; raises as `export_run` does."""
    target = io.BytesIO()
    export_run(run, target)
    return target.getvalue()


def _require_rest(run: Run) -> None:
    state = run.read_status().state
    if state in ACTIVE:
        raise RunBusy("This run is still going. Stop or pause it first, or wait for its end; then export it.")
    if state == QUEUED:
        raise RunBusy("This run waits in the queue. Take it out of the queue first, or wait for its end.")


def _pieces(run: Run) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files by name, each with what reads it, so that they are not all in memory at once."""
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
    """The arrays in a model that this app has saved, by their place in Keras' file; nothing else of it is read.

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
        raise RunError(f"The weights in {best_file} cannot be read ({error}).") from error
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
    """What the run's model makes of patterns that everybody can draw, by which a model built anew is known to be it.

    Empty where the run has no model. Shape (4, K).
    """
    if not (run.best_file.exists() and run.serving_folder.is_dir()):
        return []
    graph, found = ServingGraph(run.serving_folder), []
    with suppress(RuntimeError):
        found = graph.run(reference_images(graph.resolution))[PROBABILITIES].round(6).tolist()
    return found


def reference_images(side: int, count: int = 4) -> NDArray[np.float32]:
    """Smooth patterns of colours `(count, side, side, 3)`, 0 to 255, the same everywhere."""
    across = np.linspace(0, 2 * np.pi, side)
    waves = [
        [
            np.sin((number + 1) * across + channel)[:, None] * np.cos((channel + 1) * across + number)
            for channel in range(3)
        ]
        for number in range(count)
    ]
    return np.asarray(127.5 * (1 + np.moveaxis(np.array(waves), 1, -1)), np.float32)
