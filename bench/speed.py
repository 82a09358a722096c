"""Unfreeze's trainer and predictions against plain Keras, as whole processes, in turn; ratios of medians.

    uv run python -m bench.speed FOLDER [--rows head head-augmented block7 block6 all forward predict] [--pairs 3]
    uv run python -m bench.speed FOLDER --rows head head-augmented --photos 500

Training rows: the same split, weights, rates and batches go to `bench.plain_keras` and to a run of Unfreeze in an
`UNFREEZE_HOME` of its own, so that nothing is kept from before. Both clocks run from the start of the process to the
saved model; ours then goes on to write the graph that predicts and to test it, which is told apart. Where the head
alone is trained on photos as they are, a further column has plain Keras by somebody who computes features once.
`forward` and `predict` take the model of a short run: `forward` photos that are already decoded, through what computes
the frozen part while training, `predict` the way of the Predict page from files to probabilities; both against
`model.predict`. With `--photos`, so many are drawn at random, each in the part that it has among all.

Weights are looked for as in the app. Every single measurement goes to the standard error as it comes, Markdown tables
to the standard output at the end. Linux only: it finds trainers through /proc.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.data.dataset import prepare
from core.data.images import decode
from core.data.review import Review
from core.data.scan.folder import ImageFolder, scan
from core.data.subsets import SUBSETS, TEST, TRAINING, VALIDATION
from core.errors import RunError
from core.models.backbones import backbone
from core.processes.children import PROJECT
from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.runs import trainers
from core.runs.store import FINISHED, Run, RunStore
from core.settings import settings_from
from core.training.launch import create_run

B0 = "efficientnet-b0"
LOOK_SECONDS, PATIENCE = 0.05, 2.0
FORWARD_PHOTOS, PREDICT_PHOTOS = 512, 100

Measurement = Mapping[str, float]


@dataclass(frozen=True)
class Training:
    """A row of the table of trainings.

    Attributes:
        key: Its name on the command line.
        words: Its name in the result.
        at_least: The ratio to reach, plain Keras against ours up to the saved model.
        choices: What the recipe has beside what is the same in every row.
    """

    key: str
    words: str
    at_least: float
    choices: Mapping[str, Any]


MILD = {"flip_horizontal": Choice(1, 0.5), "rotation": Choice(0.05), "zoom": Choice(0.15)}
"""The changes that `bench.plain_keras` has, too."""

HEAD_ONLY = {"head_epochs": 10, "fine_tune_epochs": 0, "unfreeze_point": "none"}
BOTH = {"head_epochs": 5, "fine_tune_epochs": 10}

TRAININGS = (
    Training("head", "head, 10 epochs", 12, HEAD_ONLY),
    Training("head-augmented", "head, 10 epochs, augmented", 4, {**HEAD_ONLY, "augmentations": MILD}),
    Training("block7", "head 5, from block7 10 epochs", 8, {**BOTH, "unfreeze_point": "block7"}),
    Training("block6", "head 5, from block6 10 epochs", 3, {**BOTH, "unfreeze_point": "block6"}),
    Training("all", "everything, 1 epoch", 1.2, {"head_epochs": 0, "fine_tune_epochs": 1, "unfreeze_point": "all"}),
)
FORWARD, PREDICT = "forward", "predict"
ROWS = (*(row.key for row in TRAININGS), FORWARD, PREDICT)
FORWARD_AT_LEAST = PREDICT_AT_LEAST = 2.0

PRECISIONS = {"f32": "FP32", "bf16": "BF16"}
"""OpenVINO's names of a precision: as a hint, and among what a processor can do."""

PLAIN_FORWARD = """
import json, sys, time
import keras, numpy as np
model = keras.models.load_model(sys.argv[1] + "/best.keras", compile=False)
photos = np.load(sys.argv[2]).astype("float32")
model.predict(photos[:64], verbose=0)
began = time.perf_counter()
model.predict(photos, verbose=0)
print(json.dumps({"photos_per_second": len(photos) / (time.perf_counter() - began)}))
"""

