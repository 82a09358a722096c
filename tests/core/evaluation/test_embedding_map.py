import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from core.evaluation.embedding_map import EmbeddingMap, map_of, neighbourhood, place, sample
from core.runs.embeddings import Embeddings


def three_groups(per_group: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Embeddings of three classes around three directions; those of the second and third are near each other."""
    random = np.random.default_rng(0)
    centres = np.zeros((3, 20))
    centres[0, 0], centres[1, 1], centres[2, 1], centres[2, 2] = 1, 1, 1, 0.45
    labels = np.repeat(np.arange(3), per_group).astype(np.int32)
    return (centres[labels] + random.normal(0, 0.05, (len(labels), 20))).astype(np.float32), labels


def test_photos_of_a_class_lie_together() -> None:
    embedding, labels = three_groups(20)
    points = place(embedding)
    assert points.shape == (60, 2) and points.dtype == np.float32
    nearest = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(return_distance=False)
    assert (labels[nearest] == labels[:, None]).mean() > 0.95
    assert np.array_equal(points, place(embedding))


def test_a_map_is_wider_than_it_is_high_as_pictures_are() -> None:
    points = place(three_groups(20)[0])
    assert points[:, 0].std() >= points[:, 1].std() > 0
    assert np.allclose(points.mean(axis=0), 0, atol=1e-3)


def test_only_directions_count() -> None:
    embedding, _ = three_groups(2)
    longer = embedding * np.arange(1, 7, dtype=np.float32)[:, None]
    assert np.allclose(place(embedding), place(longer), atol=1e-5)


@pytest.mark.parametrize(("count", "width"), [(0, 5), (1, 5), (2, 5), (5, 1), (11, 1), (12, 3)])
def test_few_photos_and_short_embeddings_have_a_place_too(count: int, width: int) -> None:
    embedding = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    points = place(embedding)
    assert points.shape == (count, 2) and np.isfinite(points).all()


def test_embeddings_that_are_all_alike_have_a_place_too() -> None:
    assert np.isfinite(place(np.zeros((12, 4), np.float32))).all()


def test_neighbours_are_those_of_scikit_learn() -> None:
    embedding, labels = three_groups(15)
    nearest = NearestNeighbors(n_neighbors=10, metric="cosine").fit(embedding).kneighbors(return_distance=False)
    expected = np.array(
        [[(labels[nearest[labels == row]] == column).mean() for column in range(3)] for row in range(3)]
    )
    assert np.allclose(neighbourhood(embedding, labels, 3), expected)


def test_neighbours_by_hand() -> None:
    embedding = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    shares = neighbourhood(embedding, np.array([0, 0, 1, 3], np.int32), 4, neighbours=1)
    assert shares.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert not neighbourhood(embedding[:1], np.array([0], np.int32), 2).any()


def test_of_many_photos_some_are_drawn_and_of_few_all() -> None:
    labels = np.zeros(5000, np.int32)
    drawn = sample(labels, 100)
    assert len(drawn) == 100 == len(set(drawn.tolist())) and (np.diff(drawn) > 0).all()
    assert np.array_equal(drawn, sample(labels, 100))
    assert sample(labels[:30], 100).tolist() == list(range(30))


def test_photos_among_those_of_other_classes_are_found() -> None:
    embedding, labels = three_groups(12)
    labels[0] = 2
    told = np.eye(3, dtype=np.float32)[labels]
    known = Embeddings(tuple(map(str, range(36))), labels, np.full(36, 2, np.int8), embedding, told)
    placed = map_of(known)
    assert placed.paths == known.paths and placed.points.shape == (36, 2)
    assert placed.among_others(0.9).tolist() == [0]
    assert placed.predicted.tolist() == labels.tolist()
    assert placed.shares.sum(1) == pytest.approx([1, 1, 1])


def test_one_photo_is_no_stranger() -> None:
    embedding, label = np.ones((1, 4), np.float32), np.zeros(1, np.int32)
    alone = Embeddings(("a",), label, np.zeros(1, np.int8), embedding, np.ones((1, 2), np.float32))
    assert len(map_of(alone).among_others(0.5)) == 0


def test_what_does_not_fit_on_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match="1 photos do not fit"):
        few = np.zeros(2)
        EmbeddingMap(("a",), few.astype(np.int32), few.astype(np.intp), np.zeros((2, 2), np.float32), few, np.eye(2))
