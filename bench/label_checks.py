"""How well wrong labels are found: some labels of real photos are changed, and the check has to point at those.

    uv run python -m bench.label_checks FOLDER [FOLDER ...] --seeds 0 1 2 3 4 --pair roses tulips

Features come from the frozen network (weights are looked for as in the app, `UNFREEZE_WEIGHTS`), and are computed
before the clock starts. Average precision, and the precision among as many suspects as there are changed labels, are
means over the seeds, for the check and for what it has to beat: five-fold logistic regression on features of length 1
(on features as they are it is much worse), ranked by the probability of the given label. "Named" is how many suspects
the check itself names, and how many of them were changed. `--growth` measures time and memory on made-up features
instead, 1,280 for each photo of 20 classes.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import prepare
from core.data.images import decode
from core.data.review import Review
from core.data.scan.folder import ImageFolder, scan
from core.labels.held_out import divide
from core.labels.label_checks import find_label_issues
from core.models.backbones import FEATURES, backbone
from core.settings import settings_from

SHARES = (0.05, 0.2)
PAIR_SHARE = 0.1
GROWTH_CLASSES, GROWTH_FEATURES = 20, 1280

Labels = NDArray[np.intp]
Check = Callable[[NDArray[np.float32], Labels, int, Labels], tuple[NDArray[np.floating[Any]], Labels]]


class Found(NamedTuple):
    """How one check did on one set of changed labels."""

    average_precision: float
    precision: float
    named: int
    named_rightly: int
    seconds: float


def features_of(folder: ImageFolder, variant: str) -> NDArray[np.float32]:
    """What the frozen network makes of every photo, shape (N, D)."""
    from core.models.build import build_model
    from core.models.frozen import graph_to, tensor_at
    from core.models.heads import Head
    from core.models.openvino_runtime import BATCH, OpenVINOModel
    from core.models.weights import look_up

    chosen = backbone(variant)
    model = build_model(chosen, Head(), len(folder.class_names), look_up(chosen, settings_from(os.environ)))
    part = OpenVINOModel(graph_to(model, {FEATURES: tensor_at(model, chosen, FEATURES)}), [FEATURES])
    found = np.zeros((len(folder), chosen.feature_width), np.float32)

    def batches() -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for start in range(0, len(folder), BATCH):
            rows = range(start, min(start + BATCH, len(folder)))
            photos = np.stack([decode(folder.absolute(i), chosen.resolution) for i in rows])
            yield slice(rows.start, rows.stop), photos.astype(np.float32)

    part.run_all(batches(), lambda rows, outputs: found.__setitem__(rows, outputs[FEATURES]))
    return found


def flipped(labels: Labels, classes: int, share: float, seed: int) -> Labels:
    """Labels of which a share, drawn at random, has become another class, each with the same chance."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(labels), round(share * len(labels)), replace=False)
    changed = labels.copy()
    changed[chosen] = (labels[chosen] + random.integers(1, classes, len(chosen))) % classes
    return changed


def swapped(labels: Labels, one: int, other: int, seed: int) -> Labels:
    """Labels of which a tenth of two classes has become the other of the two."""
    random = np.random.default_rng(seed)
    changed = labels.copy()
    for source, target in ((one, other), (other, one)):
        members = np.flatnonzero(labels == source)
        changed[random.choice(members, round(PAIR_SHARE * len(members)), replace=False)] = target
    return changed


def ours(
    features: NDArray[np.float32], labels: Labels, classes: int, groups: Labels
) -> tuple[NDArray[np.floating[Any]], Labels]:
    """Quality and suspects of the check."""
    issues = find_label_issues(features, labels, classes, groups)
    return issues.quality, issues.suspects


def baseline(
    features: NDArray[np.float32], labels: Labels, classes: int, groups: Labels
) -> tuple[NDArray[np.floating[Any]], Labels]:
    """Probability of the given label by logistic regression on the other folds; it names no suspects."""
    from sklearn.linear_model import LogisticRegression

    folds, quality = divide(labels, groups, 0), np.zeros(len(labels))
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    for fold in range(folds.max() + 1):
        inside = folds == fold
        model = LogisticRegression(max_iter=300).fit(features[~inside], labels[~inside])
        known = np.searchsorted(model.classes_, labels[inside])
        quality[inside] = model.predict_proba(features[inside])[np.arange(len(known)), known]
    return quality, np.zeros(0, np.intp)


