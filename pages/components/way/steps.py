"""How far somebody is on the way from photos to predictions, in a few words for each step."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core import formatting
from core.errors import RunError
from core.language import tr
from core.runs.store import ACTIVE, CRASHED, FAILED, LIVE, PAUSED, QUEUED, Run, Status, state_in_words
from pages.components.cached import runs
from pages.components.shared import markdown, state


@dataclass(frozen=True)
class Step:
    """One of the three steps.

    Attributes:
        name: What it is called.
        page: The file of its page.
        words: What is known of it so far, as Markdown; empty while there is nothing.
        shown: What its page is to show, for its address; nothing for whatever it shows.
    """

    name: str
    page: str
    words: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)


def steps() -> tuple[Step, Step, Step]:
    """The three steps as they are now."""
    found, dataset = run_on_the_way(), state.dataset()
    photos, train = Step(tr("Photos"), "pages/prepare/dataset.py"), Step(tr("Train"), "pages/train/train.py")
    if found is not None:
        run, status = found
        train = replace(train, words=describe_run(status, time.time()), shown={state.RUN: run.id})
        if not dataset and (dataset := _dataset_of(run)):
            photos = replace(photos, shown={state.DATASET: dataset})
    if dataset:
        photos = replace(photos, words=describe_dataset(dataset))
    return photos, train, Step(tr("Try"), "pages/use/predict.py")


def run_on_the_way() -> tuple[Run, Status] | None:
    """The run on show, or else, where that is not live, the one that is going, with its status; None without any."""
    shown = _readable(state.run_id())
    if shown is not None and shown[1].state in LIVE:
        return shown
    going = runs.store().active()
    return (_readable(going.id) if going else None) or shown


def is_live() -> bool:
    """Whether the run on the way changes by itself."""
    found = run_on_the_way()
    return found is not None and found[1].state in LIVE


def describe_dataset(path: str) -> str:
    """The name of the chosen dataset, as Markdown."""
    return f":green[✓] {markdown.escape(Path(path).name)}"


def describe_run(status: Status, now: float) -> str:
    """How far a run is, or what came of it, as Markdown."""
    accuracy = status.best_val_accuracy
    best = tr("best {accuracy}", accuracy=formatting.percent(accuracy)) if accuracy is not None else ""
    if status.state in ACTIVE:
        share = status.share_done(now)
        return " · ".join(part for part in (tr("starting") if share is None else formatting.whole(share), best) if part)
    if status.state == QUEUED:
        return tr("in the queue")
    if status.state == PAUSED:
        return " · ".join(part for part in (tr("paused"), best) if part)
    if status.test_accuracy is not None:
        return f":green[✓] {formatting.percent(status.test_accuracy)}"
    return state_in_words(status.state) if status.state in (FAILED, CRASHED) else ""


def _dataset_of(run: Run) -> str:
    """The folder of a run's photos; empty where it is not on this computer."""
    try:
        path = str(run.recipe_values().get("dataset", ""))
        return path if path and Path(path).is_dir() else ""
    except (RunError, OSError, ValueError):
        return ""


def _readable(run_id: str) -> tuple[Run, Status] | None:
    try:
        run = runs.store().get(run_id)
        return run, run.read_status()
    except RunError:
        return None