OUR_FORWARD = """
import json, sys, time
import numpy as np, openvino as ov
from core.models.openvino_runtime import BATCH, OpenVINOModel
from core.models.serving import GRAPH, PROBABILITIES
# The whole network, as the trainer has its frozen part computed.
graph = ov.Core().read_model(sys.argv[1] + "/serving/" + GRAPH)
part = OpenVINOModel(graph, [PROBABILITIES], sys.argv[3])
photos, rows = np.load(sys.argv[2]), []
def answer(chosen):
    batches = ((start, chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH))
    part.run_all(batches, lambda start, values: rows.append(values[PROBABILITIES].copy()))
answer(photos[: 8 * BATCH])
rows.clear()
began = time.perf_counter()
answer(photos)
print(json.dumps({"photos_per_second": len(np.concatenate(rows)) / (time.perf_counter() - began)}))
"""

TWICE = """
answer()
told = time.time()
warm = time.perf_counter()
answer()
print(json.dumps({"from_start": told - float(sys.argv[3]), "warm": time.perf_counter() - warm}))
"""

PLAIN_PREDICT = f"""
import json, sys, time
from pathlib import Path
import keras, numpy as np
from core.data.images import decode
model = keras.models.load_model(sys.argv[1] + "/best.keras", compile=False)
files = [Path(line) for line in Path(sys.argv[2]).read_text("utf-8").splitlines()]
def answer():
    return model.predict(np.stack([decode(file, model.input_shape[1]) for file in files]), verbose=0)
{TWICE}"""

OUR_PREDICT = f"""
import json, sys, time
from pathlib import Path
from core.inference.prediction import Predictor
from core.runs.store import Run
predictor = Predictor(Run(Path(sys.argv[1])))
files = [Path(line) for line in Path(sys.argv[2]).read_text("utf-8").splitlines()]
def answer():
    return predictor.predict([predictor.see(file.read_bytes()) for file in files])
{TWICE}"""


@dataclass(frozen=True, eq=False)
class Photos:
    """What is trained on: photos, and the part of each, shape (N,)."""

    folder: ImageFolder
    parts: NDArray[np.int8]

    def recipe(self, **choices: Any) -> Recipe:
        """A recipe for EfficientNet-B0 on these photos, batches of 32, all rates as they are at first."""
        return Recipe(**{"dataset": str(self.folder.root), "backbone": B0, "batch_size": 32, "seed": 0, **choices})

    def few(self, each: int) -> "Photos":
        """The first few photos of every class in every part."""
        places = zip(self.folder.labels.tolist(), self.parts.tolist(), strict=True)
        seen: dict[tuple[int, int], int] = {}
        chosen = []
        for i, place in enumerate(places):
            seen[place] = seen.get(place, 0) + 1
            if seen[place] <= each:
                chosen.append(i)
        return Photos(self.folder.subset(chosen), self.parts[chosen])

    def drawn(self, count: int) -> "Photos":
        """So many photos, drawn at random, in their order; all, where there are no more."""
        order = np.random.default_rng(0).permutation(len(self.parts))
        chosen = np.sort(order[:count])
        return Photos(self.folder.subset(chosen), self.parts[chosen])

    def files(self, part: int, count: int) -> list[Path]:
        """So many files of a part, spread over the classes, and some of them more than once if there are too few."""
        members = np.random.default_rng(0).permutation(np.flatnonzero(self.parts == part))
        return [self.folder.absolute(int(i)) for i in np.resize(members, count)]

    def link(self, into: Path) -> Path:
        """Lay out training and validation part as folders of links, as `bench.plain_keras` reads them."""
        for i, path in enumerate(self.folder.paths):
            name = {TRAINING: "train", VALIDATION: "validation"}.get(int(self.parts[i]))
            if name:
                place = into / name / self.folder.class_names[self.folder.labels[i]]
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{i:06d}{Path(path).suffix.lower()}").symlink_to(self.folder.absolute(i))
        return into


