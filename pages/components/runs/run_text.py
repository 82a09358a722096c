"""What a run's card and page say about it, as text: made from its status, its recipe and its folder."""

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from core import formatting
from core.language import sentences, tr, tr_context, tr_mark, tr_plural
from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.recipe.start_point import StartPoint
from core.runs.messages import text_of
from core.runs.store import ACTIVE, FINISHED, PAUSED, STOPPED, Run, Status
from pages.components.shared import drawings, markdown
from pages.components.shared.run_descriptions import LoadedRun

PLACES = {
    0: tr_mark("Next in the queue"),
    1: tr_mark("Second in the queue"),
    2: tr_mark("Third in the queue"),
    3: tr_mark("Fourth in the queue"),
}
"""A place in the queue by the number of runs before it; further back it is a number."""


MOST_NAMES = 8
"""Classes of an earlier run that are named."""


def describe_progress(status: Status) -> str:
    """What a run does now, its epoch and the time that is left."""
    left = ""
    if status.seconds_left is not None:
        left = tr("about {duration} left", duration=formatting.duration(status.seconds_left))
    return " · ".join(part for part in (markdown.escape(text_of(status.message)), _epoch(status), left) if part)


def bar(status: Status, now: float) -> float:
    """Where a bar for the run stands, 0 to 1: how much of all is done, or of what it does now until that is known."""
    share = status.share_done(now)
    return min(1.0, (status.progress or 0.0) if share is None else share)


def _epoch(status: Status) -> str:
    if not status.epoch or not status.epochs:
        return ""
    return tr("epoch {epoch} of {epochs}", epoch=status.epoch, epochs=status.epochs)


def describe_place(before: int) -> str:
    """A place in the queue with so many runs before it."""
    return tr(PLACES[before]) if before in PLACES else tr("{count} runs ahead of it", count=before)


FIGURES_STYLE = """
<style>
.uf-figures{display:flex;flex-wrap:wrap;gap:.3rem 2.5rem;line-height:1.15}
.uf-figures b{display:block;font-size:2.9rem;font-weight:700;white-space:nowrap}
.uf-figures span{opacity:.8}
@media (max-width:640px){.uf-figures{gap:.3rem 1.4rem;font-size:.875rem}.uf-figures b{font-size:2.1rem}
  .uf-figures span{display:block;max-width:9.5rem}}
</style>
"""


def large_figures(figures: Sequence[tuple[str, str, str]]) -> str:
    """HTML of the figures that a page is opened for, each with what it is, and what tests find it by."""
    drawn = "".join(
        f'<div><b data-testid="{name}">{escape(value)}</b><span>{escape(words)}</span></div>'
        for value, words, name in figures
    )
    return f'{FIGURES_STYLE}<div class="uf-figures">{drawn}</div>'


def reached(status: Status) -> list[tuple[str, str, str]]:
    """How good a run is so far, and how long it will take; for `large_figures`."""
    best = status.best_val_accuracy
    found: list[tuple[str, str, str]] = [
        (drawings.percent(best) if best is not None else "–", tr("accuracy on the validation photos"), "best-accuracy")
    ]
    epoch = _epoch(status)
    if status.state in ACTIVE:
        left = " · ".join(part for part in (tr_context("time", "left"), epoch) if part)
        found.append((_rough(status.seconds_left), left, "time-left"))
    elif epoch:
        found.append((f"{status.epoch} / {status.epochs}", tr("epochs"), "epochs-done"))
    return found


def _rough(seconds: float | None) -> str:
    """A duration no more exactly than it is known, from five minutes on without seconds; "–" where it is not known."""
    if seconds is None:
        return formatting.duration(seconds)
    minutes = tr("{minutes} min", minutes=round(seconds / 60))
    return f"≈ {minutes if 300 <= seconds < 3600 else formatting.duration(seconds)}"


