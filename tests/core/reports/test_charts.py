import xml.etree.ElementTree as ET

import numpy as np
import pytest

from core.evaluation.calibration import Reliability
from core.reports import charts as drawings
from core.reports.charts import Axis, Line

EPOCHS = Axis(0, 4, "epoch", drawings.whole_numbers)
LINES = (Line("training", ((0.5, 0.6), (4.0, 1.0))), Line("validation", ((2.0, 0.7), (4.0, 0.8))))


@pytest.mark.parametrize(
    ("step", "round_one"), [(0.013, 0.02), (0.2, 0.2), (0.3, 0.5), (0.6, 1), (7, 10), (1600, 2000)]
)
def test_steps_of_an_axis_are_round(step: float, round_one: float) -> None:
    assert drawings.round_step(step) == pytest.approx(round_one)


def test_ticks_stay_within_the_axis() -> None:
    assert EPOCHS.ticks() == (0, 1, 2, 3, 4)
    assert drawings.percents(0.63).ticks() == pytest.approx((0.6, 0.7, 0.8, 0.9, 1.0))
    assert drawings.losses(1.7).ticks() == pytest.approx((0, 0.5, 1.0, 1.5))


def test_an_axis_has_room_also_where_all_is_perfect() -> None:
    assert drawings.percents(1.0).low < 1
    assert drawings.losses(0.0).high > 0


def test_curves_are_drawn_where_their_values_are() -> None:
    picture = ET.fromstring(drawings.curves(LINES, EPOCHS, drawings.percents(0.6), [(2, "kept")], "how it <went>"))
    assert picture.attrib["aria-label"] == "how it <went>"
    line = picture.find("g[@class='training']/polyline")
    assert line is not None
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in line.attrib["points"].split())
    assert (y0, y1) == (drawings.HEIGHT - drawings.BOTTOM, drawings.TOP), "the lowest and the highest value"
    assert x1 == drawings.WIDTH - drawings.RIGHT and drawings.LEFT < x0 < x1
    assert len(picture.findall("g[@class='validation']/circle")) == 2
    assert "kept" in "".join(picture.itertext()) and "100 %" in "".join(picture.itertext())


def test_long_lines_are_thinned_and_keep_their_end() -> None:
    points = [(float(i), 0.0) for i in range(1000)]
    thin = drawings.thinned(points)
    assert len(thin) <= drawings.MOST_POINTS and thin[-1] == points[-1] and list(thin) == sorted(thin)


def test_a_reliability_diagram_says_how_many_photos_each_bar_has() -> None:
    found = Reliability(np.array([0.55, 0.95]), np.array([0.5, 0.9]), np.array([4, 1200]))
    picture = ET.fromstring(drawings.reliability(found, "reliability"))
    low, high = (float(bar.attrib["height"]) for bar in picture.findall("rect[@class='step']"))
    assert high / low == pytest.approx(0.9 / 0.5, abs=0.01)
    assert "1,200" in "".join(picture.itertext())


def test_an_interval_lies_around_its_share() -> None:
    bar = ET.fromstring(drawings.interval(0.5, 0.25, 0.75))
    assert [each.attrib["width"] for each in bar.findall("rect")] == ["100", "50.0"]
    whisker = bar.find("path")
    assert whisker is not None and whisker.attrib["d"] == "M25.0 5H75.0"
