"""Pictures of comparisons: curves of several runs, accuracies with their intervals, series of runs.

Knows nothing of Streamlit. What a row of a picture is called stands above it, so that long names have room on a phone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.evaluation.photo_curve import Curve, Forecast
from core.formatting import percent
from core.language import number, tr, tr_mark
from pages.components.shared.colours import ANSWER, OTHER, SERIES, SYMBOLS
from pages.components.shared.figures import share_axis

MOST_RUNS = len(SERIES)
ROW_PIXELS = 50
NAME_ABOVE, PUBLISHED_BELOW = 0.42, 0.2
"""How far from a row's dots its name and the published figures stand; rows are 1 apart."""

LOG_ROOM, LOG_GAP = 1.25, 1.4
"""On a log axis: how far it goes on behind what is drawn, and between ticks that have room, as factors."""

CUTS = {
    "circle": "circle(46%)",
    "square": "inset(8%)",
    "triangle-up": "polygon(50% 4%,100% 92%,0 92%)",
    "diamond": "polygon(50% 0,100% 50%,50% 100%,0 50%)",
    "cross": "polygon(33% 0,67% 0,67% 33%,100% 33%,100% 67%,67% 67%,67% 100%,33% 100%,33% 67%,0 67%,0 33%,33% 33%)",
    "triangle-down": "polygon(50% 96%,100% 8%,0 8%)",
    "triangle-right": "polygon(96% 50%,8% 100%,8% 0)",
    "triangle-left": "polygon(4% 50%,92% 0,92% 100%)",
}
"""The shapes of a legend, as CSS cuts them out."""

AXES: Mapping[str, str] = {
    "val_accuracy": tr_mark("validation accuracy"),
    "val_loss": tr_mark("validation loss (cross-entropy)"),
}

ACCURACIES: Mapping[str, str] = {
    "validation": tr_mark("validation accuracy"),
    "test": tr_mark("test accuracy"),
}
"""What the accuracy on a subset is called."""


def legend(names: Sequence[str]) -> str:
    """HTML that says which colour and shape is which run, however long the names are."""
    keys = (
        f'<span style="display:inline-flex;gap:.45em;align-items:baseline"><i style="flex:none;width:.8em;height:.8em;'
        f'clip-path:{CUTS[symbol]};background:{colour}"></i>'
        f'<span style="overflow-wrap:anywhere">{escape(name)}</span></span>'
        for name, colour, symbol in zip(names, SERIES, SYMBOLS, strict=False)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.25rem 1.2rem;font-size:.9rem">{"".join(keys)}</div>'


def validation_points(rows: Sequence[Mapping[str, float]], name: str) -> pd.DataFrame:
    """The validations among a run's metrics: run, epoch, val_accuracy, val_loss."""
    found = [(name, row["position"], row["val_accuracy"], row["val_loss"]) for row in rows if "val_loss" in row]
    return pd.DataFrame(found, columns=["run", "epoch", "val_accuracy", "val_loss"])


def curves(points: pd.DataFrame, names: Sequence[str], measure: str) -> go.Figure:
    """ "val_accuracy" or "val_loss" over epochs, a line for each run in its colour and with its shape."""
    figure = go.Figure()
    accuracy = measure == "val_accuracy"
    hover = tr("epoch {epoch}: {value}", epoch="%{x:.3g}", value="%{text}")
    for name, colour, symbol in zip(names, SERIES, SYMBOLS, strict=False):
        mine = points[points.run == name]
        figure.add_scatter(
            x=mine.epoch,
            y=mine[measure],
            name=escape(name),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 9, "symbol": symbol},
            text=[percent(value) if accuracy else number(value, 3) for value in mine[measure]],
            hovertemplate=f"{hover}<extra>%{{fullData.name}}</extra>",
        )
    axis = share_axis(*_range(points[measure].tolist())) if accuracy else {"fixedrange": True}
    figure.update_layout(
        height=300,
        showlegend=False,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        xaxis={"title": tr("epoch"), "rangemode": "tozero", "fixedrange": True, "showgrid": False},
        yaxis={"title": tr(AXES[measure]), **axis},
    )
    return figure


