"""`unfreeze predict`: what a run's model says about photos."""

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from command_line.found import run_called
from command_line.output import INTERRUPTED, Output, table
from core.data.scan.walk import LeftOut
from core.errors import DataError, RunError
from core.formatting import percent
from core.inference.batch import Batch, BatchJob, Find
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.inference.sources import in_folder, named, zipped
from core.runs.embeddings import read_embeddings
from core.runs.store import Run
from core.settings import Limits, Settings

LOOK_SECONDS = 0.2
ZIP = ".zip"

EXAMPLES = """examples:
  unfreeze predict latest photo.jpg
  unfreeze predict 1f3a ~/holiday more.zip        folders and ZIP files, with all photos in them
  unfreeze predict latest ~/holiday --json | jq '.photos[] | select(.unlike_training)'

Photos that are like none of the training photos are marked: what the model says of them is worth little. Ctrl-C ends
it with what was predicted until then.
"""


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("which", metavar="RUN", help="its id, the end of it, its name, or “latest”")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="a photo, a folder, or a ZIP file of photos")


def predict(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Predict on photos, one row for each."""
    run = run_called(options.which, settings)
    predictor = Predictor(run)
    job = BatchJob(predictor, run.serving_folder, settings.limits.pixels)
    with ExitStack() as opened:
        for name in options.photos:
            job.add(_listing(Path(name).expanduser(), settings.limits, opened))
        interrupted = _wait(job, output)
    if job.error is not None:
        raise job.error
    batch = job.batch()
    rows = _rows(batch, predictor.class_names, _unlike(run, batch))
    left_out = [{"file": entry.path, "why": entry.reason} for entry in batch.left_out]
    output.result({"run": run.id, "photos": rows, "left_out": left_out}, _in_words(rows, batch.left_out))
    return INTERRUPTED if interrupted else int(not rows)


def _listing(path: Path, limits: Limits, opened: ExitStack) -> Find:
    """What finds the photos that a person has named; the files are read, and nothing else, wherever they are."""
    if path.is_dir():
        return partial(in_folder, path, (path.resolve(),), limits)
    if path.suffix.lower() == ZIP:
        try:
            archive = opened.enter_context(path.open("rb"))
        except OSError as error:
            raise DataError(f"The archive {path} cannot be read ({error.strerror}).") from error
        return lambda stop_if_asked: zipped(archive, limits)
    return lambda stop_if_asked: named(path, limits)


def _wait(job: BatchJob, output: Output) -> bool:
    """Wait for all photos; returns whether Ctrl-C ended it before."""
    try:
        while not job.wait(LOOK_SECONDS):
            share = job.done / job.total if job.total else None
            output.progress("Predicting", share, f"{job.done:,} of {job.total:,}")
    except KeyboardInterrupt:
        job.cancel()
        job.wait(60)
        output.say("Stopped. What follows was predicted until then.")
        return True
    return False


def _unlike(run: Run, batch: Batch) -> NDArray[np.bool_] | None:
    """Which photos are like none of the training photos, `(N,)`; None where the run has not kept these."""
    try:
        detector = OutOfDistributionDetector.fit(read_embeddings(run), temperature=1.0)
    except (RunError, ValueError):
        return None
    return detector.is_out_of_distribution(batch.embedding) if len(batch) else np.zeros(0, bool)


def _rows(batch: Batch, names: tuple[str, ...], unlike: NDArray[np.bool_] | None) -> list[dict[str, Any]]:
    best = batch.probabilities.argmax(axis=1)
    shares = batch.probabilities.astype(np.float64).round(4).tolist()
    return [
        {
            "file": photo.name,
            "class": names[best[i]],
            "probability": shares[i][best[i]],
            "unlike_training": None if unlike is None else bool(unlike[i]),
            "probabilities": dict(zip(names, shares[i], strict=True)),
        }
        for i, photo in enumerate(batch.photos)
    ]


def _in_words(rows: list[dict[str, Any]], left_out: tuple[LeftOut, ...]) -> str:
    shown = [
        {
            "file": row["file"],
            "class": row["class"],
            "probability": percent(row["probability"]),
            "note": "unlike the training photos" if row["unlike_training"] else "",
        }
        for row in rows
    ]
    lines = [f"not used: {entry.path}: {entry.reason}" for entry in left_out]
    return "\n".join([*([table(shown)] if shown else []), *lines]) or "There are no photos."
