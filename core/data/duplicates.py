"""Which photos are the same, as files or to the eye: found from digests and fingerprints, no photo is opened.

Two photos look alike when a little moving, stretching, brightening and gain in contrast turns one fingerprint (see
`core.data.images.PhotoInfo`) into the other. So does a photo that was made smaller, compressed more, saved in another
format, cropped by up to 3 % on each side, or coloured differently; the next shot of a burst may. A photo with something
drawn over it does not.

To find them without comparing each photo with every other, each gets a sketch: the signs of the slowest cosine waves
that make up its fingerprint, 63 bits. Sketches are sorted as binary numbers again and again, each time with their bits
in another order; look-alikes soon come to stand next to each other. The pairs found so are then fitted to each other.

Sources: C. Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), for sketches;
G. S. Manku et al., "Detecting near-duplicates for web crawling", WWW (2007), for sorting them; B. D. Lucas and
T. Kanade, "An iterative image registration technique", IJCAI (1981), for the fit, of which one step is done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.data.images import DIGEST_BYTES, FINGERPRINT_SIDE
from core.errors import DataError

__all__ = ["Duplicates", "conflicts", "find", "leaks", "sets_of"]

MISFIT = 0.45
"""What may remain between two look-alikes, as a share of what there is to see: see `_look_alike`.

Set on 3,119 flower photos with shorter sides of 224 pixels. Of 300 that were cropped by 3 % on each side, 97 % stay
below; of all pairs that show different things, none was found below 0.55."""

MOVED = 1.3
"""How far any part may have moved, in cells of the fingerprint. A crop of 3 % on each side moves parts by up to 1.1."""

GAIN = 0.35
"""How far the contrast of the two may differ, as a share of their mean contrast."""

BRIGHTER = 40.0
"""How far the mean brightness of the two may differ, of 255."""

CONTRAST = 3.0
"""Least standard deviation of brightness, of 255. Photos with less are nearly empty: only equal fingerprints count."""

GRAIN = 1.5
"""Standard deviation, of 255, that is no detail yet: rounding, compression and the grain of a scan make as much."""

RIDGE = 0.1
"""Added to the diagonal of the normal equations, so that a fingerprint with stripes in one direction has a solution."""

WAVES = 8
"""Waves that a sketch keeps in each direction."""

LEAST_WAVE = 8.0
"""Waves below this height count as absent: rounding makes waves of about 2, whose sign means nothing."""

FLIPPED = 16
"""Bits in which sketches of look-alikes may differ. Of 10,000 pairs of different photos about one differs in less."""

COSINE = 0.8
"""Least cosine between the waves of look-alikes: a quick test that saves most of the fitting."""

ROUNDS = 8
ORDERS = 6
NEIGHBOURS = 8
"""In each round the sketches are sorted in so many orders of their bits, and each is compared with so many that follow.
What a round has linked, later rounds pass over: so large sets leave room for others."""

CANDIDATES = (200_000, 8)
FITTED = (50_000, 0.75)
"""Most pairs that a round keeps, and most that it fits: the larger of a number and a number for each photo."""

CHUNK = 256
"""Fingerprints or pairs worked on at a time, so that little memory is needed."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which of N photos are the same.

    Attributes:
        exact: Shape (N,), int64, read-only: the number of each photo's set of files that are identical byte for byte.
        near: Shape (N,), int64, read-only: the number of each photo's set of look-alikes. Identical files share it.

    Both number from 0 in the order in which the sets first appear. A photo that is like no other is a set of its own.

    Raises:
        DataError: The two are not numbered in this way, or do not fit together.
    """

    exact: NDArray[np.int64]
    near: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that the fields fit together, and make them read-only int64 arrays."""
        for name in ("exact", "near"):
            object.__setattr__(self, name, _checked_sets(getattr(self, name), name))
        if len(self.exact) != len(self.near):
            raise DataError(
                f"Expected as many numbers for look-alikes as for identical files; got {len(self.near)} and"
                f" {len(self.exact)}."
            )
        if not np.array_equal(self.near, self.near[_first_of(self.exact)]):
            raise DataError("Expected identical files in the same set of look-alikes; got some in different sets.")

    def sets(self, exact: bool) -> list[NDArray[np.intp]]:
        """Return the photos of each set of two or more, as ascending positions, in the order of the set's number.

        Sets of identical files when `exact`, else sets of look-alikes.
        """
        return sets_of(self.exact if exact else self.near)


