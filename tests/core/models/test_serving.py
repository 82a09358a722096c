from functools import cache
from pathlib import Path

import keras
import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from core.errors import RunNotReady, StorageError
from core.models.backbones import LAST_MAP, backbone
from core.models.build import build_model
from core.models.frozen import graph_to_boundaries, tensor_at
from core.models.heads import FLATTEN, MAX, Head, features_of
from core.models.openvino_runtime import BATCH
from core.models.serving import ACTIVATION_MAPS, EMBEDDING, GRAPH, PROBABILITIES, Below, ServingGraph, write_graph
from core.models.weights import look_up
from core.settings import settings_from
from tests.disks import small_disk

CLASSES = 3
LITE = backbone("efficientnet-lite0")


def photos(count: int) -> NDArray[np.uint8]:
    """Coarse patterns, each photo with another one, because a network takes all fine noise for the same."""
    coarse = np.random.default_rng(1).integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def lite() -> keras.Model:
    row = backbone("efficientnet-lite0")
    model = build_model(row, Head(), CLASSES, look_up(row, settings_from({})))
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([5 * kernel, bias])  # so that it is surer of something than at first
    return model


@pytest.fixture(scope="module")
def written(lite: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "serving"
    write_graph(lite, folder)
    return folder


@cache
def boundaries_of(model: keras.Model) -> ov.Model:
    """The graph of its frozen part, made once."""
    return graph_to_boundaries(model, LITE)


def test_a_graph_says_what_its_model_says(lite: keras.Model, written: Path) -> None:
    seen, graph = photos(3), ServingGraph(written)
    outputs = graph.run(seen)
    expected = np.asarray(lite(seen.astype(np.float32), training=False))
    assert outputs[PROBABILITIES].shape == (3, CLASSES) and outputs[PROBABILITIES].dtype == np.float32
    np.testing.assert_allclose(outputs[PROBABILITIES], expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.05, "the photos must not all look the same to the model"


@pytest.mark.parametrize("boundary", [LAST_MAP, "block7"])
def test_a_graph_of_two_parts_says_what_the_whole_one_says(
    lite: keras.Model, written: Path, tmp_path: Path, boundary: str
) -> None:
    below = Below(boundaries_of(lite), boundary)
    write_graph(lite, tmp_path / "serving", below, tensor_at(lite, LITE, boundary))
    outputs, expected = (ServingGraph(folder).run(photos(2)) for folder in (tmp_path / "serving", written))
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, rtol=1e-4, atol=1e-4)


def test_embeddings_are_what_the_head_reads(lite: keras.Model, written: Path) -> None:
    seen = photos(2)
    embedding = ServingGraph(written).run(seen)[EMBEDDING]
    pooled = keras.ops.mean(keras.Model(lite.input, features_of(lite))(seen.astype(np.float32)), axis=(1, 2))
    assert embedding.shape == (2, 1280)
    np.testing.assert_allclose(embedding, np.asarray(pooled), rtol=1e-3, atol=1e-4)


def test_activation_maps_average_to_the_logits(written: Path) -> None:
    outputs = ServingGraph(written).run(photos(2))
    maps = outputs[ACTIVATION_MAPS]
    assert maps.shape == (2, 7, 7, CLASSES)
    np.testing.assert_allclose(softmax(maps.mean(axis=(1, 2))), outputs[PROBABILITIES], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "head"),
    [
        ("efficientnet-lite0", Head(batch_norm=True)),
        ("efficientnet-lite0", Head(pooling=MAX)),
        ("efficientnet-lite0", Head(pooling=FLATTEN, batch_norm=True)),
        ("baseline-cnn", Head()),
        ("baseline-cnn", Head(batch_norm=True)),
    ],
)
def test_activation_maps_average_to_the_logits_behind_every_head(key: str, head: Head, tmp_path: Path) -> None:
    model = build_model(backbone(key), head, CLASSES, None)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name in ("head_norm", "head", "dense"):
            layer.set_weights([values + random.uniform(0.01, 0.1, values.shape) for values in layer.get_weights()])
    write_graph(model, tmp_path / "serving")
    outputs = ServingGraph(tmp_path / "serving").run(photos(2))
    maps = outputs[ACTIVATION_MAPS]
    assert maps.ndim == 4 and maps.shape[3] == CLASSES
    assert np.ptp(maps, axis=(1, 2)).min() > 0, "a map that is the same everywhere shows nothing"
    np.testing.assert_allclose(softmax(maps.mean(axis=(1, 2))), outputs[PROBABILITIES], rtol=0, atol=1e-4)


def test_many_photos_come_to_the_same_as_each_alone(written: Path) -> None:
    graph, seen = ServingGraph(written), photos(BATCH + 3)
    found = []
    chunks = [(start, seen[start : start + BATCH]) for start in range(0, len(seen), BATCH)]
    graph.run_all(chunks, lambda tag, outputs: found.append((tag, {name: outputs[name].copy() for name in outputs})))
    assert [tag for tag, _ in found] == [0, BATCH]
    alone = graph.run(seen)
    for name in (PROBABILITIES, EMBEDDING):
        together = np.concatenate([outputs[name] for _, outputs in found])
        np.testing.assert_allclose(together, alone[name], rtol=1e-4, atol=1e-5)


def test_a_photo_is_judged_alone_as_among_others_and_as_bytes_as_in_floats(written: Path) -> None:
    graph, seen = ServingGraph(written), photos(4)
    together = graph.run(seen)[PROBABILITIES]
    alone = np.concatenate([graph.run(photo[None])[PROBABILITIES] for photo in seen])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(graph.run(seen.astype(np.float32))[PROBABILITIES], together)
    turned = graph.run(seen[:, :, ::-1])[PROBABILITIES]
    np.testing.assert_array_equal(turned, graph.run(np.ascontiguousarray(seen[:, :, ::-1]))[PROBABILITIES])


def test_answers_stay_when_more_is_asked(written: Path) -> None:
    graph, seen = ServingGraph(written), photos(2)
    first = graph.run(seen[:1])[PROBABILITIES]
    kept = first.copy()
    graph.run(seen[1:])
    np.testing.assert_array_equal(first, kept)


def test_the_folder_of_a_graph_holds_the_graph_and_nothing_else(written: Path) -> None:
    assert ServingGraph(written).resolution == 224
    assert sorted(path.name for path in written.iterdir()) == ["graph.bin", GRAPH]
    assert list(written.parent.iterdir()) == [written]


def test_writing_again_replaces_a_graph_and_what_a_crash_left(tmp_path: Path) -> None:
    model, folder = build_model(backbone("baseline-cnn"), Head(), 2, None), tmp_path / "serving"
    for name in (folder.name, f"writing-{folder.name}"):
        (tmp_path / name / "saved_model").mkdir(parents=True)
        (tmp_path / name / "saved_model" / "half").write_text("half", "utf-8")
    write_graph(model, folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["graph.bin", GRAPH, "serving"]
    assert ServingGraph(folder).resolution == 224


def test_without_a_graph_there_is_nothing_to_predict_with(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunNotReady, match="no model to predict with yet"):
            ServingGraph(folder)


def test_on_a_full_disk_it_is_told_and_nothing_is_left(lite: keras.Model, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(StorageError, match=r"The disk is full: graph\.xml cannot be saved"):
            write_graph(lite, disk / "serving")
        assert not list(disk.iterdir())
