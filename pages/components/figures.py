"""Data frames to pictures: Plotly for what stands still, Vega for what ticks. Knows nothing of Streamlit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.data.split import PARTS

BLUE, ORANGE, GREEN, GREY = "#2b93c4", "#e07b28", "#3d9b6d", "#8a8f94"
PART_COLOURS = dict(zip(PARTS, (BLUE, ORANGE, GREEN), strict=True))
ROW_PIXELS = 26
TRAINING, VALIDATION, FINE_TUNING = "training", "validation", "fine-tuning"
MOST_POINTS = 400
"""As many points as a curve is drawn with; more are thinned, the newest is always kept."""


def class_counts(class_names: Sequence[str], labels: NDArray[np.int32], parts: NDArray[np.int8]) -> go.Figure:
    """Photos per class, one bar a class, divided into the parts of the split."""
    figure = go.Figure()
    for number, part in enumerate(PARTS):
        counts = np.bincount(labels[parts == number], minlength=len(class_names))
        figure.add_bar(
            y=list(class_names),
            x=counts,
            name=part,
            orientation="h",
            marker_color=PART_COLOURS[part],
            hovertemplate="%{y}: %{x} photos for " + part + "<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=min(900, 110 + ROW_PIXELS * len(class_names)),
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": "photos", "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True, "type": "category", "ticksuffix": "  "},
    )
    return figure


def curve_data(rows: Sequence[dict[str, Any]], measure: str, fine_tuning_from: float | None) -> pd.DataFrame:
    """Training and validation points of "loss" or "accuracy" in long form: position (epochs), value, curve.

    Where fine-tuning began is a row as well, with the curve "fine-tuning", so that the chart's structure never changes.
    """
    training = [(row["position"], row[measure], TRAINING) for row in rows if measure in row]
    step = -(-len(training) // MOST_POINTS) or 1
    thinned = training[::-1][::step][::-1]
    validated = f"val_{measure}"
    validation = [(row["position"], row[validated], VALIDATION) for row in rows if validated in row]
    begun = [] if fine_tuning_from is None else [(fine_tuning_from, 0.0, FINE_TUNING)]
    return pd.DataFrame([*thinned, *validation, *begun], columns=["position", "value", "curve"])


def curve_chart(measure: str, epochs: int) -> dict[str, Any]:
    """Vega-Lite specification of loss or accuracy over epochs, for the data of `curve_data`.

    Training is a line, validation a line with dots, a dashed rule shows where fine-tuning began. It depends on nothing
    that ticks, so the chart's node on the page is updated rather than replaced. A plain specification, because
    building and checking it through Altair costs a tenth of a processor at one tick a second.
    """
    position = {"field": "position", "type": "quantitative"}
    x = {
        **position,
        "title": "epoch",
        "scale": {"domain": [0, max(1, epochs)]},
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
    }
    colour = {
        "field": "curve",
        "type": "nominal",
        "scale": {"domain": [TRAINING, VALIDATION], "range": [BLUE, ORANGE]},
        "legend": {"title": None, "orient": "top"},
    }
    tooltip = [
        {"field": "curve", "type": "nominal"},
        {**position, "title": "epoch", "format": ".2f"},
        {"field": "value", "type": "quantitative", "title": measure, "format": ".3f"},
    ]
    curve = {"x": x, "y": _VALUE_AXES[measure], "color": colour, "tooltip": tooltip}
    return {
        "height": 280,
        "layer": [
            _layer({"type": "line", "strokeWidth": 2, "clip": True}, curve, TRAINING, VALIDATION),
            _layer({"type": "point", "filled": True, "size": 60, "opacity": 1}, curve, VALIDATION),
            _layer({"type": "rule", "strokeDash": [5, 4], "color": GREY}, {"x": x}, FINE_TUNING),
            _layer(
                {
                    "type": "text",
                    "align": "left",
                    "dx": 5,
                    "color": GREY,
                    "text": FINE_TUNING,
                    **_LABEL_SHIFTS[measure],
                },
                {"x": x, "y": _LABEL_ENDS[measure]},
                FINE_TUNING,
            ),
        ],
    }


def _layer(mark: dict[str, Any], encoding: dict[str, Any], *curves: str) -> dict[str, Any]:
    """One layer of a chart, drawn from the rows of these curves."""
    chosen = {"filter": {"field": "curve", "oneOf": list(curves)}}
    return {"mark": mark, "encoding": encoding, "transform": [chosen]}


# The word at the rule stands where the curves are not: accuracy ends at the top, loss at the bottom.
_LABEL_ENDS: dict[str, Any] = {"accuracy": {"value": "height"}, "loss": {"value": 0}}
_LABEL_SHIFTS: dict[str, Any] = {"accuracy": {"dy": -8}, "loss": {"dy": 8}}
_VALUE_AXES: dict[str, dict[str, Any]] = {
    "accuracy": {
        "field": "value",
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%"},
    },
    "loss": {
        "field": "value",
        "type": "quantitative",
        "title": "loss (cross-entropy, nats)",
        "scale": {"zero": True},
    },
}
