import pandas as pd
import pytest

from core.evaluation.photo_curve import Point, fit, forecast
from pages.components.compare import comparison_figures as figures

ROWS = [
    {"position": 0.5, "loss": 1.0, "accuracy": 0.4},
    {"position": 1.0, "val_loss": 0.9, "val_accuracy": 0.5},
    {"position": 2.0, "val_loss": 0.7, "val_accuracy": 0.6},
]

DATA = pd.DataFrame(
    [("none", "none, 1", 0.65), ("none", "none, 2", 0.67), ("crop", "crop", 0.7)],
    columns=["variant", "run", "accuracy"],
)


def test_only_validations_are_laid_over_one_another() -> None:
    points = figures.validation_points(ROWS, "a run")
    assert points.epoch.tolist() == [1.0, 2.0] and points.val_accuracy.tolist() == [0.5, 0.6]
    assert figures.validation_points([], "a run").empty


@pytest.mark.parametrize(("measure", "values"), [("val_accuracy", [0.5, 0.6]), ("val_loss", [0.9, 0.7])])
def test_each_run_is_a_line_in_its_own_colour(measure: str, values: list[float]) -> None:
    names = [f"run {number}" for number in range(figures.MOST_RUNS)]
    points = pd.concat([figures.validation_points(ROWS, name) for name in names])
    drawn = figures.curves(points, names, measure).data
    assert [line.name for line in drawn] == names
    assert len({line.line.color for line in drawn}) == figures.MOST_RUNS
    assert list(drawn[3].y) == values
    assert figures.curves(points, names, measure).layout.yaxis.title.text == figures.AXES[measure]


def test_names_cannot_bring_markup() -> None:
    name = "<img src=x>"
    assert "<img" not in figures.legend([name])
    data = pd.DataFrame([(name, 0.8, 0.7, 0.9)], columns=["run", "accuracy", "low", "high"])
    assert "<img" not in figures.intervals(data, "accuracy").to_json()
    points = figures.validation_points(ROWS, name)
    assert "<img" not in figures.curves(points, [name], "val_loss").to_json()


def test_whiskers_reach_to_the_ends_of_the_intervals() -> None:
    data = pd.DataFrame([("A", 0.8, 0.7, 0.85), ("B", 0.6, 0.5, 0.7)], columns=["run", "accuracy", "low", "high"])
    figure = figures.intervals(data, "test accuracy")
    first = figure.data[0]
    assert first.x[0] - first.error_x.arrayminus[0] == pytest.approx(0.7)
    assert first.x[0] + first.error_x.array[0] == pytest.approx(0.85)
    low, high = figure.layout.xaxis.range
    assert low <= 0.5 and high >= 0.85
    texts = [each.text for each in figure.layout.annotations]
    assert texts == ["A", "<b>80.0 %</b>", "B", "<b>60.0 %</b>"]


def test_a_series_has_a_row_for_each_variant_also_those_to_come() -> None:
    figure = figures.series(DATA, ["none", "flip", "crop"], "validation accuracy", {}, {})
    runs, means = figure.data
    assert list(zip(runs.x, runs.y, strict=True)) == [(0.65, 0), (0.67, 0), (0.7, 2)]
    assert list(means.x) == pytest.approx([0.66]) and list(means.y) == [0]
    assert means.error_x.array[0] == pytest.approx(0.01414, abs=1e-5)
    texts = [each.text for each in figure.layout.annotations]
    assert texts == ["none", "<b>66.0 %</b>", "flip", "<b>–</b>", "crop", "<b>70.0 %</b>"]


def test_published_figures_stand_beside_ours() -> None:
    figure = figures.series(DATA, ["none", "crop"], "validation accuracy", {"none": (0.65, 0.679)}, {"best": 0.732})
    published = figure.data[0]
    assert (list(published.x), published.name) == ([0.65, 0.679], "published study")
    assert published.y[0] == pytest.approx(0, abs=0.5)
    assert figure.layout.shapes[0].x0 == 0.732
    assert figure.layout.xaxis.range[1] >= 0.732


def test_before_the_first_result_there_are_names_alone() -> None:
    figure = figures.series(DATA[:0], ["none", "crop"], "validation accuracy", {}, {})
    assert len(figure.data[0].x) == 0
    assert tuple(figure.layout.xaxis.range) == (0.0, 1.0)


def drawn_curve(name: str) -> figures.PhotoCurve:
    points = [Point(photos, right, 100) for photos, right in ((5, 60), (10, 70), (20, 78), (23, 80), (40, 85))]
    measured = [
        (each.photos, each.correct / 100, each.correct / 100 - 0.1, each.correct / 100 + 0.1) for each in points
    ]
    return figures.PhotoCurve(name, measured, fit(points), forecast(points))


def test_a_photo_curve_is_measured_points_a_line_and_dashed_how_it_goes_on() -> None:
    figure = figures.photo_curves([drawn_curve("one")], "test")
    line, dashed, points, ahead = figure.data
    assert (line.line.dash, dashed.line.dash) == ("solid", "dash")
    assert [line.x[0], line.x[-1], dashed.x[0], dashed.x[-1]] == pytest.approx([5, 40, 40, 80])
    assert list(points.x) == [5, 10, 20, 23, 40] and list(ahead.x) == [80]
    assert points.y[0] - points.error_y.arrayminus[0] == pytest.approx(0.5)
    assert ahead.error_y.array[0] >= 0 and ahead.error_y.arrayminus[0] >= 0
    axis = figure.layout.xaxis
    assert axis.type == "log" and 10 ** axis.range[0] < 5 and 10 ** axis.range[1] > 80
    assert list(axis.ticktext) == ["5", "10", "23", "40", "80"], "20 and 23 have no room beside one another"
    assert figure.layout.yaxis.title.text == "test accuracy"


def test_several_photo_curves_differ_in_colour_and_shape_and_bring_no_markup() -> None:
    figure = figures.photo_curves([drawn_curve("<img src=x>"), drawn_curve("two")], "validation")
    markers = [each.marker for each in figure.data if each.mode == "markers"]
    assert len({each.color for each in markers}) == 2 and len({each.symbol for each in markers}) == 4
    assert "<img" not in figure.to_json()
