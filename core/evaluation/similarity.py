"""Similarity of photos: the cosine between their features. Functions of arrays."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 1024
"""Queries that are compared with all photos at once: it bounds the memory."""


def unit_rows(features: ArrayLike) -> NDArray[np.float32]:
    """Features (N, D) with rows of length 1; rows of zeros stay."""
    values = np.array(features, np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.where(length > 0, length, 1).astype(np.float32)
    return values


def nearest(queries: ArrayLike, features: ArrayLike, k: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The k photos most similar to each query, the most similar first.

    Args:
        queries: Shape (Q, D).
        features: Shape (N, D).
        k: How many; fewer come back where there are fewer photos.

    Returns:
        NDArray[np.intp] (Q, k) in `features`, and cosine similarities (Q, k) in [-1, 1].
    """
    others, asked = unit_rows(features), np.asarray(queries)
    k = min(k, len(others))
    positions = np.zeros((len(asked), k), np.intp)
    similarity = np.zeros((len(asked), k), np.float32)
    for start in range(0, len(asked), BLOCK):
        rows = slice(start, start + BLOCK)
        found = unit_rows(asked[rows]) @ others.T
        chosen = np.argpartition(-found, k - 1, axis=1)[:, :k] if k else positions[rows]
        order = np.argsort(-np.take_along_axis(found, chosen, axis=1), axis=1, kind="stable")
        positions[rows] = np.take_along_axis(chosen, order, axis=1)
        similarity[rows] = np.clip(np.take_along_axis(found, positions[rows], axis=1), -1, 1)
    return positions, similarity


def similarities(query: ArrayLike, features: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """The similarity of a photo to each of N others, (N,), in [-1, 1], without a copy of all their features.

    Args:
        query: Shape (D,).
        features: Shape (M, D), perhaps mapped from a disk.
        rows: Shape (N,): the rows of the N photos.
    """
    [asked] = unit_rows(np.asarray(query)[None])
    blocks = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    found = [unit_rows(features[block]) @ asked for block in blocks]
    similar: NDArray[np.float32] = np.clip(np.concatenate(found), -1, 1)
    return similar
