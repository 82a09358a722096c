"""The pool: photos of a folder that are labelled by hand, with their features, and their labels so far."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from core.data.dataset import Dataset
from core.data.scan.folder import Scan
from core.errors import DataError
from core.evaluation.similarity import unit_rows
from core.labelling.neighbours import neighbour_graph, principal
from core.language import tr, tr_mark

UNLABELLED, LEFT_OUT = -1, -2
"""In place of a class: nobody has labelled the photo yet, or somebody has decided not to use it."""

CONFIRMED = tr_mark("confirmed after spreading")
"""Why a decision was made, where it was by confirming a label that had spread; see `Decision.is_because`."""

MOST_PHOTOS = 20_000
"""Of more photos, so many are drawn: a few hundred are labelled, and these show what the others are like."""

LENGTH = 8.0
"""The root mean square length of the values, at which the usual penalty of a logistic regression fits."""


@dataclass(frozen=True, eq=False)
class Pool:
    """N photos with D features each.

    Attributes:
        root: Their folder.
        paths: Relative to it, N.
        digests: Of their files as hexadecimal text, N.
        groups: Shape (N,): photos with the same number look alike.
        features: Shape (N, D), float32: rows of length 1.
        unread: How many photos have no features, because they could not be read.
        total: How many photos there are in the folder; more than N where these were drawn.
    """

    root: Path
    paths: tuple[str, ...]
    digests: tuple[str, ...]
    groups: NDArray[np.int64]
    features: NDArray[np.float32]
    unread: int
    total: int

    @classmethod
    def of(cls, scan: Scan, features: NDArray[np.float32], row_of: Mapping[str, int]) -> "Pool":
        """Take the photos of a folder that have features; of very many, `MOST_PHOTOS` that are always the same.

        Args:
            scan: What lies in the folder.
            features: Shape (M, D), perhaps mapped from a disk.
            row_of: The row of each photo by its digest.

        Raises:
            DataError: There are fewer than two.
        """
        digests = [row.tobytes().hex() for row in scan.digests]
        there = [i for i, digest in enumerate(digests) if digest in row_of]
        if len(there) < 2:
            raise DataError(
                tr(
                    "Labelling needs at least two photos; {folder} has {count} that can be used.",
                    folder=str(scan.folder.root),
                    count=len(there),
                )
            )
        chosen = sorted(sorted(there, key=digests.__getitem__)[:MOST_PHOTOS])
        rows = unit_rows(features[[row_of[digests[i]] for i in chosen]])
        return cls(
            scan.folder.root,
            tuple(scan.folder.paths[i] for i in chosen),
            tuple(digests[i] for i in chosen),
            scan.duplicates.near[chosen],
            rows,
            len(digests) - len(there),
            len(digests),
        )

    def __len__(self) -> int:
        """How many photos there are, N."""
        return len(self.paths)

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """The mean of the features, shape (D,)."""
        return np.asarray(self.features.mean(axis=0))

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """What a linear head learns from, shape (N, D): see `as_values`."""
        return self.as_values(self.features)

    def as_values(self, features: ArrayLike) -> NDArray[np.float32]:
        """Features of any M photos (M, D) as a head takes them: of length 1, less the pool's mean, and scaled alike."""
        scale = float(np.sqrt(1 - np.square(self.mean).sum()))  # of the pool: rows have length 1
        return np.asarray((unit_rows(features) - self.mean) * np.float32(LENGTH / max(scale, 1e-6)))

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """The photos in few dimensions, in which clusters are looked for; rows of length 1."""
        return principal(self.features)

    @cached_property
    def graph(self) -> csr_array:
        """How similar each photo is to its nearest ones, see `neighbour_graph`."""
        return neighbour_graph(self.features)


@dataclass(frozen=True, eq=False)
class Labels:
    """What the photos of a pool have been labelled so far.

    Attributes:
        classes: Names of the K classes: first those that were named beforehand, in their order.
        values: Shape (N,): position in `classes`, or `UNLABELLED`, or `LEFT_OUT`.
        confirmed: Shape (N,): whether a label had spread to the photo before a person confirmed it. Such photos are the
            easy ones, so nothing is judged by them.
    """

    classes: tuple[str, ...]
    values: NDArray[np.intp]
    confirmed: NDArray[np.bool_]

    @classmethod
    def of(cls, pool: Pool, dataset: Dataset) -> "Labels":
        """Read from a dataset that is labelled by hand what was decided about each photo of the pool."""
        folder = dataset.folder
        others = [name for name in folder.class_names if name not in dataset.review.classes]
        classes = (*dataset.review.classes, *others)
        number = np.array([classes.index(name) for name in folder.class_names], np.intp)
        known = dict(zip(folder.paths, number[folder.labels].tolist() if len(folder) else [], strict=True))
        known |= dict.fromkeys(dataset.excluded(), LEFT_OUT)
        values = np.array([known.get(path, UNLABELLED) for path in pool.paths], np.intp)
        decided = dataset.review.labels_by_hand()
        spread = {path for path, decision in decided.items() if decision.is_because(CONFIRMED)}
        return cls(classes, values, (values >= 0) & np.array([path in spread for path in pool.paths]))

    @cached_property
    def labelled(self) -> NDArray[np.intp]:
        """Positions of the labelled photos, rising."""
        return np.flatnonzero(self.values >= 0)

    @cached_property
    def open(self) -> NDArray[np.intp]:
        """Positions of the photos that nobody has decided about, rising."""
        return np.flatnonzero(self.values == UNLABELLED)

    @cached_property
    def known(self) -> NDArray[np.intp]:
        """The labels of the labelled photos, in their order."""
        return self.values[self.labelled]

    @cached_property
    def judging(self) -> NDArray[np.bool_]:
        """Which of the labelled photos, in their order, were not labelled by confirming."""
        return ~self.confirmed[self.labelled]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many photos are labelled as each class, shape (K,)."""
        return np.bincount(self.known, minlength=len(self.classes)).astype(np.int64)

    @property
    def token(self) -> str:
        """A short text that is the same for equal labels."""
        return hashlib.blake2b(
            repr(self.classes).encode() + self.values.tobytes() + self.confirmed.tobytes(), digest_size=16
        ).hexdigest()
