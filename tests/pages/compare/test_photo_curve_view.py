from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.evaluation.comparison import Measured
from core.evaluation.photo_curve import Curve, Forecast, Point
from pages.components.compare.photo_curve_view import Result, groups_of, measured_at, sentence
from tests.conftest import Workplace


def results(place: Workplace, *choices: dict[str, Any]) -> list[Result]:
    run = place.new_run()
    return [Result(run, place.recipe(**each), Measured(8, 10, (), np.zeros(0, bool))) for each in choices]


def test_the_sentence_gives_number_accuracy_and_interval() -> None:
    ahead = Forecast(80.4, 0.931, 0.912, 0.954)
    words = sentence(Curve(0.4, 0.5, 0.0), ahead)
    assert words == (
        "With twice as many photos (about 80 a class): about 93 %, between 91 % and 95 %. The curve is at 93.7 % now."
    )
    sure = sentence(Curve(0.4, 0.5, 0.0), replace(ahead, low=0.929, high=0.933))
    assert "about 93 %. The curve" in sure and "between" not in sure


def test_runs_that_differ_in_photos_and_seed_alone_are_one_curve(workplace: Workplace) -> None:
    found = results(workplace, {"photos_per_class": 2}, {"photos_per_class": 4, "seed": 9}, {})
    [(name, members)] = groups_of(found).items()
    assert name == "" and members == found


def test_what_else_differs_makes_curves_of_their_own_and_names_them(workplace: Workplace) -> None:
    sizes = ({"photos_per_class": 2}, {"photos_per_class": 4})
    found = results(workplace, *sizes, *({**each, "dropout": 0.5} for each in sizes), {"dropout": 0.1})
    groups = groups_of(found)
    assert list(groups) == ["dropout 0.2", "dropout 0.5"] and [len(each) for each in groups.values()] == [2, 2]
    assert groups_of(results(workplace, {}, {"dropout": 0.5}, {"seed": 5})) == {}


def test_repeats_are_one_point_with_the_interval_of_one_run() -> None:
    [five, ten] = measured_at([Point(10, 80, 100), Point(5, 60, 100), Point(5, 70, 100)])
    assert five[:2] == (5, 0.65) and ten[:2] == (10, 0.8)
    assert five[2] == pytest.approx(0.553, abs=0.002) and five[3] == pytest.approx(0.736, abs=0.002)
