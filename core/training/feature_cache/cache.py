"""The feature cache: outputs of the frozen part of a network for photos, kept on disk and shared by all runs.

The cache is a folder of shards. A shard has one row of numbers per photo, in the order in which photos were added; it
only grows, until it is removed as a whole. It consists of two files:

- `rows.bin`: the rows, raw, one after the other.
- `photos`: a record for each row that is on disk for good: the photo's digest, and a check that ties it to its place
  and to the shard. Rows are flushed to the disk before their records are written, so whatever is listed is complete;
  anything else left by a kill or a power cut is truncated when the shard is opened next.

Beside them are `key.json`, which says what the rows depend on, and `lock`, held while the shard is open; its
modification time is when the shard was last used.

Other folders, whose names begin with `KEPT`, are kept whole, under the same limit (`FeatureCache.keep`): the converted
networks that rows are computed with.
"""

import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import portalocker
from numpy.typing import NDArray

from core.data.images import DIGEST_BYTES
from core.data.intake.incoming import DISK_FULL, in_words
from core.errors import DataError, FeatureCacheError, NoRoom, ShardBusy, words_of
from core.files import write_atomically
from core.language import tr
from core.processes.locks import is_locked
from core.settings import GIGABYTE

FORMAT = 1
"""Version of a shard's files; shards of another version are discarded."""

ROWS, PHOTOS, KEY, LOCK = "rows.bin", "photos", "key.json", "lock"
EXCLUSIVE = ".exclusive"
DELETING, MAKING = ".deleting-", ".making-"
KEPT = "graph-"
"""What the names of folders begin with that are kept whole."""

CHECK_BYTES = 8
RECORD_BYTES = DIGEST_BYTES + CHECK_BYTES

COMMIT_SECONDS = 1.0
"""Rows that were added are flushed to the disk about as often as this; a kill loses no more than that."""

SHARD_SECONDS = 1.0
"""How long to try to lock a shard: checking whether it is locked takes the lock for a moment."""

CACHE_SECONDS = 30.0
"""How long to wait while another process opens or removes shards."""

LEAST_SPARE, MOST_SPARE, SPARE_SHARE = GIGABYTE, 10 * GIGABYTE, 0.05
"""What stays free on the disk: a twentieth of it, but no less and no more than so many bytes."""


@dataclass(frozen=True)
class ShardKey:
    """What a row depends on, besides the photo itself.

    Attributes:
        backbone: Key of a row in the table of backbones.
        weights: Hash of the frozen weights.
        resolution: Side of the photos in pixels.
        boundary: "features" for the pooled output, or the name of the first block that learns.
        view: "original", or a text that names augmentations with their strengths, the seed and the view's number.
        precision: "f32" or "bf16": what the rows were computed in.
        code: Version of the code that computed them.
        kept: What the numbers are kept as: "float16" or "float32".
    """

    backbone: str
    weights: str
    resolution: int
    boundary: str
    view: str
    precision: str
    code: int
    kept: str = "float16"


