"""`unfreeze predict`: the predictions of a run's model for photos."""

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from command_line.files import opened, path_named
from command_line.found import run_called
from command_line.output import INTERRUPTED, Output, done_of, not_used, one_line, table
from core.data.scan.walk import LeftOut
from core.errors import RunError
from core.formatting import percent
from core.inference.batch import Batch, BatchJob, Find
from core.inference.decision import (
    KINDS,
    OUT_OF_DISTRIBUTION,
    PREDICTED,
    UNSURE,
    Decisions,
    decide,
    read_decision_rule,
)
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.inference.sources import in_folder, named, zipped
from core.language import tr, tr_mark
from core.runs.embeddings import read_embeddings
from core.runs.store import Run
from core.settings import Limits, Settings

LOOK_SECONDS = 0.2
ZIP = ".zip"

DIGITS = 7
"""Decimals of probabilities in JSON."""

EXAMPLES = tr_mark("""examples:
  unfreeze predict latest photo.jpg
  unfreeze predict 1f3a ~/holiday more.zip        folders and ZIP files, with all photos in them
  unfreeze predict latest ~/holiday --json | jq '.photos[] | select(.unlike_training)'

The answers are those of the Predict page: probabilities are calibrated, and an answer below the least confidence that
was chosen there (60 % unless it was changed) is unsure. Photos unlike the training photos are marked: their predictions
are worth little. Ctrl-C ends it with the predictions made until then.""")


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("which", metavar="RUN", help=tr("its id, the end of it, its name, or “latest”"))
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help=tr("a photo, a folder, or a ZIP file of photos"))


def predict(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Predict photos, one row for each."""
    run = run_called(options.which, settings)
    predictor = Predictor(run)
    job = BatchJob(predictor, run.serving_folder, settings.limits.pixels)
    with ExitStack() as archives:
        for name in options.photos:
            job.add(_listing(path_named(name), settings.limits, archives))
        interrupted = _wait(job, output)
    if job.error is not None:
        raise job.error
    batch = job.batch()
    rows = _rows(run, batch, predictor.class_names)
    left_out = [{"file": entry.path, "why": entry.reason} for entry in batch.left_out]
    output.result({"run": run.id, "photos": rows, "left_out": left_out}, _as_text(rows, batch.left_out))
    return INTERRUPTED if interrupted else int(not rows)


def _listing(path: Path, limits: Limits, archives: ExitStack) -> Find:
    """Lists the photos that a person has named; only these files are read, wherever they are."""
    if path.is_dir():
        return partial(in_folder, path, (path.resolve(),), limits)
    if path.suffix.lower() == ZIP:
        archive = archives.enter_context(opened(path))
        return lambda stop_if_asked: zipped(archive, limits)
    return lambda stop_if_asked: named(path, limits)


def _wait(job: BatchJob, output: Output) -> bool:
    """Wait for all photos; returns whether Ctrl-C ended it before."""
    try:
        while not job.wait(LOOK_SECONDS):
            share = job.done / job.total if job.total else None
            output.progress(tr("Predicting"), share, done_of(job.done, job.total))
    except KeyboardInterrupt:
        job.cancel()
        job.wait(60)
        output.say(tr("Stopped. These are the predictions made until then."))
        return True
    return False


def _decide(run: Run, batch: Batch) -> tuple[Decisions, bool]:
    """The decisions, and whether it is known which photos are unlike the training photos."""
    rule = read_decision_rule(run)
    try:
        detector = OutOfDistributionDetector.fit(read_embeddings(run))
    except (RunError, ValueError):
        return decide(batch.probabilities, rule), False
    return decide(batch.probabilities, rule, detector.ood_scores(batch.embedding) if len(batch) else None), True


def _rows(run: Run, batch: Batch, names: tuple[str, ...]) -> list[dict[str, Any]]:
    found, compared = _decide(run, batch)
    shares = found.probabilities.round(DIGITS).tolist()
    return [
        {
            "file": photo.name,
            "class": names[found.predicted[i]],
            "probability": shares[i][found.predicted[i]],
            "unsure": bool(found.unsure[i]),
            "unlike_training": bool(found.out_of_distribution[i]) if compared else None,
            "probabilities": dict(zip(names, shares[i], strict=True)),
        }
        for i, photo in enumerate(batch.photos)
    ]


def _as_text(rows: list[dict[str, Any]], left_out: tuple[LeftOut, ...]) -> str:
    shown: list[dict[str, str]] = [
        {
            tr("file"): row["file"],
            tr("class"): row["class"],
            tr("probability"): percent(row["probability"]),
            tr("note"): _note(row),
        }
        for row in rows
    ]
    lines = [one_line(not_used(entry)) for entry in left_out]
    return "\n".join([*([table(shown)] if shown else []), *lines]) or tr("There are no photos.")


def _note(row: dict[str, Any]) -> str:
    kind = OUT_OF_DISTRIBUTION if row["unlike_training"] else UNSURE if row["unsure"] else PREDICTED
    return "" if kind == PREDICTED else tr(KINDS[kind])
