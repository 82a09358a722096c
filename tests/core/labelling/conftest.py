"""Heaps of made-up photos: points around a centre for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.evaluation.similarity import unit_rows
from core.labelling.pool import UNLABELLED, Labels, Pool

WIDTH = 24


def heap(*sizes: int, noise: float = 0.15, seed: int = 0) -> tuple[Pool, NDArray[np.intp]]:
    """A pool with a cluster of so many photos for each class, and their true classes (N,)."""
    random = np.random.default_rng(seed)
    true = np.repeat(np.arange(len(sizes)), sizes)
    centres = np.eye(WIDTH, dtype=np.float32)[: len(sizes)]
    features = centres[true] + random.normal(0, noise, (len(true), WIDTH)).astype(np.float32)
    names = tuple(f"{i:04d}.png" for i in range(len(true)))
    return Pool(Path(), names, names, np.arange(len(true)), unit_rows(features), 0, len(true)), true


def labelled(true: NDArray[np.intp], positions: Sequence[int] | NDArray[np.intp], classes: int = 0) -> Labels:
    """The true labels of some photos."""
    values = np.full(len(true), UNLABELLED, np.intp)
    values[list(positions)] = true[list(positions)]
    names = tuple(f"class {i}" for i in range(classes or int(true.max()) + 1))
    return Labels(names, values, np.zeros(len(true), bool))
