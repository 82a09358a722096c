import re

import numpy as np
import pytest

from core.evaluation import comparison
from core.evaluation.comparison import Arm, Measured

EXTRA_SLEEP = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
OTHER_SLEEP = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
"""Hours of sleep gained with two drugs: Student, "The probable error of a mean", Biometrika 6 (1908)."""


def run(correct: int, count: int = 1000) -> Measured:
    """A run of which only the numbers are known."""
    return Measured(correct, count, (), np.zeros(0, bool))


def arm(name: str, *correct: int, count: int = 1000) -> Arm:
    return Arm(name, tuple(run(number, count) for number in correct))


def paired(name: str, right: list[bool]) -> Arm:
    photos = tuple(f"a/{number}.jpg" for number in range(len(right)))
    return Arm(name, (Measured(sum(right), len(right), photos, np.array(right)),))


def test_the_spread_of_students_sleepers() -> None:
    """The figures of R's `t.test(extra)` for the first group of its data set `sleep`."""
    found = comparison.spread(EXTRA_SLEEP)
    assert (found.mean, found.deviation) == pytest.approx((0.75, 1.789010), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.5297804, 2.0297804), abs=1e-6)


def test_one_value_has_no_spread() -> None:
    found = comparison.spread([0.7])
    assert (found.count, found.mean, found.deviation, found.low, found.high) == (1, 0.7, 0.0, None, None)


def test_welchs_interval_of_students_sleepers() -> None:
    """The figures of R's `t.test(extra ~ group, data = sleep)`."""
    found = comparison.welch_interval(EXTRA_SLEEP, OTHER_SLEEP)
    assert (found.difference, found.low, found.high) == pytest.approx((-1.58, -3.3654832, 0.2054832), abs=1e-6)


@pytest.mark.parametrize(("repeats", "factor"), [(4, 3.558), (5, 3.041), (10, 2.373)])
def test_one_against_several_has_the_tabled_factor(repeats: int, factor: float) -> None:
    """Factors of a prediction interval for one more value: Hahn, Journal of Quality Technology 2 (1970), table 1."""
    values = np.arange(repeats, dtype=float)
    found = comparison.single_interval(7.0, values)
    assert found.difference == pytest.approx(7 - values.mean())
    assert (found.high - found.low) / 2 / values.std(ddof=1) == pytest.approx(factor, abs=1e-3)


