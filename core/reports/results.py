"""What a report shows of a model's test: its accuracy, its classes, its confusion matrix and its calibration."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from core.evaluation.calibration import Reliability, reliability, trust, with_temperature
from core.evaluation.metrics import Evaluation, accuracy_interval, class_scores, most_mistaken
from core.formatting import percent, photos, whole
from core.language import tr
from core.reports import charts

MOST_CLASSES = 40
"""A table has at most so many rows of classes; of more classes those that matter most."""

MOST_CELLS, MOST_NAMED_COLUMNS = 12, 6
"""The confusion matrix has at most so many classes; from more than the second number on, columns have numbers."""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix of M classes.

    Attributes:
        names: M names.
        rows: M rows of M cells: "right", "wrong" or "none", how full the colour is, 0 to 1, and the count.
        numbered: Whether columns are headed by numbers because their names would not fit.
        shortened: Whether there are more classes.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, float, int], ...], ...]
    numbered: bool
    shortened: bool


@dataclass(frozen=True)
class Calibrated:
    """How far percentages can be trusted.

    Attributes:
        trust: A sentence on it.
        error: The expected calibration error, 0 to 1.
        chart: The reliability diagram.
        temperature: The one that fits the validation photos best; None where there are none.
        scaled_error: The error at that temperature; that without where there is none.
    """

    trust: str
    error: float
    chart: Markup
    temperature: float | None
    scaled_error: float


def class_rows(found: Evaluation) -> list[tuple[str, int, str, Markup, str]]:
    """How well each class is recognised; of very many classes those with the lowest F1.

    For each its name, its test photos, its recall in percent and as a bar, and its precision; "–" where unknown.
    """
    scores = class_scores(found.confusion)
    shown = np.arange(len(found.class_names))
    if len(shown) > MOST_CLASSES:
        shown = np.sort(np.argsort(scores.f1, kind="stable")[:MOST_CLASSES])
    rows = []
    for i in shown.tolist():
        hits, support = int(found.confusion[i, i]), int(scores.support[i])
        bar = charts.interval(hits / support, *accuracy_interval(hits, support)) if support else Markup()
        recall = percent(hits / support) if support else "–"
        precision = percent(float(scores.precision[i])) if scores.predicted[i] else "–"
        rows.append((found.class_names[i], support, recall, bar, precision))
    return rows


def confusion_matrix(found: Evaluation) -> Matrix:
    """The classes with the most mistakes against each other."""
    shown = most_mistaken(found.confusion, MOST_CELLS).tolist()
    supports = found.confusion.sum(1)
    rows = (tuple(_cell(int(found.confusion[i, j]), int(supports[i]), i == j) for j in shown) for i in shown)
    names = tuple(found.class_names[i] for i in shown)
    return Matrix(names, tuple(rows), len(shown) > MOST_NAMED_COLUMNS, len(shown) < len(found.class_names))


def _cell(count: int, support: int, right: bool) -> tuple[str, float, int]:
    kind = "right" if right else "wrong" if count else "none"
    return (kind, 0.75 * (count / max(1, support)) ** 0.5, count)


def calibrated(found: Evaluation, temperature: float | None) -> Calibrated:
    """How well confidence and accuracy agree, and how well they would at a temperature."""
    before = reliability(found.probabilities, found.labels)
    alt = tr("Accuracy by confidence: {steps}", steps="; ".join(_steps(before)))
    scaled = found.probabilities if temperature is None else with_temperature(found.probabilities, temperature)
    after = reliability(scaled, found.labels).error
    return Calibrated(trust(before), before.error, charts.reliability(before, alt), temperature, after)


def _steps(found: Reliability) -> Iterator[str]:
    for sure, right, count in zip(found.confidence, found.accuracy, found.counts, strict=True):
        yield tr(
            "{confidence} confident, right in {accuracy} of {photos}",
            confidence=whole(float(sure)),
            accuracy=whole(float(right)),
            photos=photos(int(count)),
        )
