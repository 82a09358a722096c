"""How fast folders are scanned and photos decoded, against Keras' `image_dataset_from_directory`, and how cost grows.

    uv run python -m bench.intake decode [--photos 40] [--rounds 5] [--from FOLDER]
    uv run python -m bench.intake growth [--counts 1000 10000 100000]

`decode` makes full-size JPEGs (4000 x 3000) out of photos of a folder, or out of noise, and lets both bring all of them
to 224 pixels, in turn, in one process. `growth` scans folders of small photos, each in a fresh process: the first scan,
a second one of the unchanged folder, and the memory that the first one added. Prints Markdown tables.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.images import decode
from core.data.scan.folder import scan

SIDE = 224
FULL_SIZE = (4000, 3000)

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from core.data.scan.folder import scan
root, index = Path(sys.argv[1]), Path(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
found = scan(root, roots=[root], index_folder=index)
scanned = time.perf_counter()
found.duplicates
compared = time.perf_counter()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reader = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([len(found.folder), scanned - began, compared - scanned, after - before, reader]))
"""


def write_full_size(into: Path, count: int, source: Path | None) -> None:
    """Write full-size JPEGs of two classes, with texture as cameras give it."""
    random = np.random.default_rng(0)
    originals = sorted(source.rglob("*.jpg"))[: 4 * count : 4] if source else []
    for number in range(count):
        grain = random.normal(0, 6, (FULL_SIZE[1], FULL_SIZE[0], 1))
        start = Image.open(originals[number % len(originals)]) if originals else noise(random)
        large = np.asarray(start.convert("RGB").resize(FULL_SIZE, Image.Resampling.BICUBIC), np.float32)
        file = into / "ab"[number % 2] / f"{number:04d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(file, quality=90)


def noise(random: np.random.Generator) -> Image.Image:
    """A small picture without sense."""
    return Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))


def bench_decode(photos: int, rounds: int, source: Path | None) -> str:
    """Photos per second of our decoder, of our scan, and of Keras' loader, each over the same files, in turn."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_full_size(root, photos, source)
        files = sorted(root.rglob("*.jpg"))

        def ours() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda path: decode(path, SIDE), files))

        def theirs() -> None:
            loader = keras.utils.image_dataset_from_directory(root, image_size=(SIDE, SIDE), verbose=False)
            for _ in loader:
                pass

        ways: dict[str, Callable[[], object]] = {
            "our decode to 224 px": ours,
            "image_dataset_from_directory": theirs,
            "our scan (everything read and judged)": lambda: scan(root, roots=[root]),
        }
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds + 1):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                speeds[name].append(photos / (time.perf_counter() - began))
    lines = [f"| {FULL_SIZE[0]} × {FULL_SIZE[1]} JPEGs | photos/s, median of {rounds} | ratio |", "|---|---|---|"]
    middle = {name: statistics.median(values[1:]) for name, values in speeds.items()}
    base = middle["image_dataset_from_directory"]
    return "\n".join([*lines, *(f"| {name} | {value:.1f} | {value / base:.2f} |" for name, value in middle.items())])


def write_small(into: Path, count: int) -> None:
    """Write small JPEGs, ten classes; one of a hundred is a copy of another, one of a thousand is broken."""
    random = np.random.default_rng(count)
    for number in range(count):
        file = into / f"class {number % 10}" / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number % 1000 == 500:
            file.write_bytes(b"no photo")
        elif number % 100 == 50:
            shutil.copy(file.with_name(f"{number - 10:06d}.jpg"), file)
        else:
            coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), dtype=np.uint8))
            coarse.resize((96, 96), Image.Resampling.BICUBIC).save(file, quality=85)


def bench_growth(counts: list[int]) -> str:
    """Seconds and memory of a first and a second scan, by the number of photos."""
    lines = [
        "| photos | first scan, s | photos/s | comparing, s | second scan, s | memory added, MB |"
        " peak of a reader, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            root, index = Path(folder) / "photos", Path(folder) / "index"
            write_small(root, count)
            first, second = measured(root, index), measured(root, index)
        lines.append(
            f"| {count:,} | {first[1]:.1f} | {count / first[1]:,.0f} | {first[2]:.1f} | {second[1]:.2f} |"
            f" {first[3] / 1024:.0f} | {first[4] / 1024:.0f} |"
        )
    return "\n".join(lines)


def measured(root: Path, index: Path) -> list[float]:
    """One scan in a fresh process: photos, seconds of scan and of comparison, kilobytes added, a reader's kilobytes."""
    command = [sys.executable, "-c", MEASURE, str(root), str(index)]
    values: list[float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return values


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    decoding = kinds.add_parser("decode")
    decoding.add_argument("--photos", type=int, default=40)
    decoding.add_argument("--rounds", type=int, default=5)
    decoding.add_argument("--from", type=Path, dest="source")
    growing = kinds.add_parser("growth")
    growing.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    chosen = parser.parse_args()
    if chosen.kind == "decode":
        print(bench_decode(chosen.photos, chosen.rounds, chosen.source))
    else:
        print(bench_growth(chosen.counts))


if __name__ == "__main__":
    main()
