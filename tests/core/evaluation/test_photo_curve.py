import numpy as np
import pytest

from core.errors import DataError
from core.evaluation.photo_curve import Curve, Point, fit, forecast

SIZES = (5, 10, 20, 40)
CURVES = (Curve(0.8, 0.5, 0.05), Curve(0.4, 0.3, 0.0), Curve(0.6, 1.0, 0.1), Curve(0.0, 1.0, 0.2))


def exact(curve: Curve, count: int, sizes: tuple[int, ...] = SIZES) -> list[Point]:
    """What runs would measure if chance played no part."""
    return [Point(size, round(count * float(curve.accuracy(size))), count) for size in sizes]


def drawn(curve: Curve, count: int, seed: int) -> list[Point]:
    """What runs would measure on so many photos."""
    random = np.random.default_rng(seed)
    return [Point(size, int(random.binomial(count, float(curve.accuracy(size)))), count) for size in SIZES]


@pytest.mark.parametrize("true", CURVES, ids=str)
def test_a_curve_is_found_again(true: Curve) -> None:
    points = exact(true, 1_000_000)
    found = fit(points)
    asked = np.array([5, 12, 40, 80, 160])
    assert found.accuracy(asked) == pytest.approx(true.accuracy(asked), abs=0.002)
    ahead = forecast(points)
    assert ahead.photos == 80 and ahead.low <= ahead.accuracy <= ahead.high
    assert ahead.accuracy == pytest.approx(float(true.accuracy(80)), abs=0.001)


@pytest.mark.parametrize("true", CURVES, ids=str)
def test_the_interval_holds_the_truth_as_often_as_it_says(true: Curve) -> None:
    truth = float(true.accuracy(80))
    found = [forecast(drawn(true, 300, seed)) for seed in range(40)]
    assert sum(each.low <= truth <= each.high for each in found) >= 35
    wider = [forecast(drawn(true, 30, seed)) for seed in range(40)]
    assert np.mean([each.high - each.low for each in wider]) > 1.5 * np.mean([each.high - each.low for each in found])


def test_neither_more_photos_harm_nor_does_an_accuracy_leave_its_range() -> None:
    for correct in ((40, 30, 20), (0, 50, 100), (100, 100, 100), (0, 0, 0)):
        points = [Point(size, right, 100) for size, right in zip((5, 10, 20), correct, strict=True)]
        along = fit(points).accuracy(np.geomspace(1, 10_000, 50))
        assert (np.diff(along) >= 0).all() and along.min() >= 0 and along.max() <= 1
        ahead = forecast(points)
        assert 0 <= ahead.low <= ahead.accuracy <= ahead.high <= 1


def test_a_result_on_many_photos_weighs_more() -> None:
    line = exact(Curve(0.6, 0.5, 0.05), 10_000)
    astray = [Point(20, 5, 10), Point(20, 5000, 10_000)]
    off = [abs(float(fit([*line, one]).accuracy(20) - fit(line).accuracy(20))) for one in astray]
    assert off[0] < 0.002 < 0.02 < off[1]


def test_repeats_that_scatter_more_than_chance_widen_the_interval() -> None:
    true = Curve(0.6, 0.5, 0.05)
    calm = [point for point in exact(true, 1000) for _ in range(2)]
    wild = [Point(p.photos, p.correct + sign * 40, p.count) for p in exact(true, 1000) for sign in (-1, 1)]
    narrow, wide = forecast(calm), forecast(wild)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert wide.accuracy == pytest.approx(narrow.accuracy, abs=0.02)


def test_the_same_results_give_the_same_interval() -> None:
    points = exact(CURVES[0], 200)
    assert forecast(points) == forecast(points) and forecast(points, times=4).photos == 160


def test_two_sizes_are_no_curve() -> None:
    for points in ([], exact(CURVES[0], 100, (5, 10)), exact(CURVES[0], 100, (5, 10, 10))):
        with pytest.raises(DataError, match="needs runs with 3 different numbers of training photos; there are"):
            fit(points)
        with pytest.raises(DataError, match="Compare more numbers of photos per class"):
            forecast(points)


@pytest.mark.parametrize("point", [Point(0, 1, 2), Point(5, 3, 2), Point(5, -1, 2), Point(5, 0, 0)])
def test_what_no_run_can_give_is_refused(point: Point) -> None:
    with pytest.raises(DataError, match="of one photo or more"):
        fit([*exact(CURVES[0], 100), point])
