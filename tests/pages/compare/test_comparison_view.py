import numpy as np

from core.evaluation.comparison import Measured
from core.runs.store import Label
from pages.components.compare.comparison_view import Member, arms_of, series_among
from pages.components.shared.run_descriptions import LoadedRun
from tests.conftest import Workplace


def member(workplace: Workplace, group: str, name: str) -> Member:
    run = workplace.new_run()
    return Member(LoadedRun(run, run.read_status(), workplace.recipe()), Label(name, group, name), name)


def test_series_are_the_runs_that_were_started_together_the_newest_first(workplace: Workplace) -> None:
    found = [member(workplace, group, name) for group, name in (("old", "a"), ("", "b"), ("new", "c"), ("old", "d"))]
    series = series_among(found)
    assert {group: [each.name for each in members] for group, members in series.items()} == {
        "new": ["c"],
        "old": ["a", "d"],
    }
    assert list(series) == ["new", "old"]
    assert not any(each.is_measured for each in found), "none of them has been tested yet"


def test_repeats_are_one_arm_in_the_order_in_which_they_first_come() -> None:
    none = np.empty(0, bool)
    first, second, other = (Measured(correct, 10, (), none) for correct in (7, 8, 9))
    arms = arms_of([("flip", first), ("none", other), ("flip", second), ("lost", None)])
    assert [(arm.name, arm.runs) for arm in arms] == [("flip", (first, second)), ("none", (other,))]
