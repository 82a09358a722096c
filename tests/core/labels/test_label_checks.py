import numpy as np
import pytest
from numpy.typing import NDArray

from core.labels import label_checks, label_noise
from core.labels.label_checks import AGREE, DISAGREE, UNSURE, find_label_issues, verdicts


def blobs(sizes: list[int], seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Features of classes that lie well apart."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return (random.normal(size=(len(sizes), 24))[labels] * 4 + random.normal(size=(len(labels), 24))).astype(
        np.float32
    ), labels


def test_flipped_labels_are_the_suspects_and_the_true_class_is_suggested() -> None:
    features, true = blobs([60, 60, 60])
    given, flipped = true.copy(), [3, 70, 100, 150, 170]
    given[flipped] = (true[flipped] + 1) % 3
    found = find_label_issues(features, given, 3)
    assert sorted(found.suspects) == flipped
    assert found.suggested.tolist() == true.tolist()
    assert set(np.argsort(found.quality)[:5]) == set(flipped)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(180))


def test_the_same_seed_finds_the_same() -> None:
    features, labels = blobs([20, 20])
    one, other = (find_label_issues(features, labels, 2, seed=4) for _ in range(2))
    assert (one.probabilities == other.probabilities).all()


def test_copies_do_not_vouch_for_each_other() -> None:
    """Ten copies of a photo with one wrong label outvote the truth unless they stay in one fold."""
    features, labels = blobs([40, 40])
    features[40:50], labels[40:50] = features[0], 1
    groups = np.arange(80)
    groups[40:50] = groups[0]
    assert set(range(40, 50)) <= set(find_label_issues(features, labels, 2, groups).suspects)


@pytest.mark.parametrize("sizes", [[1, 1], [1, 19], [2, 3, 1, 14], [0, 10, 10], [20, 0]])
def test_few_photos_and_empty_classes_are_judged_as_far_as_possible(sizes: list[int]) -> None:
    features, labels = blobs(sizes)
    found = find_label_issues(features, labels, len(sizes))
    assert found.probabilities.shape == (len(labels), len(sizes))
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(len(labels)))
    alone = np.isin(labels, np.flatnonzero(np.array(sizes) == 1))
    assert (found.quality[alone] == 1).all()
    assert not alone[found.suspects].any()


@pytest.mark.thorough
def test_a_thousand_classes() -> None:
    features, labels = blobs([2] * 1000)
    assert find_label_issues(features, labels, 1000).probabilities.shape == (2000, 1000)


def test_features_that_never_change_tell_nothing() -> None:
    found = find_label_issues(np.zeros((10, 4), np.float16), np.arange(10) % 2, 2)
    assert np.isfinite(found.probabilities).all()


def test_it_can_be_broken_off() -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise InterruptedError

    features, labels = blobs([10, 10])
    with pytest.raises(InterruptedError):
        find_label_issues(features, labels, 2, on_progress=stop)


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        find_label_issues(np.zeros((3, 2)), [0, 1, 2], 2)


def test_outliers_are_photos_far_from_all_others() -> None:
    features, labels = blobs([40, 40])
    strange = np.random.default_rng(1).normal(size=(3, 24)) * 10
    found = label_checks.outlyingness(np.vstack([features, strange]), [*labels, 0, 1, 1])
    assert (found[-3:] >= label_checks.OUTLYING).all()
    assert (found[:-3] >= label_checks.OUTLYING).mean() < 0.1
    assert 0 <= found.min() <= found.max() <= 1


def test_wrong_labels_in_one_direction_are_told_from_photos_that_are_hard_to_tell() -> None:
    """Where one of ten photos of class 1 is called 0, but none the other way round, T says so."""
    random = np.random.default_rng(0)
    true = np.arange(6000) % 2
    scores = np.stack([1 - true, true], axis=1) + random.normal(scale=0.3, size=(6000, 2))
    given = np.where((true == 1) & (random.random(6000) < 0.1), 0, true)
    _, matrix = label_noise._fitted(scores.astype(np.float32), given)
    assert matrix[1, 0] == pytest.approx(0.1, abs=0.03)
    assert matrix[0, 1] < 0.02


def test_rates_of_wrong_labels_are_as_even_as_the_labels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    true = np.arange(1500) % 5
    scores = (np.eye(5)[true] + random.normal(scale=0.25, size=(1500, 5))).astype(np.float32)
    wrong = random.random(1500) < 0.1
    swapped = np.where(wrong & (true == 2), 4, np.where(wrong & (true == 4), 2, true))
    _, matrix = label_noise._fitted(scores, swapped)
    among_others = matrix[[0, 1, 3]][~np.eye(5, dtype=bool)[[0, 1, 3]]]
    assert matrix[2, 4] > 0.06 and matrix[4, 2] > 0.06 and among_others.max() < 0.01
    anywhere = np.where(wrong, (true + random.integers(1, 5, 1500)) % 5, true)
    _, matrix = label_noise._fitted(scores, anywhere)
    others = matrix[~np.eye(5, dtype=bool)]
    assert others.min() > 0.015 and others.max() < 0.035
    of_few = label_noise._counted(np.eye(5, dtype=np.float32)[true], swapped)
    monkeypatch.setattr(label_noise, "MOST_TAKEN", 4)
    assert label_noise._counted(np.eye(5, dtype=np.float32)[true], swapped)[2, 4] < of_few[2, 4]


@pytest.mark.parametrize("most_in_single", [0, 1000])
def test_many_photos_are_compared_with_landmarks(most_in_single: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, true = blobs([60, 60, 60])
    given = true.copy()
    given[[3, 70]] = 2
    monkeypatch.setattr("core.labels.held_out.LANDMARKS", 30)
    monkeypatch.setattr("core.labels.held_out.INNER_LANDMARKS", 20)
    monkeypatch.setattr("core.labels.held_out.MOST_IN_SINGLE", most_in_single)
    monkeypatch.setattr("core.labels.held_out.BLOCK", 50)
    monkeypatch.setattr("core.labels.label_noise.MOST_VALUES", 200)
    assert set(find_label_issues(features, given, 3).suspects) == {3, 70}


@pytest.mark.parametrize(
    ("probabilities", "given", "unlike", "verdict"),
    [
        ([0.9, 0.05, 0.05], 0, False, AGREE),
        ([0.9, 0.05, 0.05], 1, False, DISAGREE),
        ([0.7, 0.25, 0.05], 1, False, UNSURE),
        ([0.7, 0.25, 0.05], 2, False, UNSURE),
        ([0.4, 0.3, 0.3], 0, False, UNSURE),
        ([0.9, 0.05, 0.05], 0, True, UNSURE),
        ([0.9, 0.05, 0.05], 1, True, UNSURE),
    ],
)
def test_verdicts(probabilities: list[float], given: int, unlike: bool, verdict: str) -> None:
    assert verdicts([probabilities], [given], [unlike]) == [verdict]
