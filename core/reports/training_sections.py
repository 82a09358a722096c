"""The sections of a report on how a model was trained, and on how it learned."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from core.evaluation.training_dynamics import TrainingDynamics
from core.formatting import percent, photos
from core.reports import charts as drawings
from core.reports.blocks import side_by_side, table
from core.reports.facts import ReportFacts

OFF = ("0", "no", "none", "–")
"""Values of choices that are not made use of."""


def recipe(facts: ReportFacts) -> str:
    """The phases of the training, and the choices."""
    steps = [
        [s.words, f"{s.epochs}", s.learns, np.format_float_positional(s.learning_rate, trim="-")]
        for s in facts.context.steps
    ]
    phases = table(
        "The phases of the training", ("phase", "epochs planned", "what learns", "learning rate at most"), steps
    )
    way = f"<p>{escape(facts.status.way)}</p>" if facts.status.way else ""
    return (
        "<p>In an epoch the network sees every training photo once. It names the photo, compares that with the label,"
        f" and changes its weights a little so that it comes closer.</p>{phases}{way}<h3>Choices</h3>"
        f'{side_by_side(facts.context.recipe, ("choice", "value"))}<p class="soft">{escape(_usual(facts))}</p>'
    )


def _usual(facts: ReportFacts) -> str:
    """The choices that were left as they are, and what is switched off."""
    known = facts.context.usual
    kept = [f"{title} {value}" for title, value in known if value not in OFF]
    unused = [title for title, value in known if value in OFF]
    sentences = (
        f"{words}: {', '.join(names)}." for words, names in (("As usual", kept), ("Not used", unused)) if names
    )
    return " ".join(sentences)


def learning(facts: ReportFacts) -> str:
    """Curves, the epoch that was kept, and when photos were learned."""
    rows = facts.metrics
    if not any("loss" in row for row in rows):
        return "<p>It ended before anything was measured.</p>"
    key = (
        '<p class="key"><span><svg viewBox="0 0 32 12" class="chart" aria-hidden="true"><g class="training"><polyline'
        ' points="0,6 32,6"/></g></svg>training: on changed photos while it learns, smoothed</span> <span><svg'
        ' viewBox="0 0 32 12" class="chart" aria-hidden="true"><g class="validation"><polyline points="0,6 32,6"/>'
        '<circle cx="16" cy="6" r="4"/></g></svg>validation: on photos kept apart</span></p>'
    )
    return (
        f'<div class="charts">{_curve(facts, "accuracy")}{_curve(facts, "loss")}</div>{key}'
        "<p>Loss measures how wrong the answers are, and how sure of it; lower is better. Where training goes on"
        " getting better and validation does not, the network begins to learn its training photos by heart.</p>"
        f"<p>{escape(_kept(facts))}</p>{''.join(f'<p>{escape(each)}</p>' for each in _history(facts.timeline))}"
    )


def _curve(facts: ReportFacts, measure: str) -> str:
    rows, validated = facts.metrics, f"val_{measure}"
    training = drawings.thinned([(row["position"], row[measure]) for row in rows if measure in row])
    validation = drawings.thinned([(row["position"], row[validated]) for row in rows if validated in row])
    values = [value for _, value in (*training, *validation)]
    up = drawings.percents(min(values)) if measure == "accuracy" else drawings.losses(max(values))
    across = drawings.Axis(0.0, max(1, facts.status.epochs), "epoch", drawings.whole_numbers)
    lines = (drawings.Line("training", training), drawings.Line("validation", validation))
    picture = drawings.curves(lines, across, up, _rules(facts), _curve_alt(measure, validation))
    return f"<figure><p>{measure.capitalize()}</p>{picture}</figure>"


def _rules(facts: ReportFacts) -> list[tuple[float, str]]:
    """The epochs at which fine-tuning began and from which the model was kept."""
    begun = [row["epoch"] - 1 for row in facts.metrics if row["phase"] == "fine-tune" and row["epoch"] > 1][:1]
    best = facts.status.best_epoch
    return [*((each, "fine-tuning") for each in begun), *([(best, "kept")] if best is not None else [])]


def _curve_alt(measure: str, validation: Sequence[tuple[float, float]]) -> str:
    lead = f"{measure.capitalize()} over epochs, training and validation."
    if not validation:
        return lead
    say = percent if measure == "accuracy" else "{:.3g}".format
    return f"{lead} Validation goes from {say(validation[0][1])} to {say(validation[-1][1])}."


def _kept(facts: ReportFacts) -> str:
    status = facts.status
    if status.best_epoch is None or status.best_val_accuracy is None:
        return "It was stopped before its first validation, so the model is what it was at that moment."
    return (
        f"The model kept is that of epoch {status.best_epoch} of {status.epochs}, the one with the lowest validation"
        f" loss (validation accuracy {percent(status.best_val_accuracy)})."
    )


def _history(found: TrainingDynamics | None) -> Iterator[str]:
    """When validation photos were learned, in a sentence."""
    if found is None or not len(found.epochs) or not found.paths:
        return
    learned, count = found.learned_at(), len(found.paths)
    first, never = int((learned == 0).sum()), int((learned == len(found.epochs)).sum())
    forgotten = int((found.forgotten() > 0).sum())
    yield (
        f"Of {photos(count, 'validation')}, it named {first:,} rightly from the first validation to the last,"
        f" learned {count - first - never:,} later, and was wrong about {never:,} at the end. At some time it forgot"
        f" {forgotten:,} that it had named rightly before."
    )
