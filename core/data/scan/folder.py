"""A folder of photos with one subfolder for each class: what it holds, and what of it cannot be used."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.data.duplicates import Duplicates, find
from core.data.images import DIGEST_BYTES, FINGERPRINT_SIDE
from core.data.scan.index import Outcome, PhotoIndex
from core.data.scan.layout import BY_HAND, NO_CLASS, TOP, Layout, Placed, place
from core.data.scan.layout_choices import NO_CHOICE, LayoutChoice, decide, described
from core.data.scan.photo_finder import NOT_THERE, PhotoPaths
from core.data.scan.readers import Readers, Reading
from core.data.scan.subset_folders import FolderTree, wrappers
from core.data.scan.walk import LeftOut, PhotoFile, Walk, check_inside
from core.data.subsets import NO_SUBSET
from core.errors import DataError, FolderError
from core.language import kept, sentences, tr, tr_context
from core.settings import Limits

__all__ = ["ImageFolder", "LeftOut", "Scan", "check_inside", "nothing", "scan"]

DEFAULT_LIMITS, DEFAULT_LAYOUT = Limits(), Layout()

BATCH = 256
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
            names = ", ".join(self.class_names)
            raise DataError(tr("Class names must be sorted and all different; got {names}.", names=names))
        outside = next((path for path in self.paths if path.startswith("/") or ".." in path.split("/")), None)
        if outside is not None:
            raise DataError(
                tr(
                    "Photo paths must stay inside the folder {folder}; got {path}.",
                    folder=str(self.root),
                    path=outside,
                )
            )

    def __len__(self) -> int:
        """Return the number of photos, N."""
        return len(self.paths)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of photos of each class, shape (K,)."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def class_weights(self) -> dict[int, float]:
        """Return how much a photo of each class must count so that all classes count alike.

        That is N / (number of classes that have photos, times photos of this class). The mean over all
        photos is 1. This is "balanced" of scikit-learn's `compute_class_weight`.
        """
        counts = self.counts()
        present = int((counts > 0).sum())
        return {label: len(self) / (present * int(count)) for label, count in enumerate(counts) if count}

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
    """What a folder holds. All arrays are read-only, and N is the number of photos that can be used.

    Attributes:
        folder: The photos that can be used; every one was read to its end.
        left_out: What is not used and why, sorted by path.
        ignored: How many housekeeping files and folders (see `core.data.scan.walk`) were ignored.
        sizes: Shape (N, 2), int32: width and height of each photo in pixels, as shown upright.
        digests: Shape (N, 16), uint8: BLAKE2b of each file.
        fingerprints: Shape (N, 16, 16), uint8: each photo in grey, averaged down.
        sharpness: Shape (N,), float32, see `core.data.quality.sharpness`.
        contrast: Shape (N,), float32: standard deviation of brightness, of 255.
        assumed: Shape (N,), bool: whether a photo's file left open what its numbers mean.
        given: Shape (N,), int8: position in `core.data.subsets.SUBSETS` where the dataset has its own split, else -1.
        datasets_inside: Filled when every class folder is itself divided into folders of photos, as when the parent of
            several datasets was picked: the names of these folders.
        layout: Where the labels come from, as it was decided.
        tables: The tables that they come from.
        reading: The same in words, with a drawing.
        index_trouble: Why what was found could not be kept for the next scan; empty when it could.
    """

    folder: ImageFolder
    left_out: tuple[LeftOut, ...]
    ignored: int
    sizes: NDArray[np.int32]
    digests: NDArray[np.uint8]
    fingerprints: NDArray[np.uint8]
    sharpness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    assumed: NDArray[np.bool_]
    given: NDArray[np.int8]
    datasets_inside: tuple[str, ...] = ()
    layout: Layout = DEFAULT_LAYOUT
    tables: tuple[str, ...] = ()
    reading: LayoutChoice = NO_CHOICE
    index_trouble: str = ""

    @cached_property
    def duplicates(self) -> Duplicates:
        """Which photos are copies of each other, or look alike."""
        return find(self.digests, self.fingerprints)

    @cached_property
    def rows_without_photo(self) -> tuple[LeftOut, ...]:
        """Those of `left_out` that are no files: rows of the table that name photos which are not in the folder."""
        return tuple(entry for entry in self.left_out if entry.is_because(NOT_THERE))

    @cached_property
    def files_left_out(self) -> tuple[LeftOut, ...]:
        """The others of `left_out`."""
        return tuple(entry for entry in self.left_out if not entry.is_because(NOT_THERE))

    @cached_property
    def token(self) -> str:
        """A short text that is the same for two scans that found the same."""
        left_out = [(entry.path, kept(entry.given)) for entry in self.left_out]
        facts = repr((self.folder.root, self.layout, self.folder.class_names, self.folder.paths, left_out))
        arrays = self.folder.labels.tobytes() + self.digests.tobytes() + self.given.tobytes()
        return hashlib.blake2b(facts.encode() + arrays, digest_size=16).hexdigest()


def scan(
    root: Path | str,
    *,
    roots: Sequence[Path],
    limits: Limits = DEFAULT_LIMITS,
    layout: Layout = DEFAULT_LAYOUT,
    least_classes: int = 2,
    index_folder: Path | None = None,
    on_progress: Callable[[int, int], None] = nothing,
    on_folder: Callable[[], None] = lambda: None,
) -> Scan:
    """Look at every file below a folder, and read every photo to its end, or know from last time what it holds.

    Links are followed as long as they stay inside `roots`, and each folder is read once for a class. Nothing is
    written but the index.

    Args:
        root: The folder, see `check_inside`.
        roots: The folders that may be read.
        limits: What lies above is left out.
        layout: Where the labels come from; left open, the names of the folders decide: those that mean training,
            validation and test are taken for a split that the dataset brings.
        least_classes: 2, since nothing can be learned from fewer; 1 where photos are only to be judged.
        index_folder: Where it is kept what was found, so that the next scan reads only photos whose size or time of
            change is new, and a scan that was broken off goes on where it was; None keeps nothing.
        on_progress: Called in this thread with the number of photos read so far and of all, a few times a second; it
            may raise to break the scan off, and what was found until then is kept.
        on_folder: Called in this thread for each folder that is listed, before any photo is read; may raise, too.

    Raises:
        FolderError: As `check_inside`, or there are too few classes, or more photos than the limit; where photos are
            labelled by hand, there is none.
        UndecidedLayout: The layout was left open, and a person must choose.
    """
    resolved, allowed = check_inside(root, roots), [path.expanduser().resolve() for path in roots]
    walk = Walk(resolved, allowed, limits, on_folder)
    walk.files.sort()
    photos = PhotoPaths(file.path for file in walk.files)
    layout = decide(layout, resolved, photos, walk.folders)
    placed = place(layout, resolved, photos, walk.folders)
    files = [file for file in walk.files if file.path in placed.classes]
    check = _require_photos if layout.label_by == BY_HAND else partial(_require_classes, least_classes)
    check(resolved, placed, placed.classes, False, [*walk.left_out, *placed.left_out])
    index = PhotoIndex(index_folder, resolved, limits.pixels)
    try:
        found = _Found(files, index, resolved, allowed, limits.pixels, on_progress)
        index.forget_others(file.path for file in walk.files)
    finally:
        index.close()
    names = check(resolved, placed, found.paths, True, found.broken)
    order = sorted(range(len(found.paths)), key=lambda i: (placed.classes[found.paths[i]], found.paths[i]))
    paths = tuple(found.paths[i] for i in order)
    left_out = [entry for entry in (*walk.left_out, *placed.left_out) if entry.path not in placed.tables]
    return Scan(
        folder=_labelled(resolved, names, paths, placed.classes),
        left_out=tuple(sorted([*left_out, *found.broken, *_empty_classes(placed, paths, left_out)])),
        ignored=walk.ignored,
        sizes=_frozen(found.sizes[order]),
        digests=_frozen(found.digests[order]),
        fingerprints=_frozen(found.fingerprints[order]),
        sharpness=_frozen(found.sharpness[order]),
        contrast=_frozen(found.contrast[order]),
        assumed=_frozen(found.assumed[order]),
        given=_frozen(np.array([placed.subsets.get(path, NO_SUBSET) for path in paths], dtype=np.int8)),
        datasets_inside=names if layout.label_by == TOP and _divided_classes(paths) == names else (),
        layout=layout,
        tables=placed.tables,
        reading=described(layout, placed),
        index_trouble=index.trouble,
    )


class _Found:
    """What reading every photo came to: arrays as in `Scan`, in the order of the files, and the broken ones."""

    def __init__(
        self,
        files: Sequence[PhotoFile],
        index: PhotoIndex,
        root: Path,
        roots: Sequence[Path],
        max_pixels: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.paths: list[str] = []
        self.broken: list[LeftOut] = []
        self.sizes = np.zeros((len(files), 2), np.int32)
        self.digests = np.zeros((len(files), DIGEST_BYTES), np.uint8)
        self.fingerprints = np.zeros((len(files), FINGERPRINT_SIDE, FINGERPRINT_SIDE), np.uint8)
        self.sharpness = np.zeros(len(files), np.float32)
        self.contrast = np.zeros(len(files), np.float32)
        self.assumed = np.zeros(len(files), np.bool_)
        step = max(1, min(BATCH, len(files) // REPORTS))
        with closing(_outcomes(files, index, root, roots, max_pixels)) as outcomes:
            for done, (file, outcome) in enumerate(outcomes, start=1):
                self._add(file.path, outcome)
                if done % step == 0 or done == len(files):
                    on_progress(done, len(files))

    def _add(self, path: str, outcome: Outcome) -> None:
        if isinstance(outcome, str):
            self.broken.append(LeftOut(path, outcome))
            return
        i = len(self.paths)
        self.paths.append(path)
        self.sizes[i] = outcome.width, outcome.height
        self.digests[i] = np.frombuffer(outcome.digest, np.uint8)
        self.fingerprints[i] = np.frombuffer(outcome.fingerprint, np.uint8).reshape(self.fingerprints.shape[1:])
        self.sharpness[i] = outcome.sharpness
        self.contrast[i], self.assumed[i] = outcome.contrast, outcome.assumed


def _outcomes(
    files: Sequence[PhotoFile], index: PhotoIndex, root: Path, roots: Sequence[Path], max_pixels: int
) -> Generator[tuple[PhotoFile, Outcome], None, None]:
    """Yield what each file is, in order: known from last time, or read on all cores. New results are kept as they come.

    One batch is being read while another is handed on, so that no core waits.
    """
    readers = Readers(root, roots, max_pixels)
    new: list[tuple[PhotoFile, Outcome]] = []
    ahead: deque[tuple[Sequence[PhotoFile], dict[str, Outcome], Iterator[Reading]]] = deque()
    try:
        for start in range(0, len(files) + BATCH, BATCH):
            batch = files[start : start + BATCH]
            known = index.known(batch)
            unread = readers.submit([file for file in batch if file.path not in known])
            ahead.append((batch, known, unread))
            if len(ahead) > 1:
                yield from _merged(*ahead.popleft(), new)
                index.keep(new)
                new.clear()
    finally:
        readers.close()
        index.keep(new)


def _merged(
    batch: Sequence[PhotoFile],
    known: Mapping[str, Outcome],
    read: Iterator[Reading],
    new: list[tuple[PhotoFile, Outcome]],
) -> Iterator[tuple[PhotoFile, Outcome]]:
    """Yield what each file of a batch is; what was read, and is worth keeping, is added to `new`."""
    for file in batch:
        outcome, lasting = (known[file.path], False) if file.path in known else next(read)
        if lasting:
            new.append((file, outcome))
        yield file, outcome


def _checked_labels(labels: ArrayLike, photos: int, classes: int) -> NDArray[np.int32]:
    found = np.asarray(labels)
    if found.shape != (photos,) or (photos and not np.issubdtype(found.dtype, np.integer)):
        raise DataError(f"Expected one whole number for each of {photos} photos; got {found.dtype} {found.shape}.")
    if photos and not (found.min() >= 0 and found.max() < classes):
        raise DataError(f"Labels must be 0..{classes - 1} for {classes} classes; got {found.min()}..{found.max()}.")
    return cast("NDArray[np.int32]", _frozen(np.array(found, dtype=np.int32)))


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    values.setflags(write=False)
    return values


def _labelled(root: Path, names: tuple[str, ...], paths: tuple[str, ...], classes: Mapping[str, str]) -> ImageFolder:
    label = {name: i for i, name in enumerate(names)}
    return ImageFolder(root, names, paths, np.array([label[classes[path]] for path in paths], dtype=np.int32))


def _empty_classes(placed: Placed, paths: Sequence[str], left_out: Sequence[LeftOut]) -> list[LeftOut]:
    mentioned = {folder for path in paths for folder in _folders_above(path)} | {entry.path for entry in left_out}
    empty = [folder for folder in placed.class_folders if folder not in mentioned]
    known = {placed.classes[path] for path in paths}
    still = tr("no photo in this folder can be read")
    no_class = tr("no photo in this folder can be read, so it is not a class")
    return [LeftOut(path, still if path.rpartition("/")[2] in known else no_class) for path in empty]


def _folders_above(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _divided_classes(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the class folders that hold no photo themselves but two or more folders of photos, sorted."""
    inner: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        name, *deeper = path.split("/")
        inner[name].add(deeper[0] if len(deeper) > 1 else "")
    return tuple(sorted(name for name, folders in inner.items() if len(folders) > 1 and "" not in folders))


