import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import keras
import pytest

from core.errors import ArchitectureError, RecipeError
from core.models import architecture
from core.models.architecture import Architecture, Layer, head_layers, load
from core.models.backbones import Backbone, backbone
from core.models.build import build_backbone, build_model
from core.models.heads import Head
from core.settings import Settings, settings_from

IN_CHILD = "baseline-cnn"
"""What a real child lists; for the others this process does what the child would, which saves starting TensorFlow."""

ONE_OF_EACH = (
    "efficientnet-lite0",
    "efficientnet-b0",
    "efficientnetv2-b0",
    "mobilenetv2",
    "resnet50",
    "baseline-cnn",
)
B0 = backbone("efficientnet-b0")


def listed_here(row: Backbone, settings: Settings) -> Any:
    """What the child would answer."""
    return json.loads(json.dumps(architecture._listed(row)))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation where what was listed once is kept for all these tests."""
    home = tmp_path_factory.mktemp("home")
    settings = settings_from({"UNFREEZE_HOME": str(home), "KERAS_HOME": str(home / "k")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architecture, "_asked", listed_here)
        for key in ONE_OF_EACH:
            if key != IN_CHILD:
                load(backbone(key), settings)
    return settings


@pytest.mark.parametrize("key", ONE_OF_EACH)
def test_what_the_child_lists_is_the_network_of_the_table(key: str, settings: Settings) -> None:
    row = backbone(key)
    found = load(row, settings)
    model = build_backbone(row)
    assert [layer.parameters for layer in found.layers] == [layer.count_params() for layer in model.layers]
    assert [layer.kind for layer in found.layers] == [type(layer).__name__ for layer in model.layers]
    assert [layer.shape for layer in found.layers] == [layer.output.shape[1:] for layer in model.layers]
    assert [row.block_of(layer.name) for layer in found.layers] == [layer.block for layer in found.layers]
    for block in row.blocks:
        inside = [layer for layer in found.layers if layer.block == block.name]
        assert sum(layer.learnable for layer in inside) == block.learnable
        assert sum(layer.parameters - layer.learnable for layer in inside) == block.fixed
        shape = (block.side, block.side, block.channels) if block.side > 1 else (block.channels,)
        assert inside[-1].shape == shape
    for point in row.unfreeze_points:
        assert found.learnable_parameters(row, point) == row.learnable_parameters(point)


@pytest.mark.parametrize("key", ONE_OF_EACH)
def test_every_layer_has_one_place_in_the_drawing(key: str, settings: Settings) -> None:
    found = load(backbone(key), settings)
    places = found.places()
    assert sorted(place.layer.name for place in places) == sorted(found.by_name)
    seen: set[str] = set()
    for place in places:
        assert seen.issuperset(place.layer.inputs), "a layer stands after those whose outputs it takes"
        seen.add(place.layer.name)
    added = [place for place in places if place.layer.kind == "Add"]
    assert all(place.skip for place in added if place.layer.inputs[0] in {p.layer.name for p in places if not p.aside})


@pytest.mark.parametrize(
    ("key", "skips", "beside"),
    [
        ("efficientnet-b0", 9, {"se_squeeze", "se_reshape", "se_reduce", "se_expand"}),
        ("efficientnet-lite0", 9, set()),
        ("mobilenetv2", 10, set()),
        ("resnet50", 12, {"0_conv", "0_bn"}),
        ("baseline-cnn", 0, set()),
    ],
)
def test_skips_and_what_is_beside_the_main_way_are_recognised(
    key: str, skips: int, beside: set[str], settings: Settings
) -> None:
    places = load(backbone(key), settings).places()
    assert sum(bool(place.skip) for place in places) == skips
    assert {"_".join(place.layer.name.split("_")[-2:]) for place in places if place.aside} == beside


def test_repeated_parts_of_a_block_are_told_apart(settings: Settings) -> None:
    found = load(B0, settings)
    groups = dict.fromkeys(layer.group for layer in found.layers if layer.block == "block6")
    assert list(groups) == ["block6a", "block6b", "block6c", "block6d"]
    resnet = load(backbone("resnet50"), settings)
    assert {layer.group for layer in resnet.layers if layer.block == "stem"} == {""}
    assert len({layer.group for layer in resnet.layers}) == 1 + 3 + 4 + 6 + 3


def test_learning_begins_at_the_layer_that_was_chosen(settings: Settings) -> None:
    found = load(B0, settings)
    names = [layer.name for layer in found.inside("block6")]
    assert names[0] == "block6a_expand_conv" and names[-1] == "block6d_add"
    learning = found.learning(B0, "block6", "block6c_expand_conv")
    assert "block6c_expand_conv" in learning and "top_conv" in learning
    assert not any(name.startswith(("block6a", "block6b", "block5")) or "_bn" in name for name in learning)
    assert "block6c_expand_bn" in found.learning(B0, "all", from_scratch=True)
    counts = [found.learnable_parameters(B0, "block6", name) for name in names]
    assert counts == sorted(counts, reverse=True) and counts[0] == B0.learnable_parameters("block6")
    with pytest.raises(RecipeError, match="has no layer 'block6z_conv'"):
        found.learning(B0, "block6", "block6z_conv")


def test_the_list_is_made_once_and_a_damaged_one_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settings.architectures_folder / "baseline-cnn.json"
    row = backbone("baseline-cnn")
    expected = load(row, settings)
    written = file.stat().st_mtime_ns
    monkeypatch.setattr(architecture, "_asked", listed_here)
    assert load(row, settings) == expected and file.stat().st_mtime_ns == written
    text = file.read_text("utf-8")
    for damaged in (text[:-20], "[]", text.replace("Conv2D", "Cat", 1).replace('"parameters": 896', '"parameters": 5')):
        file.write_text(damaged, "utf-8")
        assert load(row, settings) == expected
        assert file.read_text("utf-8") == text
    monkeypatch.setattr(architecture, "CODE", architecture.CODE + 1)
    assert load(row, settings) == expected and file.read_text("utf-8") != text


def test_a_child_that_fails_is_a_sentence(tmp_path: Path) -> None:
    unknown = replace(B0, key="efficientnet-b99")
    settings = settings_from({"UNFREEZE_HOME": str(tmp_path)})
    with pytest.raises(ArchitectureError, match="could not be listed: the process that builds the network ended"):
        load(unknown, settings)
    assert not settings.architectures_folder.exists()


def row_of(**changes: Any) -> dict[str, Any]:
    usual = {"name": "photo", "kind": "InputLayer", "block": "conv1", "shape": [2], "parameters": 0, "inputs": []}
    return {**usual, **changes}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "not a list of layers"),
        ([{"name": "photo"}], "not a list of layers"),
        ([row_of(parameters="many")], "not a list of layers"),
        ([], "No layers"),
        ([row_of(), row_of()], "out of order, at 'photo'"),
        ([row_of(inputs=["later"])], "out of order"),
        ([row_of(block="block7")], "out of order"),
        ([row_of(parameters=3)], "conv1 of Baseline CNN was listed with 3 weights; it has 896"),
    ],
)
def test_what_is_read_is_checked(rows: Any, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        architecture._checked(json.loads(json.dumps(rows)), backbone("baseline-cnn"))


def head_of(model: keras.Model, row: Backbone) -> list[tuple[Any, ...]]:
    layers = [layer for layer in model.layers if row.block_of(layer.name) == "head"]
    return [(layer.name, type(layer).__name__, layer.output.shape[1:], layer.count_params()) for layer in layers]


def listed(layers: tuple[Layer, ...]) -> list[tuple[Any, ...]]:
    return [(layer.name, layer.kind, layer.shape, layer.parameters) for layer in layers]


@pytest.mark.parametrize("key", ["efficientnet-lite0", "baseline-cnn"])
@pytest.mark.parametrize(("pooling", "batch_norm"), [("average", False), ("max", True), ("flatten", True)])
def test_the_head_is_listed_as_it_is_built(key: str, pooling: str, batch_norm: bool) -> None:
    row = backbone(key)
    model = build_model(row, Head(pooling=pooling, batch_norm=batch_norm), 5, None)
    found = head_layers(row, 5, pooling, batch_norm=batch_norm)
    assert listed(found) == head_of(model, row)
    learning = [weight for name, *_ in listed(found) for weight in model.get_layer(name).trainable_weights]
    learnable = sum(prod(weight.shape) for weight in learning)
    assert sum(layer.learnable for layer in found) == learnable


def test_an_architecture_is_drawn_even_if_it_is_one_layer() -> None:
    [place] = Architecture((Layer("photo", "InputLayer", "stem", (8, 8, 3), 0, ()),)).places()
    assert not place.aside and not place.skip
