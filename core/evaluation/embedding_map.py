"""Embeddings as points in two dimensions, close to each other where the model finds photos similar.

A map in two dimensions distorts a space of hundreds: distances between groups mean little, neighbours mean more. So
classes are compared by neighbours among the embeddings themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.evaluation.similarity import unit_rows
from core.runs.embeddings import Embeddings

MOST_PHOTOS = 1000
"""As many photos as are placed in a few seconds."""

DIMENSIONS = 50
"""To how many principal components embeddings are brought first, as L. van der Maaten advises."""

PERPLEXITY = 30.0
"""About how many neighbours a photo is kept near to."""

FEWEST = 10
"""Of fewer photos, the first two principal components are the map."""

NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """M photos on a map of K classes.

    Attributes:
        paths: M paths, relative to the dataset's folder.
        labels: (M,), their classes.
        predicted: (M,), the predicted classes.
        points: (M, 2).
        own: (M,), which share of the nearest photos of each has its class, 0..1.
        shares: (K, K), see `neighbourhood`.

    Raises:
        ValueError: The shapes do not fit.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    predicted: NDArray[np.intp]
    points: NDArray[np.float32]
    own: NDArray[np.float64]
    shares: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        counts = {len(each) for each in (self.paths, self.labels, self.predicted, self.points, self.own)}
        if len(counts) != 1 or self.shares.ndim != 2:
            raise ValueError(f"{len(self.paths)} photos do not fit points {self.points.shape} and {self.shares.shape}")

    def among_others(self, share: float) -> NDArray[np.intp]:
        """Photos with at least this share of neighbours of other classes, as positions, the largest share first."""
        found = np.flatnonzero(1 - self.own >= share)
        return found[np.argsort(self.own[found], kind="stable")]


def map_of(known: Embeddings) -> EmbeddingMap:
    """Return some of the photos, at most `MOST_PHOTOS`, on a map."""
    few = known.subset(sample(known.labels))
    near, classes = _nearest_labels(few.embedding, few.labels), few.probabilities.shape[1]
    own = (near == few.labels[:, None]).mean(1) if near.shape[1] else np.ones(len(few))
    shares = neighbourhood(few.embedding, few.labels, classes)
    return EmbeddingMap(few.paths, few.labels, few.probabilities.argmax(1), place(few.embedding), own, shares)


def sample(labels: NDArray[np.int32], most: int = MOST_PHOTOS, seed: int = 0) -> NDArray[np.intp]:
    """Return the positions of at most so many photos, drawn at random, rising; all where there are no more."""
    if len(labels) <= most:
        return np.arange(len(labels))
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:most])


def place(embedding: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Return a point for each photo, (N, 2), from embeddings (N, D); only directions count.

    Source: L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9 (2008), begun from the principal
    components, so that groups lie where those put them. The same embeddings give the same points.
    """
    # Loading scikit-learn takes as long as the rest of the server together, and few visitors look at a map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    directions = unit_rows(embedding)
    if not len(directions) or not np.ptp(directions, axis=0).any():
        return np.zeros((len(directions), 2), np.float32)
    with threadpool_limits(1):  # threads that wait for each other on busy cores take ten times as long
        found = PCA(min(DIMENSIONS, *directions.shape), random_state=seed).fit_transform(directions)
        if len(found) >= FEWEST and found.shape[1] > 1:
            perplexity = min(PERPLEXITY, (len(found) - 1) / 3)
            found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(found)
    return _turned(np.pad(found[:, :2], ((0, 0), (0, max(0, 2 - found.shape[1]))))).astype(np.float32)


def _turned(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Points (N, 2) about their middle, turned so that they spread most along x: pictures are wider than they are high.

    Nothing changes between them; t-SNE leaves it to chance which way up a map is.
    """
    middle = points - points.mean(axis=0)
    axes = np.linalg.svd(middle, full_matrices=False)[2]
    return np.asarray(middle @ axes.T)


def neighbourhood(
    embedding: NDArray[np.float32], labels: NDArray[np.int32], classes: int, neighbours: int = NEIGHBOURS
) -> NDArray[np.float64]:
    """Return which share of the nearest photos of a class (row) belongs to each class (column), (K, K).

    Nearest by cosine among embeddings (N, D), never the photo itself. Rows of classes without photos are 0.
    """
    shares = np.zeros((classes, classes))
    near = _nearest_labels(embedding, labels, neighbours)
    if near.shape[1]:
        np.add.at(shares, (labels[:, None], near), 1 / near.shape[1])
    support = np.bincount(labels, minlength=classes)
    return shares / np.maximum(support, 1)[:, None]


def _nearest_labels(
    embedding: NDArray[np.float32], labels: NDArray[np.int32], neighbours: int = NEIGHBOURS
) -> NDArray[np.int32]:
    """The classes of the nearest others of each photo, (N, neighbours) or, of few photos, (N, N - 1)."""
    k = min(neighbours, len(labels) - 1)
    if k < 1:
        return np.zeros((len(labels), 0), np.int32)
    directions = unit_rows(embedding)
    alike = directions @ directions.T
    np.fill_diagonal(alike, -np.inf)
    return labels[np.argpartition(-alike, k - 1, axis=1)[:, :k]]
