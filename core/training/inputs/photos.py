"""The photos of a run: decoded once, when they are first needed, into a memory-mapped file."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.data.images import MAX_PIXELS, decode, file_digest
from core.data.pseudo_labels import PseudoLabels, read_pseudo_csv
from core.data.scan.folder import ImageFolder, check_inside
from core.data.scan.index import KnownDigest, known_digests
from core.data.scan.walk import check_photo
from core.data.split import read_split_csv
from core.data.subsets import SUBSETS, TRAINING
from core.errors import DataError, PhotoError, PhotoOutOfReach
from core.files import saving
from core.formatting import size
from core.language import tr
from core.models.backbones import Backbone
from core.recipe.recipe import Recipe
from core.runs.store import Run
from core.settings import Settings

CHUNK = 64

Gather = Callable[[NDArray[np.int64]], NDArray[Any]]
"""From positions of photos `(B,)` to inputs of a network, `(B, ...)`."""

Given = TypeVar("Given")
Made = TypeVar("Made")


class Photos:
    """The photos of a run, as pixels of one size.

    Attributes:
        failures: Why a photo cannot be used, by its position; known once it was asked for.
    """

    def __init__(
        self, files: Sequence[Path], size: int, store: Path, roots: Sequence[Path], max_pixels: int = MAX_PIXELS
    ) -> None:
        """Make room for `size` x `size` pixels of each file in the memory-mapped file `store`, as yet empty.

        What by now leads outside `roots` counts as a photo that cannot be read.
        """
        with saving(store):
            store.parent.mkdir(parents=True, exist_ok=True)
        self.shape = (size, size, 3)
        self.failures: dict[int, str] = {}
        self._files, self._roots, self._max_pixels = files, roots, max_pixels
        with saving(store):
            self._pixels = np.lib.format.open_memmap(store, "w+", np.uint8, (len(files), *self.shape))
            _take_room(store)
        self._decoded = np.zeros(len(files), bool)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._files)

    def digests(self, known: Sequence[KnownDigest | None] | None = None) -> list[bytes]:
        """BLAKE2b of each file, 16 bytes; empty for one that cannot be read, which is a failure from then on.

        Files are read but for those with a known digest that still holds.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self._digest, range(len(self)), known or [None] * len(self)))

    def decode(self, positions: Sequence[int] | NDArray[np.intp], on_photos: Callable[[int], None]) -> None:
        """Decode what of these is not decoded yet, on all cores; `on_photos` hears how many are, and may raise."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(positions), CHUNK):
                list(pool.map(self._decode, positions[start : start + CHUNK]))
                on_photos(min(start + CHUNK, len(positions)))

    def pixels(self, positions: Sequence[int] | NDArray[np.intp]) -> NDArray[np.uint8]:
        """Pixels `(n, S, S, 3)`; of a photo that cannot be used all are zero."""
        for position in positions:
            self._decode(position)
        return self._pixels[np.asarray(positions, np.intp)]

    def _decode(self, position: int) -> None:
        if self._decoded[position] or position in self.failures:
            return
        try:
            file = check_photo(self._files[position], self._roots)
            self._pixels[position] = decode(file, self.shape[0], self._max_pixels)
            self._decoded[position] = True
        except PhotoError as error:
            self.failures[int(position)] = error.text

    def _digest(self, position: int, known: KnownDigest | None) -> bytes:
        try:
            path = check_photo(self._files[position], self._roots)
            if known is not None and known.holds_for(path):
                return known.digest
            return file_digest(path)
        except PhotoOutOfReach as error:
            self.failures[position] = error.text
        except OSError:
            self._decode(position)  # which finds the words for it
            self.failures.setdefault(position, tr("the file cannot be read"))
        return b""


@dataclass(frozen=True)
class RunPhotos:
    """What a run was given.

    Attributes:
        folder: Names and classes of its photos.
        photos: Their pixels.
        digests: BLAKE2b of each file; empty for one that cannot be read.
        subsets: For each subset the positions of its photos.
        certainty: (N,), float32: 1 for photos with a label of their own, less for those that one has spread to, which
            come last, and only in training.
    """

    folder: ImageFolder
    photos: Photos
    digests: Sequence[bytes]
    subsets: Mapping[str, NDArray[np.intp]]
    certainty: NDArray[np.float32]


def look_at(run: Run, recipe: Recipe, chosen: Backbone, settings: Settings) -> RunPhotos:
    """Read a run's split and every file's digest.

    Raises:
        DataError: The folder is not there any more, or the disk has no room for the decoded photos.
    """
    root = check_inside(Path(recipe.dataset), settings.dataset_roots)
    folder, parts, certainty = learned_and_judged(run, root)
    _check_room(run.folder, len(folder) * chosen.resolution**2 * 3)
    files = [folder.absolute(index) for index in range(len(folder))]
    store = run.work_folder / "pixels.npy"
    photos = Photos(files, chosen.resolution, store, settings.dataset_roots, settings.limits.pixels)
    known = known_digests(settings.index_folder, root)
    digests = photos.digests([known.get(path) for path in folder.paths])
    named = {name: np.flatnonzero(parts == number) for number, name in enumerate(SUBSETS)}
    return RunPhotos(folder, photos, digests, named, certainty)


def learned_and_judged(run: Run, root: Path) -> tuple[ImageFolder, NDArray[np.int8], NDArray[np.float32]]:
    """All photos of a run below a folder, with the subset (N,) and the certainty (N,) of each.

    First those of its split, in the order there, then those that labels have spread to.

    Raises:
        DataError: Its split or its spread labels cannot be read, or a label has spread that is none of its classes.
    """
    folder, parts = read_split_csv(run.split_file, root)
    certainty = np.ones(len(folder), np.float32)
    if not run.pseudo_file.exists():
        return folder, parts, certainty
    spread = read_pseudo_csv(run.pseudo_file)
    return (
        _with_spread(folder, spread),
        np.concatenate([parts, np.full(len(spread), TRAINING, np.int8)]),
        np.concatenate([certainty, spread.certainty]),
    )


def _with_spread(folder: ImageFolder, spread: PseudoLabels) -> ImageFolder:
    number = {name: label for label, name in enumerate(folder.class_names)}
    strange = next((name for name in spread.classes if name not in number), None)
    if strange is not None:
        raise DataError(
            tr("A label has spread that is none of the classes of the run: “{label}”. Start a new run.", label=strange)
        )
    labels = np.array([number[name] for name in spread.classes], np.int32)
    return ImageFolder(
        folder.root, folder.class_names, (*folder.paths, *spread.paths), np.concatenate([folder.labels, labels])
    )


def _take_room(file: Path) -> None:
    """Have the disk give a file all the room it may need; a mapped page that finds the disk full ends the process."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed * 1.1:
        raise DataError(
            tr(
                "Decoding the photos needs {needed} of free disk space under {folder}, and {free} are free. Free some"
                " space, or choose a variant with a smaller resolution.",
                needed=size(needed),
                folder=str(folder.parent),
                free=size(free),
            )
        )


def a_few_of(given: RunPhotos, most: Mapping[str, int]) -> RunPhotos:
    """At most so many photos of each part, about equally many of each class, which come first in turn."""
    labels = given.folder.labels
    few = {}
    for name, positions in given.subsets.items():
        ranks = np.empty(len(positions), np.intp)
        for label in np.unique(labels[positions]):
            mine = labels[positions] == label
            ranks[mine] = np.arange(mine.sum())
        few[name] = np.sort(positions[np.argsort(ranks, kind="stable")[: most[name]]])
    return replace(given, subsets=few)


def in_chunks(positions: NDArray[np.intp], size: int = CHUNK) -> Iterator[NDArray[np.intp]]:
    """The positions, a few at a time, so that memory does not grow with their number."""
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def ahead(make: Callable[[Given], Made], given: Iterable[Given], pool: ThreadPoolExecutor, most: int) -> Iterator[Made]:
    """What `make` makes of each thing given, in order, with at most so many made before they are asked for."""
    waiting = []
    for each in given:
        waiting.append(pool.submit(make, each))
        if len(waiting) > most:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
