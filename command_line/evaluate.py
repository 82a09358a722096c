"""`unfreeze evaluate`: how good a run's model is on labelled photos that are not from its dataset."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from command_line.files import opened, path_named
from command_line.found import run_called
from command_line.output import INTERRUPTED, Output, done_of, not_used, one_line, percent_or_dash, table
from core.data.scan.walk import check_inside
from core.data.subsets import SUBSETS, TRAINING
from core.evaluation.metrics import Evaluation, class_scores
from core.formatting import percent, photos, whole
from core.inference.external_test import ExternalTest, read_test
from core.inference.external_test_job import PREDICTING, SCANNING, UNPACKING, ExternalTestJob, Source
from core.language import number, tr, tr_mark
from core.settings import Settings

LOOK_SECONDS = 0.2
ZIP = ".zip"
STAGES = {
    UNPACKING: tr_mark("Unpacking"),
    SCANNING: tr_mark("Looking at every photo"),
    PREDICTING: tr_mark("Predicting"),
}

EXAMPLES = tr_mark("""examples:
  unfreeze evaluate latest ~/photos-of-tim
  unfreeze evaluate 1f3a more.zip --json
  unfreeze evaluate latest ~/tulpen --class tulp=tulips     photos of “tulp” count as the model's “tulips”

The folder, or the ZIP file, has a subfolder for each class, or a table that names the class of each photo; “unfreeze
dataset” says how a folder is read. Classes are matched by name. Photos that the run has learned from do not count. The
result is kept with the run, and is also on the page Evaluate, under “Other photos”.""")


def _pair(text: str) -> str:
    if "=" not in text.strip()[1:]:
        raise argparse.ArgumentTypeError(tr("{text} must be NAME=CLASS", text=repr(text[:80])))
    return text


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("which", metavar="RUN", help=tr("its id, the end of it, its name, or “latest”"))
    parser.add_argument("photos", metavar="FOLDER", help=tr("a folder of labelled photos, or a ZIP file of one"))
    parser.add_argument(
        "--class",
        dest="meant",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=CLASS",
        help=tr("count photos of a class as a class of the model (nothing after “=”: as none)"),
    )


def evaluate(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Evaluate a run's model on labelled photos: accuracy, each class, and what does not count."""
    run = run_called(options.which, settings)
    with ExitStack() as archives:
        job = ExternalTestJob(run, _source(path_named(options.photos), settings, archives), settings)
        try:
            while not job.wait(LOOK_SECONDS):
                share = job.done / job.total if job.total else None
                stage = tr(STAGES[job.stage]) if job.stage in STAGES else tr("Evaluating")
                output.progress(stage, share, done_of(job.done, job.total))
        except KeyboardInterrupt:
            job.cancel()
            job.wait(60)
            output.say(tr("Stopped. Nothing was kept."))
            return INTERRUPTED
    if job.error is not None:
        raise job.error
    found = read_test(run, job.test)
    for pair in options.meant:
        name, _, known = pair.partition("=")
        found = found.saying(name, known)
    output.result(_values(found), _as_text(found))
    return int(found.evaluation is None)


def _source(path: Path, settings: Settings, archives: ExitStack) -> Source:
    if path.suffix.lower() == ZIP and not path.is_dir():
        return Source(path.stem, archive=archives.enter_context(opened(path)))
    folder = check_inside(path, settings.dataset_roots)
    return Source(folder.name, folder)


def _values(found: ExternalTest) -> dict[str, Any]:
    result = found.evaluation
    return {
        "run": found.run.id,
        "photos_of": found.facts.name,
        "photos": len(found.paths),
        "counted": 0 if result is None else len(result),
        "correct": 0 if result is None else result.correct,
        "accuracy": None if result is None else result.correct / len(result),
        "interval": None if result is None else list(result.interval),
        "classes": _classes(found),
        "confusion": None if result is None else result.confusion.tolist(),
        "unknown_classes": found.unknown,
        "photos_of_the_run": found.of_run(),
        "uncompared": found.facts.uncompared,
        "mistakes": [] if result is None else _mistakes(result),
        "left_out": [{"file": entry.path, "why": entry.reason} for entry in found.left_out],
    }


def _mistakes(result: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "file": result.paths[i],
            "class": result.class_names[result.labels[i]],
            "predicted": result.class_names[result.predicted[i]],
            "probability": round(float(result.confidence[i]), 7),
        }
        for i in result.most_wrong().tolist()
    ]


def _classes(found: ExternalTest) -> list[dict[str, Any]]:
    result = found.evaluation
    if result is None:
        return []
    scores = class_scores(result.confusion)
    return [
        {
            "class": name,
            "photos": int(scores.support[label]),
            "recall": float(scores.recall[label]) if scores.support[label] else None,
            "precision": float(scores.precision[label]) if scores.predicted[label] else None,
        }
        for label, name in enumerate(result.class_names)
    ]


def _as_text(found: ExternalTest) -> str:
    result = found.evaluation
    lines = []
    if result is not None:
        low, high = result.interval
        lines += [
            tr(
                "{accuracy} accuracy: {correct} of {photos} of {dataset}, not from this dataset"
                " (95 % interval: {low} to {high}).",
                accuracy=percent(result.correct / len(result)),
                correct=result.correct,
                photos=photos(len(result)),
                dataset=found.facts.name,
                low=whole(low),
                high=whole(high),
            ),
            "",
            table(
                [
                    {
                        tr("class"): row["class"],
                        tr("photos"): number(row["photos"]),
                        tr("recall"): percent_or_dash(row["recall"]),
                        tr("precision"): percent_or_dash(row["precision"]),
                    }
                    for row in _classes(found)
                ]
            ),
            "",
        ]
    lines += [
        tr(
            "not counted: {photos} of class {name}, which the model does not know"
            " (--class {name}=CLASS says which class is meant)",
            photos=photos(count),
            name=name,
        )
        for name, count in found.unknown.items()
    ]
    lines += [_of_subset(subset, count) for subset, count in found.of_run().items() if subset != "test"]
    if found.facts.uncompared:
        lines.append(tr("note: some photos of the run are not at hand, so some of these may be among them"))
    lines += [not_used(entry) for entry in found.left_out]
    return "\n".join(one_line(part) for line in lines for part in line.split("\n")).rstrip()


def _of_subset(subset: str, count: int) -> str:
    if subset == SUBSETS[TRAINING]:
        return tr("not counted: {photos} from the training photos of this run", photos=photos(count))
    return tr("not counted: {photos} from the validation photos of this run", photos=photos(count))
