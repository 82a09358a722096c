"""How a training's memory and time grow, and how near the forward pass comes to what the processor can do.

    uv run python -m bench.growth all FOLDER
    uv run python -m bench.growth memory FOLDER [--counts 1000 3000 10000]
    uv run python -m bench.growth time FOLDER [--counts 500 1000 2000] [--classes 2 10 100 1000]
    uv run python -m bench.growth limit [--rounds 5]

`memory` and `time` make photos out of random pieces of a folder's photos and train the head of EfficientNet-B0 on them,
each run in a fresh process and an `UNFREEZE_HOME` of its own. Memory that only mirrors files counts in what the system
calls resident, though it can be taken away at any moment; so anonymous memory, which cannot, is told beside it. `time`
also measures the forward pass alone by resolution, with random weights. `limit` compares B0's forward pass with a
product of large matrices on the same cores. `all` does all three, and prints each table as soon as it is
there. Prints Markdown tables. Linux only: it reads /proc.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from PIL import Image

from bench.speed import B0, PRECISIONS, Photos, carry_out, child, megabytes, new_run, prepare_environment
from core.data.images import PHOTO_SUFFIXES
from core.data.scan.folder import ImageFolder
from core.data.subsets import TEST, TRAINING, VALIDATION
from core.models.backbones import backbone
from core.models.serving import GRAPH

SOURCES = 200
LARGE_TILE, SMALL_TILE = 256, 64
LOOK_SECONDS = 0.2
HEAD_ONLY = {"head_epochs": 2, "fine_tune_epochs": 0, "unfreeze_point": "none"}
RESOLUTIONS = ("efficientnet-b0", "efficientnet-b1", "efficientnet-b3")
FORWARD_PHOTOS, FORWARD_BATCH, REQUESTS = 128, 8, 4
MATRIX_SIDE = 4096

MEMORY_COUNTS, TIME_COUNTS, TIME_CLASSES = (1_000, 3_000, 10_000), (500, 1_000, 2_000), (2, 10, 100, 1_000)
TIME_ROUNDS, LIMIT_ROUNDS = 3, 5

BUILD = """
import json, statistics, sys, time
from pathlib import Path
import numpy as np
from core.models.backbones import backbone
from core.models.build import build_model
from core.models.heads import Head
from core.models.serving import write_graph
row, count, rounds = backbone(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
model = build_model(row, Head(), 2, None)
write_graph(model, Path(sys.argv[2]))
photos = np.random.default_rng(0).uniform(0, 255, (count, row.resolution, row.resolution, 3)).astype("float32")
model.predict(photos, verbose=0)
speeds = []
for _ in range(rounds):
    began = time.perf_counter()
    model.predict(photos, verbose=0)
    speeds.append(count / (time.perf_counter() - began))
print(json.dumps({"photos_per_second": statistics.median(speeds)}))
"""
"""Writes a network with random weights as a graph, and says how fast `model.predict` is on it."""


def write_tiles(source: Path, into: Path, count: int, side: int, class_count: int) -> Photos:
    """Write random pieces of a folder's photos as JPEGs, the same number for every class, and divide them.

    Every class has a photo for training; a tenth of all photos are for validation and a fifth for the test.
    """
    random = np.random.default_rng(count)
    names = tuple(f"class {label:04d}" for label in range(class_count))
    originals = sorted(path for path in source.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    chosen = random.permutation(len(originals))[:SOURCES]
    pictures = [Image.open(originals[i]).convert("RGB") for i in chosen]
    paths = [f"{names[i % class_count]}/{i:06d}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        tile(pictures[i % len(pictures)], side, random).save(into / path, quality=85)
    labels = np.arange(count, dtype=np.int32) % class_count
    return Photos(ImageFolder(into, names, tuple(paths), labels), divide(count, class_count, random))


def tile(picture: Image.Image, side: int, random: np.random.Generator) -> Image.Image:
    """A random square of a picture, at least half as large as it can be, scaled to a side in pixels."""
    edge = int(random.integers(min(picture.size) // 2, min(picture.size) + 1))
    left, top = (int(random.integers(0, length - edge + 1)) for length in picture.size)
    return picture.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + edge, top + edge))


def divide(count: int, class_count: int, random: np.random.Generator) -> NDArray[np.int8]:
    """The part of each photo, shape (count,); the first photo of every class is trained on."""
    parts = np.full(count, TRAINING, dtype=np.int8)
    free = class_count + random.permutation(count - class_count)
    parts[free[: count // 10]] = VALIDATION
    parts[free[count // 10 : count // 10 + count // 5]] = TEST
    return parts


@dataclass
class Memory:
    """The most memory that a process has had so far, in megabytes.

    Attributes:
        anonymous: Its own memory.
        with_helpers: Its own and that of the processes that it had started, at one time.
        resident: What the system calls resident; file contents that it has mapped are in it.
    """

    anonymous: float = 0.0
    with_helpers: float = 0.0
    resident: float = 0.0

    def look(self, pid: int) -> None:
        """Look once; a process that is gone has none."""
        own = megabytes(pid, "RssAnon")
        self.anonymous = max(self.anonymous, own)
        self.with_helpers = max(self.with_helpers, own + sum(megabytes(each, "RssAnon") for each in helpers(pid)))
        self.resident = max(self.resident, megabytes(pid, "VmHWM"))


def helpers(pid: int) -> list[int]:
    """All processes that a process has started, and those that they have started."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for each in map(int, file.read_text("ascii").split()):
                found += [each, *helpers(each)]
    return found


@dataclass
class Trained:
    """What a training of the head took: seconds to the saved model and to the end, and memory."""

    saved: float
    ended: float
    memory: Memory = field(default_factory=Memory)


def train(source: Path, count: int, side: int, class_count: int) -> Trained:
    """Make photos and train on them; nothing of it stays."""
    memory = Memory()
    with tempfile.TemporaryDirectory() as base:
        photos = write_tiles(source, Path(base) / "photos", count, side, class_count)
        os.environ["UNFREEZE_DATASETS"] = base
        run = new_run(photos, photos.recipe(**HEAD_ONLY), Path(base) / "home")
        result = carry_out(run, memory.look, LOOK_SECONDS)
    print(f"{count} photos, {class_count} classes: {result}, {memory}", file=sys.stderr, flush=True)
    return Trained(result["seconds"], result["end"], memory)


def bench_memory(source: Path, counts: Sequence[int]) -> str:
    """Peak memory of the trainer by the number of photos."""
    lines = [
        "| photos | anonymous, MB | with helper processes, MB | resident with mapped files (VmHWM), MB |",
        "|---|---|---|---|",
    ]
    for count in counts:
        memory = train(source, count, LARGE_TILE, class_count=5).memory
        lines.append(f"| {count:,} | {memory.anonymous:,.0f} | {memory.with_helpers:,.0f} | {memory.resident:,.0f} |")
    return "\n".join(lines)


def bench_time(source: Path, counts: Sequence[int], class_counts: Sequence[int], rounds: int) -> str:
    """Seconds by photos and by classes, photos per second of the forward pass by resolution."""
    epochs = HEAD_ONLY["head_epochs"]
    lines = [
        f"| photos | classes | files | to the saved model, {epochs} epochs of the head, s | to the end, s |",
        "|---|---|---|---|---|",
    ]
    cases = [(count, 5, LARGE_TILE) for count in counts] + [(2_000, each, SMALL_TILE) for each in class_counts]
    for count, class_count, side in cases:
        took = train(source, count, side, class_count)
        lines.append(f"| {count:,} | {class_count:,} | {side} px | {took.saved:.1f} | {took.ended:.1f} |")
    lines += [
        "\n| variant | side | forward pass, TensorFlow, photos/s | OpenVINO in f32, photos/s | of it, GFLOP/s |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(resolution_line(key, rounds) for key in RESOLUTIONS)])


def resolution_line(key: str, rounds: int) -> str:
    """The forward pass of one variant with random weights."""
    row = backbone(key)
    with tempfile.TemporaryDirectory() as base:
        theirs = child(BUILD, key, Path(base) / "graph", FORWARD_PHOTOS, rounds)["photos_per_second"]
        ours = in_rounds([forward_pass(Path(base) / "graph", row.resolution, "f32")], rounds)[0]
    rate = ours * operations(key) / 1e9
    return f"| {row.name} | {row.resolution} px | {theirs:.1f} | {ours:.1f} | {rate:.0f} |"


def operations(key: str) -> float:
    """Floating-point operations of one photo's forward pass: a multiply-add is two."""
    return 2.0 * backbone(key).flops


def forward_pass(folder: Path, side: int, precision: str) -> Callable[[], float]:
    """What runs a written graph once over some photos, as `core.models.frozen` does, and returns photos per second."""
    graph = ov.Core().read_model(folder / GRAPH)
    graph.reshape([FORWARD_BATCH, side, side, 3])
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    queue = ov.AsyncInferQueue(ov.Core().compile_model(graph, "CPU", hints), REQUESTS)
    photos = np.random.default_rng(0).uniform(0, 255, (FORWARD_BATCH, side, side, 3)).astype(np.float32)

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(FORWARD_PHOTOS // FORWARD_BATCH):
            queue.start_async({0: photos})
        queue.wait_all()
        return FORWARD_PHOTOS / (time.perf_counter() - began)

    return measure


def matrix_product() -> Callable[[], float]:
    """What multiplies two large float32 matrices, and returns operations per second."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((MATRIX_SIDE, MATRIX_SIDE), dtype=np.float32) for _ in range(2))

    def measure() -> float:
        began = time.perf_counter()
        np.matmul(left, right)
        return 2.0 * MATRIX_SIDE**3 / (time.perf_counter() - began)

    return measure


def in_rounds(ways: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median of each, measured in turn; the first round only warms up."""
    measured = [[way() for way in ways] for _ in range(rounds + 1)][1:]
    return [statistics.median(values) for values in zip(*measured, strict=True)]


def bench_limit(rounds: int) -> str:
    """What share of the rate of a matrix product the forward pass of B0 reaches."""
    offered = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    hints = [hint for hint, capability in PRECISIONS.items() if capability in offered]
    with tempfile.TemporaryDirectory() as base:
        graph = Path(base) / "graph"
        theirs = child(BUILD, B0, graph, FORWARD_PHOTOS, rounds)["photos_per_second"]
        passes = [forward_pass(graph, backbone(B0).resolution, hint) for hint in hints]
        product, *ours = in_rounds([matrix_product(), *passes], rounds)
    speeds = {"TensorFlow": theirs, **{f"OpenVINO in {hint}": speed for hint, speed in zip(hints, ours, strict=True)}}
    side = f"{MATRIX_SIDE} × {MATRIX_SIDE}"
    lines = [
        f"| {os.cpu_count()} cores, median of {rounds} | photos/s | GFLOP/s | share of the float32 product |",
        "|---|---|---|---|",
        f"| numpy, product of two float32 matrices, {side} | | {product / 1e9:.0f} | |",
    ]
    for name, speed in speeds.items():
        rate = speed * operations(B0)
        lines.append(f"| forward pass of B0, {name} | {speed:.1f} | {rate / 1e9:.0f} | {rate / product:.0%} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, counts in (("memory", MEMORY_COUNTS), ("time", TIME_COUNTS)):
        growing = kinds.add_parser(kind)
        growing.add_argument("folder", type=Path)
        growing.add_argument("--counts", type=int, nargs="+", default=counts)
    growing.add_argument("--classes", type=int, nargs="+", default=TIME_CLASSES)
    growing.add_argument("--rounds", type=int, default=TIME_ROUNDS)
    kinds.add_parser("limit").add_argument("--rounds", type=int, default=LIMIT_ROUNDS)
    kinds.add_parser("all").add_argument("folder", type=Path)
    chosen = parser.parse_args()
    if chosen.kind == "limit":
        print(bench_limit(chosen.rounds))
        return
    source = chosen.folder.resolve()
    prepare_environment(source)
    if chosen.kind == "memory":
        print(bench_memory(source, chosen.counts))
    elif chosen.kind == "time":
        print(bench_time(source, chosen.counts, chosen.classes, chosen.rounds))
    else:
        print(bench_memory(source, MEMORY_COUNTS), flush=True)
        print("\n" + bench_time(source, TIME_COUNTS, TIME_CLASSES, TIME_ROUNDS), flush=True)
        print("\n" + bench_limit(LIMIT_ROUNDS), flush=True)


if __name__ == "__main__":
    main()
