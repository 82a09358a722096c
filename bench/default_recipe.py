"""Test accuracy and time of the default recipe, one run a seed, through the same trainer process as the app's.

    uv run python -m bench.default_recipe FOLDER VARIANT --seeds 0 1 2

Weights are looked for as in the app (`UNFREEZE_WEIGHTS`); runs go to a temporary folder. Prints a Markdown table.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.data.dataset import Dataset, prepare
from core.data.review import Review
from core.data.scan.folder import ImageFolder, scan
from core.models.backbones import backbone
from core.recipe.recipe import default_recipe
from core.runs.queue import Queue
from core.runs.store import ACTIVE, RunStore, Status
from core.settings import settings_from
from core.training.launch import launch


def carry_out(store: RunStore, dataset: Dataset, variant: str, seed: int) -> Status:
    """Train one run to its end and return its last status."""
    folder, parts = dataset.used(dataset.split(seed))
    recipe = default_recipe(folder, int(np.sum(parts == 0)), backbone(variant), seed)
    run = launch(Queue(store), recipe, folder, parts)
    while run.read_status().state in ACTIVE:
        time.sleep(1)
    return run.read_status()


def report(variant: str, folder: ImageFolder, seeds: Sequence[int], results: Sequence[Status]) -> str:
    """The table."""
    lines = [
        "| dataset | variant | seed | test accuracy | of photos | best epoch | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed, status in zip(seeds, results, strict=True):
        accuracy = (
            f"{status.test_accuracy:.1%}" if status.test_accuracy is not None else f"{status.state}: {status.error}"
        )
        lines.append(
            f"| {folder.root.name} | {variant} | {seed} | {accuracy} | {status.test_count} | "
            f"{status.best_epoch} of {status.epochs} | {status.seconds(time.time()):.0f} |"
        )
    measured = [status.test_accuracy for status in results if status.test_accuracy is not None]
    if measured:
        lines.append(f"| {folder.root.name} | {variant} | mean | {statistics.mean(measured):.1%} | | | |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("variant", nargs="?", default="efficientnet-b0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    root = chosen.folder.resolve()
    os.environ["UNFREEZE_DATASETS"] = str(root.parent)
    dataset = prepare(scan(root, roots=settings_from().dataset_roots), Review(root))
    with tempfile.TemporaryDirectory() as runs:
        results = [carry_out(RunStore(Path(runs)), dataset, chosen.variant, seed) for seed in chosen.seeds]
    print(report(chosen.variant, dataset.folder, chosen.seeds, results))


if __name__ == "__main__":
    main()
