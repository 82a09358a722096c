from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.dataset import Dataset, prepare
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review
from core.data.scan.folder import scan
from core.errors import DataError
from core.labels.dataset_check import EVIDENCE, check
from tests.conftest import write_colours

WRONG = "blue/00.png"


@pytest.fixture
def colours(tmp_path: Path) -> Dataset:
    """Two classes of fifteen photos, one of which has the wrong label."""
    root = write_colours(tmp_path / "colours")
    (root / WRONG).write_bytes((root / "red" / "14.png").read_bytes())
    (root / "red" / "14.png").unlink()
    return prepare(scan(root, roots=[root]), Review(root))


def features_of(dataset: Dataset) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Features that tell the colours apart, and the row of each photo."""
    random = np.random.default_rng(0)
    paths = dataset.scan.folder.paths
    red = np.array([path.startswith("red") or path == WRONG for path in paths])
    values = random.normal(0, 0.3, (len(paths), 8)) + np.where(red, 1, -1)[:, None]
    digests = [row.tobytes().hex() for row in dataset.scan.digests]
    return values.astype(np.float32), {digest: row for row, digest in enumerate(digests)}


def decided(dataset: Dataset, action: str, path: str, label: str = "") -> Dataset:
    """The dataset after a decision about one photo."""
    position = dataset.folder.paths.index(path)
    decision = Decision(action, {path: dataset.digest(position)}, label)
    return prepare(dataset.scan, dataset.review.with_decision(decision))


def test_the_wrong_label_is_listed_with_what_speaks_against_it(colours: Dataset) -> None:
    found = check(colours, *features_of(colours))
    [suspect] = found.suspects
    assert found.folder.paths[suspect] == WRONG and found.digests[suspect] == colours.digest(suspect)
    assert (found.given(suspect), found.suggested(suspect)) == ("blue", "red") and found.confidence(suspect) > 0.8
    assert len(found.evidence(suspect)) == EVIDENCE and suspect not in found.evidence(suspect)
    assert {found.given(other) for other in found.evidence(suspect)} == {"red"}


@pytest.mark.parametrize(("action", "label"), [(KEEP, ""), (RELABEL, "red"), (EXCLUDE, "")])
def test_what_was_decided_about_is_not_listed_again(colours: Dataset, action: str, label: str) -> None:
    features = features_of(colours)
    found = check(decided(colours, action, WRONG, label), *features)
    assert found.suspects == () and WRONG not in [found.folder.paths[i] for i in found.outliers]
    assert len(found.folder) == (28 if action == EXCLUDE else 29)


def test_look_alikes_are_no_evidence_for_each_other(colours: Dataset) -> None:
    values, row_of = features_of(colours)
    [suspect] = check(colours, values, row_of).suspects
    alike = replace(colours, groups=np.where(colours.folder.labels == 1, 99, colours.groups))
    alike.groups[suspect] = 99
    found = check(alike, values, row_of)
    assert all(alike.groups[other] != 99 for other in found.evidence(suspect))


def test_photos_without_features_are_counted_and_one_class_is_not_enough(colours: Dataset) -> None:
    values, row_of = features_of(colours)
    del row_of[colours.digest(3)]
    assert check(colours, values, row_of).unread == 1
    digests = [colours.digest(i) for i, label in enumerate(colours.folder.labels) if label == 1]
    with pytest.raises(DataError, match="this dataset has: red"):
        check(colours, values, {digest: row_of[digest] for digest in digests})
