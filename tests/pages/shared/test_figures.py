import numpy as np
import pytest

from core.training.lr_finder.finder import Sweep
from pages.components.shared import figures


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


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1.02, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (-0.02, 0.09, ["0 %", "2 %", "4 %", "6 %", "8 %"]),
        (0.7, 1.02, ["70 %", "80 %", "90 %", "100 %"]),
        (0.953, 0.997, ["96 %", "97 %", "98 %", "99 %"]),
    ],
)
def test_an_axis_of_shares_has_a_few_round_percentages_inside(low: float, high: float, ticks: list[str]) -> None:
    axis = figures.share_axis(low, high)
    assert axis["ticktext"] == ticks and axis["range"] == [low, high]
    assert [f"{100 * value:.0f} %" for value in axis["tickvals"]] == ticks