@dataclass(frozen=True)
class _Place:
    """A shard's folder under `root`, and what its files must contain."""

    root: Path
    key: ShardKey
    row_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not all(side > 0 for side in self.row_shape):
            raise DataError(
                tr("Expected a shape of rows with all sides above 0; got {shape}.", shape=str(self.row_shape))
            )

    @cached_property
    def folder(self) -> Path:
        plain = "".join(sign for sign in self.key.boundary if sign.isalnum() or sign in "-_")
        number = hashlib.blake2b(json.dumps(asdict(self.key)).encode(), digest_size=8).hexdigest()
        return self.root / f"{plain[:24]}-{number}"

    @cached_property
    def label(self) -> str:
        """What `key.json` holds."""
        return json.dumps({"format": FORMAT, "key": asdict(self.key), "row_shape": self.row_shape}, indent=1)

    @property
    def row_bytes(self) -> int:
        return math.prod(self.row_shape) * self.dtype.itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.key.kept)

    @cached_property
    def _secret(self) -> bytes:
        return hashlib.blake2b(self.label.encode(), digest_size=32).digest()

    def record(self, row: int, digest: bytes) -> bytes:
        content = row.to_bytes(8, "little") + digest
        return digest + hashlib.blake2b(content, digest_size=CHECK_BYTES, key=self._secret).digest()

    def is_labelled(self) -> bool:
        try:
            return (self.folder / KEY).read_text("utf-8") == self.label
        except (OSError, ValueError):
            return False

    def listed(self) -> list[bytes]:
        """Digests of the photos whose rows are whole, in the order of the rows; none where the label is another."""
        if not self.is_labelled():
            return []
        try:
            most = (self.folder / ROWS).stat().st_size // self.row_bytes
            records = (self.folder / PHOTOS).read_bytes()
        except OSError:
            return []
        digests: list[bytes] = []
        for start in range(0, min(most * RECORD_BYTES, len(records)), RECORD_BYTES):
            digest = records[start : start + DIGEST_BYTES]
            if records[start : start + RECORD_BYTES] != self.record(len(digests), digest):
                break
            digests.append(digest)
        return digests


class Shard:
    """The rows of one key, of the type that it names, one for each photo's digest.

    Made by `FeatureCache.open`, and good while it is open.

    Digests are those of a scan (`PhotoInfo.digest`). After a `FeatureCacheError` of `add` or `commit` nothing more can
    be added; what was added before stays readable. Not for several threads at once.
    """

    def __init__(self, place: _Place, rows: FileIO, photos: FileIO) -> None:
        """Take over files open for appending, whose lock the caller holds, and cut off what is not whole."""
        listed = place.listed()
        photos.truncate(len(listed) * RECORD_BYTES)
        rows.truncate(len(listed) * place.row_bytes)
        if not place.is_labelled():
            write_atomically(place.folder / KEY, place.label)
        self._place, self._rows, self._photos = place, rows, photos
        self._row_of = {digest: row for row, digest in enumerate(listed)}
        self._uncommitted: list[bytes] = []
        self._committed_at = time.monotonic()
        self._trouble: FeatureCacheError | None = None

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._row_of)

    def missing(self, digests: Sequence[bytes]) -> NDArray[np.intp]:
        """Return the positions in `digests` of those that have no row; of equal ones the first.

        Raises:
            DataError: One is no digest.
        """
        _require_digests(digests)
        return _first_unknown(digests, self._row_of)

    def add(self, digests: Sequence[bytes], rows: NDArray[Any]) -> None:
        """Put down rows `(N, *row_shape)`; a photo that has a row keeps it.

        They can be read at once, and stay for good from the next `commit` on, which this does about once a second.

        Raises:
            DataError: The digests or the rows are of another kind or shape.
            NoRoom: The disk is full.
            FeatureCacheError: The files cannot be written to for another reason.
        """
        _require_digests(digests)
        self._check(len(digests), rows)
        new = _first_unknown(digests, self._row_of)
        with self._writing():
            chosen = rows if len(new) == len(rows) else rows[new]
            _write(self._rows, np.ascontiguousarray(chosen).reshape(-1).view(np.uint8).data)
        for position in new:
            self._row_of[digests[position]] = len(self._row_of)
            self._uncommitted.append(digests[position])
        if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Flush the rows to the disk, then their list; raises what `add` does."""
        if self._uncommitted:
            first = len(self._row_of) - len(self._uncommitted)
            records = b"".join(self._place.record(first + i, digest) for i, digest in enumerate(self._uncommitted))
            with self._writing():
                os.fsync(self._rows.fileno())
                _write(self._photos, memoryview(records))
                os.fsync(self._photos.fileno())
            self._uncommitted.clear()
        self._committed_at = time.monotonic()

    def rows(self, digests: Sequence[bytes]) -> NDArray[np.intp]:
        """Return the number of each photo's row in `array`; raises `DataError` where one has no row or is no digest."""
        _require_digests(digests)
        try:
            return np.fromiter((self._row_of[digest] for digest in digests), np.intp, len(digests))
        except KeyError as error:
            raise DataError(
                tr(
                    "The photo {digest} has no row among the {count} that are kept. Add it first.",
                    digest=error.args[0].hex(),
                    count=len(self),
                )
            ) from error

    def array(self) -> NDArray[Any]:
        """Return all rows added so far, `(len(self), *row_shape)`, mapped from the disk and not to be written to.

        Raises:
            FeatureCacheError: The file cannot be mapped.
        """
        shape = (len(self), *self._place.row_shape)
        if not len(self):  # an empty file cannot be mapped
            return np.empty(shape, self._place.dtype)
        try:
            return np.memmap(self._place.folder / ROWS, self._place.dtype, "r", shape=shape)
        except OSError as error:
            raise _in_words(error, self._place.folder) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # Once the system has failed to flush something, it may say of the same bytes next time that they are flushed.
        if self._trouble is not None:
            raise self._trouble
        try:
            yield
        except OSError as error:
            self._trouble = _in_words(error, self._place.folder)
            raise self._trouble from error

    def _check(self, count: int, rows: NDArray[Any]) -> None:
        expected = (count, *self._place.row_shape)
        kind = self._place.dtype
        if rows.dtype != kind or rows.shape != expected:
            raise DataError(
                tr(
                    "Expected rows of {expected_type} {expected_shape}, one for each digest; got {type} {shape}.",
                    expected_type=str(kind),
                    expected_shape=str(expected),
                    type=str(rows.dtype),
                    shape=str(rows.shape),
                )
            )


