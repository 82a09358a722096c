import numpy as np
import pytest
from numpy.typing import NDArray

from core.training.feature_cache.linear_probe import LinearProbe, linear_probe

WIDTH = 64


def around_centres(labels: NDArray[np.int32], seed: int) -> NDArray[np.float32]:
    """Features that lie close to the centre of their class; the centres are always the same."""
    centres = np.random.default_rng(0).normal(size=(10, WIDTH)) * 4
    return (centres[labels] + np.random.default_rng(seed).normal(size=(len(labels), WIDTH))).astype(np.float32)


def noise(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_classes_that_lie_apart_are_all_named_correctly(classes: int) -> None:
    labels, truth = ((np.arange(count) % classes).astype(np.int32) for count in (40, 25))
    found = linear_probe(around_centres(labels, 1), labels, around_centres(truth, 2), truth)
    assert found == LinearProbe(accuracy=1.0, training=40, validation=25)


def test_more_features_than_photos_and_more_photos_than_features_are_both_solved() -> None:
    truth = (np.arange(30) % 2).astype(np.int32)
    for count in (6, 5 * WIDTH):
        labels = (np.arange(count) % 2).astype(np.int32)
        found = linear_probe(around_centres(labels, 1), labels, around_centres(truth, 2), truth)
        assert found == LinearProbe(1.0, count, 30)


def test_with_labels_at_random_photos_that_were_not_seen_are_named_by_chance() -> None:
    random = np.random.default_rng(3)
    labels, truth = (random.integers(0, 4, count).astype(np.int32) for count in (200, 2000))
    found = linear_probe(noise(200, 1), labels, noise(2000, 2), truth)
    assert found is not None and found.accuracy == pytest.approx(0.25, abs=0.05)


def test_rare_labels_and_labels_that_skip_a_number_keep_their_names() -> None:
    labels = np.array([7] * 20 + [2] * 3, np.int32)
    truth = np.array([2, 7, 2, 7], np.int32)
    assert linear_probe(around_centres(labels, 1), labels, around_centres(truth, 2), truth) == LinearProbe(1.0, 23, 4)


def test_a_class_that_the_head_never_met_is_named_wrongly() -> None:
    labels, truth = np.array([0, 1] * 10, np.int32), np.array([0, 1, 2, 2], np.int32)
    found = linear_probe(around_centres(labels, 1), labels, around_centres(truth, 2), truth)
    assert found is not None and found.accuracy == 0.5


@pytest.mark.parametrize(
    ("labels", "unseen"), [([], 3), ([1, 1, 1], 3), ([0, 1], 0)], ids=["no photos", "one class", "nothing to try"]
)
def test_there_is_no_linear_probe_without_two_classes_or_without_photos_to_try(labels: list[int], unseen: int) -> None:
    given = np.array(labels, np.int32)
    assert linear_probe(noise(len(given), 1), given, noise(unseen, 2), np.zeros(unseen, np.int32)) is None


def test_nothing_that_is_handed_over_is_changed() -> None:
    labels = np.array([0, 1] * 5, np.int32)
    features, unseen = around_centres(labels, 1), around_centres(labels, 2)
    before = features.copy(), unseen.copy()
    linear_probe(features, labels, unseen, labels)
    np.testing.assert_array_equal(features, before[0])
    np.testing.assert_array_equal(unseen, before[1])
