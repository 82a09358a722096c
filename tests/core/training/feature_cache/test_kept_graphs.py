import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from core.errors import NoRoom
from core.models.backbones import FEATURES, backbone
from core.models.openvino_runtime import OpenVINOModel
from core.models.weights import WeightsFile
from core.settings import GIGABYTE
from core.training.feature_cache import kept_graphs
from core.training.feature_cache.cache import KEPT, LOCK, MAKING, FeatureCache
from core.training.feature_cache.kept_graphs import CONSTANTS, FACTS, GRAPH, KeptGraph, find, keep, key_of

LITE, B0 = backbone("efficientnet-lite0"), backbone("efficientnet-b0")
WIDTH = 5_000


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "trunk", GIGABYTE)


def made(key: str, factor: float = 2.0) -> KeptGraph:
    """A graph in small: so many numbers times a factor."""
    numbers = opset.parameter([-1, WIDTH], np.float32, name="photo")
    output = opset.multiply(numbers, opset.constant(np.full((1, WIDTH), factor, np.float32)))
    output.output(0).get_tensor().set_names({FEATURES})
    return KeptGraph(LITE.key, key, "weights", ov.Model([output], [numbers]))


def factor_of(found: KeptGraph | None) -> float:
    assert found is not None and found.weights == "weights"
    seen: list[float] = []
    ones = [(None, np.ones((1, WIDTH), np.float32))]
    OpenVINOModel(found.graph, [FEATURES]).run_all(ones, lambda _, values: seen.append(float(values[FEATURES][0, 0])))
    return seen[0]


def folder_of(cache: FeatureCache, key: str) -> Path:
    return cache.root / f"{KEPT}{key}"


def test_a_graph_comes_back_as_it_was_and_a_newer_one_takes_its_place(cache: FeatureCache) -> None:
    assert find(cache, "one") is None and not cache.root.exists()
    assert factor_of(keep(cache, made("one"))) == factor_of(find(cache, "one")) == 2
    keep(cache, made("other", 5.0))
    keep(cache, made("one", 3.0))
    assert (factor_of(find(cache, "one")), factor_of(find(cache, "other"))) == (3, 5)


def test_the_key_is_of_the_backbone_its_weights_and_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.h5"
    keys = []
    for content in (b"some", b"more"):
        file.write_bytes(content)
        keys += [key_of(row, WeightsFile(file, "here")) for row in (LITE, B0)]
    monkeypatch.setattr(kept_graphs, "_code", lambda: "of another version")
    keys.append(key_of(B0, WeightsFile(file, "here")))
    assert len(set(keys)) == 5
    monkeypatch.undo()
    assert key_of(B0, WeightsFile(file, "elsewhere")) == keys[3]
    assert key_of(B0, WeightsFile(tmp_path / "gone.h5", "nowhere")) == ""


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("name", [GRAPH, CONSTANTS, FACTS])
@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_damaged_graph_is_none_and_can_be_made_again(
    cache: FeatureCache, name: str, damage: Callable[[Path], None]
) -> None:
    keep(cache, made("one"))
    damage(folder_of(cache, "one") / name)
    assert find(cache, "one") is None
    assert factor_of(keep(cache, made("one"))) == 2


def test_without_room_a_graph_serves_without_being_kept(cache: FeatureCache) -> None:
    for limit in (0, 1_000):
        assert factor_of(keep(FeatureCache(cache.root, limit), made("one"))) == 2
        assert find(cache, "one") is None and cache.used() == 0
    assert factor_of(keep(cache, made(""))) == 2 and find(cache, "") is None and cache.used() == 0
    with pytest.raises(NoRoom):
        FeatureCache(cache.root, 0).keep(f"{KEPT}one", lambda folder: None)


def test_graphs_count_and_those_that_were_not_used_for_longest_go_first(cache: FeatureCache) -> None:
    for key, ago in (("old", 300), ("older", 400), ("new", 100)):
        keep(cache, made(key))
        then = time.time() - ago
        os.utime(folder_of(cache, key) / LOCK, (then, then))
    assert cache.used() > 3 * 4 * WIDTH
    assert factor_of(find(cache, "older")) == 2  # and has just been used
    keep(FeatureCache(cache.root, cache.used() + 100), made("newest"))
    assert [key for key in ("old", "older", "new", "newest") if find(cache, key)] == ["older", "new", "newest"]
    cache.clear()
    assert cache.used() == 0


def test_a_graph_that_is_removed_while_it_is_in_use_goes_on_to_work(cache: FeatureCache) -> None:
    found = keep(cache, made("one"))
    cache.clear()
    assert factor_of(found) == 2 and find(cache, "one") is None


def test_what_a_kill_has_left_is_swept_and_what_is_being_made_is_not(cache: FeatureCache) -> None:
    leftover = cache.root / f"{MAKING}1234"
    leftover.mkdir(parents=True)
    (leftover / LOCK).touch()
    seen: list[list[str]] = []

    def fill(folder: Path) -> None:
        keep(cache, made("other"))
        seen.append([path.name for path in cache.root.glob(f"{MAKING}*")])

    cache.keep(f"{KEPT}one", fill)
    assert not leftover.exists() and len(seen[0]) == 1
    assert sorted(path.name for path in cache.root.glob(f"{KEPT}*")) == [f"{KEPT}one", f"{KEPT}other"]


def test_several_may_keep_the_same_graph_at_once(cache: FeatureCache) -> None:
    with ThreadPoolExecutor(4) as pool:
        factors = list(pool.map(lambda number: factor_of(keep(cache, made(f"{number % 2}"))), range(12)))
    assert factors == [2.0] * 12
    assert len(list(cache.root.glob(f"{KEPT}*"))) == 2 and not list(cache.root.glob(f"{MAKING}*"))
