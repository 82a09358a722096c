"""What the default recipe reaches against what is simpler, on datasets cut to few photos a class; through the trainer.

    uv run python -m bench.recipes FOLDER [FOLDER ...] --photos 5 10 20 50 0 --seeds 0 1 2 --variants efficientnet-b0

Of each class so many photos are trained and validated with, of which an eighth, at least one, validates; up to 60
others are the test. 0 takes the dataset whole, with the app's own split. Ways:

- `default`: the recipe that the Train page offers.
- `former`: as it was up to version 2 of recipes: a head from random weights, no early stopping.
- `head`: the default without fine-tuning.
- `regression`: scikit-learn's logistic regression on the frozen features of the training photos, of length 1, its
  penalty chosen by cross-validation; the least to beat.

Every run is carried out by the app's trainer process, one after another. Rows are added to `--out` as JSON lines as
they come, and what is there already is not computed again. Prints a Markdown table of test accuracy, log loss,
calibration error (ten bins) and seconds, each the mean over the seeds. Weights are looked for as in the app.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.default_recipe import trained
from bench.label_checks import features_of
from core.data.dataset import Dataset, prepare
from core.data.review import Review
from core.data.scan.folder import ImageFolder, scan
from core.data.subsets import TEST, TRAINING, VALIDATION
from core.evaluation.calibration import TINY, reliability
from core.evaluation.similarity import unit_rows
from core.models.backbones import backbone
from core.recipe.recipe import AT_RANDOM, Recipe, default_recipe
from core.runs.store import FINISHED, Run, RunStore
from core.settings import settings_from

TESTED = 60
"""Test photos of each class, at most, beside a dataset cut to few photos."""

VALIDATED = 8
"""One photo of so many validates there."""

PENALTIES = np.logspace(-2, 4, 13)
MEASURES = ("accuracy", "log loss", "calibration", "seconds")


def cut(folder: ImageFolder, photos: int, seed: int) -> tuple[ImageFolder, NDArray[np.int8]]:
    """So many photos of each class, drawn at random, with others as the test part."""
    random, chosen, parts = np.random.default_rng(seed), [], []
    for label in range(len(folder.class_names)):
        of_class = random.permutation(np.flatnonzero(folder.labels == label))[: photos + TESTED]
        validated = max(1, round(photos / VALIDATED))
        chosen.append(of_class)
        parts.append(np.repeat([VALIDATION, TRAINING, TEST], [validated, photos - validated, len(of_class) - photos]))
    positions, found = np.concatenate(chosen), np.concatenate(parts)
    order = np.argsort(positions)
    return folder.subset(positions[order]), found[order].astype(np.int8)


def measured(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> dict[str, float]:
    """Accuracy, log loss, and the expected calibration error in ten bins, of predictions (N, K) for labels (N,)."""
    given = np.maximum(probabilities[np.arange(len(labels)), labels], TINY)
    return {
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "log loss": float(-np.log(given).mean()),
        "calibration": reliability(probabilities, labels).error,
    }


def former(recipe: Recipe, photos: int) -> Recipe:
    """The default up to version 2 of recipes."""
    head = min(8, max(3, round(4_500 / photos)))
    return replace(recipe, head_start=AT_RANDOM, head_learning_rate=1e-2, head_epochs=head, early_stopping=0)


WAYS: dict[str, Callable[[Recipe, int], Recipe]] = {
    "default": lambda recipe, photos: recipe,
    "former": former,
    "head": lambda recipe, photos: replace(recipe, fine_tune_epochs=0),
}
REGRESSION = "regression"


def result_of(run: Run) -> dict[str, float]:
    """What a run has reached on its test part; raises `RuntimeError` where it has not finished."""
    status = run.read_status()
    if status.state != FINISHED:
        raise RuntimeError(f"{status.state}: {status.error}\n{run.log_tail()}")
    with np.load(run.predictions_file("test")) as found:
        values = measured(found["probabilities"], found["labels"])
    return {**values, "seconds": status.seconds(time.time()), "best": status.best_epoch or 0, "epochs": status.epochs}


def regression(features: NDArray[np.float32], labels: NDArray[np.int32], parts: NDArray[np.int8]) -> dict[str, float]:
    """Logistic regression on features of the training photos alone."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    began, given, asked = time.perf_counter(), parts == TRAINING, parts == TEST
    values, model = unit_rows(features), LogisticRegression(max_iter=1000)
    folds = min(5, int(np.bincount(labels[given]).min()))
    if folds > 1:
        divided = StratifiedKFold(folds, shuffle=True, random_state=0)
        model = GridSearchCV(model, {"C": PENALTIES}, cv=divided, scoring="neg_log_loss", n_jobs=1)
    model.fit(values[given], labels[given])
    found = measured(model.predict_proba(values[asked]), labels[asked])
    return {**found, "seconds": time.perf_counter() - began}


def cell(
    dataset: Dataset, photos: int, variant: str, seed: int, ways: Sequence[str], store: RunStore
) -> Iterator[tuple[str, dict[str, float]]]:
    """One dataset, cut or whole, with one seed and variant: what each way reaches."""
    if photos:
        folder, parts = cut(dataset.folder, photos, seed)
    else:
        folder, parts = dataset.used(dataset.split(seed))
    count = int(np.sum(parts == TRAINING))
    for way in ways:
        if way == REGRESSION:
            yield way, regression(features_of(folder, variant), folder.labels, parts)
        else:
            recipe = WAYS[way](default_recipe(folder, count, backbone(variant), seed), count)
            yield way, result_of(trained(store, recipe, folder, parts))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table, means over seeds."""
    lines = [f"| dataset | photos a class | variant | way | seeds | {' | '.join(MEASURES)} |", "|" + "---|" * 9]
    groups: dict[tuple[str, int, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["photos"], row["variant"], row["way"]), []).append(row)
    for (name, photos, variant, way), found in groups.items():
        means = {each: float(np.mean([row[each] for row in found])) for each in MEASURES}
        lines.append(
            f"| {name} | {photos or 'all'} | {variant} | {way} | {len(found)} | {100 * means['accuracy']:.1f} % |"
            f" {means['log loss']:.3f} | {means['calibration']:.3f} | {means['seconds']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--photos", type=int, nargs="+", default=[5, 10, 20, 50, 0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=["efficientnet-b0", "efficientnet-lite0"])
    parser.add_argument("--ways", nargs="+", choices=[*WAYS, REGRESSION], default=[*WAYS, REGRESSION])
    parser.add_argument("--out", type=Path, default=Path("recipes.jsonl"))
    asked = parser.parse_args()
    rows = [json.loads(line) for line in asked.out.read_text("utf-8").splitlines()] if asked.out.exists() else []
    os.environ["UNFREEZE_DATASETS"] = os.pathsep.join(sorted({str(each.resolve().parent) for each in asked.folders}))
    with tempfile.TemporaryDirectory() as runs:
        store = RunStore(Path(runs))
        for folder in asked.folders:
            root = folder.resolve()
            dataset = prepare(scan(root, roots=settings_from().dataset_roots), Review(root))
            for variant, photos, seed in product(asked.variants, asked.photos, asked.seeds):
                where = {"dataset": root.name, "photos": photos, "variant": variant, "seed": seed}
                there = {row["way"] for row in rows if {key: row[key] for key in where} == where}
                missing = [way for way in asked.ways if way not in there]
                for way, values in cell(dataset, photos, variant, seed, missing, store):
                    rows.append({**where, "way": way, **values})
                    with asked.out.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
