"""`unfreeze train`: a run from a recipe, watched to its end."""

import argparse
import time
from dataclasses import replace

import numpy as np

from command_line.found import dataset_in, facts_of, name_of, recipe_called, run_called
from command_line.output import INTERRUPTED, Output
from core.data import summary
from core.data.subsets import TRAINING
from core.errors import RunBusy
from core.formatting import duration, percent, photos, whole
from core.language import retold, tr, tr_mark, tr_plural
from core.recipe.recipe_book import fitted_to
from core.runs import trainers
from core.runs.messages import text_of
from core.runs.queue import Queue
from core.runs.store import ACTIVE, CRASHED, FAILED, QUEUED, Label, Run, RunStore, Status, state_in_words
from core.settings import Settings
from core.training.dataset_features import features
from core.training.dataset_features.unlabelled import unlabelled_photos
from core.training.launch import launch

LOOK_SECONDS = 0.3

EXAMPLES = tr_mark("""examples:
  unfreeze train recipe.json                      the dataset is the one that the recipe names
  unfreeze train recipe.json --dataset ~/flowers --name "more rotation"
  unfreeze train "rotation only" --queue          a saved recipe; does not wait for the end
  unfreeze train recipe.json --start-from latest  begins with the model of the newest run
  unfreeze train recipe.json --json > result.json

Ctrl-C stops the run as the Stop button does: the best model so far is kept and tested. Recipes are downloaded on the
Train page, under “Recipe”.""")


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("recipe", metavar="RECIPE", help=tr("a JSON file, or the name of a saved recipe"))
    parser.add_argument(
        "--dataset", metavar="FOLDER", help=tr("photos to use instead of those the recipe was made for")
    )
    parser.add_argument("--start-from", metavar="RUN", help=tr("start from the model of this run, of the same variant"))
    parser.add_argument("--name", help=tr("name of the run"))
    parser.add_argument("--seed", type=int, help=tr("a seed to use instead of the recipe's; the split stays the same"))
    parser.add_argument("--queue", action="store_true", help=tr("return at once; the run continues in the background"))


def train(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Start a run, and watch it unless it is only to be queued."""
    recipe = recipe_called(options.recipe, settings)
    dataset = dataset_in(options.dataset or recipe.dataset, settings, output)
    for note in (*dataset.scan.reading.notes, *summary.class_findings(dataset)):
        output.say(note)
    if dataset.has_own_split:
        output.say(summary.split_in_words(dataset))
    split = dataset.split(recipe.split_seed)
    folder, parts = dataset.used(split, recipe.without_classes)
    loaded = fitted_to(recipe, dataset.folder, int(np.sum(parts == TRAINING)))
    for note in loaded.notes:
        output.say(note)
    chosen = loaded.recipe if options.seed is None else replace(loaded.recipe, seed=options.seed)
    split = chosen.limited(dataset.folder, split)
    if options.start_from:
        chosen = replace(chosen, start_from=run_called(options.start_from, settings).id)
    queue = Queue.of(settings)
    more = None
    if chosen.unlabelled and dataset.by_hand:
        jobs = RunStore(settings.home / features.FOLDER)
        more = unlabelled_photos(dataset, split, chosen.without_classes, jobs).labels
        all_of_them = photos(len(dataset.unlabelled), "unlabelled")
        output.say(
            tr_plural(
                "Of {photos}, {count} is learned from, too.",
                "Of {photos}, {count} are learned from, too.",
                len(more),
                photos=all_of_them,
            )
        )
    run = launch(queue, chosen, folder, parts, label=Label(name=options.name or ""), pseudo=more)
    if options.queue:
        output.result(
            facts_of(run, run.read_status()),
            tr("{run} continues in the background. “unfreeze runs” shows its progress.", run=run.id),
        )
        return 0
    return _watch(run, queue, output)


def _watch(run: Run, queue: Queue, output: Output) -> int:
    """Show how far a run is until it has ended; Ctrl-C stops it, a second one leaves it to itself."""
    output.say(tr("The run is {run}.", run=run.id))
    interrupted = False
    while True:
        try:
            status = _wait(run, queue, output)
            break
        except KeyboardInterrupt:
            if interrupted or not _stop(run, queue, output):
                return INTERRUPTED
            interrupted = True
    output.result(facts_of(run, status), _ending(run, status))
    return INTERRUPTED if interrupted else int(status.state in (FAILED, CRASHED))


def _wait(run: Run, queue: Queue, output: Output) -> Status:
    while (status := run.read_status()).state in (*ACTIVE, QUEUED):
        output.progress(_doing(status), status.progress, _figures(status))
        trainers.advance(queue)
        time.sleep(LOOK_SECONDS)
    return status


def _stop(run: Run, queue: Queue, output: Output) -> bool:
    """Ask a run to stop; returns whether there is an end to wait for."""
    if run.read_status().state == QUEUED:
        try:
            queue.cancel(run)
        except RunBusy:  # it has just begun
            return _stop(run, queue, output)
        output.say(tr("The run had not started and was removed from the queue. Nothing of it is kept."))
        return False
    run.request_stop()
    output.say(
        tr(
            "Stopping: the best model so far is kept and tested. Press Ctrl-C again to return now; it finishes in"
            " the background."
        )
    )
    return True


def _doing(status: Status) -> str:
    known = status.epoch and status.epochs
    epoch = tr("epoch {epoch} of {epochs}", epoch=status.epoch or 0, epochs=status.epochs or 0) if known else ""
    return " · ".join(part for part in (text_of(status.message, with_share=False), epoch) if part)


def _figures(status: Status) -> str:
    share = status.message.values.get("share")
    done = tr("{share} done", share=whole(float(share))) if share is not None else ""
    found, seconds = status.best_val_accuracy, status.seconds_left
    best = tr("validation {accuracy}", accuracy=percent(found)) if found is not None else ""
    left = tr("about {time} left", time=duration(seconds)) if seconds is not None else ""
    return " · ".join(part for part in (done, best, left) if part)


def _ending(run: Run, status: Status) -> str:
    took = duration(status.seconds(time.time()))
    state = state_in_words(status.state)
    lines = [tr("{run}: {state} after {time}.", run=name_of(run), state=state, time=took), retold(status.error)]
    if status.test_accuracy is not None:
        lines.append(
            tr(
                "{share} of the test photos were classified correctly ({correct} of {count}).",
                share=percent(status.test_accuracy),
                correct=status.test_correct or 0,
                count=status.test_count or 0,
            )
        )
    if run.best_file.exists():
        epoch = status.best_epoch or status.epoch or 0
        lines.append(tr("The model is kept: epoch {epoch}, in {folder}.", epoch=epoch, folder=str(run.folder)))
    else:
        lines.append(tr("No model is kept."))
    return "\n".join(line for line in lines if line)