def find(digests: ArrayLike, fingerprints: ArrayLike) -> Duplicates:
    """Find identical files, and photos that look alike.

    Time and memory grow with the number of photos, not with its square. The price: some look-alikes are overlooked,
    mostly photos that were cropped.

    Args:
        digests: 16 bytes for each photo, as in `PhotoInfo`: shape (N,), type S16 or V16, or shape (N, 16), uint8.
        fingerprints: As in `PhotoInfo`: shape (N, 16, 16), uint8.

    Raises:
        DataError: An argument has another shape or type, or the two differ in length.
    """
    keys, prints = _checked_digests(digests), _checked_fingerprints(fingerprints)
    if len(keys) != len(prints):
        raise DataError(f"Expected one fingerprint for each of {len(keys)} digests; got {len(prints)}.")
    exact, looks = _numbered(_rows(keys)), _numbered(_rows(prints))
    different = np.unique(looks, return_index=True)[1]
    photos = np.arange(len(keys))
    links = [
        np.stack([photos, _first_of(exact)]),
        np.stack([photos, _first_of(looks)]),
        different[_look_alikes(prints[different])],
    ]
    return Duplicates(exact, _joined(len(keys), np.concatenate(links, axis=1)))


def sets_of(groups: ArrayLike) -> list[NDArray[np.intp]]:
    """Return the photos of each set of two or more, as ascending positions, in the order of the set's number.

    `groups` has shape (N,): the set of each photo, whole numbers of 0 or more.

    Raises:
        DataError: It has another shape or type.
    """
    ids = _whole_numbers(groups, "sets")
    return _members(ids, np.bincount(ids)[ids] > 1)


def conflicts(groups: ArrayLike, labels: ArrayLike) -> list[NDArray[np.intp]]:
    """Return the photos of each set that holds more than one label, as ascending positions.

    Both arguments have shape (N,): the set and the label of each photo, whole numbers.

    Raises:
        DataError: An argument has another shape or type, or the two differ in length.
    """
    ids, kinds = _whole_numbers(groups, "sets"), _whole_numbers(labels, "labels")
    if len(ids) != len(kinds):
        raise DataError(f"Expected one label for each of {len(ids)} photos; got {len(kinds)}.")
    order = np.lexsort((kinds, ids))
    same_set, other_kind = np.diff(ids[order]) == 0, np.diff(kinds[order]) != 0
    return _members(ids, np.isin(ids, ids[order][1:][same_set & other_kind]))


def leaks(groups: ArrayLike, subsets: ArrayLike) -> list[NDArray[np.intp]]:
    """Return the photos of each set that lies in more than one subset, as ascending positions.

    Both arguments have shape (N,): the set and the subset of each photo, whole numbers. A photo with a negative subset
    is not used, so it can leak nothing and is left out.

    Raises:
        DataError: An argument has another shape or type, or the two differ in length.
    """
    ids, where = _whole_numbers(groups, "sets"), _whole_numbers(subsets, "subsets")
    if len(ids) != len(where):
        raise DataError(f"Expected one subset for each of {len(ids)} photos; got {len(where)}.")
    used = np.flatnonzero(where >= 0)
    return [used[members] for members in conflicts(ids[used], where[used])]