def _dataset_inside(paths: Sequence[str]) -> str:
    """Return the folder that holds the folders of photos where all others only lead to it; empty for none."""
    tree = FolderTree(paths)
    around = wrappers(tree)
    return next(iter(tree.inner[around[-1]] if around else _divided_classes(paths)), "")


def _require_classes(
    least: int, root: Path, placed: Placed, paths: Iterable[str], were_read: bool, left_out: Sequence[LeftOut]
) -> tuple[str, ...]:
    """Return the sorted class names of these photos.

    Raises:
        FolderError: There are fewer than the least number, which is 1 or 2.
    """
    listed = list(paths)
    names = tuple(sorted({placed.classes[path] for path in listed}))
    if len(names) >= least:
        return names
    advice = _dataset_inside(listed) if not placed.tables and not placed.part_folders else ""
    pick = tr(
        "Its subfolder {subfolder} looks like a dataset: pick {path} instead.",
        subfolder=advice,
        path=str(root / advice),
    )
    found = _classes_of_table(root, placed.tables, names, were_read) if placed.tables else ""
    found = found or _classes_of_folders(root, names, were_read)
    expected = _expected(least, bool(placed.tables))
    raise FolderError(sentences(found, expected, _first_left_out(left_out), pick if advice else ""))


def _first_left_out(left_out: Sequence[LeftOut]) -> str:
    first = min(left_out, default=None)
    if first is None:
        return ""
    return tr("Left out: {count}, first {path}: {reason}.", count=len(left_out), path=first.path, reason=first.given)


