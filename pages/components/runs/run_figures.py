"""The curves of a run, as data and as Vega-Lite specifications. Knows nothing of Streamlit.

A specification depends on nothing that ticks: what moves, such as the ends of the axes and the words at the ends of the
lines, is data. So the chart's node on the page is updated rather than replaced. Specifications are plain, because
building and checking them through Altair costs a tenth of a processor at one tick a second.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.formatting import whole
from core.language import number, tr, tr_context, tr_mark
from pages.components.shared.colours import ANSWER, LEARNS

TRAINING, VALIDATION, FINE_TUNING, GUESSING, KEPT, WORDS, FRAME = (
    "training",
    "validation",
    "fine-tuning",
    "guessing",
    "kept",
    "words",
    "frame",
)
"""The kinds of rows: two curves, two rules, the kept epoch, the words at the ends, and the corners of the picture."""

NAMES = {TRAINING: tr_mark("training"), VALIDATION: tr_mark("validation"), FINE_TUNING: tr_mark("fine-tuning")}
"""What is called by its name."""

COLUMNS = ["position", "value", "curve", "text", "name"]

ACCURACY, LOSS, RATE, SPEED = "accuracy", "loss", "learning_rate", "images_per_second"

MOST_POINTS = 400
"""As many points as a curve is drawn with; more are thinned, the newest is always kept."""

ROOM = 1.4
"""How far the axis of epochs goes, in relation to what is done: room for what comes next, and for words."""

LINE_OF_TEXT = 0.075
"""Height of a line of text in relation to that of a chart."""

ABOVE = 0.1
"""Room above the highest accuracy, in relation to the height of the chart, for the word at the kept epoch."""

STEP = 0.1
"""The axis of accuracies begins and ends at multiples of this, so that it seldom moves."""


@dataclass(frozen=True)
class _Measure:
    """How a measure is drawn: its name, Vega's expression of a value, the height of the chart in pixels, its axis."""

    words: str
    written: str
    height: int
    axis: Mapping[str, Any]


def _axis(title: str, scale: Mapping[str, Any], **axis: Any) -> dict[str, Any]:
    return {
        "field": "value",
        "type": "quantitative",
        "title": title,
        "scale": {"nice": False, **scale},
        "axis": {**INK_OF_AXIS, **axis},
    }


INK = "currentColor"
"""The colour of the page's text, light or dark: charts are drawn as SVG."""

INK_OF_AXIS: Mapping[str, Any] = {
    "labelColor": INK,
    "titleColor": INK,
    "labelOpacity": 0.8,
    "titleOpacity": 0.8,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titlePadding": 8,
    "labelPadding": 6,
}

WHOLE_PERCENT = "format(100 * datum.value, '.0f') + ' %'"
"""Vega's expression for the labels of an axis of shares, written as everywhere else."""

_MEASURES: Mapping[str, _Measure] = {
    ACCURACY: _Measure(
        tr_mark("accuracy"),
        "format(100 * datum.value, '.1f') + ' %'",
        250,
        _axis(tr_mark("accuracy"), {"zero": False}, labelExpr=WHOLE_PERCENT, tickCount=5),
    ),
    LOSS: _Measure(
        tr_mark("loss"),
        "format(datum.value, '.3f')",
        220,
        _axis(tr_mark("loss (cross-entropy)"), {"zero": True}, tickCount=5),
    ),
    RATE: _Measure(
        tr_mark("learning rate"),
        "format(datum.value, '.1e')",
        170,
        _axis(tr_mark("learning rate"), {"type": "log"}, format=".0e", tickCount=3, grid=False),
    ),
    SPEED: _Measure(
        tr_mark("images per second"),
        "format(datum.value, '.0f')",
        170,
        _axis(tr_mark("images per second"), {"zero": True}, tickCount=3),
    ),
}


