"""The frozen part of a run: computed once per photo and version, cached, and fed to `fit` from there."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.models.backbones import FEATURES, Backbone
from core.models.heads import AVERAGE
from core.models.openvino_runtime import BATCH, EXACT, FrozenPart, fastest_on_cpu, with_pooling
from core.recipe.plan import ORIGINAL, row_shape
from core.training.feature_cache.cache import FeatureCache, Shard, ShardKey
from core.training.inputs.photos import Gather, Photos, ahead, in_chunks
from core.training.inputs.versions import Versions

CODE = 2
"""Raise it when what is kept would come out differently: decoding, augmenting, preprocessing, cutting."""

NEAR = "near"
"""The precision of outputs of augmented versions: exact, or so near to it that bfloat16 is as good."""

AHEAD = 6
"""Batches that are decoded and augmented before they are needed."""


def kept_as(version: int) -> str:
    """What the outputs of a version are kept as.

    Photos as they are keep all digits, so that a run on them is the same as one that computes everything; of augmented
    versions, which take most of the room, half precision does.
    """
    return "float32" if version == ORIGINAL else "float16"


class Frozen:
    """The frozen part of a network, to be computed at one or more boundaries.

    Attributes:
        backbone: Its backbone.
        weights: Hash of the backbone's weights.
        graph: Its graph to every boundary, see `core.models.frozen.graph_to_boundaries`; None where it was not made.
        pooling: What the head makes features with.
    """

    def __init__(
        self,
        backbone: Backbone,
        weights: str,
        graph: ov.Model | None,
        pooling: str = AVERAGE,
        on_card: Callable[[Sequence[str]], FrozenPart] | None = None,
    ) -> None:
        """Compile nothing yet; `on_card` makes the part up to some boundaries for a graphics card, if there is one."""
        self.backbone, self.weights, self.pooling = backbone, weights, pooling
        self.graph = with_pooling(graph, pooling) if graph is not None else None
        self._on_card = on_card
        self._parts: dict[tuple[bool, tuple[str, ...]], FrozenPart] = {}

    def part(self, boundaries: tuple[str, ...], sample: NDArray[np.float32] | None) -> FrozenPart:
        """What computes these boundaries: exactly, or, with a sample of photos, as near to it as that allows."""
        known = sample is None, boundaries
        if known not in self._parts:
            if self._on_card is not None:
                self._parts[known] = self._on_card(boundaries)
            elif self.graph is not None:
                self._parts[known] = fastest_on_cpu(self.graph, boundaries, sample)
            else:
                raise RuntimeError("nothing of a network is computed whose graph was not asked for")
        return self._parts[known]

    def forget_parts(self) -> None:
        """Free the memory of what was compiled; it is compiled again when it is needed."""
        self._parts.clear()


class FrozenOutputs:
    """Outputs of a network's frozen part at one or more boundaries, by photo and version.

    Attributes:
        computed: How many photos went through the frozen part, each version counting.
        timed: How many of them did while nothing else kept this machine busy.
        seconds: How long those took.
        reused: How many were there from before.
    """

    def __init__(
        self,
        cache: FeatureCache,
        frozen: Frozen,
        photos: Photos,
        digests: Sequence[bytes],
        versions: Versions | None,
        undisturbed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Opens nothing yet; `undisturbed` tells whether this process does nothing else at the moment."""
        self._cache, self._frozen = cache, frozen
        self._photos, self._digests, self._versions = photos, digests, versions
        self._shards: dict[tuple[str, int], Shard] = {}
        self._open = ExitStack()
        self._undisturbed = undisturbed
        self.computed = self.reused = self.timed = 0
        self.seconds = 0.0

    def __enter__(self) -> "FrozenOutputs":
        """Nothing is held before something is computed."""
        return self

    def __exit__(self, *error: object) -> None:
        """Release the shards."""
        self._open.close()

    @property
    def weights(self) -> str:
        """Hash of the backbone's weights."""
        return self._frozen.weights

    @property
    def frozen(self) -> Frozen:
        """The frozen part."""
        return self._frozen

    @property
    def photos_per_second(self) -> float | None:
        """How fast photos went through so far; None before that was timed."""
        return self.timed / self.seconds if self.timed else None

    def compute(
        self,
        positions: NDArray[np.intp],
        version: int,
        boundaries: Sequence[str],
        on_photos: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Make sure that the outputs of one version of these photos are there.

        Args:
            positions: Of photos; those that turn out to be unreadable become failures.
            version: `ORIGINAL`, or the number of an augmented version.
            boundaries: Where.
            on_photos: Hears how many are done, and may raise.

        Raises:
            NoRoom: There is no room for them.
            ShardBusy: Another run holds a shard.
        """
        shards = self._shards_for(positions, version, boundaries)
        missing = self._missing(positions, shards)
        self.reused += len(positions) - len(missing)
        began, alone, done = time.perf_counter(), self._undisturbed(), 0

        def receive(batch: tuple[NDArray[np.intp], list[bytes]], outputs: Any) -> None:
            nonlocal done
            for name, shard in shards.items():
                shard.add(batch[1], outputs[name].astype(kept_as(version)))
            done += len(batch[0])
            on_photos(done)

        while len(missing):
            few = None if version == ORIGINAL else self._photos.pixels(missing[:BATCH]).astype(np.float32)
            part = self._frozen.part(tuple(boundaries), few)
            part.run_all(self._inputs(missing, version), receive)
            missing = self._missing(positions, shards)  # one that cannot be read may have a copy that can
        for shard in shards.values():
            shard.commit()
        self.computed += done
        if done and alone:
            self.timed += done
            self.seconds += time.perf_counter() - began

    def count_missing(self, positions: NDArray[np.intp], version: int, boundaries: Sequence[str]) -> int:
        """How many of these photos would have to be computed."""
        return len(self._missing(positions, self._shards_for(positions, version, boundaries)))

    def gather(self, boundary: str, version: int) -> Gather:
        """A function from positions `(B,)` to outputs `(B, ...)`, of what was computed before and is not a failure."""
        shard = self._shards[boundary, version]
        rows = np.full(len(self._digests), -1, np.intp)
        known = [digest for digest in self._digests if digest]
        absent = {known[i] for i in shard.missing(known)}
        there = [i for i, digest in enumerate(self._digests) if digest and digest not in absent]
        rows[there] = shard.rows([self._digests[i] for i in there])
        array = shard.array()
        return lambda positions: array[rows[positions]]

    def _shards_for(self, positions: NDArray[np.intp], version: int, boundaries: Sequence[str]) -> dict[str, Shard]:
        wanted = [self._digests[position] for position in positions if self._digests[position]]
        return {name: self._shard(name, version, wanted) for name in boundaries}

    def _shard(self, boundary: str, version: int, wanted: Sequence[bytes]) -> Shard:
        found = self._shards.get((boundary, version))
        if found is None:
            backbone, pooling = self._frozen.backbone, self._frozen.pooling
            view = "original" if version == ORIGINAL or self._versions is None else self._versions.name(version)
            key = ShardKey(
                backbone.key,
                self._frozen.weights,
                backbone.resolution,
                boundary if boundary != FEATURES or pooling == AVERAGE else f"{FEATURES}-{pooling}",
                view,
                EXACT if view == "original" else NEAR,
                CODE,
                kept_as(ORIGINAL if view == "original" else version),
            )
            place = [(key, row_shape(backbone, boundary, pooling))]
            opened = self._cache.open(place, self._cache.lacking(place, wanted))
            found = self._shards[boundary, version] = self._open.enter_context(opened)[0]
        return found

    def _missing(self, positions: NDArray[np.intp], shards: dict[str, Shard]) -> NDArray[np.intp]:
        """Of these positions those, one for each digest, that are not in all shards."""
        usable = [position for position in positions if position not in self._photos.failures]
        digests = [self._digests[position] for position in usable]
        absent: set[int] = set()
        for shard in shards.values():
            absent.update(shard.missing(digests).tolist())
        return np.array([usable[i] for i in sorted(absent)], np.intp)

    def _inputs(
        self, positions: NDArray[np.intp], version: int
    ) -> Iterator[tuple[tuple[NDArray[np.intp], list[bytes]], NDArray[np.float32]]]:
        """Batches of photos, decoded and augmented while others are computed, without those that cannot be read."""

        def make(chunk: NDArray[np.intp]) -> tuple[tuple[NDArray[np.intp], list[bytes]], NDArray[np.float32]]:
            pixels = self._photos.pixels(chunk)
            usable = np.array([position not in self._photos.failures for position in chunk], bool)
            digests = [self._digests[position] for position in chunk[usable]]
            return (chunk[usable], digests), self._seen(pixels[usable], digests, version)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for tag, inputs in ahead(make, in_chunks(positions, BATCH), pool, AHEAD):
                if len(inputs):
                    yield tag, inputs

    def _seen(self, pixels: NDArray[np.uint8], digests: list[bytes], version: int) -> NDArray[np.float32]:
        if version == ORIGINAL or self._versions is None or not len(pixels):
            return pixels.astype(np.float32)
        return self._versions.make(pixels, digests, version)
