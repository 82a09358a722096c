import math
from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import RecipeError
from core.models.backbones import FEATURES, HEAD, Backbone, backbone
from core.models.build import build_model
from core.models.frozen import tensor_at
from core.models.heads import Head
from core.models.trainable import changing, choose_learning, layers_before, learner_of, values_of
from tests.core.models.test_folding import SIDE, answer, distance, lively, photos

LABELS = np.array([0, 1])


@pytest.fixture(autouse=True)
def without_graphs() -> Iterator[None]:
    """Steps are taken at once: the same weights learn, and compiling a network takes longer than a step of it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def fresh(key: str, classes: int = 2) -> tuple[keras.Model, Backbone]:
    row = replace(backbone(key), resolution=SIDE)
    return build_model(row, Head(dropout=0.0), classes, None), row


def drop_rates(model: keras.Model, row: Backbone) -> dict[str, list[float]]:
    """Rates of the layers that skip blocks, by the block's name in the table."""
    rates: dict[str, list[float]] = {}
    for layer in model.layers:
        if layer.name.endswith("_drop"):
            rates.setdefault(row.block_of(layer.name), []).append(layer.rate)
    return rates


def test_learning_moves_what_is_after_the_point_and_cutting_there_changes_nothing() -> None:
    model, row = lively("efficientnet-lite0")
    choose_learning(model, row, "block7")
    seen, before = photos(2), model.get_weights()
    whole = learner_of(model, row, "", keras.optimizers.SGD(0.1))
    whole.train_on_batch(seen, LABELS)
    learned = {layer.name: layer.get_weights() for layer in model.layers}
    model.set_weights(before)
    kept = answer(keras.Model(model.input, tensor_at(model, row, "block7")), seen)
    old = {layer.name: layer.get_weights() for layer in model.layers}
    learner_of(model, row, "block7", keras.optimizers.SGD(0.1)).train_on_batch(kept, LABELS)
    moved = set()
    for layer in model.layers:
        for new, right, was in zip(layer.get_weights(), learned[layer.name], old[layer.name], strict=True):
            assert distance(new, right) < 1e-4
            if not np.array_equal(new, was):
                moved.add(row.block_of(layer.name))
    assert moved == {"block7", "top_conv", HEAD}


@pytest.mark.parametrize("from_scratch", [False, True])
def test_batch_norm_learns_only_from_scratch(from_scratch: bool) -> None:
    model, row = fresh("efficientnet-lite0")
    choose_learning(model, row, "all", from_scratch=from_scratch)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [norm.get_weights() for norm in norms]
    stem = model.get_layer("stem_conv").get_weights()[0]
    learner_of(model, row, "", keras.optimizers.SGD(0.1)).train_on_batch(photos(2), LABELS)
    for norm, old in zip(norms, before, strict=True):
        moved = [not np.array_equal(new, was) for new, was in zip(norm.get_weights(), old, strict=True)]
        assert any(moved) == from_scratch, norm.name
    assert not np.array_equal(model.get_layer("stem_conv").get_weights()[0], stem)


def test_the_table_knows_how_much_learns() -> None:
    model, row = fresh("efficientnet-b0", 4)
    for point in ("all", "block3", "none", "top_conv"):
        choose_learning(model, row, point)
        learner = learner_of(model, row, {"all": "", "none": FEATURES}.get(point, point), keras.optimizers.SGD())
        for network in (model, learner):
            learning = sum(math.prod(weight.shape) for weight in network.trainable_weights)
            assert learning == row.learnable_parameters(point) + (row.feature_width + 1) * 4


def test_the_baseline_learns_as_a_whole() -> None:
    model, row = fresh("baseline-cnn")
    choose_learning(model, row, "all")
    assert all(layer.trainable for layer in model.layers)
    with pytest.raises(RecipeError, match="choose one of: all"):
        choose_learning(model, row, "none")