@dataclass(frozen=True)
class Compared:
    """One line of the result.

    Attributes:
        words: What was compared.
        unit: "s", the less the better, or "photos/s", the more the better.
        at_least: The ratio to reach.
        plain, ours: What was measured, in pairs.
        once: What plain Keras took, where its frozen part sees each photo once; empty where that cannot be.
    """

    words: str
    unit: str
    at_least: float
    plain: Sequence[float]
    ours: Sequence[float]
    once: Sequence[float] = ()

    def ratio(self, plain: float, ours: float) -> float:
        """How many times better ours is."""
        return plain / ours if self.unit == "s" else ours / plain

    def line(self) -> str:
        """The line in Markdown."""
        plain, ours = statistics.median(self.plain), statistics.median(self.ours)
        ratio = self.ratio(plain, ours)
        single = [self.ratio(*pair) for pair in zip(self.plain, self.ours, strict=True)]
        verdict = "yes" if ratio >= self.at_least else "no"
        expert = ""
        if self.once:
            once = statistics.median(self.once)
            expert = f"{once:.1f} {self.unit}, ratio {self.ratio(once, ours):.2f}"
        return (
            f"| {self.words} | {plain:.1f} {self.unit} | {ours:.1f} {self.unit} | **{ratio:.2f}** |"
            f" {min(single):.2f} to {max(single):.2f} | {self.at_least:g} | {verdict} | {expert} |"
        )


@dataclass
class Report:
    """What has been measured so far: lines of ratios, lines on the trainings, and what must be known to read them."""

    compared: list[Compared] = field(default_factory=list)
    trainings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self, pairs: int) -> str:
        """Both tables."""
        lines = [
            f"Medians of {pairs}, in turn, {os.cpu_count()} cores.\n",
            "| what | plain Keras | Unfreeze | ratio | single pairs | asked for | reached | features once |",
            "|---|---|---|---|---|---|---|---|",
            *(compared.line() for compared in self.compared),
        ]
        if self.trainings:
            lines += [
                "\n| training | Unfreeze to the end of its process | best validation accuracy, plain | ours |"
                " peak resident memory, plain | ours, mapped files included |",
                "|---|---|---|---|---|---|",
                *self.trainings,
            ]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


def load(root: Path, seed: int = 0) -> Photos:
    """Scan a dataset and divide it as the app does."""
    dataset = prepare(scan(root, roots=settings_from().dataset_roots), Review(root))
    return Photos(*dataset.used(dataset.split(seed)))


def prepare_environment(root: Path) -> None:
    """Let all child processes find the dataset and the same weights, whatever their `UNFREEZE_HOME`."""
    os.environ["UNFREEZE_WEIGHTS"] = str(settings_from().weights_folder)
    os.environ["UNFREEZE_DATASETS"] = str(root.parent)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"


def new_run(photos: Photos, recipe: Recipe, home: Path) -> Run:
    """A run in an `UNFREEZE_HOME` of its own; trainers started from now on use that one."""
    os.environ["UNFREEZE_HOME"] = str(home)
    return create_run(RunStore(settings_from().runs_folder), recipe, photos.folder, photos.parts)


def carry_out(
    run: Run, on_look: Callable[[int], None] = lambda pid: None, every: float = LOOK_SECONDS
) -> dict[str, float]:
    """Train a run to its end; `on_look` gets the trainer's process id every so many seconds.

    Returns seconds to the saved model and to the end of the process, the best validation accuracy of all epochs, and
    the trainer's peak memory in megabytes. Raises `RunError` when it did not finish.
    """
    began, saved, peak = time.perf_counter(), None, 0.0
    trainers.start(run)
    pid = trainer_of(run)
    try:
        while held := megabytes(pid, "VmHWM"):  # it is reaped as soon as it ends
            peak = max(peak, held)
            on_look(pid)
            time.sleep(every)
            ended = time.perf_counter() - began
            if saved is None and run.read_status().phase == "finishing":
                saved = ended
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        raise
    status = run.read_status()
    if status.state != FINISHED:
        raise RunError(f"The run ended as {status.state}: {status.error}\n{run.log_tail()}")
    accuracies = [row["val_accuracy"] for row in run.read_metrics() if "val_accuracy" in row]
    return {
        "seconds": ended if saved is None else saved,
        "end": ended,
        "accuracy": max(accuracies),
        "peak_mb": peak,
    }


