from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from core.errors import RecipeError
from core.models.backbones import FEATURES, LAST_MAP, Backbone, WeightsSource, backbone
from core.models.build import build_model
from core.models.frozen import (
    MixedPrecisionModel,
    graph_to,
    graph_to_boundaries,
    part_above,
    tensor_at,
    weights_hash,
)
from core.models.heads import AVERAGE, FLATTEN, MAX, Head
from core.models.openvino_runtime import (
    BATCH,
    EXACT,
    FAST,
    REQUESTS,
    FrozenPart,
    OpenVINOModel,
    fastest_on_cpu,
    with_pooling,
)
from tests.conftest import FAMILIES
from tests.core.models.test_folding import answer, distance, lively, photos
from tests.thorough import cases

SMALL_SIDE = 32

Results = list[tuple[Any, dict[str, NDArray[np.float32]]]]


@cache
def classifier(key: str) -> tuple[keras.Model, Backbone]:
    """A network with random weights, made once; tests leave it as it is."""
    return lively(key)


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """The networks make room for those of other modules."""
    yield
    classifier.cache_clear()


def small() -> tuple[keras.Model, Backbone]:
    """The baseline, that could be cut if it had pretrained weights."""
    keras.utils.set_random_seed(0)
    row = replace(backbone("baseline-cnn"), resolution=SMALL_SIDE, weights=WeightsSource("none.h5"))
    return build_model(row, Head(), 3, None), row


def boundaries(row: Backbone) -> tuple[str, ...]:
    return (FEATURES, *row.unfreeze_points[1:-1])


def graph_at(model: keras.Model, row: Backbone, names: Sequence[str]) -> ov.Model:
    return graph_to(model, {name: tensor_at(model, row, name) for name in names})


def in_batches(seen: NDArray[np.float32]) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    """Batches, each with its first photo's number and a word as its tag."""
    for start in range(0, len(seen), BATCH):
        yield (start, "photo"), seen[start : start + BATCH]


def run(part: FrozenPart, seen: NDArray[np.float32]) -> Results:
    results: Results = []
    part.run_all(in_batches(seen), lambda tag, values: results.append((tag, {k: values[k].copy() for k in values})))
    return results


def joined(results: Results, name: str) -> NDArray[np.float32]:
    return np.concatenate([values[name] for _, values in results])


def kept_by_keras(model: keras.Model, row: Backbone, name: str, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    return answer(keras.Model(model.input, tensor_at(model, row, name)), seen)


@pytest.mark.parametrize("key", cases(FAMILIES, "efficientnet-lite0"))
def test_at_every_boundary_openvino_gives_what_keras_gives_and_the_part_above_goes_on_from_there(key: str) -> None:
    model, row = classifier(key)
    names, seen = boundaries(row), photos(BATCH + 3)
    results = run(OpenVINOModel(graph_at(model, row, names), names), seen)
    assert [len(values[FEATURES]) for _, values in results] == [BATCH, 3]
    expected = keras.Model(model.input, {name: tensor_at(model, row, name) for name in names})(seen, training=False)
    probabilities = answer(model, seen)
    for name in names:
        outputs = joined(results, name)
        assert outputs.dtype == np.float32 and outputs.shape == expected[name].shape
        assert distance(outputs, expected[name]) < 1e-3, name
        assert distance(answer(part_above(model, row, name), outputs), probabilities) < 1e-3, name


def test_features_are_pooled_as_a_head_wants_them() -> None:
    model, row = classifier("efficientnet-lite0")
    graph, seen = graph_to_boundaries(model, row), photos(2)
    last = kept_by_keras(model, row, LAST_MAP, seen)
    expected = {AVERAGE: last.mean((1, 2)), MAX: last.max((1, 2)), FLATTEN: last.reshape(2, -1)}
    for pooling, features in expected.items():
        part = OpenVINOModel(with_pooling(graph, pooling), [FEATURES, "block7"])
        assert distance(joined(run(part, seen), FEATURES), features) < 1e-3


def test_boundaries_have_the_shapes_that_the_table_says() -> None:
    row = backbone("efficientnet-b0")
    model = build_model(row, Head(), 2, None)
    for name in row.unfreeze_points[1:-1]:
        side, channels = row.boundary(name)
        assert tensor_at(model, row, name).shape == (None, side, side, channels)
    assert tensor_at(model, row, FEATURES).shape == (None, row.feature_width)


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH * (REQUESTS + 5), BATCH * (2 * REQUESTS) + 1])
def test_however_many_batches_there_are_they_come_back_whole_and_in_order(count: int) -> None:
    model, row = small()
    seen = photos(count) if count else np.zeros((0, SMALL_SIDE, SMALL_SIDE, 3), np.float32)
    results = run(OpenVINOModel(graph_at(model, row, ["dense"]), ["dense"]), seen)
    assert [tag for tag, _ in results] == [(start, "photo") for start in range(0, count, BATCH)]
    if count:
        assert distance(joined(results, "dense"), kept_by_keras(model, row, "dense", seen)) < 1e-4


def test_a_part_can_be_run_again_and_takes_bytes_and_views() -> None:
    model, row = small()
    part, seen = OpenVINOModel(graph_at(model, row, ["conv3"]), ["conv3"]), photos(BATCH + 1)
    first = joined(run(part, seen), "conv3")
    np.testing.assert_array_equal(joined(run(part, seen.astype(np.uint8)), "conv3"), first)
    mirrored = joined(run(part, seen[:, :, ::-1]), "conv3")
    np.testing.assert_array_equal(mirrored, joined(run(part, seen[:, :, ::-1].copy()), "conv3"))
    assert distance(mirrored, first) > 0.01


