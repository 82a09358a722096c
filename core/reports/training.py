"""What a report shows of a training: its phases, its curves, and when it learned which photos."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields

import numpy as np
from markupsafe import Markup

from core.evaluation.training_dynamics import TrainingDynamics
from core.formatting import percent
from core.language import sentences, tr, tr_mark
from core.models.backbones import backbone
from core.recipe.plan import phases_of
from core.recipe.recipe import Recipe
from core.recipe.wording import describe_recipe, describe_value, title_of
from core.reports import charts
from core.reports.facts import ReportFacts
from core.runs.messages import text_of

ALWAYS_SHOWN = (
    "backbone",
    "weights",
    "unfreeze_point",
    "head_epochs",
    "fine_tune_epochs",
    "head_learning_rate",
    "fine_tune_learning_rate",
    "batch_size",
    "optimizer",
    "schedule",
    "dropout",
    "seed",
    "split_seed",
)
"""Choices that are shown first even where they are the usual ones."""

OFF = (False, 0, 0.0, "none", "", ())
"""Values of choices that are switched off."""

NEVER_OFF = ("unlabelled", "photos_per_class")
"""Choices that say something with such a value, too."""

MEASURES = {"accuracy": tr_mark("Accuracy"), "loss": tr_mark("Loss")}
"""What is measured, as it is shown."""


@dataclass(frozen=True)
class Choices:
    """The choices of a recipe.

    Attributes:
        shown: Those that matter most or were changed, as title and value.
        usual: The others, each as its title with its value.
        unused: The titles of those that are switched off.
    """

    shown: tuple[tuple[str, str], ...]
    usual: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """Of so many validation photos, how many were always classified correctly, later than at first, or not at the end,
    and how many were forgotten at some point."""

    photos: int
    always: int
    later: int
    never: int
    forgotten: int


def phases(recipe: Recipe) -> list[tuple[str, str, str, str]]:
    """Each phase: its name, its epochs, what learns, and the highest learning rate."""
    return [
        (
            text_of(each.message),
            f"{each.epochs}",
            describe_value("unfreeze_point", each.unfreeze_point),
            np.format_float_positional(each.learning_rate, trim="-"),
        )
        for each in phases_of(recipe, backbone(recipe.backbone))
    ]


def choices(recipe: Recipe) -> Choices:
    """The choices of a recipe, sorted by whether a reader needs to see them."""
    usual = {
        title_of(each.name): describe_value(each.name, each.default)
        for each in fields(recipe)
        if each.name not in ALWAYS_SHOWN and each.default is not MISSING
    }
    off = {title_of(each.name) for each in fields(recipe) if each.name not in NEVER_OFF and each.default in OFF}
    pairs = describe_recipe(recipe).items()
    kept = [(title, value) for title, value in pairs if usual.get(title) == value]
    return Choices(
        tuple((title, value) for title, value in pairs if usual.get(title) != value),
        tuple(tr("{choice} {value}", choice=title, value=value) for title, value in kept if title not in off),
        tuple(title for title, value in kept if title in off),
    )


def curves(facts: ReportFacts) -> list[tuple[str, Markup]]:
    """Accuracy and loss over epochs, each with its title; nothing where nothing was measured."""
    if not any("loss" in row for row in facts.metrics):
        return []
    return [(tr(title), _curve(facts, measure)) for measure, title in MEASURES.items()]


def _curve(facts: ReportFacts, measure: str) -> Markup:
    rows, validated = facts.metrics, f"val_{measure}"
    training = charts.thinned([(row["position"], row[measure]) for row in rows if measure in row])
    validation = charts.thinned([(row["position"], row[validated]) for row in rows if validated in row])
    values = [value for _, value in (*training, *validation)]
    up = charts.percents(min(values)) if measure == "accuracy" else charts.losses(max(values))
    across = charts.Axis(0.0, max(1, facts.status.epochs), tr("epoch"), charts.whole_numbers)
    lines = (charts.Line("training", training), charts.Line("validation", validation))
    return charts.curves(lines, across, up, _rules(facts), _curve_alt(measure, validation))


def _rules(facts: ReportFacts) -> list[tuple[float, str]]:
    """The epochs at which fine-tuning began and from which the model was kept."""
    begun = [row["epoch"] - 1 for row in facts.metrics if row["phase"] == "fine-tune" and row["epoch"] > 1][:1]
    best = facts.status.best_epoch
    return [*((each, tr("fine-tuning")) for each in begun), *([(best, tr("kept"))] if best is not None else [])]


def _curve_alt(measure: str, validation: Sequence[tuple[float, float]]) -> str:
    lead = tr("{measure} over epochs, training and validation.", measure=tr(MEASURES[measure]))
    if not validation:
        return lead
    say = percent if measure == "accuracy" else "{:.3g}".format
    first, last = say(validation[0][1]), say(validation[-1][1])
    return sentences(lead, tr("Validation goes from {first} to {last}.", first=first, last=last))


def learned(found: TrainingDynamics | None) -> Learned | None:
    """When validation photos were learned; None where that is not known."""
    if found is None or not len(found.epochs) or not found.paths:
        return None
    since, count = found.learned_at(), len(found.paths)
    always, never = int((since == 0).sum()), int((since == len(found.epochs)).sum())
    return Learned(count, always, count - always - never, never, int((found.forgotten() > 0).sum()))
