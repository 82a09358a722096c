"""How photos lie to each other: their nearest neighbours as a graph, and few dimensions. Functions of arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array

from core.evaluation.similarity import nearest, unit_rows

NEIGHBOURS = 10
"""Photos that each photo is joined with: those most similar to it."""

SHARPNESS = 3
"""The cosine similarity is taken to this power, so that near photos count more than those that are only the nearest."""

DIMENSIONS = 32
"""In which clusters are looked for: with more, distances between any two photos become much the same."""


def neighbour_graph(features: NDArray[np.float32]) -> csr_array:
    """How similar each photo is to its nearest ones, shape (N, N), symmetric, eigenvalues in [-1, 1].

    The entries are cosine similarities, negative ones 0, to the power of three, divided by the square roots of both
    photos' sums. A. Iscen et al., "Label propagation for deep semi-supervised learning", CVPR 2019.

    Args:
        features: Shape (N, D), N at least 2, rows of length 1.
    """
    count = len(features)
    found, similarity = nearest(features, features, min(NEIGHBOURS, count - 1) + 1)
    rows = np.repeat(np.arange(count), found.shape[1])
    weights = np.clip(similarity.ravel(), 0, 1).astype(np.float64) ** SHARPNESS
    other = rows != found.ravel()
    pairs = rows[other], found.ravel()[other]
    one_way = coo_array((weights[other], pairs), shape=(count, count)).tocsr()
    both = one_way + one_way.T
    scale = diags_array(1 / np.sqrt(np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1e-12)))
    return csr_array(scale @ both @ scale)


def principal(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, D) along their principal directions, shape (N, at most `DIMENSIONS`), rows of length 1."""
    from sklearn.decomposition import PCA  # only here: see `core.evaluation.embedding_map`

    dimensions = min(DIMENSIONS, *features.shape)
    return unit_rows(PCA(dimensions, svd_solver="randomized", random_state=0).fit_transform(features))