@dataclass(frozen=True)
class Marks:
    """What is drawn besides the curves.

    Attributes:
        fine_tuning_from: The position, in epochs, at which fine-tuning began; None where it has not.
        guess: The accuracy of guessing; None where it is not known.
    """

    fine_tuning_from: float | None = None
    guess: float | None = None


def curve_data(rows: Sequence[Mapping[str, Any]], measure: str, marks: Marks) -> pd.DataFrame:
    """The curves of a measure in long form: position (in epochs), value, curve, text, the name of the curve.

    Args:
        rows: Lines of a run's metrics.
        measure: `ACCURACY`, `LOSS`, `RATE` or `SPEED`.
        marks: What is drawn besides.
    """
    training = _thinned([(row["position"], row[measure]) for row in rows if _drawable(row, measure)])
    validated = f"val_{measure}"
    validation = [(row["position"], row[validated]) for row in rows if validated in row]
    if not training and not validation:
        return pd.DataFrame([], columns=COLUMNS)
    end = ROOM * max(1, math.ceil(max(position for position, _ in (*training, *validation))))
    low, high = _ends(training, validation, measure, marks.guess)
    training = [(position, value) for position, value in training if low <= value <= high]
    found = [(position, value, TRAINING, "") for position, value in training]
    found += [(position, value, VALIDATION, "") for position, value in validation]
    if marks.fine_tuning_from is not None:
        found.append((marks.fine_tuning_from, low, FINE_TUNING, ""))
    if measure == ACCURACY and marks.guess is not None and low <= marks.guess:
        found += [(0.0, marks.guess, GUESSING, ""), (end, marks.guess, GUESSING, tr("guessing"))]
    if kept := _kept(rows, measure):
        found.append((*kept, KEPT, tr_context("epoch", "kept")))
    found += _words(training, validation, measure, high - low)
    found += [(0.0, low, FRAME, ""), (end, high, FRAME, "")]
    data = pd.DataFrame(found, columns=["position", "value", "curve", "text"])
    return data.assign(name=data["curve"].map({name: tr(words) for name, words in NAMES.items()}).fillna(""))


Points = Sequence[tuple[float, float]]


def _drawable(row: Mapping[str, Any], measure: str) -> bool:
    return measure in row and (measure != RATE or row[measure] > 0)  # its axis has no 0


