"""`unfreeze check-labels`: which labels of a dataset are probably wrong."""

import argparse
import time
from collections.abc import Sequence
from typing import Any

from command_line.found import dataset_in
from command_line.output import Output, table
from core.data.dataset import Dataset
from core.errors import RunNotReady
from core.formatting import duration, minutes, percent
from core.labels.dataset_check import DatasetCheck, HeldOutScores, check, check_with
from core.language import tr, tr_mark, tr_plural
from core.models import weights
from core.models.backbones import BACKBONES, backbone
from core.runs import trainers
from core.runs.messages import text_of
from core.runs.queue import Queue
from core.runs.store import ACTIVE, FINISHED, QUEUED, RunStore
from core.settings import Settings
from core.training.budget.throughput import guessed_throughput, known_throughput
from core.training.dataset_features import features
from core.training.dataset_features.features import FOLDER, Features
from core.training.thorough_check import checks

LOOK_SECONDS = 0.3
USUAL_MOST = 50
PREFERRED = ("efficientnet-b0", "efficientnet-lite0")

EXAMPLES = tr_mark("""examples:
  unfreeze check-labels ~/flowers
  unfreeze check-labels ~/flowers --most 10
  unfreeze check-labels ~/flowers --json > suspects.json
  unfreeze check-labels ~/flowers --all           every photo, the most suspect first
  unfreeze check-labels ~/flowers --thorough      takes minutes and finds more

Nothing is changed: a pretrained network computes features of every photo, and each label is compared with those of
similar photos. With --thorough, the network is fine-tuned five times, each time without a fifth of the photos, and
judges those; Ctrl-C stops it, and the same command goes on from there. Decide about the suspects on the page
“Label check”; decisions made there apply here.""")


def _most(text: str) -> int:
    if not text.isdecimal() or not 1 <= len(text) <= 9:
        raise argparse.ArgumentTypeError(
            tr("{text} must be a whole number from 0 to {most}", text=repr(text[:80]), most="999999999")
        )
    return int(text)


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("dataset", metavar="DATASET", help=tr("a folder with one subfolder for each class"))
    parser.add_argument(
        "--network",
        choices=[row.key for row in BACKBONES if row.pretrained],
        help=tr("network that computes the features (default: EfficientNet-B0, or Lite0 without its weights)"),
    )
    parser.add_argument(
        "--most",
        type=_most,
        metavar="N",
        help=tr("list at most N, JSON always lists all (default: {most}, or all with --all)", most=USUAL_MOST),
    )
    parser.add_argument(
        "--all", action="store_true", help=tr("list every photo, not only those whose label looks wrong")
    )
    parser.add_argument("--thorough", action="store_true", help=tr("fine-tune the network for it, which takes minutes"))


def check_labels(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List the photos whose label is probably wrong, the most suspect first."""
    dataset = dataset_in(options.dataset, settings, output)
    network = options.network or _usual(settings)
    known = _features(dataset, network, settings, output)
    scores = _thorough(dataset, network, settings, output) if options.thorough else None
    output.progress(tr("Comparing each photo with the others"), None)
    if scores is None:
        found = check(dataset, known.values, known.row_of)
    else:
        found = check_with(scores, dataset, known.values, known.row_of)
    listed = found.ranking if options.all else found.suspects
    values = {
        "dataset": str(dataset.folder.root),
        "photos": len(found.folder),
        "unread": found.unread,
        "labels_fit": not found.fit.misfit,
        "matched": round(found.fit.matched, 4),
        "matched_by_chance": round(found.fit.by_chance, 4),
        "warning": found.fit.misfit,
        "thorough": options.thorough,
        "suspects": [_facts(found, i) for i in found.suspects],
        **({"ranking": [_facts(found, i) for i in found.ranking]} if options.all else {}),
        "unlike_the_rest": [found.folder.paths[i] for i in found.outliers],
    }
    most = options.most or (len(listed) if options.all else USUAL_MOST)
    output.result(values, _as_text(found, listed, most))
    return 0


def _usual(settings: Settings) -> str:
    return next((key for key in PREFERRED if weights.look_up(backbone(key), settings)), PREFERRED[-1])


def _features(dataset: Dataset, network: str, settings: Settings, output: Output) -> Features:
    """What the network makes of each photo: kept from before, or computed now; Ctrl-C keeps what there is."""
    store, root = RunStore(settings.home / FOLDER), dataset.scan.folder.root
    request = features.Request.of(dataset.scan, network)
    known = features.kept(store, root, network)
    if known is not None:
        kept = features.read_features(known)
        if kept.covers(request.digests):
            return kept
    run = features.start(store, request)
    try:
        while (status := run.read_status()).state in ACTIVE:
            output.progress(text_of(status.message), status.progress)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        run.request_stop()
        output.say(tr("Stopped. What was computed is kept, and the next check goes on from there."))
        raise
    if status.state != FINISHED:
        raise RunNotReady(status.error or tr("The check was stopped before all photos were processed. Start it again."))
    return features.read_features(run)


def _thorough(dataset: Dataset, network: str, settings: Settings, output: Output) -> HeldOutScores:
    """What networks say of the photos they have not seen: they are fine-tuned now, from where they were stopped."""
    queue, request = Queue.of(settings), checks.Request.of(dataset, network)
    run = checks.begin_or_go_on(queue, request)
    throughput = known_throughput(settings.home, backbone(network), guessed_throughput()).throughput
    seconds = checks.seconds(backbone(network), len(request.paths), throughput)
    output.say(tr("The thorough check takes about {time}.", time=minutes(seconds)))
    try:
        while (status := run.read_status()).state in (*ACTIVE, QUEUED):
            left = tr("about {time} left", time=duration(status.seconds_left)) if status.seconds_left else ""
            output.progress(text_of(status.message), status.progress, left)
            trainers.advance(queue)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        checks.stop(queue, run)
        output.say(tr("Stopped. The same command goes on from there."))
        raise
    if status.state != FINISHED:
        raise RunNotReady(status.error or tr("The thorough check was stopped. The same command goes on from there."))
    return checks.read_scores(run)


def _facts(found: DatasetCheck, position: int) -> dict[str, Any]:
    return {
        "file": found.folder.paths[position],
        "label": found.given(position),
        "suggested": found.suggested(position),
        "confidence": round(found.confidence(position), 4),
        "quality": round(float(found.issues.quality[position]), 4),
    }


def _as_text(found: DatasetCheck, listed: Sequence[int], most: int) -> str:
    count, photos = len(found.suspects), len(found.folder)
    warning = found.fit.misfit
    if not listed:
        return warning or tr_plural(
            "No label looks wrong: {count} photo was compared with others.",
            "No label looks wrong: {count} photos were compared with each other.",
            photos,
        )
    rows: list[dict[str, str]] = [
        {
            tr("file"): found.folder.paths[i],
            tr("label"): found.given(i),
            tr("probably"): found.suggested(i),
            tr("sure"): percent(found.confidence(i)),
            tr("label right"): percent(float(found.issues.quality[i])),
        }
        for i in listed[:most]
    ]
    wrong = tr_plural(
        "{count} of {all} labels is probably wrong.", "{count} of {all} labels are probably wrong.", count, all=photos
    )
    parts = [warning, wrong, table(rows)]
    left = len(listed) - len(rows)
    more = tr("… and {count} more.", count=left) if left else ""
    return "\n\n".join(part for part in parts if part) + (more and f"\n{more}")
