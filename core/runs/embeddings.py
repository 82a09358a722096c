"""Embeddings and predictions of a run's photos by its best model, kept in the run's folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import read_arrays
from core.errors import RunError, RunNotReady, words_of
from core.files import replacing
from core.language import tr
from core.runs.store import Run


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Photos of a run under its best model.

    Attributes:
        paths: N paths, relative to the dataset's folder.
        labels: (N,), int32: positions in the run's class names.
        parts: (N,), int8: positions in `core.data.subsets.SUBSETS`.
        embedding: (N, D), float32: what the head reads. Training has fitted it to the labels of the training photos.
        probabilities: (N, K), float32.

    Raises:
        ValueError: The shapes do not fit each other.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    parts: NDArray[np.int8]
    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check the shapes."""
        counts = {len(values) for values in (self.paths, self.labels, self.parts, self.embedding, self.probabilities)}
        if len(counts) != 1 or self.embedding.ndim != 2 or self.probabilities.ndim != 2:
            shapes = f"{self.labels.shape}, {self.parts.shape}, {self.embedding.shape}, {self.probabilities.shape}"
            raise ValueError(f"embeddings of {len(self.paths)} photos do not fit each other: {shapes}")

    def __len__(self) -> int:
        """How many photos there are."""
        return len(self.paths)

    def of(self, part: int) -> "Embeddings":
        """The photos of one subset."""
        return self.subset(np.flatnonzero(self.parts == part))

    def subset(self, positions: NDArray[np.intp]) -> "Embeddings":
        """The photos at these positions, in this order."""
        return Embeddings(
            tuple(self.paths[i] for i in positions),
            self.labels[positions],
            self.parts[positions],
            self.embedding[positions],
            self.probabilities[positions],
        )


def write_embeddings(run: Run, found: Embeddings) -> None:
    """Keep them; the file appears as a whole. Embeddings and probabilities are kept in half precision."""
    with replacing(run.embeddings_file) as file:
        np.savez(
            file,
            paths=_packed(found.paths),
            labels=found.labels,
            parts=found.parts,
            embedding=found.embedding.astype(np.float16),
            probabilities=found.probabilities.astype(np.float16),
        )


def read_embeddings(run: Run) -> Embeddings:
    """Read them.

    Raises:
        RunNotReady: There are none: the run has not ended, or an earlier version made it.
        RunError: It cannot be read.
    """
    try:
        file = read_arrays(run.embeddings_file)
        return Embeddings(
            _unpacked(file["paths"]),
            file["labels"].astype(np.int32),
            file["parts"].astype(np.int8),
            file["embedding"].astype(np.float32),
            file["probabilities"].astype(np.float32),
        )
    except FileNotFoundError as error:
        raise RunNotReady(
            tr(
                "The run {run} has no embeddings of its photos yet. Open it on the Predict page to compute them.",
                run=run.id,
            )
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            tr("The embeddings of the run {run} cannot be read ({reason}).", run=run.id, reason=words_of(error))
        ) from error


def _packed(paths: Sequence[str]) -> NDArray[np.uint8]:
    """Paths as bytes, each ended by a zero; an array of texts would be as wide as the longest for all of them."""
    return np.frombuffer(b"".join(os.fsencode(path) + b"\0" for path in paths), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path in packed.tobytes().split(b"\0")[:-1])
