"""Labels spread to the unlabelled photos of a real folder, by made-up features."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.dataset import Dataset, prepare
from core.data.review import RELABEL, Decision, Review
from core.data.scan.folder import scan
from core.data.scan.layout import BY_HAND, Layout
from core.data.subsets import NO_SUBSET, TEST, TRAINING, VALIDATION
from core.errors import DataError
from core.labelling.for_training import FLOOR, spread_to_unlabelled
from core.labelling.pool import Pool
from tests.core.data.conftest import encode, place, scene

HAND = Layout(BY_HAND)
CLASSES = ("cup", "key", "pen")
EACH, LABELLED = 10, 4
"""Photos of each class, and how many of them are labelled."""

COPY, STRANGER = "copy.png", "stranger.png"
PARTS = (TRAINING, TRAINING, TEST, VALIDATION)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Pool]:
    """Three clusters, a copy of a test photo, and a photo that is like nothing else."""
    root = tmp_path_factory.mktemp("heap")
    for number, name in enumerate(CLASSES):
        for place_in_class in range(EACH):
            place(root / f"{name}-{place_in_class:02d}.png", encode(scene(EACH * number + place_in_class)))
    (root / COPY).write_bytes((root / f"cup-{PARTS.index(TEST):02d}.png").read_bytes())
    place(root / STRANGER, encode(scene(99)))
    found = scan(root, roots=[root], layout=HAND)
    digests = [row.tobytes().hex() for row in found.digests]
    of_file = dict(zip(found.folder.paths, digests, strict=True))
    decisions = tuple(
        Decision(RELABEL, {f"{name}-{i:02d}.png": of_file[f"{name}-{i:02d}.png"]}, name)
        for name in CLASSES
        for i in range(LABELLED)
    )
    dataset = prepare(found, Review(found.folder.root, HAND, decisions, CLASSES))
    random = np.random.default_rng(0)
    values: list[NDArray[np.float64]] = []
    rows: dict[str, int] = {}
    for path, digest in zip(found.folder.paths, digests, strict=True):
        centre = np.zeros(8)
        centre[5 if path == STRANGER else 0 if path == COPY else CLASSES.index(path[:3])] = 1
        rows.setdefault(digest, len(values))
        values.append(centre + random.normal(0, 0.1, 8))
    return dataset, Pool.of(found, np.array(values, np.float32), rows)


def parts_of(dataset: Dataset) -> NDArray[np.int8]:
    return np.array([PARTS[int(path[4:6])] for path in dataset.folder.paths], np.int8)


def test_labels_of_training_photos_spread_to_those_that_are_alike(heap: tuple[Dataset, Pool]) -> None:
    dataset, pool = heap
    found = spread_to_unlabelled(pool, dataset, parts_of(dataset))
    assert found.unlabelled == 3 * (EACH - LABELLED) + 2
    assert set(found.labels.paths) == {f"{name}-{i:02d}.png" for name in CLASSES for i in range(LABELLED, EACH)}
    assert all(path.startswith(name) for path, name in zip(found.labels.paths, found.labels.classes, strict=True))
    assert found.labels.certainty.min() >= FLOOR
    assert found.strangers == 1, "which is not learned from, as the copy of a test photo is not"
    assert (found.left_out, found.right) == (6, 6) and found.helps and found.imbalance < 2


def test_labels_of_other_photos_have_no_part_in_it(heap: tuple[Dataset, Pool]) -> None:
    dataset, pool = heap
    parts = parts_of(dataset)
    wrong = dataset.folder.labels.copy()
    wrong[parts != TRAINING] = (wrong[parts != TRAINING] + 1) % 3
    misled = replace(dataset, folder=replace(dataset.folder, labels=wrong))
    same, other = (spread_to_unlabelled(pool, each, parts) for each in (dataset, misled))
    assert (same.labels.paths, same.labels.classes) == (other.labels.paths, other.labels.classes)
    np.testing.assert_array_equal(same.labels.certainty, other.labels.certainty)


def test_photos_of_a_class_that_is_left_out_are_not_taken_for_others(heap: tuple[Dataset, Pool]) -> None:
    dataset, pool = heap
    found = spread_to_unlabelled(pool, dataset, parts_of(dataset), ("pen",))
    assert set(found.labels.classes) == {"cup", "key"}
    assert not any(path.startswith("pen") for path in found.labels.paths)


def test_where_nothing_can_spread_it_is_said(heap: tuple[Dataset, Pool]) -> None:
    dataset, pool = heap
    parts = parts_of(dataset)
    only_cups = np.where(dataset.folder.labels == 0, parts, NO_SUBSET).astype(np.int8)
    with pytest.raises(DataError, match="once training photos of two classes have features"):
        spread_to_unlabelled(pool, dataset, only_cups)
    with pytest.raises(DataError, match="every photo has a class"):
        spread_to_unlabelled(pool, replace(dataset, unlabelled=np.zeros(0, np.intp)), parts)