def test_only_what_is_wanted_is_computed_and_the_graph_serves_again() -> None:
    model, row = small()
    graph, seen = graph_at(model, row, ["conv2", "conv3", FEATURES]), photos(2)
    steps = []
    for wanted in (["conv2"], ["conv3"], [FEATURES, "conv2"], ["conv2", FEATURES]):
        part = OpenVINOModel(graph, wanted)
        [(_, values)] = run(part, seen)
        assert list(values) == wanted
        for name in wanted:
            assert distance(values[name], kept_by_keras(model, row, name, seen)) < 1e-4
        kinds = [step.get_rt_info()["layerType"] for step in part._compiled.get_runtime_model().get_ops()]
        steps.append(sum("Convolution" in str(kind.astype(str)) for kind in kinds))
    assert steps == [1, 2, 3, 3]
    assert {name for output in graph.outputs for name in output.get_names()} >= {"conv2", "conv3", FEATURES}


def test_the_hash_is_of_the_weights_below_the_head() -> None:
    model, row = lively("efficientnet-lite0")
    known = weights_hash(model, row)
    assert len(known) == 32 and weights_hash(model, row) == known
    model.get_layer("head").kernel.assign_add(keras.ops.ones_like(model.get_layer("head").kernel))
    assert weights_hash(model, row) == known
    found = {known}
    for weight in (model.get_layer("block4b_dwconv").kernel, model.get_layer("stem_bn").moving_mean):
        values = keras.ops.convert_to_numpy(weight).copy()
        changed = values.copy()
        changed.flat[-1] = np.nextafter(changed.flat[-1], np.float32(np.inf))
        weight.assign(changed)
        found.add(weights_hash(model, row))
        weight.assign(values)
        assert weights_hash(model, row) == known
    assert len(found) == 3


@pytest.mark.thorough
def test_a_graphics_card_would_compute_the_same_within_its_precision() -> None:
    model, row = classifier("efficientnet-b0")
    names, seen = ["block3", "block6", FEATURES], photos(BATCH + 2)
    usual = keras.config.dtype_policy().name
    card = MixedPrecisionModel(model, row, names, compiled=False)
    results = run(card, seen)
    assert keras.config.dtype_policy().name == usual and card.precision == "mixed_float16"
    assert [tag for tag, _ in results] == [(0, "photo"), (BATCH, "photo")]
    for name in names:
        outputs, expected = joined(results, name), kept_by_keras(model, row, name, seen)
        assert outputs.dtype == np.float32 and outputs.shape == expected.shape
        assert 0 < distance(outputs, expected) < 2e-2, name


def test_features_that_are_no_map_are_not_pooled_on_a_graphics_card() -> None:
    model, row = small()
    results = run(MixedPrecisionModel(model, row, [FEATURES], compiled=False), photos(3))
    assert distance(joined(results, FEATURES), kept_by_keras(model, row, FEATURES, photos(3))) < 2e-2


def subtracting() -> tuple[keras.Model, Backbone]:
    """A network whose first block tells red from green, however little they differ."""
    model, row = small()
    kernel, bias = (np.zeros_like(part) for part in model.get_layer("conv1").get_weights())
    kernel[1, 1, 0], kernel[1, 1, 1] = 1, -1
    model.get_layer("conv1").set_weights([kernel, bias])
    return model, row


def test_fewer_bits_are_used_where_the_processor_has_them_and_they_will_do() -> None:
    model, row = small()
    graph, seen = graph_at(model, row, ["conv2"]), photos(BATCH)
    can = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    part = fastest_on_cpu(graph, ["conv2"], seen)
    assert part.precision == (FAST if can else EXACT)
    assert distance(joined(run(part, seen), "conv2"), kept_by_keras(model, row, "conv2", seen)) < 1e-2


def test_where_fewer_bits_would_change_the_outputs_all_are_used() -> None:
    model, row = subtracting()
    seen = np.full((4, SMALL_SIDE, SMALL_SIDE, 3), 200.0, np.float32)
    seen[..., 0] += np.random.default_rng(0).uniform(0.1, 0.4, seen.shape[:-1]).astype(np.float32)
    part = fastest_on_cpu(graph_at(model, row, ["conv2"]), ["conv2"], seen)
    assert part.precision == EXACT
    assert distance(joined(run(part, seen), "conv2"), kept_by_keras(model, row, "conv2", seen)) < 1e-3


@pytest.mark.parametrize("sample", [None, np.zeros((0, SMALL_SIDE, SMALL_SIDE, 3), np.float32)])
def test_without_photos_to_judge_by_all_bits_are_used(sample: NDArray[np.float32] | None) -> None:
    model, row = small()
    assert fastest_on_cpu(graph_at(model, row, ["conv2"]), ["conv2"], sample).precision == EXACT


def test_a_network_is_not_cut_where_two_tensors_cross() -> None:
    row = replace(backbone("baseline-cnn"), resolution=SMALL_SIDE, weights=WeightsSource("none.h5"))
    photo = keras.Input((SMALL_SIDE, SMALL_SIDE, 3), name="photo")
    below = keras.layers.Conv2D(4, 1, name="conv1")(photo)
    sum_of_both = keras.layers.Add(name="conv3")([below, keras.layers.Conv2D(4, 1, name="conv2")(below)])
    features = keras.layers.Flatten(name="flatten")(sum_of_both)
    model = keras.Model(photo, keras.layers.Dense(2, name="head")(features))
    assert tensor_at(model, row, "conv2") is below
    assert tensor_at(model, row, "dense") is sum_of_both
    with pytest.raises(RecipeError, match="cannot be cut before conv3: 2 tensors cross there"):
        tensor_at(model, row, "conv3")
    with pytest.raises(RecipeError, match="no unfreeze point 'conv9'"):
        part_above(model, row, "conv9")
