"""The arrays of a run that was packed elsewhere, checked against its classes and photos, and written anew."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.data.subsets import SUBSETS, TEST
from core.errors import TransferError
from core.runs.embeddings import Embeddings, write_embeddings
from core.runs.store import Run
from core.training.transfer.array_file import Arrays, read_npy, read_npz
from core.training.transfer.imported_facts import Tested
from core.training.transfer.run_export import PREDICTION_HISTORY

MEASURED = SUBSETS[1:]
"""The parts whose predictions are kept by themselves."""

ROUNDING = 1e-3
"""By how much probabilities that were kept in half precision may miss their range."""


def write(unpacked: Path, run: Run, classes: int, paths: Sequence[str], validations: int) -> Tested | None:
    """Check predictions, embeddings and timeline, and write them into the run's folder.

    Args:
        unpacked: Where the unpacked files are.
        run: The run that is being put together.
        classes: How many classes there are.
        paths: The photos of its split.
        validations: How many validations its metrics tell of.

    Returns what it came to on the test part, None without one. Raises `TransferError` where anything does not fit.
    """
    tested = None
    for part in MEASURED:
        file = unpacked / run.predictions_file(part).name
        if file.exists():
            tested = _write_predictions(read_npz(file), run, part, classes, len(paths))
    _write_embeddings(unpacked, run, classes, frozenset(paths))
    _write_timeline(unpacked, run, classes, validations)
    return tested if run.predictions_file(SUBSETS[TEST]).exists() else None


def _write_predictions(arrays: Arrays, run: Run, part: str, classes: int, photos: int) -> Tested:
    probabilities, labels = _named(arrays, ("probabilities", "labels"), part)
    count = len(labels) if labels.ndim == 1 else 0
    fits = probabilities.shape == (count, classes) and 0 < count <= photos and _are_labels(labels, classes)
    if not fits or not _are_shares(probabilities):
        raise TransferError(f"The predictions for the {part} photos do not fit the run's classes and photos.")
    kept = probabilities.astype(np.float32)
    np.savez(run.predictions_file(part), probabilities=kept, labels=labels.astype(np.int32))
    return Tested(int((kept.argmax(1) == labels).sum()), count)


def _write_embeddings(unpacked: Path, run: Run, classes: int, paths: frozenset[str]) -> None:
    file = unpacked / run.embeddings_file.name
    if not file.exists():
        return
    names = ("paths", "labels", "parts", "embedding", "probabilities")
    packed, labels, parts, embedding, probabilities = _named(read_npz(file), names, "embeddings")
    listed = tuple(os.fsdecode(path) for path in packed.tobytes().split(b"\0")[:-1])
    fits = probabilities.ndim == 2 and probabilities.shape[1] == classes and _are_labels(labels, classes)
    fits = (
        fits and _are_labels(parts, len(SUBSETS)) and _are_shares(probabilities) and bool(np.isfinite(embedding).all())
    )
    if not fits or len(set(listed)) < len(listed) or not paths.issuperset(listed):
        raise TransferError("What the model made of each photo does not fit the run's classes and photos.")
    found = (labels.astype(np.int32), parts.astype(np.int8), embedding.astype(np.float32))
    try:
        write_embeddings(run, Embeddings(listed, *found, probabilities.astype(np.float32)))
    except ValueError as error:
        raise TransferError(f"What the model made of each photo cannot be used: {error}.") from error


def _write_timeline(unpacked: Path, run: Run, classes: int, validations: int) -> None:
    """A file for each validation, `(3, N)`: predicted class, its probability, and that of the given class."""
    files = sorted((unpacked / PREDICTION_HISTORY).iterdir(), key=lambda file: int(file.stem))
    if [int(file.stem) for file in files] != list(range(1, len(files) + 1)) or len(files) > validations:
        raise TransferError("The timeline of this run does not have one file for each validation.")
    shapes = set()
    for file in files:
        found = read_npy(file)
        fits = found.ndim == 2 and len(found) == 3 and _are_shares(found[1:]) and _are_labels(found[0], classes)
        shapes.add(found.shape)
        if not fits or len(shapes) > 1:
            raise TransferError(f"{PREDICTION_HISTORY}{file.name} does not fit the run's classes and photos.")
        run.timeline_folder.mkdir(exist_ok=True)
        np.save(run.timeline_folder / file.name, found.astype(np.float32))


def _named(arrays: Arrays, names: Sequence[str], what: str) -> list[np.ndarray]:  # type: ignore[type-arg, unused-ignore]
    if set(arrays) != set(names):
        raise TransferError(f"The file of the {what} holds {', '.join(arrays)[:100]}; expected {', '.join(names)}.")
    return [arrays[name] for name in names]


def _are_labels(values: np.ndarray, count: int) -> bool:  # type: ignore[type-arg, unused-ignore]
    whole = values.ndim == 1 and bool((values == np.floor(values)).all())
    return whole and (not values.size or bool(values.min() >= 0 and values.max() < count))


def _are_shares(values: np.ndarray) -> bool:  # type: ignore[type-arg, unused-ignore]
    return bool(np.isfinite(values).all()) and (
        not values.size or bool(values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING)
    )