def intervals(data: pd.DataFrame, title: str) -> go.Figure:
    """Accuracies as dots with whiskers; `data` has run, accuracy, low, high, one row a run, at most `MOST_RUNS`."""
    figure = go.Figure()
    ends = data[["accuracy", "low", "high"]].to_numpy(float)
    looks = zip(data.run, ends, SERIES, SYMBOLS, strict=False)
    for place, (name, (accuracy, low, high), colour, symbol) in enumerate(looks):
        figure.add_scatter(
            x=[accuracy],
            y=[place],
            name=escape(name),
            mode="markers",
            marker={"size": 13, "color": colour, "symbol": symbol},
            error_x={
                "array": [high - accuracy],
                "arrayminus": [accuracy - low],
                "color": colour,
                "thickness": 2.5,
                "width": 7,
            },
            text=[
                tr(
                    "{accuracy}, between {low} and {high}",
                    accuracy=percent(accuracy),
                    low=percent(low),
                    high=percent(high),
                )
            ],
            hovertemplate="%{fullData.name}<br>%{text}<extra></extra>",
        )
    _lay_out(figure, list(data.run), [percent(share) for share in ends[:, 0]], title, ends.ravel().tolist())
    figure.update_layout(showlegend=False)
    return figure


@dataclass(frozen=True)
class PhotoCurve:
    """Accuracy by training photos per class.

    Attributes:
        name: What is special to these runs; may be empty.
        measured: For each number of photos: itself, the accuracy, and the ends of its interval; ascending.
        curve: What was fitted.
        ahead: What it says for more photos than were measured.
    """

    name: str
    measured: Sequence[tuple[float, float, float, float]]
    curve: Curve
    ahead: Forecast


def photo_curves(drawn: Sequence[PhotoCurve], part: str) -> go.Figure:
    """Measured accuracies with whiskers, the fitted line, and dashed how it goes on; numbers of photos on a log axis.

    Args:
        drawn: At most `MOST_RUNS`.
        part: The subset of the accuracies, one of `ACCURACIES`.
    """
    figure = go.Figure()
    values: list[float] = []
    for one, colour, symbol in zip(drawn, SERIES, SYMBOLS, strict=False):
        ends = np.array(one.measured, float)
        most = ends[-1, 0]
        for start, end, dash in ((ends[0, 0], most, "solid"), (most, one.ahead.photos, "dash")):
            along = np.geomspace(start, end, 60)
            figure.add_scatter(
                x=along,
                y=one.curve.accuracy(along),
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash},
                hoverinfo="skip",
            )
        ahead = np.array([[one.ahead.photos, one.ahead.accuracy, one.ahead.low, one.ahead.high]])
        for rows, look in ((ends, symbol), (ahead, f"{symbol}-open")):
            photos, accuracy, low, high = rows.T
            values += [*low, *high]
            figure.add_scatter(
                x=photos,
                y=accuracy,
                name=escape(one.name),
                mode="markers",
                marker={"size": 11, "color": colour, "symbol": look, "line": {"color": colour, "width": 2}},
                error_y={
                    "array": high - accuracy,
                    "arrayminus": accuracy - low,
                    "color": colour,
                    "thickness": 1.5,
                    "width": 5,
                },
                text=[
                    tr(
                        "{photos} photos a class: {accuracy}, between {low} and {high}",
                        photos=number(round(row[0])),
                        accuracy=percent(row[1]),
                        low=percent(row[2]),
                        high=percent(row[3]),
                    )
                    for row in rows
                ],
                hovertemplate="%{text}<extra></extra>",
            )
    ticks = _apart([row[0] for one in drawn for row in (*one.measured, (one.ahead.photos,))])
    figure.update_layout(
        height=340,
        showlegend=False,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        xaxis={
            "type": "log",
            "title": tr("training photos per class"),
            "tickvals": ticks,
            "ticktext": [number(round(tick)) for tick in ticks],
            "range": [float(np.log10(ticks[0] / LOG_ROOM)), float(np.log10(ticks[-1] * LOG_ROOM))],
            "fixedrange": True,
            "showgrid": False,
        },
        yaxis={"title": tr(ACCURACIES[part]), **share_axis(*_range(values))},
    )
    return figure


def _apart(numbers: Sequence[float]) -> list[float]:
    """Of these numbers the least, the largest, and between them those that have room on a log axis; ascending."""
    order = sorted(set(numbers))
    kept = [order[-1]]
    for each in order[-2:0:-1]:
        if each * LOG_GAP <= kept[0] and order[0] * LOG_GAP <= each:
            kept.insert(0, each)
    return [order[0], *kept] if order[0] < kept[0] else kept