@dataclass(frozen=True)
class FeatureCache:
    """All shards under one folder, which is injected.

    Attributes:
        root: The folder; made when the first shard is opened.
        limit: Most bytes that all shards, and what is kept beside them, may have together; 0 switches it off.
    """

    root: Path
    limit: int

    def used(self) -> int:
        """Return how many bytes all shards, and what is kept beside them, have."""
        return sum(_size(folder) for folder in _folders(self.root) if not folder.name.startswith(MAKING))

    def lacking(self, keys_and_shapes: Sequence[tuple[ShardKey, tuple[int, ...]]], digests: Sequence[bytes]) -> int:
        """Return how many bytes it takes to have a row for each of these photos on each of these shards.

        That is what `open` wants to know as `needed`. Looks only; what another process is adding may not count yet.

        Raises:
            DataError: One is no digest.
        """
        _require_digests(digests)
        total = 0
        for place in dict.fromkeys(self._places(keys_and_shapes)):
            known = set(place.listed())
            total += len(_first_unknown(digests, known)) * (place.row_bytes + RECORD_BYTES)
        return total

    def room(self, needed: int) -> bool:
        """Tell whether `needed` bytes more could be kept if all shards that nobody holds were removed for them."""
        return self.limit > 0 and self._short(needed) <= sum(size for _, size in self._idle())

    @contextmanager
    def open(self, keys_and_shapes: Sequence[tuple[ShardKey, tuple[int, ...]]], needed: int) -> Iterator[list[Shard]]:
        """Hold shards, one for each key with the shape of its rows; the same shard where a key comes twice.

        For `needed` bytes that are going to be added, shards that were not used for longest are removed, but none of
        these and none that another process holds. At the end what was added is committed; what cannot be by then is
        dropped without a word, because it has served this run.

        Raises:
            ShardBusy: Another process, or somebody else in this one, holds one of these shards.
            NoRoom: The bytes cannot be had, the disk is full, or the cache is switched off.
            FeatureCacheError: The folder cannot be written to for another reason.
        """
        with ExitStack() as held:
            yield self._take(self._places(keys_and_shapes), needed, held)

    def keep(self, name: str, fill: Callable[[Path], None]) -> Path:
        """Have a folder filled, and keep it under a name that begins with `KEPT`, in the place of any former one.

        It appears whole or not at all. Nobody holds it: who reads it must bear that it vanishes.

        Raises:
            NoRoom: There is no room for it, or the cache is switched off.
            FeatureCacheError: It cannot be written for another reason.
        """
        self._require_room_at_all()
        folder, making = self.root / name, self.root / f"{MAKING}{secrets.token_hex(4)}"
        try:
            with ExitStack() as held:
                with self._alone():
                    making.mkdir()
                    held.enter_context(_locked(making / LOCK, SHARD_SECONDS))
                fill(making)
                with self._alone():  # before the lock goes: others sweep away what nobody holds
                    held.close()
                    self._sweep(frozenset({making}))
                    self._make_room(_size(making), frozenset({folder}))
                    if folder.exists():
                        _remove(folder)
                    os.replace(making, folder)
        except OSError as error:
            raise _in_words(error, self.root) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return folder

    def clear(self) -> None:
        """Remove all shards and graphs that nobody holds; raises `FeatureCacheError` where they cannot be removed."""
        if self.root.is_dir():
            with self._alone():
                self._sweep()
                for folder, _ in self._idle():
                    _remove(folder)

    def _places(self, keys_and_shapes: Sequence[tuple[ShardKey, tuple[int, ...]]]) -> list[_Place]:
        return [_Place(self.root, key, tuple(shape)) for key, shape in keys_and_shapes]

    def _take(self, places: Sequence[_Place], needed: int, held: ExitStack) -> list[Shard]:
        self._require_room_at_all()
        with self._alone():
            shards = {place: held.enter_context(_opened(place)) for place in dict.fromkeys(places)}
            ours = frozenset(place.folder for place in places)
            self._sweep(ours)
            self._make_room(needed, ours)
        return [shards[place] for place in places]

    def _require_room_at_all(self) -> None:
        if self.limit == 0:
            raise NoRoom(tr("The feature cache is switched off: the limit feature_cache_bytes is 0."))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep everybody else from opening and removing shards meanwhile."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with _locked(self.root / EXCLUSIVE, CACHE_SECONDS):
                yield
        except OSError as error:
            raise _in_words(error, self.root) from error

    def _sweep(self, ours: frozenset[Path] = frozenset()) -> None:
        """Remove what a killed process has removed by half, and shards on which there is nothing."""
        for leftover in (*self.root.glob(f"{DELETING}*"), *self.root.glob(f"{MAKING}*")):
            if leftover not in ours and not is_locked(leftover / LOCK):
                shutil.rmtree(leftover, ignore_errors=True)
        for folder, _ in self._idle(ours):
            if not _size(folder, PHOTOS) and not folder.name.startswith(KEPT):
                _remove(folder)

    def _make_room(self, needed: int, ours: frozenset[Path]) -> None:
        short, idle = self._short(needed), self._idle(ours)
        if short > sum(size for _, size in idle):
            raise NoRoom(self._no_room(needed))
        for folder, size in idle:
            if short <= 0:
                break
            _remove(folder)
            short -= size

    def _short(self, needed: int) -> int:
        """Return how many bytes must be removed before `needed` more can be added; not above 0 if none."""
        if needed <= 0:
            return 0
        free, spare = self._disk()
        return max(self.used() + needed - self.limit, needed + spare - free)

    def _disk(self) -> tuple[int, int]:
        """Return how many bytes are free, and how many of them must stay so."""
        disk = shutil.disk_usage(next(place for place in (self.root, *self.root.parents) if place.exists()))
        return disk.free, min(MOST_SPARE, max(LEAST_SPARE, int(disk.total * SPARE_SHARE)))

    def _no_room(self, needed: int) -> str:
        free, spare = self._disk()
        return tr(
            "The feature cache in {folder} needs {needed} more. The limit feature_cache_bytes allows {limit} in all,"
            " {used} are used, and the disk has {free} free, of which {spare} are kept free. Free some space, or raise"
            " the limit.",
            folder=str(self.root),
            needed=in_words(needed),
            limit=in_words(self.limit),
            used=in_words(self.used()),
            free=in_words(free),
            spare=in_words(spare),
        )

    def _idle(self, ours: frozenset[Path] = frozenset()) -> list[tuple[Path, int]]:
        """Return folders and sizes in bytes of shards that nobody holds, the one not used for longest first."""
        folders = (folder for folder in _folders(self.root) if not folder.name.startswith("."))
        idle = (folder for folder in folders if folder not in ours and not is_locked(folder / LOCK))
        return [(folder, _size(folder)) for folder in sorted(idle, key=_last_used)]


