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
from numpy.typing import NDArray

from core.data.dataset import Dataset, prepare
from core.data.review import Review
from core.data.scan.folder import ImageFolder, scan
from core.models.backbones import backbone
from core.processes.children import module_command, start_logged_job
from core.recipe.recipe import Recipe, default_recipe
from core.runs import trainers
from core.runs.store import Run, RunStore, Status
from core.settings import settings_from
from core.training.launch import create_run

HEADER = """| dataset | variant | seed | test accuracy | of photos | best epoch | seconds |
|---|---|---|---|---|---|---|"""


def trained(store: RunStore, recipe: Recipe, folder: ImageFolder, parts: NDArray[np.int8]) -> Run:
    """Carry out a run, and wait until its process has ended, which goes on after the run has finished."""
    run = create_run(store, recipe, folder, parts)
    command = module_command(trainers.TRAINER, str(run.folder.resolve()))
    start_logged_job(command, run.log_file, environ=trainers.trainer_environment(os.environ)).wait()
    return run


def carry_out(store: RunStore, dataset: Dataset, variant: str, seed: int) -> Status:
    """Carry out a run of the default recipe; its last status."""
    folder, parts = dataset.used(dataset.split(seed))
    recipe = default_recipe(folder, int(np.sum(parts == 0)), backbone(variant), seed)
    return trained(store, recipe, folder, parts).read_status()


def row(variant: str, folder: ImageFolder, seed: int, status: Status) -> str:
    """A run's row of the table."""
    accuracy = f"{status.test_accuracy:.1%}" if status.test_accuracy is not None else f"{status.state}: {status.error}"
    return (
        f"| {folder.root.name} | {variant} | {seed} | {accuracy} | {status.test_count} | "
        f"{status.best_epoch} of {status.epochs} | {status.seconds(time.time()):.0f} |"
    )


def measure(dataset: Dataset, variant: str, seeds: Sequence[int], runs: Path) -> None:
    """Carry out a run for each seed, and print its row as soon as it has ended; at last the mean."""
    print(HEADER, flush=True)
    measured = []
    for seed in seeds:
        status = carry_out(RunStore(runs), dataset, variant, seed)
        print(row(variant, dataset.folder, seed, status), flush=True)
        measured += [status.test_accuracy] if status.test_accuracy is not None else []
    if measured:
        print(f"| {dataset.folder.root.name} | {variant} | mean | {statistics.mean(measured):.1%} | | | |")


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
        measure(dataset, chosen.variant, chosen.seeds, Path(runs))


if __name__ == "__main__":
    main()