def test_what_cannot_be_is_refused_before_anything_changes() -> None:
    model, row = fresh("efficientnet-lite0")
    rates = drop_rates(model, row)
    with pytest.raises(RecipeError, match="no unfreeze point 'block8'"):
        choose_learning(model, row, "block8", drop_connect=0.3)
    with pytest.raises(RecipeError, match=r"drop-connect rate is 1.0"):
        choose_learning(model, row, "block7", drop_connect=1.0)
    assert drop_rates(model, row) == rates and all(layer.trainable for layer in model.layers)
    with pytest.raises(RecipeError, match="no unfreeze point 'block8'"):
        learner_of(model, row, "block8", keras.optimizers.SGD())


def test_frozen_blocks_are_never_skipped_until_they_learn() -> None:
    model, row = fresh("efficientnet-lite0")
    choose_learning(model, row, "all", drop_connect=0.4)
    full = drop_rates(model, row)
    choose_learning(model, row, "block5", drop_connect=0.4)
    some = drop_rates(model, row)
    for block, rates in some.items():
        assert rates == (full[block] if block >= "block5" else [0.0] * len(rates))
    choose_learning(model, row, "none", drop_connect=0.4)
    assert not any(any(rates) for rates in drop_rates(model, row).values())
    choose_learning(model, row, "all", drop_connect=0.4)
    assert drop_rates(model, row) == full and max(map(max, full.values())) > 0.3


def test_the_head_keeps_its_dropout_wherever_learning_starts() -> None:
    model, row = lively("mobilenetv2", dropout=0.3)
    for point in ("none", "block7", "all"):
        choose_learning(model, row, point)
        assert model.get_layer("head_dropout").rate == 0.3


def test_from_a_layer_on_what_comes_before_it_stays() -> None:
    model, row = fresh("efficientnet-lite0")
    choose_learning(model, row, "block7", layer="block7a_project_conv")
    learning = {layer.name for layer in model.layers if layer.trainable_variables}
    assert learning == {"block7a_project_conv", "top_conv", "head"}
    assert layers_before(model, row, "") == set()
    with pytest.raises(RecipeError, match="has no layer 'block7z'"):
        choose_learning(model, row, "block7", layer="block7z")


def test_the_heads_own_batch_norm_always_learns() -> None:
    row = replace(backbone("efficientnet-lite0"), resolution=SIDE)
    model = build_model(row, Head(batch_norm=True), 2, None)
    choose_learning(model, row, "none")
    norm = model.get_layer("head_norm")
    assert norm.trainable and len(norm.trainable_variables) == 2
    before = norm.get_weights()
    learner_of(model, row, FEATURES, keras.optimizers.SGD(0.1)).train_on_batch(np.ones((2, 1280), np.float32), LABELS)
    assert not np.array_equal(norm.get_weights()[2], before[2]), "its statistics follow the batches"


@pytest.mark.parametrize(("point", "from_scratch"), [("none", False), ("block7", False), ("all", True)])
def test_training_changes_nothing_but_what_is_named_as_changing(point: str, from_scratch: bool) -> None:
    model, row = fresh("efficientnet-lite0")
    choose_learning(model, row, point, drop_connect=0.3, from_scratch=from_scratch)
    before, every = values_of(changing(model)), [np.array(variable) for variable in model.variables]
    learner_of(model, row, "", keras.optimizers.SGD(0.1)).train_on_batch(photos(2), LABELS)
    moved = {id(v) for v, old in zip(model.variables, every, strict=True) if not np.array_equal(v, old)}
    named = {id(variable): name for name, variable in changing(model).items()}
    assert moved and moved <= named.keys()
    for name, variable in changing(model).items():
        variable.assign(before[name])
    assert all(np.array_equal(v, old) for v, old in zip(model.variables, every, strict=True))


def test_soft_targets_of_one_class_alone_are_labels() -> None:
    losses = []
    for soft in (False, True):
        model, row = fresh("efficientnet-lite0")
        choose_learning(model, row, "none")
        learner = learner_of(model, row, FEATURES, keras.optimizers.SGD(0.1), soft_targets=soft)
        targets = np.eye(2, dtype=np.float32)[LABELS] if soft else LABELS
        losses.append(learner.train_on_batch(np.ones((2, 1280), np.float32), targets))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
