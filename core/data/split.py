"""Which photos are trained on, which steer the training, and which are kept back to test the result."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.data.csv_rows import read_rows, write_rows
from core.data.scan.folder import ImageFolder
from core.data.subsets import NO_SUBSET, SUBSETS, TEST, TRAINING, VALIDATION, subset_name, subset_names
from core.errors import DataError
from core.language import tr, tr_context

PRIORITY = (TRAINING, TEST, VALIDATION)
"""Which subset gets the photos of a class that has fewer than three."""

COLUMNS = ("file", "class", "part")


def assign_subsets(
    labels: ArrayLike,
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    *,
    groups: ArrayLike | None = None,
) -> NDArray[np.int8]:
    """Divide photos into training, validation and test, each class for itself.

    Within a class the sizes follow the fractions by the largest-remainder method and add up to the class. A class of
    three or more has a photo in every subset, a class of two has none in validation, a single photo is trained on.
    The same arguments give the same subsets.

    Photos of one group stay in one subset, and count as one where a class must reach every subset. Sizes then follow
    the fractions as closely as the groups allow.

    Args:
        labels: Shape (N,), classes as whole numbers from 0.
        fractions: Of training, validation and test; each more than 0, together 1.
        seed: 0 or more.
        groups: Shape (N,), whole numbers; None puts every photo in a group of its own.

    Returns positions in `SUBSETS`, shape (N,), int8.

    Raises:
        DataError: An argument is out of range, or a subset would stay empty.
    """
    classes = _whole_numbers(labels, "labels")
    _check_fractions(fractions)
    if seed < 0:
        raise DataError(tr("The seed of a split must be 0 or more; got {seed}.", seed=str(seed)))
    ids = np.arange(len(classes)) if groups is None else _whole_numbers(groups, "groups")
    if len(ids) != len(classes):
        raise DataError(f"Expected one group for each of {len(classes)} photos; got {len(ids)}.")
    subsets = _divide(classes, np.asarray(fractions, dtype=float), seed, ids)
    _require_all_subsets(subsets, classes, ids)
    return subsets


def complete_subsets(
    labels: ArrayLike, given: ArrayLike, seed: int = 0, *, groups: ArrayLike | None = None
) -> NDArray[np.int8]:
    """Keep the split that a dataset brings, and take from its training photos the subset that it lacks.

    A missing validation subset takes a tenth of the training photos, a missing test a fifth, both 30 %, as
    `assign_subsets` divides by default. Photos of one group stay together within what is divided.

    Args:
        labels: Shape (N,), classes as whole numbers from 0.
        given: Shape (N,), positions in `SUBSETS`; -1 for all photos when nothing is given.
        seed: 0 or more.
        groups: Shape (N,), whole numbers; None puts every photo in a group of its own.

    Returns positions in `SUBSETS`, shape (N,), int8.

    Raises:
        DataError: A subset would stay empty.
    """
    classes, subsets = np.asarray(labels), np.array(given, dtype=np.int8)
    lacking = [subset for subset in (VALIDATION, TEST) if not (subsets == subset).any()]
    if not lacking:
        return subsets
    free = np.flatnonzero((subsets == TRAINING) | (subsets == NO_SUBSET))
    divided = assign_subsets(classes[free], seed=seed, groups=None if groups is None else np.asarray(groups)[free])
    subsets[free] = np.where(np.isin(divided, lacking), divided, TRAINING)
    return subsets


def keep_former_subsets(
    subsets: NDArray[np.int8], former: NDArray[np.int8], labels: NDArray[np.int32], groups: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Leave photos in the subset where they were before, so that tests before and after are about the same photos.

    Photos that are new go with their group, if it is known, else where they are in `subsets`. Where a class would
    be left without a training photo, or a subset without any, `subsets` are returned as they are.

    Args:
        subsets: Shape (N,): a split of all photos as they are now; -1 for those that are not used.
        former: Shape (N,): the subset of each before; -1 for new ones.
        labels: Shape (N,): their classes now.
        groups: Shape (N,): photos with the same number stay in one subset.
    """
    kept = former.copy()
    known = former != NO_SUBSET
    of_group = dict(zip(groups[known][::-1].tolist(), former[known][::-1].tolist(), strict=True))
    kept[~known] = [of_group.get(group, subset) for group, subset in zip(groups[~known], subsets[~known], strict=True)]
    kept[subsets == NO_SUBSET] = NO_SUBSET
    whole = all((kept == subset).any() for subset in range(len(SUBSETS)))
    learned = np.isin(labels[kept != NO_SUBSET], labels[kept == TRAINING]).all()
    return kept if whole and learned else subsets


