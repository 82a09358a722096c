from typing import Any

import altair as alt
import numpy as np
import pytest

from core.training.lr_finder.finder import Sweep
from pages.components.shared import figures


def rows(count: int) -> list[dict[str, Any]]:
    training = [{"position": (n + 1) / 10, "loss": 1 / (n + 1), "accuracy": 0.5} for n in range(count)]
    return [*training, {"position": count / 10, "val_loss": 0.4, "val_accuracy": 0.9}]


def test_class_counts_add_up_to_every_photo() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1], np.int32)
    parts = np.array([0, 1, 2, 0, 0, 1, 2], np.int8)
    figure = figures.class_counts(["cat", "dog"], labels, parts)
    drawn = {bar.name: list(bar.x) for bar in figure.data}
    assert drawn == {"training": [1, 2], "validation": [1, 1], "test": [1, 1]}


def test_signs_of_html_in_names_of_classes_are_drawn_as_they_are() -> None:
    few = figures.class_counts(["<b>x", "a<br>b"], np.array([0, 1], np.int32), np.array([0, 0], np.int8))
    assert list(few.data[0].y) == ["&lt;b&gt;x", "a&lt;br&gt;b"]
    many = figures.class_counts(["<b>x"] * 61, np.arange(61, dtype=np.int32), np.zeros(61, np.int8))
    assert set(many.data[0].customdata) == {"&lt;b&gt;x"}
    assert figures.reasons({"<a href='x'>y</a>": 1}).data[0].text == ("&lt;a href=&#x27;x&#x27;&gt;y&lt;/a&gt; · 1",)


def test_photos_that_are_not_used_yet_are_drawn_apart() -> None:
    figure = figures.class_counts(["cat", "dog"], np.array([0, 1, 1], np.int32), np.array([0, -1, -1], np.int8))
    assert {bar.name: list(bar.x) for bar in figure.data}["not used yet"] == [0, 2]


def test_very_many_classes_are_drawn_as_a_profile_largest_first() -> None:
    names = [f"class {number:04d}" for number in range(1000)]
    labels = np.repeat(np.arange(1000), np.arange(1000) % 7 + 1).astype(np.int32)
    figure = figures.class_counts(names, labels, np.zeros(len(labels), np.int8))
    heights = np.sum([bar.y for bar in figure.data], axis=0)
    assert heights.sum() == len(labels) and (np.diff(heights) <= 0).all()
    assert figure.data[0].customdata[0] == "class 0006"
    assert figure.layout.height <= 400


def test_sizes_are_counted_whatever_their_number() -> None:
    sizes = np.array([(640, 480)] * 500 + [(480, 640)] * 20 + [(1, 1), (10, 4000)], np.int32)
    figure = figures.photo_sizes(sizes)
    circles = figure.data[1]
    assert sorted(circles.text) == sorted(
        [
            "500 photos of about 640 × 480 pixels",
            "20 photos of about 480 × 640 pixels",
            "1 photo of about 1 × 1 pixels",
            "1 photo of about 10 × 4,000 pixels",
        ]
    )
    assert (
        len(figures.photo_sizes(np.random.default_rng(0).integers(50, 4000, (20_000, 2)).astype(np.int32)).data[1].x)
        < 900
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("too many pixels: 400,000,000; the limit is 89,478,485", "too many pixels"),
        ("this is a web page (HTML), not a photo", "this is a web page"),
        ("the file is empty", "the file is empty"),
    ],
)
def test_reasons_are_told_in_general(reason: str, expected: str) -> None:
    assert figures.general(reason) == expected


def test_rare_reasons_are_drawn_together() -> None:
    figure = figures.reasons({f"reason {number}": 30 - number for number in range(20)})
    first, *_, last = figure.data[0].text
    assert (first, last) == ("reason 0 · 30", "12 other reasons · 198")
    assert sum(figure.data[0].x) == sum(range(11, 31))


def test_class_names_that_are_numbers_stay_names() -> None:
    figure = figures.class_counts(["0", "1"], np.array([0, 1], np.int32), np.array([0, 0], np.int8))
    assert figure.layout.yaxis.type == "category"


def test_curves_keep_the_newest_point_and_every_validation() -> None:
    data = figures.curve_data(rows(5000), "loss", None)
    training = data[data.curve == "training"]
    assert len(training) <= figures.MOST_POINTS
    assert training.position.max() == 500
    assert list(data[data.curve == "validation"].value) == [0.4]
    assert "fine-tuning" not in set(data.curve)


def test_the_beginning_of_fine_tuning_is_data_too() -> None:
    data = figures.curve_data(rows(3), "accuracy", 2.0)
    assert list(data[data.curve == "fine-tuning"].position) == [2.0]


def test_partial_rows_without_values_draw_nothing() -> None:
    assert figures.curve_data([{"position": 0.3, "partial": True}], "accuracy", None).empty


@pytest.mark.parametrize("measure", ["loss", "accuracy", "learning_rate"])
def test_the_specification_is_vega_lite(measure: str) -> None:
    chart = {"data": {"name": "rows"}, **figures.curve_chart(measure, 8)}
    alt.Chart.from_dict(chart, validate=True)


def test_the_learning_rate_is_drawn_on_a_logarithmic_axis_without_what_it_cannot_show() -> None:
    points = [{"position": n / 4, "learning_rate": rate} for n, rate in enumerate((1e-2, 1e-4, 0.0))]
    assert list(figures.curve_data(points, "learning_rate", None).value) == [1e-2, 1e-4]
    assert "'log'" in str(figures.curve_chart("learning_rate", 8))


def test_axes_carry_units() -> None:
    loss = str(figures.curve_chart("loss", 8))
    assert "nats" in loss and "'epoch'" in loss


def test_a_search_for_a_rate_is_drawn_with_its_suggestion() -> None:
    rates = np.geomspace(1e-6, 1, 60)
    falling = 2.0 - 1.5 / (1 + np.exp(-20 * np.linspace(-0.5, 0.5, 60)))
    falling[-3:] = 500.0
    sweeps = (
        Sweep("head", rates, falling, 0.018),
        Sweep("fine-tune", rates[:5], np.full(5, 1.0), None),
    )
    data = figures.rate_data(sweeps)
    [mark] = data[data["mark"] != ""].to_dict("records")
    assert (mark["phase"], mark["rate"], mark["mark"]) == ("head", 0.018, "0.018")
    assert mark["loss"] == pytest.approx(np.interp(np.log(0.018), np.log(rates), falling), abs=0.1)
    assert len(data) == 60 + 1 + 5
    assert data["loss"].max() <= 2.1, "an exploding loss does not flatten the rest"
    assert figures.rate_data(()).empty


def test_the_chart_of_a_search_is_the_same_whatever_was_found() -> None:
    spec = figures.rate_chart()
    assert spec == figures.rate_chart()
    assert spec["layer"][0]["encoding"]["x"]["scale"] == {"type": "log"}
    fields = {part["field"] for layer in spec["layer"] for part in layer["encoding"].values() if "field" in part}
    assert fields == {"rate", "loss", "phase", "mark"}
