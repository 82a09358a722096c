from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review
from core.data.scan.folder import ImageFolder
from core.labels.dataset_check import DatasetCheck
from core.labels.label_checks import LabelIssues
from core.reports.facts import Suspect
from pages.components.export.report_view import describe_decisions, suspects_of


def test_suspects_are_taken_from_a_check_of_labels() -> None:
    folder = ImageFolder(Path("/photos/zoo"), ("ant", "bee"), ("ant/1.jpg", "bee/2.jpg"), np.array([0, 1], np.int32))
    issues = SimpleNamespace(probabilities=np.array([[0.1, 0.9], [0.2, 0.8]]), suggested=np.array([1, 1]))
    places = np.arange(2)
    check = DatasetCheck(
        folder, ("", ""), cast(LabelIssues, cast(Any, issues)), (0,), (), 0, np.ones((2, 1), np.float32), places, places
    )
    assert suspects_of(check) == (Suspect("ant/1.jpg", "ant", "bee", 0.9),)


def test_decisions_are_counted_as_they_stand() -> None:
    review = Review(Path("/photos/zoo"))
    for decision in (
        Decision(KEEP, {"a": "1", "b": "2"}),
        Decision(RELABEL, {"a": "1"}, label="bee"),
        Decision(EXCLUDE, {"c": "3", "d": "4"}),
    ):
        review = review.with_decision(decision)
    assert describe_decisions(review) == (
        "2 photos were left out of the dataset.",
        "1 photo was relabelled.",
        "1 photo was checked and found right.",
    )