def megabytes(pid: int, name: str) -> float:
    """A line of /proc/PID/status, see proc(5); 0 for a process that is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii", errors="replace"))
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def trainer_of(run: Run) -> int:
    """The process id of a run's trainer; raises `RunError` when there is none."""
    name, deadline = str(run.folder).encode(), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:  # a process that has just been started has no command line for a moment
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # ended between the two looks, or somebody else's
                if name in (entry / "cmdline").read_bytes().split(b"\0"):
                    return int(entry.name)
    raise RunError(f"No trainer of the run {run.id} is to be found in /proc; it ended at once:\n{run.log_tail()}")


def our_training(photos: Photos, row: Training) -> dict[str, float]:
    """Carry out a row with Unfreeze; nothing of it stays."""
    with tempfile.TemporaryDirectory() as home:
        return carry_out(new_run(photos, photos.recipe(**row.choices), Path(home)))


def plain_training(photos: Photos, row: Training, *flags: str) -> dict[str, float]:
    """Carry out a row with plain Keras; nothing of it stays. Raises `RunError` when it fails."""
    with tempfile.TemporaryDirectory() as base:
        out, folder = Path(base) / "out", photos.link(Path(base) / "photos")
        command = [sys.executable, "-m", "bench.plain_keras", str(folder), "--out", str(out)]
        command += [*plain_options(photos.recipe(**row.choices)), *flags]
        done = subprocess.run([*command, "--started", repr(time.time())], cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            raise RunError(f"Plain Keras failed:\n{done.stderr[-2000:]}")
        result = json.loads((out / "result.json").read_text("utf-8"))
    return {
        "seconds": result["seconds"],
        "accuracy": max(result["val_accuracy"]),
        "peak_mb": result["peak_mb"],
    }


def plain_options(recipe: Recipe) -> list[str]:
    """The options of `bench.plain_keras` that say the same as a recipe."""
    values: dict[str, object] = {
        "--batch-size": recipe.batch_size,
        "--dropout": recipe.dropout,
        "--head-rate": recipe.head_learning_rate,
        "--fine-tune-rate": recipe.fine_tune_learning_rate,
    }
    if recipe.unfreeze_point == "all" and not recipe.head_epochs:
        values |= {"--epochs": recipe.fine_tune_epochs}
    else:
        values |= {
            "--head-epochs": recipe.head_epochs,
            "--fine-tune-epochs": recipe.fine_tune_epochs,
            "--unfreeze": recipe.unfreeze_point,
        }
    flags = {"--all": "--epochs" in values, "--augment": bool(recipe.augmentations)}
    return [
        *(str(part) for pair in values.items() for part in pair),
        *(flag for flag, wanted in flags.items() if wanted),
    ]


def in_turn(name: str, pairs: int, ways: Mapping[str, Callable[[], Measurement]]) -> dict[str, list[Measurement]]:
    """Measure each way, then each way again, and tell every result as it comes."""
    measured: dict[str, list[Measurement]] = {side: [] for side in ways}
    for number in range(pairs):
        for side, way in ways.items():
            measured[side].append(way())
            values = {key: round(value, 3) for key, value in measured[side][-1].items()}
            print(json.dumps({"row": name, "pair": number + 1, "side": side, **values}), file=sys.stderr, flush=True)
    return measured


def column(measurements: Sequence[Measurement], key: str) -> list[float]:
    """One value of each measurement."""
    return [measurement[key] for measurement in measurements]


def bench_training(row: Training, photos: Photos, pairs: int, report: Report) -> None:
    """Measure one row of the table of trainings."""
    ways = {"plain": partial(plain_training, photos, row), "ours": partial(our_training, photos, row)}
    if row.choices == HEAD_ONLY:
        ways["once"] = partial(plain_training, photos, row, "--features-once")
    measured = in_turn(row.key, pairs, ways)
    plain, ours, once = (column(measured.get(side, ()), "seconds") for side in ("plain", "ours", "once"))
    report.compared.append(Compared(row.words, "s", row.at_least, plain, ours, once))
    cells = [f"{statistics.median(column(measured['ours'], 'end')):.1f} s"]
    cells += [f"{statistics.median(column(measured[side], 'accuracy')):.1%}" for side in ("plain", "ours")]
    cells += [f"{statistics.median(column(measured[side], 'peak_mb')):,.0f} MB" for side in ("plain", "ours")]
    report.trainings.append(f"| {row.words} | {' | '.join(cells)} |")
    recipe = photos.recipe(**row.choices)
    if recipe.augmentations:
        kept = f"our epochs take {recipe.views} kept versions of each in turn" if recipe.views else "so does ours"
        report.notes.append(f"{row.words}: plain Keras changes photos anew in every epoch; {kept}.")


def child(script: str, *arguments: object) -> dict[str, float]:
    """What a script that is run in a process of its own says of itself, as JSON; raises `RunError` when it fails."""
    command = [sys.executable, "-c", script, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"A process of the bench failed:\n{done.stderr[-2000:]}")
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def bench_forward(run: Run, photos: Photos, base: Path, pairs: int, report: Report) -> None:
    """Photos per second that are already decoded, in every precision that this processor offers."""
    side, file = backbone(B0).resolution, base / "photos.npy"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        np.save(file, list(pool.map(partial(decode, size=side), photos.files(TRAINING, FORWARD_PHOTOS))))
    offered = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for hint, capability in PRECISIONS.items():
        if capability not in offered:
            print(f"This processor does not compute in {hint}.", file=sys.stderr)
            continue
        plain = partial(child, PLAIN_FORWARD, run.folder, file)
        ours = partial(child, OUR_FORWARD, run.folder, file, hint)
        measured = in_turn(f"{FORWARD} {hint}", pairs, {"plain": plain, "ours": ours})
        speeds = [column(measured[side], "photos_per_second") for side in ("plain", "ours")]
        words = f"forward pass, {FORWARD_PHOTOS} decoded photos, ours in {hint}"
        report.compared.append(Compared(words, "photos/s", FORWARD_AT_LEAST, *speeds))


def bench_predict(run: Run, photos: Photos, base: Path, pairs: int, report: Report) -> None:
    """Seconds from files to probabilities: of a fresh process, and of one that has done it before."""
    listed = base / "files.txt"
    listed.write_text("\n".join(map(str, photos.files(TEST, PREDICT_PHOTOS))), "utf-8")

    def measure(script: str) -> Measurement:
        return child(script, run.folder, listed, repr(time.time()))

    ways = {"plain": partial(measure, PLAIN_PREDICT), "ours": partial(measure, OUR_PREDICT)}
    measured = in_turn(PREDICT, pairs, ways)
    for key, words in (("from_start", "from the start of the process"), ("warm", "without start-up")):
        report.compared.append(
            Compared(
                f"predict {PREDICT_PHOTOS} photos, {words}",
                "s",
                PREDICT_AT_LEAST,
                column(measured["plain"], key),
                column(measured["ours"], key),
            )
        )


def bench_predictions(rows: Sequence[str], photos: Photos, pairs: int, report: Report) -> None:
    """Measure `forward` and `predict` with the model of a short run."""
    few = photos.few(each=8)
    with tempfile.TemporaryDirectory() as base:
        run = new_run(few, few.recipe(**{**HEAD_ONLY, "head_epochs": 1}), Path(base) / "home")
        carry_out(run)
        for key, way in ((FORWARD, bench_forward), (PREDICT, bench_predict)):
            if key in rows:
                way(run, photos, Path(base), pairs, report)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--photos", type=int)
    chosen = parser.parse_args()
    root = chosen.folder.resolve()
    prepare_environment(root)
    photos, report = load(root), Report()
    if chosen.photos:
        photos = photos.drawn(chosen.photos)
        parts = ", ".join(f"{(photos.parts == part).sum()} {name}" for part, name in enumerate(SUBSETS))
        report.notes.append(f"{len(photos.parts)} photos: {parts}.")
    try:
        for row in TRAININGS:
            if row.key in chosen.rows:
                bench_training(row, photos, chosen.pairs, report)
        if {FORWARD, PREDICT} & set(chosen.rows):
            bench_predictions(chosen.rows, photos, chosen.pairs, report)
    finally:
        print(report.text(chosen.pairs))


if __name__ == "__main__":
    main()
