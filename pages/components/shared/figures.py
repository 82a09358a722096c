"""Data frames to pictures: Plotly for what stands still, Vega for what ticks. Knows nothing of Streamlit."""

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.data.subsets import NO_SUBSET, SUBSETS
from core.formatting import whole
from core.language import number, tr, tr_mark, tr_plural
from core.recipe.phases import FINE_TUNE, FROM_SCRATCH, HEAD
from core.training.lr_finder.finder import Sweep
from pages.components.shared import colours

SUBSET_NAMES = dict(zip(SUBSETS, (tr_mark("training"), tr_mark("validation"), tr_mark("test")), strict=True))
PHASE_NAMES = {HEAD: tr_mark("head"), FINE_TUNE: tr_mark("fine-tune"), FROM_SCRATCH: tr_mark("from scratch")}
SUBSET_COLOURS = dict(zip(SUBSETS, (colours.TRAINING, colours.VALIDATION, colours.TEST), strict=True))
ROW_PIXELS = 30
MOST_NAMES = 60

GAP = {"color": colours.PAPER, "width": 1.5}
"""Between the parts of a bar."""

SMALLEST_TEXT = 12
"""Of a chart, in pixels; a number that has no room of this size is left out."""

MOST_REASONS = 8

SPECIAL = re.compile("[:(;\uff1a\uff08\uff1b]")
"""What begins the part of a reason that is special to one file; wide ones stand in Chinese."""

CELLS_PER_DOUBLING = 4
SIZE_TICKS = (1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)

MOST_OF_LOWEST = 4.0
"""How many times the lowest loss until then is drawn of a loss that explodes."""

SHARE_STEPS = (1, 2, 5, 10, 20, 25)
"""Between the ticks of an axis of shares, in percent; the first of which there are at most `SHARE_TICKS`."""

SHARE_TICKS = 6


def share_axis(low: float, high: float) -> dict[str, Any]:
    """A Plotly axis of shares of 1 between these ends, with percentages written as everywhere else."""
    steps = [step for step in SHARE_STEPS if 100 * (high - low) / step <= SHARE_TICKS]
    step = steps[0] if steps else SHARE_STEPS[-1]
    ticks = [
        step * number
        for number in range(math.ceil(100 * max(low, 0) / step - 1e-6), int(100 * min(high, 1) / step) + 1)
    ]
    return {
        "range": [low, high],
        "tickvals": [tick / 100 for tick in ticks],
        "ticktext": [whole(tick / 100) for tick in ticks],
        "fixedrange": True,
        "zeroline": False,
    }


def class_counts(class_names: Sequence[str], labels: NDArray[np.int32], parts: NDArray[np.int8]) -> go.Figure:
    """Photos per class, one bar a class, divided into the parts of the split with their numbers.

    More classes than have room for their names are drawn as a profile, the largest first.
    """
    if len(class_names) > MOST_NAMES:
        return _class_profile(class_names, labels, parts)
    figure = go.Figure()
    for name, look, chosen in _uses(parts):
        counts = np.bincount(labels[chosen], minlength=len(class_names))
        figure.add_bar(
            y=[escape(name) for name in class_names],
            x=counts,
            name=name,
            orientation="h",
            marker={**look, "line": GAP},
            text=[number(count) if count else "" for count in counts],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": colours.label_on(look["color"]), "size": SMALLEST_TEXT},
            hovertemplate=_hover("%{y}", "%{x}", name),
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.2,
        uniformtext={"mode": "hide", "minsize": SMALLEST_TEXT},
        height=min(900, 110 + ROW_PIXELS * len(class_names)),
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": tr("photos"), "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True, "type": "category", "ticksuffix": "  "},
    )
    return figure


def _hover(class_name: str, count: str, subset: str) -> str:
    words = tr("{class_name}: {count} photos, {subset}", class_name=class_name, count=count, subset=subset)
    return f"{words}<extra></extra>"


def _uses(parts: NDArray[np.int8]) -> list[tuple[str, dict[str, Any], NDArray[np.bool_]]]:
    """Each part with its looks and its photos, and what is not used if there is any; without colours, hatches tell."""
    uses: list[tuple[str, dict[str, Any], NDArray[np.bool_]]] = [
        (tr(SUBSET_NAMES[name]), {"color": SUBSET_COLOURS[name]}, parts == part) for part, name in enumerate(SUBSETS)
    ]
    unused = parts == NO_SUBSET
    uses[-1][1]["pattern"] = {"shape": "/", "solidity": 0.12, "fgcolor": colours.PAPER, "fillmode": "overlay"}
    look = {"color": colours.OTHER, "pattern": {"shape": "x"}}
    return [*uses, (tr("not used yet"), look, unused)] if unused.any() else uses


def _class_profile(class_names: Sequence[str], labels: NDArray[np.int32], parts: NDArray[np.int8]) -> go.Figure:
    order = np.argsort(-np.bincount(labels, minlength=len(class_names)), kind="stable")
    names = [escape(class_names[label]) for label in order]
    figure = go.Figure()
    for name, look, chosen in _uses(parts):
        counts = np.bincount(labels[chosen], minlength=len(class_names))[order]
        hover = _hover("%{customdata}", "%{y}", name)
        figure.add_bar(y=counts, name=name, customdata=names, marker=look, hovertemplate=hover)
    figure.update_layout(
        barmode="stack",
        bargap=0,
        height=320,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={
            "title": tr("{count} classes, largest first", count=len(class_names)),
            "showticklabels": False,
            "fixedrange": True,
        },
        yaxis={"title": tr("photos"), "fixedrange": True},
    )
    figure.update_traces(marker_line_width=0)
    return figure