def limit_training(
    folder: ImageFolder, subsets: NDArray[np.int8], per_class: int, seeds: tuple[int, ...]
) -> NDArray[np.int8]:
    """Leave only so many training photos of each class in training; a class that has fewer keeps all.

    Which ones depends on the seeds and on the paths alone. So those of 5 are among those of 10, they stay the same
    where other photos join, and limiting twice is the same as once.

    Args:
        folder: N photos.
        subsets: Shape (N,), positions in `SUBSETS`, or -1 for photos that are not used.
        per_class: Training photos of each class; 0 for all.
        seeds: Fix which ones; the first eight bytes of each count.

    Returns subsets, shape (N,), int8, with -1 for training photos that are left out.

    Raises:
        DataError: `per_class` is negative, or there is not a subset for each photo.
    """
    if per_class < 0 or len(subsets) != len(folder):
        raise DataError(
            f"Expected 0 or more photos per class and a subset for each of {len(folder)} photos; got {per_class} and"
            f" {len(subsets)} subsets."
        )
    kept = subsets.copy()
    if not per_class:
        return kept
    key = b"".join(seed.to_bytes(8, "little") for seed in seeds)
    training = np.flatnonzero(subsets == TRAINING)
    drawn = {i: hashlib.blake2b(folder.paths[i].encode(), digest_size=8, key=key).digest() for i in training.tolist()}
    for label in np.unique(folder.labels[training]):
        members = sorted(training[folder.labels[training] == label].tolist(), key=drawn.__getitem__)
        kept[members[per_class:]] = NO_SUBSET
    return kept


def write_split_csv(path: Path, folder: ImageFolder, subsets: ArrayLike) -> None:
    """Write one row for each photo: file (relative to the folder), class, subset; UTF-8, as RFC 4180 describes.

    The file appears whole or not at all.

    Raises:
        DataError: `subsets` does not hold one of 0, 1, 2 for each photo.
        StorageError: It cannot be saved.
    """
    chosen = _whole_numbers(subsets, "subsets")
    if len(chosen) != len(folder) or not np.isin(chosen, range(len(SUBSETS))).all():
        raise DataError(f"Expected one of 0, 1, 2 for each of {len(folder)} photos; got {len(chosen)} values.")
    rows = zip(folder.paths, folder.labels.tolist(), chosen.tolist(), strict=True)
    named = ((file, folder.class_names[label], SUBSETS[subset]) for file, label, subset in rows)
    write_rows(path, COLUMNS, named)


def read_split_csv(path: Path, root: Path) -> tuple[ImageFolder, NDArray[np.int8]]:
    """Read what `write_split_csv` wrote: the photos below `root`, and their subsets, shape (N,), int8.

    Photos come in the order of the file; whether they still exist is not checked.

    Raises:
        DataError: The file cannot be read or holds something else.
    """
    rows = read_rows(path, COLUMNS, _checked, tr("a file, a class and one of {parts}", parts=", ".join(SUBSETS)))
    names = tuple(sorted({name for _, name, _ in rows}))
    label, subset_number = _positions(names), _positions(SUBSETS)
    labels = np.array([label[name] for _, name, _ in rows], dtype=np.int32)
    folder = ImageFolder(root, names, tuple(file for file, _, _ in rows), labels)
    return folder, np.array([subset_number[subset] for _, _, subset in rows], dtype=np.int8)


@dataclass
class _Shares:
    """How many photos of one class each subset should have, has got, and how many groups are still to come."""

    wanted: NDArray[np.int64]
    placed: NDArray[np.int64]
    groups_left: int

    def must_fill(self) -> NDArray[np.bool_]:
        """Return the empty subsets, shape (3,), when no group can be spared any more; otherwise none."""
        empty: NDArray[np.bool_] = self.placed == 0
        return empty if self.groups_left <= empty.sum() else np.zeros_like(empty)