@contextmanager
def _opened(place: _Place) -> Iterator[Shard]:
    place.folder.mkdir(exist_ok=True)
    with (
        _locked(place.folder / LOCK, SHARD_SECONDS),
        FileIO(place.folder / ROWS, "a") as rows,
        FileIO(place.folder / PHOTOS, "a") as photos,
    ):
        (place.folder / LOCK).touch()
        shard = Shard(place, rows, photos)
        try:
            yield shard
        finally:
            with suppress(FeatureCacheError):
                shard.commit()
            with suppress(OSError):
                (place.folder / LOCK).touch()


@contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    lock = portalocker.Lock(path, "a", timeout=seconds, check_interval=0.05)
    try:
        lock.acquire()
    except portalocker.AlreadyLocked as error:
        raise ShardBusy(
            tr(
                "Another run is using the feature cache in {folder}. Wait until it has ended, or train without it.",
                folder=str(path.parent),
            )
        ) from error
    except portalocker.LockException as error:
        raise FeatureCacheError(
            tr(
                "{folder} is on a disk without file locks ({reason}), so there is no feature cache.",
                folder=str(path.parent),
                reason=words_of(error),
            )
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_digests(digests: Sequence[bytes]) -> None:
    wrong = next((each for each in digests if not isinstance(each, bytes) or len(each) != DIGEST_BYTES), None)
    if wrong is not None:
        raise DataError(
            tr(
                "Expected digests of {bytes} bytes each, as a scan finds them; got {found}.",
                bytes=DIGEST_BYTES,
                found=repr(wrong),
            )
        )


def _first_unknown(digests: Sequence[bytes], known: Container[bytes]) -> NDArray[np.intp]:
    first: dict[bytes, int] = {}
    for position, digest in enumerate(digests):
        if digest not in known:
            first.setdefault(digest, position)
    return np.fromiter(first.values(), np.intp, len(first))


def _write(file: FileIO, left: memoryview) -> None:
    """Append bytes; raises `OSError` when not all of them could be written."""
    while left:
        left = left[file.write(left) :]


def _in_words(error: OSError, folder: Path) -> FeatureCacheError:
    if error.errno in DISK_FULL:
        return NoRoom(
            tr("The disk is full: the feature cache in {folder} cannot grow. Free some space.", folder=str(folder))
        )
    return FeatureCacheError(
        tr(
            "The feature cache in {folder} cannot be used ({reason}). Make sure that it is writable.",
            folder=str(folder),
            reason=str(error.strerror),
        )
    )


def _remove(folder: Path) -> None:
    """Take a shard away in one step, then delete it, so that nobody ever opens half of it."""
    doomed = folder.with_name(f"{DELETING}{secrets.token_hex(4)}")
    os.replace(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
    except FileNotFoundError:
        return []


def _size(folder: Path, pattern: str = "*") -> int:
    """Return how many bytes the files of a folder have; those that vanish meanwhile have none."""
    total = 0
    for file in folder.glob(pattern):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _last_used(folder: Path) -> float:
    try:
        return (folder / LOCK).stat().st_mtime
    except FileNotFoundError:
        return 0.0
