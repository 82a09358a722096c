import pytest

from core.results.evaluation import accuracy_interval


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(correct: int, count: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert accuracy_interval(correct, count) == pytest.approx((low, high), abs=5e-5)


def test_intervals_mirror_each_other_and_stay_in_range() -> None:
    for count in (1, 2, 7, 40):
        for correct in range(count + 1):
            low, high = accuracy_interval(correct, count)
            assert 0 <= low <= correct / count <= high <= 1
            assert accuracy_interval(count - correct, count) == pytest.approx((1 - high, 1 - low))
    assert accuracy_interval(0, 9)[0] == pytest.approx(0) and accuracy_interval(9, 9)[1] == pytest.approx(1)


def test_more_photos_make_the_interval_narrower() -> None:
    widths = [high - low for low, high in (accuracy_interval(9 * n, 10 * n) for n in (1, 10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("correct", "count"), [(0, 0), (-1, 5), (6, 5), (0, -3)])
def test_what_is_no_accuracy_is_refused(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="is no accuracy"):
        accuracy_interval(correct, count)