def photo_sizes(sizes: NDArray[np.int32]) -> go.Figure:
    """Widths and heights `(N, 2)` as circles, larger where more photos have about that size; square ones lie on a line.

    Sizes are counted on a grid of equal ratios, so that the picture is the same for ten photos and for a million.
    """
    cells = np.round(np.log2(np.maximum(sizes, 1)) * CELLS_PER_DOUBLING).astype(np.int64)
    _, which, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    typical = np.zeros((len(counts), 2))
    np.add.at(typical, which.reshape(-1), sizes)
    width, height = np.rint(typical / counts[:, None]).T
    words = [
        tr_plural(
            "{count} photo of about {width} × {height} pixels",
            "{count} photos of about {width} × {height} pixels",
            count,
            width=int(w),
            height=int(h),
        )
        for count, w, h in zip(counts.tolist(), width, height, strict=True)
    ]
    low, high = 0.8 * min(sizes.min(initial=64), 64), 1.25 * max(sizes.max(initial=256), 256)
    figure = go.Figure()
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", line={"color": colours.OTHER, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=width,
        y=height,
        mode="markers",
        text=words,
        hovertemplate="%{text}<extra></extra>",
        marker={
            "color": colours.ANSWER,
            "opacity": 0.55,
            "size": 7 + 38 * np.sqrt(counts / max(1, counts.max(initial=1))),
        },
    )
    for x, y, text in ((0.93, 0.2, tr("wide")), (0.2, 0.93, tr("tall")), (0.97, 0.9, tr("square"))):
        figure.add_annotation(x=x, y=y, xref="paper", yref="paper", text=text, showarrow=False, xanchor="right")
    ticks = [value for value in SIZE_TICKS if low <= value <= high]
    axis = {"type": "log", "range": [np.log10(low), np.log10(high)], "tickvals": ticks, "fixedrange": True}
    figure.update_layout(
        height=380,
        showlegend=False,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        xaxis={**axis, "title": tr("width in pixels")},
        yaxis={**axis, "title": tr("height in pixels")},
    )
    return figure


def general(reason: str) -> str:
    """A reason why a file is left out, without what is special to that file."""
    return SPECIAL.split(reason)[0].strip()


def reasons(counts: Mapping[str, int]) -> go.Figure:
    """How many files are left out for each reason, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    rest = ordered[MOST_REASONS:]
    if rest:
        others = tr_plural("{count} other reason", "{count} other reasons", len(rest))
        ordered = [*ordered[:MOST_REASONS], (others, sum(count for _, count in rest))]
    figure = go.Figure()
    figure.add_bar(
        x=[count for _, count in ordered],
        y=list(range(len(ordered))),
        orientation="h",
        marker_color=colours.OTHER,
        text=[f"{escape(reason)} · {number(count)}" for reason, count in ordered],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{text}<extra></extra>",
    )
    most = max((count for _, count in ordered), default=1)
    figure.update_layout(
        bargap=0.35,
        height=30 + 30 * len(ordered),
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        xaxis={"visible": False, "range": [0, 2.2 * most], "fixedrange": True},
        yaxis={"visible": False, "autorange": "reversed", "fixedrange": True},
    )
    return figure


def rate_data(sweeps: Sequence[Sweep]) -> pd.DataFrame:
    """Losses of a search for a learning rate in long form: phase, rate, loss, and at the rate suggested a mark."""
    rows = []
    for sweep in sweeps:
        lowest = np.minimum.accumulate(sweep.losses) * MOST_OF_LOWEST
        for rate, loss, most in zip(sweep.rates, sweep.losses, lowest, strict=True):
            rows.append((phase_name(sweep.phase), rate, min(loss, most), ""))
        if sweep.suggestion is not None:
            near = int(np.argmin(np.abs(np.log(sweep.rates / sweep.suggestion))))
            rows.append(
                (phase_name(sweep.phase), sweep.suggestion, float(sweep.losses[near]), f"{sweep.suggestion:.2g}")
            )
    return pd.DataFrame(rows, columns=["phase", "rate", "loss", "mark"])


def phase_name(phase: str) -> str:
    """What a phase of training is called."""
    return tr(PHASE_NAMES[phase]) if phase in PHASE_NAMES else phase


def rate_chart() -> dict[str, Any]:
    """Vega-Lite specification of the loss over the learning rate, for the data of `rate_data`; depends on no data."""
    rate = {"field": "rate", "type": "quantitative"}
    phases = [tr(name) for name in PHASE_NAMES.values()]
    curve = {
        "x": {**rate, "title": tr("learning rate"), "scale": {"type": "log"}, "axis": {"format": "~g", "grid": False}},
        "y": {"field": "loss", "type": "quantitative", "title": tr("loss"), "scale": {"zero": False}},
        "color": {
            "field": "phase",
            "type": "nominal",
            "scale": {"domain": phases, "range": list(colours.SERIES[: len(phases)])},
            "legend": {"title": None, "orient": "top"},
        },
        "tooltip": [
            {"field": "phase", "type": "nominal", "title": tr("phase")},
            {**rate, "title": tr("learning rate"), "format": ".2g"},
            {"field": "loss", "type": "quantitative", "title": tr("loss"), "format": ".3f"},
        ],
    }
    marked, between = {"filter": "datum.mark !== ''"}, {"filter": "datum.mark === ''"}
    text = {**curve, "text": {"field": "mark", "type": "nominal"}}
    return {
        "height": 240,
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": curve, "transform": [between]},
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": curve,
                "transform": [marked],
            },
            {"mark": {"type": "text", "dy": -14, "fontWeight": "bold"}, "encoding": text, "transform": [marked]},
        ],
    }
