"""The frozen part of a real network, computed once for a few photos and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FeatureCacheError, NoRoom, ShardBusy
from core.models.backbones import FEATURES, backbone
from core.models.build import build_model
from core.models.frozen import graph_to_boundaries, tensor_at, weights_hash
from core.models.heads import Head
from core.models.openvino_runtime import BATCH
from core.models.weights import look_up
from core.recipe.augmentations import Choice
from core.recipe.plan import ORIGINAL, row_shape
from core.settings import GIGABYTE
from core.training.feature_cache.cache import ROWS, FeatureCache
from core.training.feature_cache.extraction import Frozen, FrozenOutputs
from core.training.inputs.photos import Photos
from core.training.inputs.versions import Versions
from tests.conftest import Workplace, write_colours

LITE = backbone("efficientnet-lite0")
CHOICES = {"rotation": Choice(0.1), "brightness": Choice(0.2)}
COUNT = 20
ALL = np.arange(COUNT)


@dataclass
class Scene:
    """Photos, the network that looks at them, and a cache for what it makes of them."""

    files: list[Path]
    cache: FeatureCache
    model: keras.Model
    frozen: Frozen
    versions: Versions

    def photos(self) -> Photos:
        root = self.files[0].parents[1]
        return Photos(self.files, LITE.resolution, root / "work" / "pixels.npy", [root])

    @contextmanager
    def outputs(self, photos: Photos | None = None, digests: list[bytes] | None = None) -> Iterator[FrozenOutputs]:
        """As a run has them that comes anew to the photos."""
        photos = photos or self.photos()
        with FrozenOutputs(self.cache, self.frozen, photos, digests or photos.digests(), self.versions) as made:
            yield made

    def shard_files(self, boundary: str) -> list[bytes]:
        return sorted(file.read_bytes() for file in self.cache.root.glob(f"{boundary}-*/{ROWS}"))

    def by_keras(self, boundary: str, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        part = keras.Model(self.model.input, tensor_at(self.model, LITE, boundary))
        return np.asarray(part(pixels, training=False))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Frozen]:
    place = tmp_path_factory.mktemp("network")
    keras.utils.set_random_seed(0)
    model = build_model(LITE, Head(), 2, look_up(LITE, Workplace(place, place).settings))
    return model, Frozen(LITE, weights_hash(model, LITE), graph_to_boundaries(model, LITE))


@pytest.fixture
def scene(network: tuple[keras.Model, Frozen], tmp_path: Path) -> Scene:
    model, frozen = network
    files = sorted(write_colours(tmp_path / "colours", per_class=COUNT // 2).rglob("*.png"))
    versions = Versions(CHOICES, 1, (LITE.resolution, LITE.resolution, 3))
    return Scene(files, FeatureCache(tmp_path / "trunk", GIGABYTE), model, frozen, versions)


def close(found: NDArray[Any], wanted: NDArray[np.float32], share: float) -> bool:
    """Whether what was found is as near as that to what was wanted, for each photo, in relation to its length."""
    count = len(wanted)
    away = np.linalg.norm(found.astype(np.float32).reshape(count, -1) - wanted.reshape(count, -1), axis=1)
    return bool((away <= share * np.linalg.norm(wanted.reshape(count, -1), axis=1)).all())


def test_outputs_are_those_of_keras_for_each_photo_in_any_order(scene: Scene) -> None:
    photos = scene.photos()
    with scene.outputs(photos) as outputs:
        outputs.compute(ALL[::-1], ORIGINAL, (FEATURES, "block7"))
        chosen = np.array([3, 17, 0])
        pixels = photos.pixels(chosen).astype(np.float32)
        for boundary in (FEATURES, "block7"):
            found = outputs.gather(boundary, ORIGINAL)(chosen)
            assert found.shape == (3, *row_shape(LITE, boundary)) and found.dtype == np.float32
            assert close(found, scene.by_keras(boundary, pixels), 2e-3)
        assert (outputs.computed, outputs.reused) == (COUNT, 0) and (outputs.photos_per_second or 0) > 0


def test_outputs_of_versions_are_those_of_the_augmented_photos(scene: Scene) -> None:
    photos, chosen = scene.photos(), np.array([4, 11])
    digests = photos.digests()
    with scene.outputs(photos, digests) as outputs:
        for number in (0, 1):
            outputs.compute(ALL[:12], number, (FEATURES,))
        found = [outputs.gather(FEATURES, number)(chosen) for number in (0, 1)]
    for number in (0, 1):
        augmented = scene.versions.make(photos.pixels(chosen), [digests[i] for i in chosen], number)
        wanted = scene.by_keras(FEATURES, augmented)
        assert close(found[number], wanted, 3e-2), "the processor may compute versions in bfloat16"
        assert not close(found[1 - number], wanted, 3e-2), "versions differ by more than that"


def test_only_what_is_missing_is_computed_and_a_second_run_computes_nothing(scene: Scene) -> None:
    with scene.outputs() as first:
        first.compute(ALL[:9], ORIGINAL, (FEATURES, "block7"))
        assert first.count_missing(ALL, ORIGINAL, (FEATURES, "block7")) == COUNT - 9
        first.compute(ALL, ORIGINAL, (FEATURES, "block7"))
        assert (first.computed, first.reused) == (COUNT, 9)
        found = first.gather("block7", ORIGINAL)(ALL)
    with scene.outputs() as second:
        assert second.count_missing(ALL, ORIGINAL, (FEATURES, "block7")) == 0
        second.compute(ALL, ORIGINAL, (FEATURES, "block7"))
        assert (second.computed, second.reused, second.photos_per_second) == (0, COUNT, None)
        np.testing.assert_array_equal(second.gather("block7", ORIGINAL)(ALL), found)


def test_a_moved_unfreeze_point_leaves_the_features_as_they_are_and_the_head_alone_needs_nothing_new(
    scene: Scene,
) -> None:
    with scene.outputs() as first:
        first.compute(ALL, ORIGINAL, (FEATURES, "block7"))
    features = scene.shard_files(FEATURES)
    with scene.outputs() as head_alone:
        head_alone.compute(ALL, ORIGINAL, (FEATURES,))
        assert (head_alone.computed, head_alone.reused) == (0, COUNT)
    with scene.outputs() as moved:
        assert moved.count_missing(ALL, ORIGINAL, (FEATURES,)) == 0
        moved.compute(ALL, ORIGINAL, (FEATURES, "top_conv"))
        assert moved.computed == COUNT, "nobody had kept what enters that block"
    assert scene.shard_files(FEATURES) == features
    assert [len(rows) for rows in scene.shard_files("top_conv")] == [
        COUNT * 4 * int(np.prod(row_shape(LITE, "top_conv")))
    ]


def test_other_seeds_and_strengths_have_shards_of_their_own(scene: Scene) -> None:
    with scene.outputs() as outputs:
        outputs.compute(ALL[:4], 0, (FEATURES,))
    shape = (LITE.resolution, LITE.resolution, 3)
    for others in (Versions(CHOICES, 2, shape), Versions({"rotation": Choice(0.1)}, 1, shape)):
        with replace(scene, versions=others).outputs() as outputs:
            outputs.compute(ALL[:4], 0, (FEATURES,))
            assert (outputs.computed, outputs.reused) == (4, 0)
    with scene.outputs() as outputs:
        outputs.compute(ALL[:4], 0, (FEATURES,))
        assert outputs.computed == 0


@pytest.mark.thorough
def test_photos_that_cannot_be_read_become_failures_and_the_others_are_right(scene: Scene) -> None:
    scene.files[2].write_bytes(scene.files[2].read_bytes()[:200])
    scene.files[5].unlink()
    for file in scene.files[BATCH : 2 * BATCH]:
        file.write_bytes(b"<html>" + file.name.encode() + file.parent.name.encode())
    photos, bad = scene.photos(), {2, 5, *range(BATCH, 2 * BATCH)}
    with scene.outputs(photos) as outputs:
        outputs.compute(ALL, ORIGINAL, (FEATURES,))
        assert set(photos.failures) == bad and outputs.computed == COUNT - len(bad)
        good = np.array([i for i in ALL if i not in bad])
        wanted = scene.by_keras(FEATURES, photos.pixels(good).astype(np.float32))
        assert close(outputs.gather(FEATURES, ORIGINAL)(good), wanted, 2e-3)
        assert outputs.count_missing(ALL, ORIGINAL, (FEATURES,)) == 0, "nothing is to be done about failures"


def test_photos_that_are_equal_byte_for_byte_are_computed_once(scene: Scene) -> None:
    scene.files[7].write_bytes(scene.files[1].read_bytes())
    with scene.outputs() as outputs:
        outputs.compute(ALL, ORIGINAL, (FEATURES,))
        assert outputs.computed == COUNT - 1
        both = outputs.gather(FEATURES, ORIGINAL)(np.array([1, 7]))
    np.testing.assert_array_equal(both[0], both[1])


def test_what_was_computed_before_a_stop_is_there_afterwards(scene: Scene) -> None:
    heard: list[int] = []

    def give_up(done: int) -> None:
        heard.append(done)
        if done >= BATCH:
            raise KeyError("enough")

    with scene.outputs() as stopped, pytest.raises(KeyError, match="enough"):
        stopped.compute(ALL, ORIGINAL, (FEATURES, "block7"), give_up)
    assert heard == [BATCH]
    with scene.outputs() as outputs:
        assert outputs.count_missing(ALL, ORIGINAL, (FEATURES, "block7")) == COUNT - BATCH
        outputs.compute(ALL, ORIGINAL, (FEATURES, "block7"))
        assert (outputs.computed, outputs.reused) == (COUNT - BATCH, BATCH)
        found = outputs.gather("block7", ORIGINAL)(ALL[:3])
    wanted = scene.by_keras("block7", scene.photos().pixels(ALL[:3]).astype(np.float32))
    assert close(found, wanted, 2e-3)


def test_who_watches_hears_how_many_are_done(scene: Scene) -> None:
    heard: list[int] = []
    with scene.outputs() as outputs:
        outputs.compute(ALL, ORIGINAL, (FEATURES,), heard.append)
    assert heard == [BATCH, 2 * BATCH, COUNT]


def test_without_room_or_with_the_store_switched_off_it_is_said_so(scene: Scene) -> None:
    for limit in (0, 1000):
        small = replace(scene, cache=replace(scene.cache, limit=limit))
        with small.outputs() as outputs, pytest.raises(NoRoom, match="feature_cache_bytes"):
            outputs.compute(ALL, ORIGINAL, (FEATURES,))


def test_a_shard_that_somebody_else_holds_is_busy_until_it_is_let_go(scene: Scene) -> None:
    assert issubclass(NoRoom, FeatureCacheError) and issubclass(ShardBusy, FeatureCacheError)
    with scene.outputs() as holder:
        holder.compute(ALL[:2], ORIGINAL, (FEATURES,))
        with scene.outputs() as other, pytest.raises(ShardBusy, match="Another run"):
            other.compute(ALL, ORIGINAL, (FEATURES,))
    with scene.outputs() as other:
        other.compute(ALL[:2], ORIGINAL, (FEATURES,))
        assert other.reused == 2