def measured(
    check: Check, features: NDArray[np.float32], true: Labels, given: Labels, classes: int, groups: Labels
) -> Found:
    """Run one check on changed labels."""
    from sklearn.metrics import average_precision_score

    began = time.perf_counter()
    quality, suspects = check(features, given, classes, groups)
    seconds = time.perf_counter() - began
    wrong = true != given
    first = np.argsort(quality, kind="stable")[: wrong.sum()]
    average = float(average_precision_score(wrong, -quality))
    return Found(average, float(wrong[first].mean()), len(suspects), int(wrong[suspects].sum()), seconds)


def row(name: str, noise: str, seeds: Sequence[int], check: str, changed: int, found: Sequence[Found]) -> str:
    """One line of the table: means over the seeds."""
    means = [statistics.mean(values) for values in zip(*found, strict=True)]
    spread = f" ± {statistics.stdev(one.average_precision for one in found):.3f}" if len(found) > 1 else ""
    named = f"{means[2]:.0f}, {means[3]:.0f} of them" if means[2] else "–"
    return (
        f"| {name} | {noise} | {', '.join(map(str, seeds))} | {check} | {means[0]:.3f}{spread} | {means[1]:.2f} | "
        f"{named} | {changed} | {means[4]:.1f} |"
    )


def compare(root: Path, variant: str, seeds: Sequence[int], pair: Sequence[str]) -> Iterator[str]:
    """Yield the rows of one dataset."""
    dataset = prepare(scan(root, roots=[root]), Review(root))
    usable = np.setdiff1d(np.arange(len(dataset.folder)), list(dataset.withheld))
    folder, groups = dataset.folder.subset(usable), dataset.groups[usable].astype(np.intp)
    features, true, classes = features_of(folder, variant), folder.labels.astype(np.intp), len(folder.class_names)
    noises = {f"{share:.0%}": [flipped(true, classes, share, seed) for seed in seeds] for share in SHARES}
    if pair and set(pair) <= set(folder.class_names):
        one, other = (folder.class_names.index(name) for name in pair)
        noises[f"{PAIR_SHARE:.0%} {' ↔ '.join(pair)}"] = [swapped(true, one, other, seed) for seed in seeds]
    for noise, labels in noises.items():
        for name, check in (("logistic regression", baseline), ("**ours**", ours)):
            found = [measured(check, features, true, given, classes, groups) for given in labels]
            yield row(folder.root.name, noise, seeds, name, int((labels[0] != true).sum()), found)


def growth(sizes: Sequence[int]) -> Iterator[str]:
    """Yield the rows of the growth table: classes overlap, 5 % of the labels are changed."""
    random = np.random.default_rng(0)
    for size in sizes:
        true = random.integers(0, GROWTH_CLASSES, size)
        centres = random.normal(size=(GROWTH_CLASSES, GROWTH_FEATURES)).astype(np.float32)
        features = centres[true] * 0.15 + random.standard_normal((size, GROWTH_FEATURES), np.float32)
        given = flipped(true, GROWTH_CLASSES, SHARES[0], 0)
        found = measured(ours, features, true, given, GROWTH_CLASSES, np.arange(size))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        yield f"| {size:,} | {found.average_precision:.3f} | {found.seconds:.0f} | {peak:.1f} |"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--variant", default="efficientnet-b0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--pair", nargs=2, default=())
    parser.add_argument("--growth", type=int, nargs="*", metavar="PHOTOS")
    chosen = parser.parse_args()
    if chosen.folders:
        print("| dataset | wrong labels | seeds | check | average precision | precision | named | wrong | seconds |")
        print("|---|---|---|---|---|---|---|---|---|")
    for folder in chosen.folders:
        for line in compare(folder.resolve(), chosen.variant, chosen.seeds, chosen.pair):
            print(line, flush=True)
    if chosen.growth:
        print("\n| photos | average precision | seconds | GB at most |\n|---|---|---|---|")
        for line in growth(chosen.growth):
            print(line, flush=True)


if __name__ == "__main__":
    main()
