from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import prepare
from core.data.review import EXCLUDE, RELABEL, Decision, Review
from core.data.scan.folder import Scan, scan
from core.data.scan.layout import BY_HAND, Layout
from core.errors import DataError
from core.labelling import pool as pools
from core.labelling.pool import CONFIRMED, LEFT_OUT, UNLABELLED, Labels, Pool
from core.language import reading, tr
from tests.catalogues import second_language
from tests.core.data.conftest import encode, place, scene

HAND = Layout(BY_HAND)

CONFIRMED_IN_CHINESE = f"""
msgid "{CONFIRMED}"
msgstr "传播后确认"
"""


def look(root: Path, photos: int) -> Scan:
    for number in range(photos):
        place(root / f"{number:02d}.png", encode(scene(number)))
    return scan(root, roots=[root], layout=HAND)


def rows(found: Scan, *without: int) -> tuple[np.ndarray, dict[str, int]]:
    """Made-up features, and the row of each photo but some."""
    digests = [row.tobytes().hex() for row in found.digests]
    values = np.random.default_rng(0).normal(size=(len(digests), 6)).astype(np.float32)
    return values, {digest: row for row, digest in enumerate(digests) if row not in without}


def decision(found: Scan, action: str, position: int, label: str = "") -> Decision:
    return Decision(action, {found.folder.paths[position]: found.digests[position].tobytes().hex()}, label)


def test_a_pool_holds_the_photos_that_have_features_and_their_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(tmp_path, 8)
    values, row_of = rows(found, 3)
    pool = Pool.of(found, values, row_of)
    assert (len(pool), pool.unread, pool.total) == (7, 1, 8)
    assert "03.png" not in pool.paths
    assert np.allclose(np.linalg.norm(pool.features, axis=1), 1)
    review = Review(found.folder.root, HAND, classes=("pen", "cup"))
    for action, position, label in ((RELABEL, 0, "cup"), (RELABEL, 4, "key"), (EXCLUDE, 5, "")):
        review = review.with_decision(decision(found, action, position, label))
    labels = Labels.of(pool, prepare(found, review))
    assert labels.classes == ("pen", "cup", "key"), "what was named beforehand comes first, in its order"
    assert dict(zip(pool.paths, labels.values.tolist(), strict=True)) == {
        "00.png": 1, "01.png": UNLABELLED, "02.png": UNLABELLED, "04.png": 2,
        "05.png": LEFT_OUT, "06.png": UNLABELLED, "07.png": UNLABELLED,
    }  # fmt: skip
    assert (labels.labelled.tolist(), labels.open.tolist()) == ([0, 3], [1, 2, 5, 6])
    assert labels.counts.tolist() == [0, 1, 1]
    photos = decision(found, RELABEL, 4, "key").photos
    with second_language(tmp_path / "locale", CONFIRMED_IN_CHINESE, monkeypatch), reading("zh"):
        in_chinese = Decision(RELABEL, photos, "key", tr(CONFIRMED))
    for why in (CONFIRMED, in_chinese.why):  # the first as former versions kept it
        confirmed = Decision(RELABEL, photos, "key", why)
        assert Labels.of(pool, prepare(found, review.with_decision(confirmed))).confirmed.nonzero()[0].tolist() == [3]
    assert in_chinese.why == "传播后确认"
    later = Labels.of(pool, prepare(found, review.with_decision(in_chinese)))
    assert later.confirmed.nonzero()[0].tolist() == [3] and later.judging.tolist() == [True, False]
    assert not labels.confirmed.any() and later.token != labels.token
    assert labels.token != replace(labels, values=np.zeros(7, np.intp)).token


def test_values_are_centred_and_of_one_scale_whatever_the_features_are(tmp_path: Path) -> None:
    found = look(tmp_path, 12)
    values, row_of = rows(found)
    pool, longer = (Pool.of(found, times * values + 3, row_of) for times in (1, 1))
    assert np.allclose(pool.values.mean(axis=0), 0, atol=1e-4)
    assert np.sqrt(np.square(longer.values).sum(axis=1).mean()) == pytest.approx(pools.LENGTH, rel=1e-3)
    assert np.allclose(pool.as_values(5 * pool.features), pool.values, atol=1e-4)


def test_of_very_many_photos_always_the_same_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_PHOTOS", 5)
    found = look(tmp_path, 9)
    one, other = (Pool.of(found, *rows(found)) for _ in range(2))
    assert one.paths == other.paths == tuple(sorted(one.paths))
    assert (len(one), one.total, one.unread) == (5, 9, 0)


def test_one_photo_is_no_pool(tmp_path: Path) -> None:
    found = look(tmp_path, 2)
    with pytest.raises(DataError, match="at least two photos"):
        Pool.of(found, *rows(found, 1))
