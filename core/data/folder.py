"""A folder of photos with one subfolder for each class: what it holds, and what of it cannot be used."""

import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.data.images import PhotoInfo, inspect
from core.data.walk import LeftOut, Walk, check_inside
from core.errors import DataError, FolderError, PhotoError
from core.settings import MEGABYTE

__all__ = ["MAX_PHOTO_BYTES", "ImageFolder", "LeftOut", "Scan", "check_inside", "nothing", "scan", "signature"]

MAX_PHOTO_BYTES = 50 * MEGABYTE

BATCH = 512
REPORTS = 200


def nothing(done: int, total: int) -> None:
    """Take a report of progress and do nothing with it."""


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Photos with their classes.

    Attributes:
        root: The folder that holds the class folders.
        class_names: The K classes, sorted by code point; the position is the label.
        paths: The N photos, relative to `root`, with "/" between folders on every system.
        labels: Shape (N,), int32, values 0..K-1, read-only.

    Raises:
        DataError: The four do not fit together.
    """

    root: Path
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Check that the fields fit together, and make `labels` a read-only int32 array."""
        object.__setattr__(self, "labels", _checked_labels(self.labels, len(self.paths), len(self.class_names)))
        if list(self.class_names) != sorted(set(self.class_names)):
            raise DataError(f"Class names must be sorted and all different; got {', '.join(self.class_names)}.")
        outside = next((path for path in self.paths if path.startswith("/") or ".." in path.split("/")), None)
        if outside is not None:
            raise DataError(f"Photo paths must stay inside the folder {self.root}; got {outside}.")

    def __len__(self) -> int:
        """Return the number of photos, N."""
        return len(self.paths)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of photos of each class, shape (K,)."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def subset(self, indices: ArrayLike) -> "ImageFolder":
        """Return the photos at these positions, in this order, with the same classes.

        `indices` may also be a mask of shape (N,), as in `folder.subset(parts == TEST)`.
        """
        chosen = np.arange(len(self))[np.asarray(indices) if np.size(indices) else []]
        paths = tuple(self.paths[i] for i in chosen.tolist())
        return ImageFolder(self.root, self.class_names, paths, self.labels[chosen])

    def absolute(self, i: int) -> Path:
        """Return where photo `i` lies."""
        return self.root / self.paths[i]


@dataclass(frozen=True, eq=False)
class Scan:
    """What a folder holds.

    Attributes:
        folder: The photos that can be used; every one was read to its end.
        left_out: What is not used and why, sorted by path.
        ignored: How many housekeeping files and folders (see `core.data.walk`) were passed over.
        sizes: Shape (N, 2), int32, read-only: width and height of each photo in pixels, as shown upright.
        datasets_inside: Filled when every class folder is itself divided into folders of photos, as when the parent of
            several datasets, or of "train" and "test", was picked: the names of these folders.
    """

    folder: ImageFolder
    left_out: tuple[LeftOut, ...]
    ignored: int
    sizes: NDArray[np.int32]
    datasets_inside: tuple[str, ...] = ()


def signature(root: Path | str, *, roots: Sequence[Path]) -> str:
    """Return a short text that changes when a scan could come out differently; no photo is opened.

    It covers path, size in bytes and time of change of every file that a scan would open; housekeeping does not count.

    Raises:
        FolderError: As `check_inside`.
    """
    walk = Walk(check_inside(root, roots), roots, sys.maxsize)
    rows = repr((sorted(walk.classes), sorted(walk.files), sorted(walk.left_out)))
    return hashlib.blake2b(rows.encode(), digest_size=16).hexdigest()


