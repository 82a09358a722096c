"""Rebuilding an imported run's model from plain arrays: `python -m core.training.transfer.rebuild RUN` in a child.

Nothing that was imported is executed: the network is our own, and the names and shapes of the arrays must be those that
this network has. Importing this module brings no TensorFlow; `rebuild` does.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import TransferError, UnfreezeError
from core.language import from_json, kept, tr
from core.models.backbones import backbone
from core.models.heads import feature_width
from core.models.serving import write_graph
from core.processes.children import QUIET, module_command, start_helper
from core.recipe.run_recipe import read_recipe
from core.runs.store import Run
from core.settings import settings_from
from core.training.process.libraries import without_scikit_learn
from core.training.transfer.array_file import Arrays, read_npz
from core.training.transfer.run_export import OPTIMIZER, WEIGHTS

if TYPE_CHECKING:
    import h5py

POLL_SECONDS = 0.1
REFUSED = 3
"""Exit code of a process that has printed why the model cannot be rebuilt."""


def rebuild_in_child(run: Run, still_wanted: Callable[[], None] = lambda: None) -> None:
    """Rebuild the model and the graph of a run whose folder holds the weights, in a process of its own.

    `still_wanted` is called a few times a second, and may raise to cancel.

    Raises:
        TransferError: The weights are not those of the recipe's network, or the process failed.
    """
    command = module_command("core.training.transfer.rebuild", str(run.folder.resolve()))
    with run.log_file.open("wb") as log:
        child = start_helper(command, environ={**os.environ, **QUIET}, stderr=log)
    try:
        while child.poll() is None:
            still_wanted()
            time.sleep(POLL_SECONDS)
    finally:
        child.kill()
        message = child.communicate()[0].decode(errors="replace").strip()
    if child.returncode == REFUSED:
        raise TransferError(_told(message))
    if child.returncode:
        raise TransferError(tr("The model could not be rebuilt. {message}", message=run.log_tail(300).strip()))


def _told(message: str) -> str:
    """What the child printed, in the reader's language."""
    with suppress(ValueError):
        return from_json(json.loads(message))
    return message


def rebuild(run: Run) -> None:
    """Build a run's model from its recipe and its weights, and write it and its graph; needs TensorFlow.

    Raises `TransferError` where the weights are not those of the recipe's network.
    """
    import h5py

    from core.models.build import build_model
    from core.training.callbacks import save_model

    recipe, arrays = read_recipe(run), read_npz(run.folder / WEIGHTS)
    chosen, classes = backbone(recipe.backbone), len(run.class_names())
    _require_enough(arrays, feature_width(chosen, recipe.pooling) * classes)
    model = build_model(chosen, recipe.head, classes, None)
    file = run.folder / "rebuilt.weights.h5"
    model.save_weights(file)
    with h5py.File(file, "r+") as places:
        _fill(places, arrays)
    model.load_weights(file)
    file.unlink()
    save_model(model, run.best_file)
    write_graph(model, run.serving_folder)


def _require_enough(arrays: Arrays, numbers: int) -> None:
    """Check that there are at least as many weights as the last layer has, before a network is built for them."""
    found = sum(values.size for values in arrays.values())
    if found < numbers:
        raise TransferError(
            tr(
                "The weights do not belong to the network of the recipe: there are {found} of them, but its last layer"
                " alone has {last}.",
                found=found,
                last=numbers,
            )
        )


def _fill(places: "h5py.File", arrays: Arrays) -> None:
    """Put arrays into a weights file that the network has written, each in its place."""
    import h5py

    known: dict[str, h5py.Dataset] = {}
    places.visititems(lambda name, item: known.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    known = {name: place for name, place in known.items() if not name.startswith(OPTIMIZER)}
    odd = sorted(known.keys() ^ arrays.keys())
    if odd:
        raise TransferError(
            tr(
                "The weights do not belong to the network of the recipe: {count} arrays are missing or unknown, the"
                " first is {first}. They may come from another version of Unfreeze.",
                count=len(odd),
                first=odd[0][:80],
            )
        )
    for name, place in known.items():
        values = arrays[name]
        if values.shape != place.shape or values.dtype != place.dtype:
            raise TransferError(
                tr(
                    "The weights do not belong to the network of the recipe: {name} is {type} {shape}, expected"
                    " {expected_type} {expected_shape}.",
                    name=name,
                    type=str(values.dtype),
                    shape=str(values.shape),
                    expected_type=str(place.dtype),
                    expected_shape=str(place.shape),
                )
            )
        if not np.isfinite(values).all():
            raise TransferError(
                tr("The weights are damaged: {name} holds values that are not finite numbers.", name=name)
            )
        place[...] = values


def main(folder: str) -> int:
    """Rebuild the model of the run in a folder; where that is impossible, the reason is printed."""
    os.environ["KERAS_HOME"] = str(settings_from().keras_home)
    try:
        with without_scikit_learn():
            rebuild(Run(Path(folder)))
    except UnfreezeError as error:
        print(json.dumps(kept(error.text)))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
