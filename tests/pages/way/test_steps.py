from dataclasses import replace

import pytest

from core.runs.store import CRASHED, FAILED, FINISHED, PAUSED, QUEUED, RUNNING, STOPPED, Status
from pages.components.way.steps import describe_dataset, describe_run

GOING = Status(state=RUNNING, created=1000.0, started=1000.0, seconds_left=60.0)


def test_a_run_that_goes_says_how_far_it_is_and_its_best() -> None:
    assert describe_run(GOING, 1040.0) == "40 %"
    assert describe_run(replace(GOING, best_val_accuracy=0.95), 1040.0) == "40 % · best 95.0 %"
    assert describe_run(replace(GOING, seconds_left=None), 1040.0) == "starting"


@pytest.mark.parametrize("seconds", [1000.0, 1e9])
def test_it_is_never_said_to_be_done_before_it_is(seconds: float) -> None:
    assert replace(GOING, seconds_left=0.0).share_done(seconds) in (0.0, 0.99)
    assert replace(GOING, seconds_left=None, phase="finishing").share_done(seconds) == 0.99


def test_a_run_that_has_ended_says_its_grade_or_how_it_ended() -> None:
    for state in (FINISHED, STOPPED):
        assert describe_run(Status(state=state, test_accuracy=0.78, best_val_accuracy=0.9), 0.0) == ":green[✓] 78.0 %"
    assert describe_run(Status(state=PAUSED, best_val_accuracy=0.9), 0.0) == "paused · best 90.0 %"
    assert describe_run(Status(state=QUEUED), 0.0) == "in the queue"
    assert [describe_run(Status(state=state), 0.0) for state in (FAILED, CRASHED, STOPPED)] == ["failed", "crashed", ""]


def test_a_dataset_goes_by_the_name_of_its_folder_which_is_no_markdown() -> None:
    assert describe_dataset("/photos/[a](b)") == r":green[✓] \[a\]\(b\)"