def _look_alikes(prints: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return pairs that link the look-alikes found among M different fingerprints, positions of shape (2, P)."""
    waves, contrast = _waves(prints)
    visible = np.flatnonzero(contrast >= CONTRAST)
    sketches = np.ascontiguousarray((waves[visible] > LEAST_WAVE).T)
    waves /= np.maximum(np.linalg.norm(waves, axis=1, keepdims=True), LEAST_WAVE)
    random = np.random.default_rng(0)
    links, sets = np.empty((2, 0), dtype=np.intp), np.arange(len(prints))
    for _ in range(ROUNDS):
        pairs = visible[_candidates(sketches, sets[visible], random)]
        pairs = _where(pairs, lambda one, other: np.einsum("ij,ij->i", waves[one], waves[other]) >= COSINE)
        pairs = pairs[:, : _most(FITTED, len(prints))]
        links = np.hstack([links, _where(pairs, lambda one, other: _look_alike(prints[one], prints[other]))])
        sets = _joined(len(prints), links)
    return links


def _most(limit: tuple[int, float], photos: int) -> int:
    return max(limit[0], round(limit[1] * photos))


def _where(
    pairs: NDArray[np.intp], test: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]
) -> NDArray[np.intp]:
    """Return the pairs that pass a test, which is asked about a few at a time."""
    passed = [test(*pairs[:, start : start + CHUNK]) for start in range(0, pairs.shape[1], CHUNK)]
    return pairs[:, np.concatenate([np.empty(0, dtype=bool), *passed])]


def _waves(prints: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return heights of the slowest cosine waves without the mean, shape (M, 63), and contrasts, shape (M,)."""
    waves = np.empty((len(prints), WAVES * WAVES), dtype=np.float32)
    contrast = np.empty(len(prints), dtype=np.float32)
    phases = np.arange(WAVES)[:, None] * (2 * np.arange(FINGERPRINT_SIDE) + 1)
    cosines = np.cos(np.pi / (2 * FINGERPRINT_SIDE) * phases).astype(np.float32)
    for start in range(0, len(prints), CHUNK):
        part = prints[start : start + CHUNK].astype(np.float32)
        waves[start : start + CHUNK] = (cosines @ part @ cosines.T).reshape(len(part), -1)
        contrast[start : start + CHUNK] = part.std(axis=(1, 2))
    return waves[:, 1:], contrast


def _candidates(sketches: NDArray[np.bool_], sets: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.intp]:
    """Return pairs of sketches that came to stand close, shape (2, P), those that differ least first.

    `sketches` has shape (63, M); pairs in one of the `sets`, shape (M,), are passed over. A pair is kept as one number,
    first its differing bits, then its two positions, so that sorting brings it to its place.
    """
    count = len(sets)
    codes = np.empty(0, dtype=np.int64)
    for _ in range(ORDERS):
        packed = np.packbits(sketches[random.permutation(len(sketches))], axis=0)
        numbers = np.ascontiguousarray(packed.T).view(np.uint64).ravel()
        order = np.argsort(numbers)
        steps = range(1, min(NEIGHBOURS, count - 1) + 1)
        found = np.sort(np.concatenate([codes, *(_neighbours(numbers[order], order, sets, step) for step in steps)]))
        codes = found[np.diff(found, prepend=-1) != 0][: _most(CANDIDATES, count)]
    one, other = np.divmod(codes % max(1, count**2), max(1, count))
    return np.stack([one, other])


def _neighbours(
    numbers: NDArray[np.uint64], order: NDArray[np.intp], sets: NDArray[np.int64], step: int
) -> NDArray[np.int64]:
    differing = np.bitwise_count(numbers[step:] ^ numbers[:-step])
    close = np.flatnonzero((differing <= FLIPPED) & (sets[order[step:]] != sets[order[:-step]]))
    one, other = order[close], order[close + step]
    pair = np.minimum(one, other) * len(order) + np.maximum(one, other)
    code: NDArray[np.int64] = pair + differing[close].astype(np.int64) * len(order) ** 2
    return code


def _look_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell of each of P pairs of fingerprints, both of shape (P, 16, 16), whether the two look alike.

    Their difference is explained, as well as least squares can, by a gain in contrast, a move and a stretch in each
    direction. What remains is compared with the geometric mean of contrast and fine detail: cropping blurs detail in
    unpredictable ways, while photos without detail, such as one ball before a dark ground, are easily alike by chance.
    """
    first, second = (_smoothed(values.astype(np.float32)) for values in (one, other))
    mean: NDArray[np.float32] = np.float32(0.5) * (first + second)
    causes, effects = _causes(mean), (second - first).reshape(len(mean), -1, 1)
    brighter: NDArray[np.float32] = effects.mean(axis=(1, 2))
    effects = effects - brighter[:, None, None]
    shares = np.linalg.solve(causes @ causes.mT + RIDGE * np.eye(5, dtype=np.float32), causes @ effects)
    remains = (effects - causes.mT @ shares).std(axis=(1, 2))
    gain, *moves = np.abs(shares[..., 0]).T
    detail = _detail(np.float32(0.5) * (one.astype(np.float32) + other))
    fits = remains <= MISFIT * np.sqrt(detail * mean.std(axis=(1, 2)))
    moved = np.maximum(moves[0] + moves[1], moves[2] + moves[3])
    alike: NDArray[np.bool_] = fits & (moved <= MOVED) & (gain <= GAIN) & (np.abs(brighter) <= BRIGHTER)
    return alike


def _causes(prints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a gain, a move and a stretch to the right, a move and a stretch down add, shape (P, 5, 256)."""
    down, right = np.gradient(prints, axis=(1, 2))
    place = np.linspace(-1, 1, FINGERPRINT_SIDE, dtype=np.float32)
    causes = np.stack([prints, right, right * place, down, down * place[:, None]], axis=1).reshape(len(prints), 5, -1)
    centred: NDArray[np.float32] = causes - causes.mean(axis=2, keepdims=True)
    return centred


def _smoothed(prints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over 3 x 3 cells, in each direction with weights 1, 4, 1; edges are repeated outwards."""
    padded = np.pad(prints, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 4 * padded[:, 1:-1] + padded[:, 2:]
    cells: NDArray[np.float32] = (rows[:, :, :-2] + 4 * rows[:, :, 1:-1] + rows[:, :, 2:]) / np.float32(36)
    return cells


def _detail(prints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what changes from cell to cell in both directions, shape (P,): second differences, as a deviation.

    Divided by 6, so that noise gives its standard deviation.
    """
    variance = np.diff(np.diff(prints, 2, axis=1), 2, axis=2).var(axis=(1, 2)) / 36
    detail: NDArray[np.float32] = np.sqrt(np.maximum(variance - GRAIN**2, 0))
    return detail


def _joined(count: int, links: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return numbers, shape (`count`,), that are equal for what is linked, directly or through others."""
    one, other = links
    root = np.arange(count)
    while not np.array_equal(root[one], root[other]):
        least = np.minimum(root[one], root[other])
        np.minimum.at(root, root[one], least)
        np.minimum.at(root, root[other], least)
        root = root[root]
    return _numbered(root)


def _numbered(keys: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return equal numbers for equal keys, from 0 in the order in which they first appear."""
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which]


def _first_of(numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each photo the first of its set; sets are numbered in the order in which they first appear."""
    return np.unique(numbers, return_index=True)[1][numbers]


def _members(groups: NDArray[np.int64], chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Return the positions in each group, of those that are chosen."""
    order = np.flatnonzero(chosen)
    order = order[np.argsort(groups[order], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []


def _rows(values: NDArray[np.uint8]) -> NDArray[np.void]:
    """Return each photo's bytes as one value that can be compared, shape (N,)."""
    rows = np.ascontiguousarray(values).reshape(len(values), prod(values.shape[1:]))
    return rows.view(np.dtype((np.void, rows.shape[1]))).ravel()


def _checked_sets(values: ArrayLike, name: str) -> NDArray[np.int64]:
    numbers = _whole_numbers(values, name)
    if not np.array_equal(numbers, _numbered(numbers)):
        raise DataError(f"Expected “{name}” to count from 0 in the order in which sets first appear; it does not.")
    numbers.setflags(write=False)
    return numbers


def _checked_digests(digests: ArrayLike) -> NDArray[np.uint8]:
    found = np.asarray(digests)
    if found.ndim == 1 and (not found.size or (found.dtype.kind in "SV" and found.itemsize == DIGEST_BYTES)):
        return np.ascontiguousarray(found).view(np.uint8).reshape(len(found), DIGEST_BYTES)
    if found.ndim != 2 or found.shape[1] != DIGEST_BYTES or found.dtype != np.uint8:
        raise DataError(f"Expected digests of {DIGEST_BYTES} bytes for each photo; got {found.dtype} {found.shape}.")
    return found


def _checked_fingerprints(fingerprints: ArrayLike) -> NDArray[np.uint8]:
    found = np.asarray(fingerprints)
    if found.shape[1:] != (FINGERPRINT_SIDE, FINGERPRINT_SIDE) or found.dtype != np.uint8:
        raise DataError(
            f"Expected fingerprints as whole numbers 0..255 of shape (photos, {FINGERPRINT_SIDE}, {FINGERPRINT_SIDE});"
            f" got {found.dtype} {found.shape}."
        )
    return found


def _whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise DataError(f"Expected {name} as whole numbers in one dimension; got {found.dtype} {found.shape}.")
    return found.astype(np.int64)