def scan(
    root: Path | str,
    *,
    roots: Sequence[Path],
    max_bytes: int = MAX_PHOTO_BYTES,
    on_progress: Callable[[int, int], None] = nothing,
) -> Scan:
    """Look at every file below a folder, and read every photo to its end.

    A class is a folder directly below `root`; photos in deeper folders belong to it too. Links are followed as long as
    they stay inside `roots`, and each folder is read once for a class. Nothing is written.

    Args:
        root: The folder, see `check_inside`.
        roots: The folders that may be read.
        max_bytes: Larger files are left out.
        on_progress: Called in this thread with the number of photos read so far and of all, about 200 times.

    Raises:
        FolderError: As `check_inside`, or there are fewer than two classes.
    """
    resolved = check_inside(root, roots)
    walk = Walk(resolved, roots, max_bytes)
    found = sorted((file.path for file in walk.files), key=_class_then_path)
    _require_two_classes(resolved, found, "photos")
    photos, broken = _inspect_all(resolved, found, on_progress)
    names = _require_two_classes(resolved, list(photos), "readable photos")
    empty = [
        LeftOut(name, "no photo in this folder can be read, so it is no class") for name in walk.classes - {*names}
    ]
    return Scan(
        folder=_labelled(resolved, names, tuple(photos)),
        left_out=tuple(sorted([*walk.left_out, *broken, *empty])),
        ignored=walk.ignored,
        sizes=_sizes(photos.values()),
        datasets_inside=names if _divided_classes(photos) == names else (),
    )


def _checked_labels(labels: ArrayLike, photos: int, classes: int) -> NDArray[np.int32]:
    found = np.asarray(labels)
    if found.shape != (photos,) or (photos and not np.issubdtype(found.dtype, np.integer)):
        raise DataError(f"Expected one whole number for each of {photos} photos; got {found.dtype} {found.shape}.")
    if photos and not (found.min() >= 0 and found.max() < classes):
        raise DataError(f"Labels must be 0..{classes - 1} for {classes} classes; got {found.min()}..{found.max()}.")
    return _frozen(found)


def _frozen(values: ArrayLike) -> NDArray[np.int32]:
    array = np.array(values, dtype=np.int32)
    array.setflags(write=False)
    return array


def _sizes(infos: Iterable[PhotoInfo]) -> NDArray[np.int32]:
    return _frozen(np.array([(info.width, info.height) for info in infos], dtype=np.int32).reshape(-1, 2))


def _class_of(path: str) -> str:
    return path.partition("/")[0]


def _class_then_path(path: str) -> tuple[str, str]:
    return _class_of(path), path


def _labelled(root: Path, names: tuple[str, ...], paths: tuple[str, ...]) -> ImageFolder:
    label = {name: i for i, name in enumerate(names)}
    return ImageFolder(root, names, paths, _frozen([label[_class_of(path)] for path in paths]))


def _inspect_all(
    root: Path, paths: Sequence[str], on_progress: Callable[[int, int], None]
) -> tuple[dict[str, PhotoInfo], list[LeftOut]]:
    """Read every photo, on all cores: Pillow releases the interpreter's lock while it decodes."""
    photos: dict[str, PhotoInfo] = {}
    broken: list[LeftOut] = []
    step = max(1, len(paths) // REPORTS)
    for done, (path, result) in enumerate(_inspections(root, paths), start=1):
        if isinstance(result, PhotoInfo):
            photos[path] = result
        else:
            broken.append(LeftOut(path, str(result)))
        if done % step == 0 or done == len(paths):
            on_progress(done, len(paths))
    return photos, broken


def _inspections(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, PhotoInfo | PhotoError]]:
    """Yield the outcome for each photo, in order; batches keep few tasks waiting when the caller stops early."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            yield from zip(batch, pool.map(_inspection, [root / path for path in batch]), strict=True)


def _inspection(path: Path) -> PhotoInfo | PhotoError:
    try:
        return inspect(path)
    except PhotoError as error:
        return error


def _divided_classes(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the class folders that hold no photo themselves but two or more folders of photos, sorted."""
    inner: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        name, *deeper = path.split("/")
        inner[name].add(deeper[0] if len(deeper) > 1 else "")
    return tuple(sorted(name for name, folders in inner.items() if len(folders) > 1 and "" not in folders))


def _require_two_classes(root: Path, paths: Sequence[str], what: str) -> tuple[str, ...]:
    """Return the sorted class names of these photos.

    Raises:
        FolderError: There are fewer than two.
    """
    names = tuple(sorted({_class_of(path) for path in paths}))
    if len(names) >= 2:
        return names
    found = f"only one class folder with {what} ({names[0]})" if names else f"no class folder with {what}"
    advice = _divided_classes(paths)
    raise FolderError(
        f"The folder {root} holds {found}. Expected at least two subfolders, one for each class, with"
        " its photos inside."
        + (f" Its subfolder {advice[0]} looks like a dataset: pick {root / advice[0]} instead." if advice else "")
    )