def _thinned(points: Points) -> Points:
    step = -(-len(points) // MOST_POINTS) or 1
    return points[::-1][::step][::-1]


def _ends(training: Points, validation: Points, measure: str, guess: float | None) -> tuple[float, float]:
    """The lowest and the highest value on the axis.

    Accuracies lie where those of validation are, and of training from the first epoch on; guessing is drawn where that
    takes little room.
    """
    values = [value for _, value in (*training, *validation)]
    if measure != ACCURACY:
        return (min(values) if measure == RATE else 0.0), max(values)
    later = [value for position, value in training if position >= 1 or len(validation) < 2]
    values = [*(value for _, value in validation), *later] or values
    high = min(1.0, math.ceil((max(values) + 0.01) / STEP) * STEP)
    low = max(0.0, min(math.floor((min(values) - 0.02) / STEP) * STEP, high - 2 * STEP))
    near = guess is not None and low - 2 * STEP <= guess < low
    low = max(0.0, math.floor((guess or 0.0) / STEP - 0.01) * STEP) if near else low
    return low, high + ABOVE * (high - low)


def _kept(rows: Sequence[Mapping[str, Any]], measure: str) -> tuple[float, float] | None:
    """Where the validation is whose model is kept: the first with the lowest loss."""
    found = [row for row in rows if "val_loss" in row and f"val_{measure}" in row]
    if not found:
        return None
    best = min(found, key=lambda row: float(row["val_loss"]))
    return float(best["position"]), float(best[f"val_{measure}"])


def _words(training: Points, validation: Points, measure: str, height: float) -> list[tuple[float, float, str, str]]:
    """The name and the last value of each curve, at its end; pushed apart where they would cover each other."""
    if measure not in (ACCURACY, LOSS):
        return []
    ends = [(points[-1], name) for points, name in ((training, TRAINING), (validation, VALIDATION)) if points]
    heights = [value for (_, value), _ in ends]
    if len(ends) == 2 and abs(heights[0] - heights[1]) < LINE_OF_TEXT * height:
        middle, apart = sum(heights) / 2, LINE_OF_TEXT * height / 2
        heights = [middle + apart, middle - apart] if heights[0] > heights[1] else [middle - apart, middle + apart]
    right = max(position for (position, _), _ in ends)
    return [
        (right, placed, WORDS, tr("{curve} {value}", curve=tr(NAMES[name]), value=_written(value, measure)))
        for ((_, value), name), placed in zip(ends, heights, strict=True)
    ]


def _written(value: float, measure: str) -> str:
    return whole(value) if measure == ACCURACY else number(value, 2)


def curve_chart(measure: str) -> dict[str, Any]:
    """Vega-Lite specification of a measure over epochs, for the data of `curve_data`."""
    position = {"field": "position", "type": "quantitative"}
    x = {
        **position,
        "title": tr("epoch"),
        "scale": {"zero": True, "nice": False},
        "axis": {**INK_OF_AXIS, "tickMinStep": 1, "tickCount": 7, "format": "d", "grid": False},
    }
    drawn = _MEASURES[measure]
    value = {"field": "written", "type": "nominal", "title": tr(drawn.words)}
    tooltip = [
        {"field": "name", "type": "nominal", "title": tr("curve")},
        {**position, "title": tr("epoch"), "format": ".2f"},
        value,
    ]
    place = {"x": x, "y": {**drawn.axis, "title": tr(str(drawn.axis["title"]))}}
    curve = {**place, "tooltip": tooltip}
    text = {"field": "text", "type": "nominal"}
    word = {"type": "text", "align": "left", "dx": 11, "color": INK, "fontSize": 12}
    return {
        "height": drawn.height,
        "usermeta": {"embedOptions": {"renderer": "svg"}},
        "transform": [{"calculate": drawn.written, "as": "written"}],
        "layer": [
            _layer({"type": "point", "opacity": 0, "size": 1, "tooltip": None}, place, FRAME),
            _layer({"type": "rule", "strokeDash": [5, 4], "color": LEARNS, "strokeWidth": 2}, {"x": x}, FINE_TUNING),
            _layer(
                {**word, "text": tr(NAMES[FINE_TUNING]), "dy": -8, "dx": 5},
                {"x": x, "y": {"value": "height"}},
                FINE_TUNING,
            ),
            _layer({"type": "line", "strokeDash": [2, 4], "color": INK, "opacity": 0.6}, place, GUESSING),
            _layer({**word, "align": "right", "dx": -2, "dy": -8, "opacity": 0.8}, {**place, "text": text}, GUESSING),
            _layer({"type": "line", "strokeWidth": 1.5, "color": INK, "opacity": 0.5}, curve, TRAINING),
            _layer({"type": "line", "strokeWidth": 2.5, "color": ANSWER}, curve, VALIDATION),
            _layer({"type": "point", "filled": True, "size": 45, "opacity": 1, "color": ANSWER}, curve, VALIDATION),
            _layer({"type": "point", "size": 230, "strokeWidth": 2, "color": INK, "opacity": 1}, place, KEPT),
            _layer({**word, "align": "center", "dx": 0, "dy": -17}, {**place, "text": text}, KEPT),
            _layer({**word, "fontWeight": 600}, {**place, "text": text}, WORDS),
        ],
    }


def _layer(mark: dict[str, Any], encoding: dict[str, Any], *curves: str) -> dict[str, Any]:
    """One layer of a chart, drawn from the rows of these curves; the chart is described as a whole."""
    chosen = {"filter": {"field": "curve", "oneOf": list(curves)}}
    return {"mark": {**mark, "aria": False}, "encoding": encoding, "transform": [chosen]}
