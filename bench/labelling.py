"""How far a few labels carry: photos of real datasets lie in a heap, some are labelled, and others are to be named.

    uv run python -m bench.labelling FOLDER [FOLDER ...] --draws 6 --labels 10 25 50

For each draw a part of the photos (`--heap`, at most three in five) is the heap; the others, and what looks like them,
are kept apart and named in the end. Labels are asked for as the page “Label” asks, in rounds of ten: those of typical
photos, later those that the head is least sure of. Beside it: as many labels of photos drawn at random. A linear head
on frozen features learns from the labels alone, and from labels spread to the rest of the heap. Features come from the
frozen network (`--variant`), weights are looked for as in the app. `--growth` measures times on made-up features;
`--opening` measures how long it takes from opening a folder to the first ten photos to label, in a home of its own: the
scan, the job that computes features, and the choice; then once more, with what was kept.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.label_checks import features_of
from core.data.dataset import prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.data.scan.layout import BY_HAND, Layout
from core.evaluation.similarity import unit_rows
from core.labelling.head import cross_validated
from core.labelling.learning_curve import learning_curve
from core.labelling.pool import UNLABELLED, Labels, Pool
from core.labelling.rounds import next_round
from core.labelling.selection import ROUND, choose
from core.labelling.spreading import head_of, spread
from core.runs.store import ACTIVE, STARTING, RunStore
from core.settings import settings_from
from core.training.dataset_features import features

MOST_IN_HEAP = 0.6
GROWTH_FEATURES, GROWTH_CLASSES, GROWTH_LABELS = 1280, 10, 100

Labelled = NDArray[np.intp]


def pool_of(features: NDArray[np.float32], groups: NDArray[np.int64]) -> Pool:
    """Photos of these features as a pool."""
    names = tuple(f"{i:06d}" for i in range(len(features)))
    return Pool(Path(), names, names, groups, unit_rows(features), 0, len(features))


def labels_of(true: Labelled, labelled: Sequence[int], classes: int) -> Labels:
    """True labels of some photos of a heap."""
    values = np.full(len(true), UNLABELLED, np.intp)
    values[list(labelled)] = true[list(labelled)]
    return Labels(tuple(f"class {number}" for number in range(classes)), values, np.zeros(len(true), bool))


def asked(pool: Pool, true: Labelled, classes: int, count: int, seed: int) -> list[int]:
    """Which photos the page would have asked about, until so many are labelled."""
    labelled: list[int] = []
    while len(labelled) < count:
        labels = labels_of(true, labelled, classes)
        known = len(np.unique(labels.known)) > 1
        probabilities = head_of(pool, labels).probabilities(pool.values) if known else None
        chosen = choose(pool, labels, probabilities, min(ROUND, count - len(labelled)), seed)
        if not len(chosen):
            break
        labelled += chosen.tolist()
    return labelled


def measure(
    features: NDArray[np.float32],
    labels: Labelled,
    groups: NDArray[np.int64],
    counts: Sequence[int],
    draws: int,
    heap: int,
) -> dict[tuple[int, str], list[float]]:
    """Accuracy on photos outside the heap by number of labels and way, for each draw."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    classes = int(labels.max()) + 1
    size = min(heap, round(MOST_IN_HEAP * len(labels)))
    for draw in range(draws):
        random = np.random.default_rng(draw)
        order = random.permutation(len(labels))
        inside, outside = order[:size], order[size:]
        outside = outside[~np.isin(groups[outside], groups[inside])]
        pool, true = pool_of(features[inside], groups[inside]), labels[inside].astype(np.intp)
        others, wanted = pool.as_values(features[outside]), labels[outside]
        for count in counts:
            ways = {"random": random.choice(size, count, replace=False).tolist()}
            ways["chosen"] = asked(pool, true, classes, count, draw)
            for way, labelled in ways.items():
                known = labels_of(true, labelled, classes)
                if len(np.unique(known.known)) < 2:
                    alone = float((wanted == known.known[0]).mean())
                    found[count, way] += [alone]
                    found[count, f"{way}, spread"] += [alone]
                    continue
                spreading = spread(pool, known)
                for name, head in (("", head_of(pool, known)), (", spread", head_of(pool, known, spreading))):
                    right = head.probabilities(others).argmax(axis=1) == wanted
                    found[count, f"{way}{name}"].append(float(right.mean()))
                judged = cross_validated(pool.values[known.labelled], known.known, pool.groups[known.labelled])
                found[count, f"{way}, cross-validated"].append(judged.accuracy if judged else np.nan)
    return found


WAYS = ("random", "random, spread", "chosen", "chosen, spread")