def _require_photos(
    root: Path, placed: Placed, paths: Iterable[str], were_read: bool, left_out: Sequence[LeftOut]
) -> tuple[str, ...]:
    """Return the one class of photos that are labelled by hand.

    Raises:
        FolderError: There are none.
    """
    if next(iter(paths), None) is not None:
        return (NO_CLASS,)
    if were_read:
        none = tr(
            "The folder {folder} contains no readable photos. Choose a folder with photos to label.", folder=str(root)
        )
    else:
        none = tr("The folder {folder} contains no photos. Choose a folder with photos to label.", folder=str(root))
    raise FolderError(sentences(none, _first_left_out(left_out)))


def _classes_of_table(root: Path, tables: Sequence[str], names: Sequence[str], were_read: bool) -> str:
    """Say which class a table gives, if any, with photos; those that can be read where that is known."""
    named = ""
    for table in tables:
        named = tr_context("list", "{before} and {last}", before=named, last=table) if named else table
    folder = str(root)
    if names and were_read:
        return tr(
            "The table {table} gives only one class ({class_name}) with readable photos in {folder}.",
            table=named,
            class_name=names[0],
            folder=folder,
        )
    if names:
        return tr(
            "The table {table} gives only one class ({class_name}) with photos in {folder}.",
            table=named,
            class_name=names[0],
            folder=folder,
        )
    if were_read:
        return tr("The table {table} gives no class with readable photos in {folder}.", table=named, folder=folder)
    return tr("The table {table} gives no class with photos in {folder}.", table=named, folder=folder)


def _classes_of_folders(root: Path, names: Sequence[str], were_read: bool) -> str:
    """Say which class folder there is, if any, with photos; those that can be read where that is known."""
    folder = str(root)
    if names and were_read:
        return tr(
            "The folder {folder} contains only one class folder with readable photos ({class_name}).",
            folder=folder,
            class_name=names[0],
        )
    if names:
        return tr(
            "The folder {folder} contains only one class folder with photos ({class_name}).",
            folder=folder,
            class_name=names[0],
        )
    if were_read:
        return tr("The folder {folder} contains no class folder with readable photos.", folder=folder)
    return tr("The folder {folder} contains no class folder with photos.", folder=folder)


def _expected(least: int, by_table: bool) -> str:
    if by_table and least == 2:
        return tr("Expected two classes or more.")
    if by_table:
        return tr("Expected a class for each photo.")
    if least == 2:
        return tr("Expected at least two subfolders, one for each class, with its photos inside.")
    return tr("Expected a subfolder for each class, with its photos inside.")
