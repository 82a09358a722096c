"""How well the thorough label check finds wrong labels, made as `bench.label_checks` makes them, by the app's own job.

    uv run python -m bench.thorough_check FOLDER [FOLDER ...] --seeds 0 1 2 --pair roses tulips

Weights are looked for as in the app (`UNFREEZE_WEIGHTS`). What enters the last blocks is kept from one check to the
next, in a temporary folder or in HOME (`--home`), so that only the first check of a dataset takes as long as in an app.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.label_checks import PAIR_SHARE, SHARES, Found, Labels, flipped, row, swapped
from core.data.dataset import prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.labels.label_checks import issues_from
from core.runs.queue import Queue
from core.runs.store import FINISHED
from core.settings import Settings, settings_from
from core.training.thorough_check import checks
from core.training.thorough_check.checks import Request
from core.training.thorough_check.job import check


def checked(request: Request, settings: Settings) -> tuple[NDArray[np.floating[Any]], Labels, float]:
    """Quality and suspects by a thorough check of these labels, and the seconds that it took."""
    queue = Queue.of(settings)
    run = queue.create(lambda making: checks.write_request(making, request), queue.checks)
    queue.advance(lambda started: None)
    began = time.perf_counter()
    with run.held():
        check(run, settings)
    seconds, status = time.perf_counter() - began, run.read_status()
    if status.state != FINISHED:
        raise SystemExit(f"The check has {status.state}: {status.error}")
    labels = np.array(request.labels, np.intp)
    issues = issues_from(checks.read_scores(run).scores, labels, np.array(request.groups, np.intp))
    return issues.quality, issues.suspects, seconds


def compare(
    root: Path, variant: str, seeds: Sequence[int], pair: Sequence[str], shares: Sequence[float], settings: Settings
) -> Iterator[str]:
    """Yield the rows of one dataset."""
    from sklearn.metrics import average_precision_score

    request = Request.of(prepare(scan(root, roots=[root]), Review(root)), variant)
    true, classes = np.array(request.labels, np.intp), len(request.class_names)
    noises = {f"{share:.0%}": [flipped(true, classes, share, seed) for seed in seeds] for share in shares}
    if pair and set(pair) <= set(request.class_names):
        one, other = (request.class_names.index(name) for name in pair)
        noises[f"{PAIR_SHARE:.0%} {' ↔ '.join(pair)}"] = [swapped(true, one, other, seed) for seed in seeds]
    for noise, changed in noises.items():
        found = []
        for given in changed:
            asked = replace(request, labels=tuple(given.tolist()))
            quality, suspects, seconds = checked(asked, settings)
            wrong = true != given
            first = np.argsort(quality, kind="stable")[: wrong.sum()]
            average = float(average_precision_score(wrong, -quality))
            named_rightly = int(wrong[suspects].sum())
            print(f"{root.name}, {noise}: {average:.3f} in {seconds:.0f} s", file=sys.stderr, flush=True)
            found.append(Found(average, float(wrong[first].mean()), len(suspects), named_rightly, seconds))
        yield row(root.name, noise, seeds, "**thorough**", int((changed[0] != true).sum()), found)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--variant", default="efficientnet-b0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pair", nargs=2, default=())
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    print("| dataset | wrong labels | seeds | check | average precision | precision | named | wrong | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        home = (chosen.home or Path(temporary)).resolve()
        for folder in chosen.folders:
            root = folder.resolve()
            settings = replace(settings_from(os.environ), home=home, dataset_roots=(root,))
            for line in compare(root, chosen.variant, chosen.seeds, chosen.pair, chosen.shares, settings):
                print(line, flush=True)


if __name__ == "__main__":
    main()
