"""Charts of an evaluation: scores of classes, confusion matrix, reliability, coverage, history, map.

Knows nothing of Streamlit. Right is blue, wrong is red; shapes and numbers repeat it.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.evaluation.calibration import Coverage, Reliability
from core.evaluation.metrics import ClassScores, accuracy_interval
from core.evaluation.training_dynamics import TrainingDynamics
from core.formatting import percent, photos, whole
from core.language import tr, tr_mark, tr_plural
from pages.components.shared.colours import (
    ANSWER,
    INK,
    OTHER,
    RIGHT_TINTS,
    SERIES,
    SYMBOLS,
    WRONG,
    WRONG_TINTS,
)
from pages.components.shared.figures import SMALLEST_TEXT, share_axis

MOST_ROWS = 20
"""Of more classes, only those with the lowest scores are drawn."""

MOST_CELLS = 20
"""Of more classes, only those with the most mistakes are in the confusion matrix."""

MOST_NUMBERS = 12
"""Of more classes, cells have no room for numbers."""

MOST_LIMITS = 1000
"""As many points as the curve of coverage is drawn with."""

MOST_COLOURS = len(SERIES)
"""The most classes with a colour and a shape of their own on the map."""

OTHERS = tr_mark("other classes")
LONGEST_NAME = 22
ROW_PIXELS, CELL_PIXELS = 46, 42
HIT_PIXELS = 30
ON_CELL = {"color": INK, "size": 15}
END = 1.02
"""Where an axis of shares ends: a whole mark for 100 % is inside."""

ANSWERED = (0.5, 0.9, 1.0)
"""Shares of photos with an answer at which the curve of coverage has its value beside it."""

LEGEND = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "itemclick": False, "itemdoubleclick": False}
MARGIN = {"l": 0, "r": 36, "t": 8, "b": 0}
MODEBAR = {"orientation": "v"}
"""The camera, which stands in the margin then and covers nothing."""


def saving_as(name: str) -> dict[str, Any]:
    """Plotly's configuration: a picture can be saved as an image of this name, and nothing else is offered."""
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }


def short(name: str) -> str:
    """A class's name as it fits beside a picture."""
    return escape(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def scores(found: ClassScores, names: Sequence[str]) -> go.Figure:
    """Recall with its 95 % interval, and precision, printed, too: a row for each class, the lowest recall first."""
    shown = _hardest(found)
    seen = [label for label in shown if found.support[label]]
    recall, ends = found.recall[seen], np.array([_interval(found, label) for label in seen]).reshape(-1, 2)
    row = {label: place for place, label in enumerate(shown)}
    figure = go.Figure()
    figure.add_scatter(
        x=recall,
        y=[row[label] for label in seen],
        name=tr("recall"),
        mode="markers+text",
        marker={"size": 12, "color": ANSWER},
        textposition="top center",
        textfont={"size": SMALLEST_TEXT},
        cliponaxis=False,
        error_x={"array": ends[:, 1] - recall, "arrayminus": recall - ends[:, 0], "color": ANSWER, "thickness": 1.5},
        text=[whole(share) for share in recall],
        customdata=[
            tr(
                "{class_name}: {share} of {photos} are recognised",
                class_name=escape(names[label]),
                share=whole(found.recall[label]),
                photos=photos(int(found.support[label])),
            )
            for label in seen
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    predicted = [label for label in shown if found.predicted[label]]
    figure.add_scatter(
        x=found.precision[predicted],
        y=[row[label] for label in predicted],
        name=tr("precision"),
        mode="markers+text",
        marker={"size": 11, "color": SERIES[2], "symbol": "diamond-open", "line": {"width": 2}},
        textposition="bottom center",
        textfont={"size": SMALLEST_TEXT},
        cliponaxis=False,
        text=[whole(share) for share in found.precision[predicted]],
        customdata=[
            tr_plural(
                "{count} photo is predicted as {class_name}, {share} of them correctly",
                "{count} photos are predicted as {class_name}, {share} of them correctly",
                int(found.predicted[label]),
                class_name=escape(names[label]),
                share=whole(found.precision[label]),
            )
            for label in predicted
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    ticks = {"tickvals": list(row.values()), "ticktext": [short(names[label]) for label in shown], "ticksuffix": "  "}
    figure.update_layout(
        height=80 + ROW_PIXELS * len(shown),
        margin=MARGIN,
        modebar=MODEBAR,
        legend=LEGEND,
        xaxis=share_axis(_beginning([*ends[:, 0], *found.precision[predicted]]), END),
        yaxis={**ticks, "range": [len(shown) - 0.5, -0.5], "fixedrange": True, "zeroline": False},
    )
    return figure


def _beginning(shares: Sequence[float]) -> float:
    """Where an axis of shares begins that shows all of these: at a multiple of a twentieth, below the lowest."""
    return max(0.0, math.floor(20 * min(shares, default=0.0) - 0.4) / 20)


def _hardest(found: ClassScores) -> list[int]:
    """The classes that are drawn, the lowest recall first; of many, only so many that have photos."""
    order = [int(label) for label in np.lexsort((found.f1, found.recall))]
    seen = [label for label in order if found.support[label]]
    return seen[:MOST_ROWS] if len(order) > MOST_ROWS else [*seen, *(each for each in order if each not in seen)]


def _interval(found: ClassScores, label: int) -> tuple[float, float]:
    support = int(found.support[label])
    return accuracy_interval(round(float(found.recall[label]) * support), support)


def confusion(
    counts: NDArray[np.int64], names: Sequence[str], shown: Sequence[int], chosen: tuple[int, int] | None
) -> go.Figure:
    """A confusion matrix whose cells can be clicked: each cell's point knows its row and column as `customdata`.

    Args:
        counts: (K, K), photos of a class (row) predicted as a class (column).
        names: K names.
        shown: Which classes have a row and a column.
        chosen: The cell with a frame around it, if it is shown.
    """
    size = len(shown)
    few = counts[np.ix_(shown, shown)]
    shares = few / np.maximum(counts[list(shown)].sum(1), 1)[:, None]
    right = np.eye(size, dtype=bool)
    figure = go.Figure()
    most_wrong = float(shares[~right].max(initial=0.05))
    for mask, tints, most in ((right, RIGHT_TINTS, 1.0), (~right, WRONG_TINTS, most_wrong)):
        z = np.where(mask & (few > 0), shares, np.nan)
        look = {"colorscale": tints, "showscale": False, "hoverinfo": "skip", "xgap": 1, "ygap": 1}
        figure.add_heatmap(z=z, zmin=0, zmax=most, **look)
    _add_cells(figure, few, shares, [names[label] for label in shown])
    if chosen and chosen[0] in shown and chosen[1] in shown:
        row, column = shown.index(chosen[0]), shown.index(chosen[1])
        ends = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", **ends, line={"color": OTHER, "width": 3})
    figure.data[-1].customdata = [(row, column) for row in shown for column in shown]
    ticks = {"tickvals": list(range(size)), "ticktext": [short(names[label]) for label in shown], "fixedrange": True}
    plain = {"showgrid": False, "zeroline": False}
    figure.update_layout(
        height=130 + CELL_PIXELS * size if size <= MOST_NUMBERS else 560,
        margin=MARGIN,
        modebar=MODEBAR,
        showlegend=False,
        hovermode="closest",
        clickmode="event+select",
        dragmode=False,
        xaxis={**ticks, **plain, "title": tr("predicted as"), "side": "top", "range": [-0.5, size - 0.5]},
        yaxis={**ticks, **plain, "title": tr("photos of"), "range": [size - 0.5, -0.5], "ticksuffix": " "},
    )
    return figure


def _add_cells(figure: go.Figure, counts: NDArray[np.int64], shares: NDArray[np.float64], names: Sequence[str]) -> None:
    """Numbers where there is room, and a point in each cell that answers to the mouse; heat maps do not."""
    size = len(names)
    rows, columns = np.divmod(np.arange(size * size), size)
    if size <= MOST_NUMBERS:
        texts = [f"{count:,}" if count else "" for count in counts.ravel()]
        figure.add_scatter(x=columns, y=rows, mode="text", text=texts, hoverinfo="skip", textfont=ON_CELL)
    support = [
        tr_plural(
            "{count} photo of {class_name} ({share})<br>is predicted as {predicted}",
            "{count} photos of {class_name} ({share})<br>are predicted as {predicted}",
            int(counts[row, column]),
            class_name=escape(names[row]),
            share=whole(shares[row, column]),
            predicted=escape(names[column]),
        )
        for row, column in zip(rows, columns, strict=True)
    ]
    unseen = {"marker": {"opacity": 0}}
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"symbol": "square", "size": HIT_PIXELS, "opacity": 0, "color": OTHER},
        selected=unseen,
        unselected=unseen,
        text=support,
        hovertemplate="%{text}<extra></extra>",
    )


def reliability(before: Reliability, after: Reliability | None) -> go.Figure:
    """Accuracy over confidence, before and after temperature scaling; large markers stand for many photos."""
    drawn = [each for each in (before, after) if each is not None]
    begin = _beginning([value for each in drawn for value in (*each.confidence, *each.accuracy)])
    figure = go.Figure()
    figure.add_scatter(
        x=[begin, 1],
        y=[begin, 1],
        mode="lines",
        name=tr("perfect calibration"),
        line={"color": OTHER, "dash": "dot"},
        hoverinfo="skip",
    )
    looks = {
        tr("as trained"): (before, OTHER, "circle"),
        tr("after temperature scaling"): (after, ANSWER, "diamond"),
    }
    for name, (found, colour, symbol) in looks.items():
        if found is None:
            continue
        figure.add_scatter(
            x=found.confidence,
            y=found.accuracy,
            name=name,
            mode="markers",
            cliponaxis=False,
            marker={
                "symbol": f"{symbol}-open",
                "size": 9 + 22 * np.sqrt(found.counts / found.counts.sum()),
                "color": colour,
                "line": {"width": 3},
            },
            text=[
                tr(
                    "confidence {confidence}, accuracy {accuracy}<br>{photos}",
                    confidence=whole(share),
                    accuracy=whole(right),
                    photos=photos(int(count)),
                )
                for share, right, count in zip(found.confidence, found.accuracy, found.counts, strict=True)
            ],
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(
        height=400,
        margin={**MARGIN, "t": 44},
        modebar=MODEBAR,
        legend={**LEGEND, "itemsizing": "constant", "y": 1.05},
        xaxis={**share_axis(begin, END), "title": tr("confidence")},
        yaxis={**share_axis(begin, END), "title": tr("accuracy")},
    )
    return figure


def coverage(found: Coverage) -> go.Figure:
    """Accuracy over coverage, the highest confidence first; of many thresholds some are drawn."""
    drawn = np.unique(np.linspace(0, len(found.limit) - 1, MOST_LIMITS).astype(np.int64))
    figure = go.Figure()
    figure.add_scatter(
        x=found.share[drawn],
        y=found.accuracy[drawn],
        mode="lines",
        line={"color": ANSWER, "width": 2.5, "shape": "hv"},
        customdata=[
            tr(
                "confidence of at least {confidence}: {share} of the photos,<br>{accuracy} of them right",
                confidence=whole(found.limit[i]),
                share=whole(found.share[i]),
                accuracy=percent(float(found.accuracy[i])),
            )
            for i in drawn
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    marked = sorted({found.at_least(share) for share in ANSWERED})
    figure.add_scatter(
        x=found.share[marked],
        y=found.accuracy[marked],
        mode="markers+text",
        marker={"size": 9, "color": ANSWER},
        text=[percent(float(found.accuracy[i])) for i in marked],
        textposition="bottom left",
        textfont={"size": SMALLEST_TEXT},
        cliponaxis=False,
        hoverinfo="skip",
    )
    low = float(found.accuracy.min(initial=1.0))
    figure.update_layout(
        height=320,
        margin=MARGIN,
        modebar=MODEBAR,
        showlegend=False,
        xaxis={**share_axis(0, END), "title": tr("share of photos with an answer (coverage)")},
        yaxis={**share_axis(_beginning([low]), END), "title": tr("accuracy on these")},
    )
    return figure


def learned(found: TrainingDynamics) -> go.Figure:
    """How many photos are right from each validation on, and how many are wrong at the end."""
    at = np.bincount(found.learned_at(), minlength=len(found.epochs) + 1)
    counted: Any = {"textposition": "outside", "textfont": {"size": SMALLEST_TEXT}, "textangle": 0, "cliponaxis": False}
    figure = go.Figure()
    figure.add_bar(
        x=[f"{epoch:g}" for epoch in found.epochs],
        y=at[:-1],
        marker_color=ANSWER,
        **counted,
        text=[f"{count:,}" if count else "" for count in at[:-1]],
        name=tr("right from then on"),
        customdata=[
            tr_plural(
                "{count} photo is right from epoch {epoch} on",
                "{count} photos are right from epoch {epoch} on",
                int(count),
                epoch=f"{epoch:g}",
            )
            for count, epoch in zip(at[:-1], found.epochs, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_bar(
        x=[tr("never")],
        y=at[-1:],
        marker={"color": WRONG, "pattern": {"shape": "x"}},
        **counted,
        text=[f"{at[-1]:,}"],
        name=tr("wrong at the end"),
        customdata=[tr_plural("{count} photo is wrong at the end", "{count} photos are wrong at the end", int(at[-1]))],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.update_layout(
        height=280,
        margin=MARGIN,
        modebar=MODEBAR,
        legend=LEGEND,
        bargap=0.15,
        xaxis={"title": tr("epoch"), "type": "category", "fixedrange": True},
        yaxis={"title": tr("photos"), "fixedrange": True, "range": [0, 1.15 * max(1, int(at.max()))]},
    )
    return figure


def history(found: TrainingDynamics, photo: int, names: Sequence[str]) -> go.Figure:
    """The probability of a photo's label over the epochs; crosses where another class was more probable."""
    figure = go.Figure()
    right = found.right[:, photo]
    label = tr("probability of {class_name}", class_name=short(names[int(found.labels[photo])]))
    figure.add_scatter(
        x=found.epochs,
        y=found.confidence_in_label[:, photo],
        mode="lines+markers",
        line={"color": OTHER, "width": 2},
        marker={
            "size": 12,
            "symbol": np.where(right, "circle", "x").tolist(),
            "color": np.where(right, ANSWER, WRONG).tolist(),
        },
        text=[
            tr(
                "epoch {epoch}: predicted as {class_name} ({share})",
                epoch=f"{epoch:.3g}",
                class_name=escape(names[taken_for]),
                share=whole(float(share)),
            )
            for epoch, taken_for, share in zip(
                found.epochs, found.predicted[:, photo], found.confidence[:, photo], strict=True
            )
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    figure.update_layout(
        height=260,
        margin=MARGIN,
        modebar=MODEBAR,
        showlegend=False,
        xaxis={"title": tr("epoch"), "fixedrange": True, "showgrid": False, "rangemode": "tozero"},
        yaxis={
            **share_axis(-0.03, 1.03),
            "title": label,
        },
    )
    return figure


def map_data(
    points: NDArray[np.float32], names: Sequence[str], coloured: Sequence[str], facts: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Photos on a map: x, y, group (its class, or all others), and whatever else is known of each.

    Args:
        points: (N, 2).
        names: The N photos' classes.
        coloured: Classes with a colour, at most `MOST_COLOURS`.
        facts: More columns of N texts.
    """
    groups = [name if name in coloured else tr(OTHERS) for name in names]
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "group": groups, **facts})


def map_chart(coloured: Sequence[str], others: bool) -> dict[str, Any]:
    """Vega-Lite specification of a map for the data of `map_data`; pointing at a photo shows the photo.

    `others` says whether there are classes without a colour. A click chooses a photo: the parameter `photo` then holds
    its `path`. The columns `image`, `photo`, `class` and `predicted as` are shown.
    """
    groups = [*coloured, *([tr(OTHERS)] if others else [])]
    colours = [*SERIES[: len(coloured)], OTHER]
    shapes = [*SYMBOLS[: len(coloured)], "circle"]
    group = {"field": "group", "type": "nominal"}
    legend = {"title": None, "orient": "top", "columns": 3, "labelLimit": 160}
    bare = {"axis": None, "scale": {"zero": False, "nice": False, "padding": 12}}
    facts = {"image": tr("image"), "photo": tr("photo"), "class": tr("class"), "predicted as": tr("predicted as")}
    return {
        "height": 520,
        "params": [
            {"name": "photo", "select": {"type": "point", "fields": ["path"], "on": "click", "clear": "dblclick"}}
        ],
        "mark": {"type": "point", "filled": True, "opacity": 0.85, "cursor": "pointer"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", **bare},
            "y": {"field": "y", "type": "quantitative", **bare},
            "color": {**group, "scale": {"domain": groups, "range": colours[: len(groups)]}, "legend": legend},
            "shape": {**group, "scale": {"domain": groups, "range": shapes[: len(groups)]}, "legend": legend},
            "size": {"condition": {"param": "photo", "empty": False, "value": 320}, "value": 75},
            "tooltip": [{"field": name, "type": "nominal", "title": title} for name, title in facts.items()],
        },
        "config": {"view": {"stroke": None}},
    }


def score_rows(found: ClassScores, names: Sequence[str]) -> list[dict[str, str]]:
    """The scores as rows of a table, whose headings `elements.HEADINGS` tells."""
    return [
        {
            "class": name,
            "photos (support)": f"{found.support[label]:,}",
            "recall": percent(float(found.recall[label])) if found.support[label] else "–",
            "precision": percent(float(found.precision[label])) if found.predicted[label] else "–",
            "F1": percent(float(found.f1[label])) if found.support[label] or found.predicted[label] else "–",
        }
        for label, name in enumerate(names)
    ]
