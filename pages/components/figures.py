"""Data frames to pictures: Plotly for what stands still, Vega for what ticks. Knows nothing of Streamlit."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.data.split import PARTS

BLUE, ORANGE, GREEN = "#2b93c4", "#e07b28", "#3d9b6d"
PART_COLOURS = dict(zip(PARTS, (BLUE, ORANGE, GREEN), strict=True))
ROW_PIXELS = 26
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


def curve_data(rows: Sequence[dict[str, Any]], measure: str) -> pd.DataFrame:
    """Training and validation points of "loss" or "accuracy" in long form: epoch, value, curve."""
    columns = ["position", "value", "curve"]
    training = [(row["position"], row[measure], "training") for row in rows if measure in row]
    step = -(-len(training) // MOST_POINTS) or 1
    thinned = training[::-1][::step][::-1]
    validated = f"val_{measure}"
    validation = [(row["position"], row[validated], "validation") for row in rows if validated in row]
    return pd.DataFrame([*thinned, *validation], columns=columns)


def live_curves(
    rows: Sequence[dict[str, Any]], measure: str, epochs: int, fine_tuning_from: float | None
) -> alt.LayerChart | alt.FacetChart:
    """Loss or accuracy over epochs: training as a line, validation as a line with dots.

    A dashed rule shows where fine-tuning began. The chart's structure never changes with its data, so its node on the
    page is updated rather than replaced.
    """
    colours = alt.Scale(domain=["training", "validation"], range=[BLUE, ORANGE])
    x = alt.X(
        "position:Q",
        title="epoch",
        scale=alt.Scale(domain=[0, max(1, epochs)]),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    accuracy = measure == "accuracy"
    y = alt.Y(
        "value:Q",
        title="accuracy" if accuracy else "loss (cross-entropy, nats)",
        scale=alt.Scale(domain=[0, 1]) if accuracy else alt.Scale(zero=True),
        axis=alt.Axis(format=".0%") if accuracy else alt.Axis(),
    )
    base = alt.Chart(curve_data(rows, measure)).encode(
        x=x,
        y=y,
        color=alt.Color("curve:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("curve:N", title="curve"),
            alt.Tooltip("position:Q", title="epoch", format=".2f"),
            alt.Tooltip("value:Q", title=measure, format=".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2, clip=True)
    dots = base.transform_filter("datum.curve == 'validation'").mark_point(filled=True, size=60, opacity=1)
    marks = [(fine_tuning_from, "fine-tuning")] if fine_tuning_from is not None else []
    rule_data = alt.Chart(pd.DataFrame(marks, columns=["position", "label"]))
    rule = rule_data.mark_rule(strokeDash=[5, 4], color="#8a8f94").encode(x="position:Q")
    words = rule_data.mark_text(align="left", dx=5, y=8, color="#8a8f94").encode(x="position:Q", text="label:N")
    return alt.layer(lines, dots, rule, words).properties(height=280)
