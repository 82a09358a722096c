"""What training with unlabelled photos brings: runs with and without them, on photos that neither has seen.

    uv run python -m bench.unlabelled FOLDER --labels 5 10 20 --seeds 0 1 2

For each seed some photos (`--heap`) become a heap without classes, in which so many of each class, drawn at random,
are labelled. Two runs by the default recipe of a variant learn from it, as the app divides it (70, 10 and 20 per cent
of the labelled photos): one from the labelled training photos alone, one with “Use the unlabelled photos, too”. Both
name `--others` photos, which are not in the heap and look like none there. Augmentations are off, so that outputs of
the frozen part are computed once for all runs. Weights are looked for as in the app (`UNFREEZE_WEIGHTS`). Prints a
table.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.label_checks import features_of
from core.data.dataset import Dataset, prepare
from core.data.images import decode
from core.data.review import RELABEL, Decision, Review
from core.data.scan.folder import ImageFolder, Scan, scan
from core.data.scan.layout import BY_HAND, Layout
from core.data.subsets import TRAINING
from core.labelling.for_training import ForTraining, spread_to_unlabelled
from core.labelling.pool import Pool
from core.models.backbones import backbone
from core.models.serving import PROBABILITIES, ServingGraph
from core.recipe.recipe import default_recipe
from core.runs.store import RunStore
from core.settings import Settings, settings_from
from core.training.launch import create_run
from core.training.loop import train

ALONE, WITH = "labelled only", "with unlabelled"
BY_HAND_LAYOUT = Layout(BY_HAND)


class Heap:
    """Photos without classes in a folder of their own, and others to be named.

    Attributes:
        found: What a scan of them found.
        class_of: The true class of each, by its path.
        pool: With features.
        others: Pixels of the others, shape (N, S, S, 3).
        wanted: Their classes, shape (N,).
    """

    def __init__(
        self,
        folder: ImageFolder,
        groups: NDArray[np.int64],
        root: Path,
        variant: str,
        size: int,
        others: int,
        seed: int,
    ) -> None:
        """Draw them, and link the heap's into the folder."""
        self._random = np.random.default_rng(seed)
        order = self._random.permutation(len(folder))
        inside, outside = order[:size], order[size:]
        outside = outside[~np.isin(groups[outside], groups[inside])][:others]
        root.mkdir(parents=True)
        names = [f"{place:04d}{Path(folder.paths[i]).suffix}" for place, i in enumerate(inside)]
        for name, i in zip(names, inside, strict=True):
            (root / name).write_bytes(folder.absolute(i).read_bytes())
        self.class_of = {name: folder.class_names[folder.labels[i]] for name, i in zip(names, inside, strict=True)}
        self.found: Scan = scan(root, roots=[root], layout=BY_HAND_LAYOUT)
        digests = [row.tobytes().hex() for row in self.found.digests]
        features = features_of(replace(self.found.folder, class_names=("a", "b")), variant)
        self.pool = Pool.of(self.found, features, {digest: row for row, digest in enumerate(digests)})
        side = backbone(variant).resolution
        self.others = np.stack([decode(folder.absolute(i), side) for i in outside])
        self.wanted = np.array([folder.class_names[folder.labels[i]] for i in outside])

    def labelled(self, each: int) -> Dataset:
        """The heap with so many labels of each class."""
        paths = np.array(self.found.folder.paths)
        classes = np.array([self.class_of[path] for path in paths])
        decisions = []
        for name in sorted(set(classes)):
            for i in self._random.permutation(np.flatnonzero(classes == name))[:each]:
                decisions.append(Decision(RELABEL, {str(paths[i]): self.found.digests[i].tobytes().hex()}, str(name)))
        return prepare(self.found, Review(self.found.folder.root, BY_HAND_LAYOUT, tuple(decisions)))


def accuracy(
    store: RunStore, settings: Settings, dataset: Dataset, heap: Heap, variant: str, seed: int, more: ForTraining | None
) -> tuple[float, float]:
    """Train one run in this process; its accuracy on the others, and its seconds."""
    folder, parts = dataset.used(dataset.split(seed))
    pseudo = more.labels if more else None
    training = int((parts == TRAINING).sum()) + (len(pseudo) if pseudo else 0)
    recipe = replace(
        default_recipe(folder, training, backbone(variant), seed), augmentations={}, unlabelled=pseudo is not None
    )
    run = create_run(store, recipe, folder, parts, pseudo=pseudo)
    began = time.perf_counter()
    with run.held():
        train(run, settings)
    seconds = time.perf_counter() - began
    graph = ServingGraph(run.serving_folder)
    found = graph.run_many(len(heap.others), lambda some: heap.others[some])[PROBABILITIES]
    named = np.array(folder.class_names)[found.argmax(axis=1)]
    return float((named == heap.wanted).mean()), seconds


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variant", default="efficientnet-lite0")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--heap", type=int, default=600)
    parser.add_argument("--others", type=int, default=1000)
    chosen = parser.parse_args()
    root = chosen.folder.resolve()
    whole = prepare(scan(root, roots=[root]), Review(root))
    folder, groups = whole.folder, whole.groups
    accuracies: dict[tuple[int, str], list[float]] = defaultdict(list)
    taken: dict[tuple[int, str], list[float]] = defaultdict(list)
    used, right = defaultdict(list), defaultdict(list)
    with tempfile.TemporaryDirectory() as made:
        os.environ |= {"UNFREEZE_HOME": f"{made}/home", "UNFREEZE_DATASETS": made}
        settings = settings_from(os.environ)
        store = RunStore(settings.runs_folder)
        for seed in chosen.seeds:
            heap = Heap(folder, groups, Path(made, f"heap-{seed}"), chosen.variant, chosen.heap, chosen.others, seed)
            for each in chosen.labels:
                dataset = heap.labelled(each)
                more = spread_to_unlabelled(heap.pool, dataset, dataset.split(seed))
                used[each].append(len(more.labels))
                true = [heap.class_of[path] for path in more.labels.paths]
                right[each].append(float(np.mean(np.array(true) == np.array(more.labels.classes))))
                for way, given in ((ALONE, None), (WITH, more)):
                    found, seconds = accuracy(store, settings, dataset, heap, chosen.variant, seed, given)
                    accuracies[each, way].append(found)
                    taken[each, way].append(seconds)
                    print(f"seed {seed}, {each} labels a class, {way}: {found:.1%} in {seconds:.0f} s", flush=True)
    titles = ("labels a class", ALONE, WITH, "difference, seed by seed", "spread labels, right", "seconds")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for each in chosen.labels:
        alone, both = accuracies[each, ALONE], accuracies[each, WITH]
        cells = [f"{100 * statistics.mean(values):.1f} ({100 * min(values):.1f})" for values in (alone, both)]
        differences = ", ".join(f"{100 * (b - a):+.1f}" for a, b in zip(alone, both, strict=True))
        took = ", ".join(f"{statistics.mean(taken[each, way]):.0f}" for way in (ALONE, WITH))
        spread = f"{statistics.mean(used[each]):.0f}, {100 * statistics.mean(right[each]):.0f} %"
        print(f"| {each} | {' | '.join(cells)} | {differences} | {spread} | {took} |")


if __name__ == "__main__":
    main()