def report(name: str, found: dict[tuple[int, str], list[float]], counts: Sequence[int]) -> None:
    """A row of the table for each number of labels: means over the draws, and the lowest."""
    for count in counts:
        cells = []
        for way in WAYS:
            values = found[count, way]
            cells.append(f"{100 * statistics.mean(values):.1f} ({100 * min(values):.1f})")
        judged = 100 * statistics.mean(found[count, "chosen, cross-validated"])
        above = sum(a >= b for a, b in zip(found[count, "chosen, spread"], found[count, "random"], strict=True))
        print(f"| {name} | {count} | {' | '.join(cells)} | {judged:.1f} | {above} of {len(found[count, 'random'])} |")


def growth(count: int) -> None:
    """Seconds of each step on so many made-up photos."""
    random = np.random.default_rng(0)
    true = random.integers(0, GROWTH_CLASSES, count).astype(np.intp)
    centres = random.normal(0, 1, (GROWTH_CLASSES, GROWTH_FEATURES))
    features = (centres[true] + random.normal(0, 1.5, (count, GROWTH_FEATURES))).astype(np.float32)
    pool = pool_of(features, np.arange(count))
    nothing = labels_of(true, [], GROWTH_CLASSES)
    labels = labels_of(true, random.choice(count, GROWTH_LABELS, replace=False).tolist(), GROWTH_CLASSES)
    rows = labels.labelled
    steps: dict[str, Callable[[], object]] = {
        "graph of neighbours": lambda: pool.graph,
        f"spreading, with the check of {GROWTH_LABELS} labels": lambda: spread(pool, labels),
        "a head from spread labels": lambda: head_of(pool, labels, spread(pool, labels)),
        "few dimensions": lambda: pool.directions,
        "the first ten photos": lambda: choose(pool, nothing, None),
        f"ten more photos after {GROWTH_LABELS}": lambda: choose(pool, labels, None),
        "cross-validation": lambda: cross_validated(pool.values[rows], labels.known, pool.groups[rows]),
        "learning curve": lambda: learning_curve(pool.values[rows], labels.known, pool.groups[rows]),
    }
    for name, step in steps.items():
        began = time.perf_counter()
        step()
        print(f"| {name} | {time.perf_counter() - began:.1f} |", flush=True)


def opening(folder: Path, variant: str) -> None:
    """Seconds from opening a folder to the first ten photos to label, without kept features and with them."""
    root = folder.resolve()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"UNFREEZE_HOME": home, "UNFREEZE_DATASETS": str(root.parent)}
        settings = settings_from(os.environ)
        jobs = RunStore(settings.home / features.FOLDER)
        for title in ("without kept features", "with them"):
            seconds = {"in all": time.perf_counter()}
            with _timed(seconds, "scan"):
                found = scan(
                    root, roots=settings.dataset_roots, layout=Layout(BY_HAND), index_folder=settings.index_folder
                )
            with _timed(seconds, "features"):
                run = features.kept(jobs, root, variant) or features.start(jobs, features.Request.of(found, variant))
                while run.state in (*ACTIVE, STARTING):
                    time.sleep(0.1)
                known = features.read_features(run)
            with _timed(seconds, "choice"):
                pool = Pool.of(found, known.values, known.row_of)
                dataset = prepare(found, Review(root, Layout(BY_HAND), classes=("a", "b")))
                chosen = next_round(pool, Labels.of(pool, dataset))
            seconds["in all"] = time.perf_counter() - seconds["in all"]
            words = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
            print(f"{len(pool):,} photos, {len(chosen.paths)} to label, {title}: seconds {words}", flush=True)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--labels", nargs="+", type=int, default=[10, 25, 50, 100])
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--heap", type=int, default=600)
    parser.add_argument("--variant", default="efficientnet-lite0")
    parser.add_argument("--features", type=Path, help="a folder where features are kept from one time to the next")
    parser.add_argument("--growth", nargs="*", type=int, default=[], metavar="PHOTOS")
    parser.add_argument("--opening", nargs="*", type=Path, default=[], metavar="FOLDER")
    options = parser.parse_args()
    for folder in options.opening:
        opening(folder, options.variant)
    for count in options.growth:
        print(f"\n| {count:,} photos | seconds |\n|---|---|")
        growth(count)
    if options.folders:
        print(f"| dataset | labels | {' | '.join(WAYS)} | cross-validated | chosen, spread ≥ random |")
        print(f"|{'---|' * (len(WAYS) + 4)}")
    for root in options.folders:
        found = prepare(scan(root, roots=[root]), Review(root.resolve()))
        usable = np.setdiff1d(np.arange(len(found.folder)), list(found.withheld))
        folder, groups = found.folder.subset(usable), found.groups[usable]
        kept = options.features / f"{root.name}-{options.variant}.npy" if options.features else None
        features = np.load(kept) if kept and kept.exists() else features_of(folder, options.variant)
        if kept:
            np.save(kept, features)
        counts = [count for count in options.labels if count <= MOST_IN_HEAP * len(folder) / 2]
        report(
            root.name,
            measure(features, folder.labels.astype(np.intp), groups, counts, options.draws, options.heap),
            counts,
        )


if __name__ == "__main__":
    main()