@pytest.mark.parametrize(
    ("numbers", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_intervals_of_a_difference_are_those_of_the_literature(
    numbers: tuple[int, int, int, int], low: float, high: float
) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10."""
    found = comparison.newcombe_interval(*numbers)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("one", "other", "p"), [(1, 7, 0.0703), (6, 16, 0.0525), (7, 1, 0.0703), (5, 5, 1.0), (0, 0, 1.0)]
)
def test_mcnemars_exact_test(one: int, other: int, p: float) -> None:
    """The first two: Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91 (2013)."""
    assert comparison.mcnemar_p(one, other) == pytest.approx(p, abs=5e-5)


def test_repeats_that_scatter_less_than_they_differ_show_a_difference() -> None:
    found = comparison.verdict(arm("plain", 650, 655, 660, 652), arm("rotation", 730, 735, 728, 731))
    assert (found.better, found.worse, found.shown) == ("rotation", "plain", True)
    assert found.sentence == (
        "rotation is 7.7 points better than plain (4 and 4 repeats, 95 % interval 7.0 to 8.3 points)."
    )


def test_repeats_that_scatter_as_much_as_they_differ_show_none() -> None:
    found = comparison.verdict(arm("A", 650, 690, 640), arm("B", 660, 640, 645))
    assert not found.shown
    assert re.match(
        r"A is 1\.2 points better than B, but repeats of the same recipe differ by as much"
        r" \(3 and 3 repeats, 95 % interval −\d\.\d to \d\.\d points\): no difference is shown\.$",
        found.sentence,
    )


@pytest.mark.parametrize(("single", "shown"), [(662, False), (720, True), (590, True)])
def test_one_run_is_judged_by_the_repeats_of_the_other(single: int, shown: bool) -> None:
    repeated, alone = arm("none", 650, 655, 660, 652), arm("zoom", single)
    found = comparison.verdict(alone, repeated)
    assert found.shown is shown
    assert "one run against 4 repeats" in found.sentence
    assert found.better == ("zoom" if single > 655 else "none")
    assert comparison.verdict(repeated, alone).sentence == found.sentence


def test_single_runs_on_the_same_photos_are_compared_photo_by_photo() -> None:
    one, other = [True] * 90 + [False] * 10, [True] * 70 + [False] * 30
    found = comparison.verdict(paired("A", other), paired("B", one))
    assert (found.better, found.shown) == ("B", True)
    assert "on the same 100 photos (it alone is right about 20, the other alone about 0" in found.sentence
    assert "p < 0.001" in found.sentence and found.sentence.endswith(comparison.REPEATS_HINT)
    close = comparison.verdict(paired("A", one), paired("B", [True] * 88 + [False] * 12))
    assert not close.shown and "on 100 photos that can be chance" in close.sentence
    assert "p = 0.50" in close.sentence and "no difference is shown. Repeats would" in close.sentence


def test_the_order_of_right_answers_counts_and_not_their_number_alone() -> None:
    """Thirty photos apart, but both models are wrong about others: much less certain than nested errors."""
    random = np.random.default_rng(0)
    nested = comparison.verdict(paired("A", [True] * 56 + [False] * 44), paired("B", [True] * 50 + [False] * 50))
    mixed = comparison.verdict(
        paired("A", list(random.permutation([True] * 56 + [False] * 44))), paired("B", [True] * 50 + [False] * 50)
    )
    assert nested.shown and not mixed.shown


def test_single_runs_on_different_photos_need_more() -> None:
    found = comparison.verdict(arm("A", 56, count=70), arm("B", 48, count=80))
    assert found.shown and "(95 % interval 5.2 to 33.4 points)" in found.sentence
    close = comparison.verdict(arm("A", 56, count=70), arm("B", 60, count=80))
    assert not close.shown and "on so few photos that can be chance" in close.sentence


def test_repeats_without_any_spread_say_nothing_of_chance() -> None:
    found = comparison.verdict(arm("A", 6, 6, count=6), arm("B", 5, 5, count=6))
    assert not found.shown and "on so few photos" in found.sentence


def test_what_is_the_same_is_called_the_same() -> None:
    found = comparison.verdict(arm("A", 800), arm("B", 800))
    assert (found.shown, found.sentence) == (False, "A and B come out the same, 80.0 %: no difference is shown.")


def test_the_best_of_many_must_do_better_than_the_best_of_two() -> None:
    one, other = arm("A", 650, 655, 660, 652), arm("B", 668, 676, 664, 671)
    assert comparison.verdict(one, other).shown
    assert not comparison.verdict(one, other, comparisons=500).shown
    assert "99.5 % interval" in comparison.verdict(one, other, comparisons=10).sentence


def test_a_series_is_compared_with_its_first() -> None:
    first = arm("none", 650, 655, 660, 652)
    zoom, flip, crop = arm("zoom", 850, 860), arm("flip", 770), arm("crop", 656)
    found = comparison.against_first([first, flip, zoom, crop])
    assert found.startswith("zoom is 20.1 points better than none (2 and 4 repeats")
    assert found.endswith("Better than none by more than chance, too: flip.")
    assert comparison.against_first([first, arm("flip", 600)]).startswith("Nothing comes out better than none, 65.4 %.")


def test_chosen_runs_are_compared_with_the_next_best() -> None:
    found = comparison.best_of([arm("A", 600), arm("B", 900), arm("C", 880)])
    assert found.startswith("Of 3, B is best with 90.0 %. B is 2.0 points better than C, but ")


def test_one_recipe_alone_is_described() -> None:
    single = comparison.best_of([arm("A", 81, count=263)])
    assert single.startswith("A is right about 30.8 % of 263 photos (95 % interval 25.5 to 36.6 %).")
    several = comparison.against_first([arm("A", 650, 679, 660, 671)])
    assert several == (
        "A: 66.5 % on average over 4 repeats, from 65.0 to 67.9 %; the standard deviation is 1.3 points."
    )


def test_only_what_differs_is_listed() -> None:
    recipes = {
        "run 1": {"variant": "Baseline CNN", "rotation": "18°", "seed": "0"},
        "run 2": {"variant": "Baseline CNN", "seed": "1"},
    }
    assert comparison.what_differs(recipes) == [
        {"choice": "rotation", "run 1": "18°", "run 2": "–"},
        {"choice": "seed", "run 1": "0", "run 2": "1"},
    ]
    assert comparison.what_differs({"run 1": recipes["run 1"]}) == []


@pytest.mark.parametrize(("correct", "count"), [(3, 2), (-1, 2), (0, 0)])
def test_what_cannot_be_measured_is_refused(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="is no accuracy"):
        run(correct, count)


def test_right_answers_must_fit_the_photos() -> None:
    with pytest.raises(ValueError, match="does not fit 1 photos"):
        Measured(1, 2, ("a.jpg",), np.array([True, False]))


def test_a_difference_far_outside_the_repeats_is_shown_however_many_are_compared() -> None:
    first = arm("none", 34, 28, 26, 34, count=60)
    others = [arm(f"change {number}", 30 + number % 4, count=60) for number in range(12)]
    found = comparison.against_first([first, *others, arm("pretrained", 54, count=60)])
    assert found.startswith("pretrained is 39.2 points better than none (one run against 4 repeats, 95 % interval")
    assert "With 13 single runs compared, about one in twenty looks different by chance" in found
    assert "change" not in found.split("With 13")[0]
    assert "by chance" not in comparison.against_first([first, *others[:2]])
