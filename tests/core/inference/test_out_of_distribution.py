import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.subsets import TEST, TRAINING, VALIDATION
from core.inference.out_of_distribution import OutOfDistributionDetector, are_out_of_distribution
from core.runs.embeddings import Embeddings

SUBSETS = np.repeat([TRAINING, VALIDATION, TEST], [200, 20, 400])


def around(directions: NDArray[np.intp], seed: int) -> NDArray[np.float32]:
    """Photos near one axis each, 16-dimensional."""
    noise = np.random.default_rng(seed).normal(0, 0.15, (len(directions), 16))
    return np.asarray(np.eye(16)[directions] + noise, np.float32)


@pytest.fixture(scope="module")
def run() -> Embeddings:
    """A run on three classes that is wrong about each tenth photo, and then not sure."""
    labels = np.arange(len(SUBSETS)) % 3
    wrong = np.arange(len(SUBSETS)) % 10 == 0
    probabilities = np.full((len(SUBSETS), 3), 0.02)
    probabilities[np.arange(len(SUBSETS)), (labels + wrong) % 3] = np.where(wrong, 0.5, 0.96)
    probabilities /= probabilities.sum(1, keepdims=True)
    paths = tuple(f"{number}.jpg" for number in range(len(SUBSETS)))
    return Embeddings(
        paths,
        labels.astype(np.int32),
        SUBSETS.astype(np.int8),
        around(labels, 0),
        np.asarray(probabilities, np.float32),
    )


def test_photos_of_another_kind_are_noticed_and_new_photos_of_the_same_kind_are_not(run: Embeddings) -> None:
    detector = OutOfDistributionDetector.fit(run, 1.0)
    usual = run.of(TEST).embedding
    assert are_out_of_distribution(detector.ood_scores(around(np.full(200, 7), 1))).mean() > 0.95
    assert 0.01 < are_out_of_distribution(detector.ood_scores(usual)).mean() < 0.12
    assert are_out_of_distribution(detector.ood_scores(usual), false_alarms=0.5).mean() > 0.3
    ood_score = detector.ood_scores(usual)
    assert ood_score.shape == (400,) and ood_score.min() >= 0 and ood_score.max() <= 1
    assert detector.ood_scores(usual[:0]).shape == (0,)


def test_the_length_of_an_embedding_does_not_matter(run: Embeddings) -> None:
    detector = OutOfDistributionDetector.fit(run, 1.0)
    photos = run.of(TEST).embedding
    np.testing.assert_allclose(detector.ood_scores(photos), detector.ood_scores(3 * photos), atol=0.01)


def test_a_higher_least_confidence_gives_fewer_answers_and_more_of_them_are_right(run: Embeddings) -> None:
    detector = OutOfDistributionDetector.fit(run, 1.0)
    free, careful = detector.selective_accuracy(0, false_alarms=0), detector.selective_accuracy(0.95, false_alarms=0)
    assert (free.accepted, free.right, free.total) == (20, 18, 20)
    assert (careful.accepted, careful.right, careful.total) == (18, 18, 20)


def test_a_run_with_hardly_any_photos(run: Embeddings) -> None:
    few = run.subset(np.array([0, 1, 205]))
    assert OutOfDistributionDetector.fit(few, 1.0).ood_scores(few.embedding).shape == (3,)
    with pytest.raises(ValueError, match="two training photos"):
        OutOfDistributionDetector.fit(run.subset(np.array([0, 205])), 1.0)