def _divide(
    labels: NDArray[np.int64], fractions: NDArray[np.float64], seed: int, groups: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Place groups of several photos first, largest first, then fill up each class with the single ones."""
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    single = sizes[which] == 1
    shares = {label: _shares(labels == label, fractions, which) for label in np.unique(labels).tolist()}
    subsets = np.full(len(labels), -1, dtype=np.int8)
    for members in _groups_by_size(which, sizes, seed):
        subsets[members] = _place_group(labels[members], shares)
    for label, share in shares.items():
        members = np.flatnonzero(single & (labels == label))
        counts = _apportion(len(members), share.wanted - share.placed, share.placed == 0)
        shuffled = np.random.default_rng((seed, label)).permutation(members)
        subsets[shuffled] = np.repeat(np.arange(len(SUBSETS), dtype=np.int8), counts)
    return subsets


def _shares(of_class: NDArray[np.bool_], fractions: NDArray[np.float64], which: NDArray[np.intp]) -> _Shares:
    photos = int(of_class.sum())
    wanted = _apportion(photos, photos * fractions, np.ones(len(SUBSETS), dtype=bool))
    return _Shares(wanted, np.zeros(len(SUBSETS), dtype=np.int64), len(np.unique(which[of_class])))


def _groups_by_size(which: NDArray[np.intp], sizes: NDArray[np.intp], seed: int) -> list[NDArray[np.intp]]:
    """Return the positions of each group of two or more, largest first, groups of equal size shuffled."""
    order = np.argsort(which, kind="stable")
    members = np.split(order, np.cumsum(sizes)[:-1]) if len(sizes) else []
    several = [group for group in members if len(group) > 1]
    shuffled = [several[i] for i in np.random.default_rng(seed).permutation(len(several))]
    return sorted(shuffled, key=len, reverse=True)


def _place_group(labels: NDArray[np.int64], shares: dict[int, _Shares]) -> int:
    """Choose the subset that lacks most photos of the group's classes, or that would else stay empty; book it there."""
    present, counts = np.unique(labels, return_counts=True)
    touched = [(shares[label], count) for label, count in zip(present.tolist(), counts.tolist(), strict=True)]
    urgent = sum((share.must_fill().astype(np.int64) for share, _ in touched), np.zeros(len(SUBSETS), np.int64))
    lacking = sum((count * (share.wanted - share.placed) for share, count in touched), np.zeros(len(SUBSETS), np.int64))
    subset = max(PRIORITY, key=lambda each: (urgent[each], lacking[each]))
    for share, count in touched:
        share.placed[subset] += count
        share.groups_left -= 1
    return subset


def _apportion(total: int, ideal: NDArray[np.float64 | np.int64], empty: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Round three ideal sizes to whole ones that add up to `total`, by largest remainder.

    Parts marked `empty` get at least one each, in the order of `PRIORITY`, as long as there are any.
    """
    first = [subset for subset in PRIORITY if empty[subset]][:total]
    least = np.zeros(len(SUBSETS), dtype=np.int64)
    least[first] = 1
    counts: NDArray[np.int64] = np.maximum(np.floor(ideal + 1e-9).astype(np.int64), least)
    while counts.sum() > total:
        counts[max(PRIORITY, key=lambda subset: (counts[subset] > least[subset], counts[subset] - ideal[subset]))] -= 1
    while counts.sum() < total:
        counts[max(PRIORITY, key=lambda subset: ideal[subset] - counts[subset])] += 1
    return counts


def _require_all_subsets(subsets: NDArray[np.int8], labels: NDArray[np.int64], groups: NDArray[np.int64]) -> None:
    empty = [name for subset, name in enumerate(SUBSETS) if not (subsets == subset).any()]
    if empty:
        largest = max((len(np.unique(groups[labels == label])) for label in np.unique(labels)), default=0)
        raise DataError(
            tr(
                "No photo is left for {parts}: no class has more than {count} different photos, and at least one class"
                " needs 3 or more. Add photos.",
                parts=_joined_by_and(empty),
                count=largest,
            )
        )


def _joined_by_and(subsets: Sequence[str]) -> str:
    joined = subset_name(subsets[0])
    for name in subsets[1:]:
        joined = tr_context("list", "{before} and {last}", before=joined, last=subset_name(name))
    return joined


def _check_fractions(fractions: Sequence[float]) -> None:
    fits = len(fractions) == len(SUBSETS) and min(fractions) > 0 and abs(sum(fractions) - 1) < 1e-6
    if not fits:
        raise DataError(
            tr(
                "Fractions of {parts} must each be more than 0 and add up to 1; got {fractions}.",
                parts=subset_names(SUBSETS),
                fractions=", ".join(f"{fraction:g}" for fraction in fractions),
            )
        )


def _whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise DataError(f"Expected {name} as whole numbers in one dimension; got {array.dtype} {array.shape}.")
    if array.size and array.min() < 0:
        raise DataError(f"Expected {name} of 0 or more; got {array.min()}.")
    return array.astype(np.int64)


def _positions(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _checked(cells: list[str]) -> tuple[str, str, str] | None:
    file, name, subset = cells
    return (file, name, subset) if subset in SUBSETS else None
