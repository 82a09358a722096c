"""Charts of a report as SVG, drawn by hand: no script, no library, and colours that follow light, dark and print.

Colours, lines and sizes are classes of `report_style.css`. Lines differ by dots, not by colour alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from core.evaluation.calibration import Reliability
from core.formatting import whole
from core.language import number, tr

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 22, 18, 38
MOST_POINTS = 150
STEPS = 5
"""About how many steps an axis is divided into."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        kind: "training" or "validation", which decides how it looks.
        points: Horizontally rising.
    """

    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axis:
    """Values along one side of a chart; linear between `low` and `high`, low < high.

    Attributes:
        low, high: Its ends.
        title: What stands beside it, in the reader's language.
        words: What a value is called.
    """

    low: float
    high: float
    title: str
    words: Callable[[float], str]

    def ticks(self) -> tuple[float, ...]:
        """Round values, about five steps apart."""
        step = round_step((self.high - self.low) / STEPS)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return tuple(number * step for number in range(first, last + 1))

    def share(self, value: float) -> float:
        """The position of a value, 0 at the low end and 1 at the high one, clipped to these."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def round_step(step: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least this, which is above 0."""
    power: float = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def curves(lines: Sequence[Line], across: Axis, up: Axis, rules: Sequence[tuple[float, str]], alt: str) -> Markup:
    """Lines over epochs, and dashed rules at some epochs, each with a word: at the foot if lines rise, else on top."""
    (_, first), (_, last) = lines[0].points[0], lines[0].points[-1]
    marks = [_rule(position, across, words, row, low=last > first) for row, (position, words) in enumerate(rules)]
    return _frame(across, up, "".join([*(_line(line, across, up) for line in lines), *marks]), alt)


def reliability(found: Reliability, alt: str) -> Markup:
    """Accuracy by confidence: bars, and the diagonal where both are the same."""
    across = Axis(0, 1, tr("confidence"), whole)
    up = Axis(0, 1, tr("accuracy"), whole)
    tops = [
        _place((float(sure), float(right)), across, up)
        for sure, right in zip(found.confidence, found.accuracy, strict=True)
    ]
    counts = [_count(top, int(count)) for top, count in zip(tops, found.counts, strict=True)]
    (x0, y0), (x1, y1) = _place((0, 0), across, up), _place((1, 1), across, up)
    diagonal = f'<line class="diagonal" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'
    return _frame(across, up, "".join([*map(_bar, tops), diagonal, *counts]), alt)


def interval(share: float, low: float, high: float) -> Markup:
    """A share of 1 as a small bar with its interval as a line; its value is written beside it."""
    x, left, right = (100 * value for value in (share, low, high))
    return Markup(
        '<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="ground" width="100" height="10"/>'
        f'<rect class="share" width="{x:.1f}" height="10"/>'
        f'<path class="whisker" d="M{left:.1f} 5H{right:.1f}"/></svg>'
    )


def whole_numbers(value: float) -> str:
    """An axis of epochs: "3"."""
    return f"{value:g}"


def percents(lowest: float) -> Axis:
    """An axis of accuracies that has room for the lowest one, a share of 1."""
    return Axis(min(0.9, floor(10 * lowest) / 10), 1.0, tr("accuracy"), whole)


def losses(highest: float) -> Axis:
    """An axis of losses that has room for the highest one."""
    return Axis(0.0, highest or 1.0, tr("loss"), lambda value: f"{value:.3g}")


def thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """At most `MOST_POINTS` of the points, evenly, the last one among them."""
    step = -(-len(points) // MOST_POINTS) or 1
    return tuple(points[::-1][::step][::-1])


def _place(point: Point, across: Axis, up: Axis) -> Point:
    x = LEFT + across.share(point[0]) * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - up.share(point[1]) * (HEIGHT - TOP - BOTTOM)
    return x, y


def _line(line: Line, across: Axis, up: Axis) -> str:
    places = [_place(point, across, up) for point in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places) if line.kind == "validation" else ""
    return f'<g class="{line.kind}"><polyline points="{path}"/>{dots}</g>'


def _rule(position: float, across: Axis, words: str, row: int, *, low: bool) -> str:
    """A dashed rule with a word at its top, or at its foot, on the side where there is room."""
    x = LEFT + across.share(position) * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - 5 - 13 * row if low else TOP + 11 + 13 * row
    before = across.share(position) > 0.6
    anchor, shift = ("end", -4) if before else ("start", 4)
    return (
        f'<line class="rule" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="note" x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _bar(top: Point) -> str:
    x, y = top
    return f'<rect class="step" x="{x - 8:.1f}" y="{y:.1f}" width="16" height="{HEIGHT - BOTTOM - y:.1f}"/>'


def _count(top: Point, count: int) -> str:
    x, y = top
    return f'<text class="note count" x="{x:.1f}" y="{y - 4:.1f}">{number(count)}</text>'


def _frame(across: Axis, up: Axis, inside: str, alt: str) -> Markup:
    foot, side = HEIGHT - BOTTOM, WIDTH - RIGHT
    grid = "".join(_up_tick(value, across, up) for value in up.ticks())
    ticks = "".join(_across_tick(value, across, up) for value in across.ticks())
    titles = (
        f'<text class="axis" x="{(LEFT + side) / 2:.1f}" y="{HEIGHT - 4}" text-anchor="middle">'
        f"{escape(across.title)}</text>"
    )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">{grid}{ticks}'
        f'<line class="base" x1="{LEFT}" y1="{foot}" x2="{side}" y2="{foot}"/>{inside}{titles}</svg>'
    )


def _up_tick(value: float, across: Axis, up: Axis) -> str:
    _, y = _place((across.low, value), across, up)
    return (
        f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(up.words(value))}</text>'
    )


def _across_tick(value: float, across: Axis, up: Axis) -> str:
    x, _ = _place((value, up.low), across, up)
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{escape(across.words(value))}</text>'
