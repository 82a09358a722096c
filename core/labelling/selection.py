"""Which photos to label next: those whose labels teach most."""

import numpy as np
from numpy.typing import NDArray

from core.labelling.pool import Labels, Pool

ROUND = 10
"""Photos that are labelled before it is decided anew which are next."""

TYPICAL_UP_TO = 15
"""Labels a class, on average, up to which typical photos teach more than those that a head is least sure of."""

NEAREST = 20
"""Photos of its cluster that a photo's typicality rests on: those most similar to it."""

STARTS = 5
"""Times that k-means starts anew; the best is taken."""

LARGE = 5_000
"""Photos from which on k-means looks at some of them in each step."""

MOST_CLUSTERS = 300

CANDIDATES = 10
"""How many times as many photos as are wanted are taken into account, the least certain ones."""

Positions = NDArray[np.intp]


def choose(
    pool: Pool, labels: Labels, probabilities: NDArray[np.floating] | None, count: int = ROUND, seed: int = 0
) -> Positions:
    """Return the photos to label next, the one that teaches most first; none that looks like a labelled one.

    Args:
        pool: The photos.
        labels: What they have been labelled so far.
        probabilities: Shape (N, K), what a head makes of each photo; None while there is none.
        count: How many; fewer come back where there are fewer.
        seed: Fixes the clusters.
    """
    if probabilities is None or len(labels.labelled) < TYPICAL_UP_TO * len(labels.classes):
        return typical(pool, labels, count, seed)
    return informative(pool, labels, probabilities, count, seed)


def typical(pool: Pool, labels: Labels, count: int, seed: int = 0) -> Positions:
    """Return the most typical photo of each of the largest clusters in which the fewest are labelled.

    There are as many clusters as labelled photos and wanted ones together. G. Hacohen, A. Dekel and D. Weinshall,
    "Active learning on a budget: opposite strategies suit high and low budgets", ICML 2022.
    """
    free = _first_of_each_group(pool, _unlike_decided(pool, labels))
    clusters = min(len(labels.labelled) + count, MOST_CLUSTERS, len(pool))
    cluster = _clusters(pool.directions, clusters, seed)
    sizes = np.bincount(cluster, minlength=clusters)
    labelled = np.bincount(cluster[labels.values != -1], minlength=clusters)
    candidates: list[list[int]] = [[] for _ in range(clusters)]
    for position in free:
        candidates[cluster[position]].append(int(position))
    order = sorted(range(clusters), key=lambda number: (labelled[number], -sizes[number]))
    ranked = [_most_typical(pool.directions, np.flatnonzero(cluster == number), candidates[number]) for number in order]
    ranked = [each for each in ranked if len(each)]
    chosen: list[int] = []
    for turn in range(count):  # one of each cluster, then a second one of each
        chosen += [int(each[turn]) for each in ranked if turn < len(each)]
        if len(chosen) >= count:
            break
    return np.array(chosen[:count], np.intp)


def informative(
    pool: Pool, labels: Labels, probabilities: NDArray[np.floating], count: int, seed: int = 0
) -> Positions:
    """Return photos that a head is least sure of, unlike each other and unlike those that are labelled.

    The least certain ones, by the margin between the two most probable classes, are divided into clusters, each photo
    weighing as much as it is uncertain; of each the most uncertain is taken. F. Zhdanov, "Diverse mini-batch active
    learning", arXiv 1901.05954 (2019).
    """
    free = _first_of_each_group(pool, _unlike_decided(pool, labels))
    if not len(free):
        return free
    ranked = np.sort(probabilities[free], axis=1)
    unsure = 1 - (ranked[:, -1] - ranked[:, -2])
    likeness = pool.directions[free] @ pool.directions[labels.labelled].T
    weight = unsure * (1 - np.clip(likeness.max(axis=1), 0, 1)) + 1e-6
    best = np.argsort(-weight, kind="stable")[: CANDIDATES * count]
    from sklearn.cluster import KMeans  # only here: see `core.evaluation.embedding_map`

    clusters = min(count, len(best))
    cluster = (
        KMeans(clusters, n_init=STARTS, random_state=seed)
        .fit(pool.directions[free[best]], sample_weight=weight[best])
        .labels_
    )
    firsts = [best[cluster == number][0] for number in range(clusters) if (cluster == number).any()]
    return free[sorted(firsts, key=lambda each: -weight[each])]


def _unlike_decided(pool: Pool, labels: Labels) -> Positions:
    """The undecided photos that do not look like one that was decided about."""
    decided = np.setdiff1d(np.arange(len(pool)), labels.open)
    return labels.open[~np.isin(pool.groups[labels.open], pool.groups[decided])]


def _first_of_each_group(pool: Pool, positions: Positions) -> Positions:
    return positions[np.sort(np.unique(pool.groups[positions], return_index=True)[1])]


def _clusters(points: NDArray[np.float32], clusters: int, seed: int) -> Positions:
    """The cluster of each photo, shape (N,)."""
    from sklearn.cluster import KMeans, MiniBatchKMeans  # only here: see `core.evaluation.embedding_map`

    kind = MiniBatchKMeans if len(points) >= LARGE else KMeans
    return np.asarray(kind(clusters, n_init=STARTS, random_state=seed).fit(points).labels_, np.intp)


def _most_typical(points: NDArray[np.float32], members: Positions, candidates: list[int]) -> Positions:
    """Candidates of a cluster, the one that is most similar to its nearest ones there first."""
    positions = np.array(candidates, np.intp)
    if not len(positions):
        return positions
    nearest = -np.sort(-(points[positions] @ points[members].T), axis=1)[:, 1 : 1 + NEAREST]
    typicality = nearest.mean(axis=1) if nearest.shape[1] else np.zeros(len(positions))
    return positions[np.argsort(-typicality, kind="stable")]