def series(
    data: pd.DataFrame,
    variants: Sequence[str],
    title: str,
    published: Mapping[str, tuple[float, float]],
    best_published: Mapping[str, float],
) -> go.Figure:
    """Runs of a series as dots, a row for each variant in the order planned, with mean and spread where there are more.

    Args:
        data: Columns variant, run, accuracy; one row for each run that has been measured.
        variants: What was planned.
        title: What is measured.
        published: Lowest and highest accuracy that others gave for a variant.
        best_published: What others gave as the highest of several variants: its name and the accuracy, a dotted line.
    """
    place = {variant: number for number, variant in enumerate(variants)}
    figure = go.Figure()
    _add_published(figure, place, published)
    figure.add_scatter(
        x=data.accuracy,
        y=data.variant.map(place),
        name=tr("a run"),
        mode="markers",
        text=[f"{escape(name)}: {percent(share)}" for name, share in zip(data.run, data.accuracy, strict=True)],
        marker={"color": ANSWER, "size": 11, "opacity": 0.7},
        hovertemplate="%{text}<extra></extra>",
    )
    spreads = data.groupby("variant", sort=False).accuracy.agg(["mean", "std", "count"])
    _add_means(figure, place, spreads[spreads["count"] > 1])
    for name, value in best_published.items():
        figure.add_vline(x=value, line={"color": OTHER, "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=value, y=1, yref="paper", yanchor="bottom", text=name, showarrow=False, font={"size": 12}
        )
    words = [percent(spreads["mean"][each]) if each in spreads.index else "–" for each in variants]
    ends = [end for pair in published.values() for end in pair]
    _lay_out(figure, variants, words, title, (*data.accuracy, *ends, *best_published.values()))
    top = {"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "itemclick": False}
    room = 88 if best_published else 36
    figure.update_layout(legend=top, margin={"t": room}, height=figure.layout.height + room)
    return figure


def _add_published(figure: go.Figure, place: Mapping[str, int], published: Mapping[str, tuple[float, float]]) -> None:
    hover = tr("published: {accuracy}", accuracy="%{text}")
    for order, (variant, (low, high)) in enumerate(published.items()):
        figure.add_scatter(
            x=[low, high],
            y=[place[variant] + PUBLISHED_BELOW] * 2,
            name=tr("published study"),
            legendgroup="published",
            showlegend=order == 0,
            mode="lines+markers",
            line={"color": OTHER, "width": 4},
            marker={"symbol": "diamond", "size": 9},
            text=[percent(low), percent(high)],
            hovertemplate=f"{hover}<extra></extra>",
        )


def _add_means(figure: go.Figure, place: Mapping[str, int], spreads: pd.DataFrame) -> None:
    if spreads.empty:
        return
    hover = tr("mean {accuracy}", accuracy="%{text}")
    figure.add_scatter(
        x=spreads["mean"],
        y=[place[variant] for variant in spreads.index],
        name=tr("mean ± standard deviation"),
        mode="markers",
        marker={"symbol": "line-ns", "size": 15, "line": {"color": SERIES[2], "width": 3}},
        error_x={"array": spreads["std"], "color": SERIES[2], "thickness": 2.5, "width": 0},
        text=[percent(share) for share in spreads["mean"]],
        hovertemplate=f"{hover}<extra></extra>",
    )


def _lay_out(
    figure: go.Figure, names: Sequence[str], words: Sequence[str], title: str, values: Sequence[float]
) -> None:
    """Rows from top to bottom, each with its name above it and its figure at the right end."""
    for place, (name, figure_in_words) in enumerate(zip(names, words, strict=True)):
        above = {"y": place - NAME_ABOVE, "xref": "paper", "yref": "y", "showarrow": False, "font": {"size": 13}}
        figure.add_annotation(x=0, xanchor="left", text=escape(name), **above)
        figure.add_annotation(x=1, xanchor="right", text=f"<b>{figure_in_words}</b>", **above)
    figure.update_layout(
        height=50 + ROW_PIXELS * len(names),
        margin={"l": 8, "r": 8, "t": 8, "b": 0},
        xaxis={"title": title, **share_axis(*_range(values))},
        yaxis={
            "range": [len(names) - 0.5, -0.75],
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Where the axis of accuracies begins and ends: around what there is, never narrower than a tenth."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(np.min(values)), float(np.max(values))
    room = max(0.02, (0.1 - (high - low)) / 2)
    return max(-0.02, low - room), min(1.02, high + room)
