from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import Dataset, prepare
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review
from core.data.scan.folder import scan
from core.labels.dataset_check import DatasetCheck
from core.labels.label_checks import LabelIssues
from pages.components.labels.suspects import (
    EVERY,
    OUTLIERS,
    SUGGESTED,
    SUSPECTS,
    actions_for,
    decided_among,
    photo,
    rows_of,
)
from tests.conftest import write_colours


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two colours, nothing decided."""
    root = write_colours(tmp_path / "colours", per_class=3)
    return prepare(scan(root, roots=[root]), Review(root))


def check_of(dataset: Dataset) -> DatasetCheck:
    """A check that suspects the first two photos, which are blue, to be red."""
    folder = dataset.folder
    count = len(folder)
    shares = np.tile([0.2, 0.8], (count, 1))
    issues = LabelIssues(shares, np.full(count, 0.2), np.ones(count, np.intp), np.arange(2))
    digests = tuple(dataset.digest(i) for i in range(count))
    places = np.arange(count)
    return DatasetCheck(folder, digests, issues, (0, 1), (), 0, np.ones((count, 2), np.float32), places, places)


def with_decision(dataset: Dataset, position: int, digest: str, action: str = RELABEL) -> Dataset:
    """The dataset after a decision about a photo whose file had this digest."""
    decision = Decision(action, {dataset.folder.paths[position]: digest}, "red" if action == RELABEL else "")
    return prepare(dataset.scan, dataset.review.with_decision(decision))


def test_a_decision_counts_as_long_as_the_file_is_the_same(dataset: Dataset) -> None:
    check = check_of(dataset)
    assert decided_among(dataset, check, check.suspects) == {}
    decided = decided_among(with_decision(dataset, 0, check.digests[0]), check, check.suspects)
    assert list(decided) == [0] and decided[0].label == "red"
    assert decided_among(with_decision(dataset, 0, "0" * 64), check, check.suspects) == {}


def test_the_list_has_the_suggestion_and_the_decision(dataset: Dataset) -> None:
    check = check_of(dataset)
    first, second = rows_of(with_decision(dataset, 1, check.digests[1], KEEP), check, check.suspects)
    assert (first["given label"], first["suggested label"], first["confidence"]) == ("blue", "red", "0.8000")
    assert (first["decision"], second["decision"], second["new label"]) == ("", "keep", "")


def test_a_photo_says_what_is_suggested_and_what_was_decided(dataset: Dataset) -> None:
    check = check_of(dataset)
    decision = Decision(RELABEL, {dataset.folder.paths[0]: check.digests[0]}, "red")
    suspect = photo(check, 0, SUSPECTS, b"jpeg", "", decision)
    assert (suspect.title, suspect.note, suspect.badge) == ("blue → red", "80 %", "now red")
    assert photo(check, 0, EVERY, b"jpeg", "", None).note == "20 %"
    assert photo(check, 0, OUTLIERS, b"jpeg", "", None).title == "blue"
    assert photo(check, 5, SUSPECTS, b"jpeg", "", None).title == "red", "nothing else is suggested for it"


def test_outliers_have_no_suggested_class(dataset: Dataset) -> None:
    check = check_of(dataset)
    names = {key: [action.name for action in actions_for(check, key)] for key in (SUSPECTS, OUTLIERS)}
    assert names == {SUSPECTS: [SUGGESTED, KEEP, EXCLUDE, RELABEL], OUTLIERS: [KEEP, EXCLUDE, RELABEL]}