def training_figures(status: Status, rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Figures of a run for those who want to know more, each with its title."""
    return [
        (tr("Elapsed"), formatting.duration(status.seconds(time.time()))),
        (tr("Images per second"), f"{status.images_per_second:.0f}" if status.images_per_second else "–"),
        (tr("Learning rate"), _positional(rows[-1]["learning_rate"]) if rows else "–"),
    ]


def _positional(number: float) -> str:
    return np.format_float_positional(number, precision=2, fractional=False, trim="-")


def card_facts(status: Status, recipe: Recipe) -> list[tuple[str, str]]:
    """What the card says, besides name and state."""
    random = [(tr("Weights"), tr("random at the start"))] if recipe.weights == "random" else []
    best, test = status.best_val_accuracy, status.test_accuracy
    return [
        *random,
        (tr("Best validation accuracy"), drawings.percent(best) if best is not None else "–"),
        (tr("Test accuracy"), drawings.percent(test) if test is not None else "–"),
        (tr("Duration"), formatting.duration(status.seconds(time.time()))),
        (tr("Started"), formatting.moment(status.created)),
    ]


def describe_start(start: StartPoint) -> str:
    """What a run starts from, as Markdown."""
    name, classes = markdown.escape(start.name), markdown.escape(formatting.listed(start.class_names, MOST_NAMES))
    return tr("It starts from the model of the earlier run **{run}**, which knew {classes}.", run=name, classes=classes)


def describe_seen(start: StartPoint, status: Status) -> str:
    """Why an accuracy is too good: photos that the earlier model has learned from. Markdown; empty without any."""
    name = markdown.escape(start.name)
    counts = (status.seen_test or 0, status.seen_validation or 0, status.seen_unknown or 0)
    words = (
        tr_plural(
            "{count} of its test photos was in the training of **{run}**: its test accuracy is too good.",
            "{count} of its test photos were in the training of **{run}**: its test accuracy is too good.",
            counts[0],
            run=name,
        ),
        tr_plural(
            "{count} of its validation photos was in the training of **{run}**: its validation accuracy is too good.",
            "{count} of its validation photos were in the training of **{run}**: its validation accuracy is too good.",
            counts[1],
            run=name,
        ),
        tr(
            "The content of {count} of the photos that **{run}** was trained on is not known any more, so there may be"
            " more.",
            count=counts[2],
            run=name,
        ),
    )
    return sentences(*(each for each, count in zip(words, counts, strict=True) if count))


def describe_ending(status: Status) -> str:
    """How and after how long a run has ended, as Markdown."""
    trained = formatting.duration(status.seconds(time.time()))
    if status.state == PAUSED:
        return tr(
            "**{what}**, after {duration}; you can resume at any time.",
            what=markdown.escape(text_of(status.message)),
            duration=trained,
        )
    if status.state == STOPPED:
        return tr("{what}, after {duration}", what=markdown.escape(text_of(status.message)), duration=trained)
    return tr("after {duration}", duration=trained)


def describe_loss(run: Run) -> str:
    """What a crash has cost."""
    if run.has_checkpoint():
        return tr("Resume it, and at most one epoch is lost.")
    return tr("It had not completed an epoch, so it can only start over.")


def describe_kept_model(recipe: Recipe, status: Status) -> str:
    """Which epoch the model that was kept is of, and whether training ended early."""
    if status.best_epoch is None or status.best_val_accuracy is None:
        return tr("It was stopped before its first validation, so the model was kept as it was at that moment.")
    best = tr(
        "The model kept is that of epoch {epoch} of {epochs}, the one with the lowest validation loss (validation"
        " accuracy {accuracy}).",
        epoch=status.best_epoch,
        epochs=status.epochs or 0,
        accuracy=drawings.percent(status.best_val_accuracy),
    )
    return sentences(best, _early_end(recipe, status))


def _early_end(recipe: Recipe, status: Status) -> str:
    """How many epochs early stopping has saved, as a further sentence; empty where none, or where minutes decided."""
    planned = recipe.head_epochs + recipe.fine_tune_epochs + sum(recipe.more_epochs)
    saved = planned - (status.epochs or planned)
    if status.state != FINISHED or saved <= 0 or not recipe.early_stopping or recipe.minutes:
        return ""
    waited = tr_plural("{count} epoch", "{count} epochs", recipe.early_stopping)
    return tr_plural(
        "Training ended {count} epoch early: the validation loss had not improved for {epochs}.",
        "Training ended {count} epochs early: the validation loss had not improved for {epochs}.",
        saved,
        epochs=waited,
    )


def group_runs(rows: Iterable[LoadedRun]) -> list[tuple[str, list[LoadedRun]]]:
    """Runs that were started together under the name of their group, each other one alone under none, newest first."""
    found: list[tuple[str, list[LoadedRun]]] = []
    members: dict[str, list[LoadedRun]] = {}
    for row in rows:
        group = row.run.read_label().group
        if group and group in members:
            members[group].append(row)
        else:
            found.append((group, [row]))
            members[group] = found[-1][1]
    return found


def setting_text(value: Any) -> str:
    """A value of a recipe or of the environment, for a table."""
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or tr("none")
    if isinstance(value, dict):
        return ", ".join(f"{name} {setting_text(choice)}" for name, choice in value.items()) or tr("none")
    if isinstance(value, Choice):
        return tr(
            "{strength} (probability {probability})",
            strength=f"{value.strength:g}",
            probability=f"{value.probability:g}",
        )
    return f"{value:g}" if isinstance(value, float) else str(value)
