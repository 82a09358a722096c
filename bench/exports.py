"""The parity reports of every format for one backbone of each family, as a Markdown table.

    uv run --extra onnx python -m bench.exports DATASET [--backbones KEYS] [--epochs N] [--heads] [--into FOLDER]

Trains each backbone on a few photos: from pretrained weights, where these are at hand, for an epoch, and else from
random ones for N, in small batches. With few of these, BatchNorm knows too little of its statistics, all photos get
nearly the same answer, and a parity report says little. `--heads` tries the other heads, too: maximum and flattening,
with BatchNorm.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.export import jobs
from core.export.formats import FORMATS
from core.export.jobs import FAILED
from core.models.backbones import backbone
from core.models.weights import look_up
from core.recipe.recipe import Recipe
from core.runs.store import Run, RunStore
from core.settings import Settings, settings_from
from core.training.launch import create_run

FAMILIES = ("efficientnet-b0", "efficientnetv2-b0", "efficientnet-lite0", "mobilenetv2", "resnet50", "baseline-cnn")
PHOTOS_OF_A_CLASS = 40
BATCH = 8
"""Photos in a step of a network that starts from random weights."""

HEAD = "| network | format | verdict | largest difference | mean | same answer | accuracy, run's | ms | MB |"
RULE = "|---|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Network:
    """A backbone with a head."""

    key: str
    pooling: str = "average"
    batch_norm: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        head = f", {self.pooling}, BatchNorm" if self.batch_norm else ""
        return f"{backbone(self.key).name}{head}"


def trained(network: Network, dataset: Path, settings: Settings, epochs: int) -> Run:
    """A run on a few photos, of so many epochs where it starts from random weights."""
    from core.training.loop import train

    folder = scan(dataset, roots=[dataset]).folder
    random = np.random.default_rng(0)
    few = [random.permutation(np.flatnonzero(folder.labels == k))[:PHOTOS_OF_A_CLASS] for k in set(folder.labels)]
    small = folder.subset(np.sort(np.concatenate(few)))
    chosen = backbone(network.key)
    known = chosen.pretrained and look_up(chosen, settings) is not None
    recipe = Recipe(
        dataset=str(dataset),
        backbone=network.key,
        weights="imagenet" if known or not chosen.pretrained else "random",
        unfreeze_point="none" if known else "all",
        head_epochs=1,
        fine_tune_epochs=0 if known else max(0, epochs - 1),
        batch_size=32 if known else BATCH,
        pooling=network.pooling,
        head_batch_norm=network.batch_norm,
    )
    run = create_run(RunStore(settings.runs_folder), recipe, small, assign_subsets(small.labels))
    with run.held():
        train(run, settings)
    return run


def rows(network: Network, run: Run, settings: Settings) -> Iterator[str]:
    """A row for each format."""
    from core.export.exporter import Exporter

    run.exports_folder.mkdir()
    exporter = Exporter(run, run.exports_folder / "work", settings)
    for chosen in FORMATS:
        if chosen.missing:
            continue
        jobs.make(exporter, chosen)
        made = jobs.read_exports(run)[chosen.key]
        found = made.parity
        warned = found.warnings if found else ()
        verdict = f"failed: {made.error}" if made.state == FAILED else "; ".join(["proven", *warned])
        cells = [network.name, chosen.name, verdict]
        if found:
            cells += [f"{found.max_difference:.1e}", f"{found.mean_difference:.1e}", f"{found.equal_top1:.1%}"]
            cells += [f"{found.accuracy or 0:.1%}, {found.run_accuracy or 0:.1%}", f"{found.milliseconds:.0f}"]
            cells += [f"{found.bytes / 1e6:.1f}"]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--backbones", default=",".join(FAMILIES))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--heads", action="store_true")
    parser.add_argument("--into", type=Path)
    chosen = parser.parse_args()
    dataset = chosen.dataset.resolve()
    with tempfile.TemporaryDirectory() as home:
        variables = {**os.environ, "UNFREEZE_HOME": str(chosen.into or home), "UNFREEZE_DATASETS": str(dataset)}
        settings = settings_from(variables)
        networks = [Network(key) for key in chosen.backbones.split(",")]
        if chosen.heads:
            networks += [Network("efficientnet-lite0", pooling, True) for pooling in ("max", "flatten")]
        print(HEAD, RULE, sep="\n", flush=True)
        for network in networks:
            for row in rows(network, trained(network, dataset, settings, chosen.epochs), settings):
                print(row, flush=True)


if __name__ == "__main__":
    main()
