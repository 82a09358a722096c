"""A report of a run as one HTML file, to be read on a screen, printed and handed in.

It is self-contained: charts are SVG, photos are embedded as small JPEG files. It has no script, requests nothing from
anywhere, and forbids browsers both. Names of classes and files may be anything; the
template escapes all text. A name, a date and what somebody noticed can be typed into it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.evaluation.metrics import most_confused
from core.language import number, tr
from core.reports import model_card, results, training
from core.reports.facts import ReportFacts
from core.reports.results import MOST_CLASSES
from core.reports.templates import render

FEW_EXAMPLES = 3
"""Fewer photos of each class do not make a row."""

SHORT = 14
"""A table of so many rows is not divided between pages."""

PAIRS = 5
"""How many pairs of confused classes are named."""


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        html: The whole file.
        sections: How many sections it has.
        photos: How many photos it shows.
        gone: How many could not be read, and are named instead.
    """

    html: str
    sections: int
    photos: int
    gone: int


def report_of(facts: ReportFacts) -> Report:
    """Write the report."""
    sections = tuple(_sections(facts))
    html = render(
        "report.html.jinja", facts=facts, sections=sections, short=SHORT, **_shown(facts), **_shown_of_test(facts)
    )
    wanted = [photo for shown in (*facts.examples.values(), facts.mistakes, facts.suspects) for photo in shown]
    there = sum(bool(photo.jpeg) for photo in wanted)
    return Report(html.strip().replace(" %", "\u00a0%"), len(sections), there, len(wanted) - there)


def _sections(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    """The sections that have something to say: the name of the place in the file, and the title."""
    found, context = facts.card.evaluation, facts.context
    yield "card", tr("Model card")
    yield "data", tr("The data")
    yield "recipe", tr("How it was trained")
    yield "learning", tr("How it learned")
    if found is not None:
        yield "results", tr("What it gets right and wrong")
        if not found.right.all():
            yield "mistakes", tr("Photos it got wrong")
        yield "calibration", tr("Can you trust its percentages?")
    if context.suspects is not None or context.decisions:
        yield "labels", tr("Are the labels right?")
    yield "noticed", tr("What I noticed")
    if facts.left_out:
        yield "left-out", tr("Photos that were left out")
    if facts.environment:
        yield "environment", tr("Versions and hardware")


def _shown(facts: ReportFacts) -> dict[str, Any]:
    """What is computed for the data and the training."""
    examples = {name: shown for name, shown in facts.examples.items() if shown}
    return {
        "card_sections": model_card.card(facts.card),
        "class_counts": _class_counts(facts),
        "most_classes": MOST_CLASSES,
        "shortened": len(facts.card.class_names) > MOST_CLASSES,
        "examples": examples,
        "rows_of_examples": max(map(len, examples.values()), default=0) >= FEW_EXAMPLES,
        "phases": training.phases(facts.recipe),
        "choices": training.choices(facts.recipe),
        "curves": training.curves(facts),
        "learned": training.learned(facts.dynamics),
        "environment": [(name, _plain(value)) for name, value in facts.environment.items()],
    }


def _shown_of_test(facts: ReportFacts) -> dict[str, Any]:
    """What is computed for the test."""
    test = facts.card.evaluation
    if test is None:
        return {}
    return {
        "class_rows": results.class_rows(test),
        "matrix": results.confusion_matrix(test),
        "confusions": [
            model_card.confused_words(pair, test.class_names) for pair in most_confused(test.confusion, PAIRS)
        ],
        "calibrated": results.calibrated(test, facts.temperature),
    }


def _class_counts(facts: ReportFacts) -> list[list[str]]:
    """Photos of each class by subset and in total, and of all classes in the last row; of very many the largest."""
    card = facts.card
    shown = np.arange(len(card.class_names))
    if len(shown) > MOST_CLASSES:
        shown = np.argsort(-card.counts.sum(1), kind="stable")[:MOST_CLASSES]
    named = [*((card.class_names[i], card.counts[i]) for i in shown), (tr("all classes"), card.counts.sum(0))]
    return [[name, *(number(count) for count in (*counts, counts.sum()))] for name, counts in named]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or tr("none")
    return value if isinstance(value, str) else json.dumps(value)
