import dataclasses
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from core.errors import RecipeError
from core.models.backbones import BACKBONES, HEAD, Backbone, backbone
from tests.thorough import cases

if TYPE_CHECKING:
    import keras

RESOLUTIONS = {
    "efficientnet-b": [224, 240, 260, 300, 380, 456, 528, 600],
    "efficientnetv2-b": [224, 240, 260, 300],
    "efficientnet-lite": [224, 240, 260],
}
WITH_FILE = [row for row in BACKBONES if row.weights]
SMALL = [row for row in BACKBONES if row.resolution <= 240]


def by_key(row: Backbone) -> str:
    return row.key


def test_the_table_has_every_promised_backbone_at_its_resolution() -> None:
    found = {row.key: row.resolution for row in BACKBONES}
    promised = {f"{prefix}{number}": side for prefix, sides in RESOLUTIONS.items() for number, side in enumerate(sides)}
    promised |= {"efficientnetv2-s": 384, "efficientnetv2-m": 480, "efficientnetv2-l": 480}
    promised |= {"mobilenetv2": 224, "resnet50": 224, "baseline-cnn": 224}
    assert found.items() >= promised.items()


@pytest.fixture(scope="module", params=cases(BACKBONES, *SMALL), ids=by_key)
def built(request: pytest.FixtureRequest) -> Iterator[tuple[Backbone, "keras.Model"]]:
    """Each row with its network, built once for all the tests that look at it."""
    import keras

    from core.models.build import build_backbone

    with keras.StatelessScope():  # shapes are all that is looked at: nobody draws 118 million weights
        yield request.param, build_backbone(request.param)
    keras.backend.clear_session()


def crossing(row: Backbone, model: "keras.Model", start: int) -> list["keras.KerasTensor"]:
    """Every tensor that a layer of the blocks before `start` makes and a layer of the blocks from there on takes."""
    import keras

    early = set(row.block_names[:start])
    made: dict[int, keras.KerasTensor] = {}
    taken: set[int] = set()
    for layer in model.layers:
        if row.block_of(layer.name) in early:
            made |= {id(tensor): tensor for tensor in keras.tree.flatten(layer.output)}
        else:
            taken |= {id(tensor) for tensor in keras.tree.flatten(layer.input)}
    return [made[tensor] for tensor in made.keys() & taken]


def test_a_row_is_what_keras_builds(built: tuple[Backbone, "keras.Model"]) -> None:
    import keras

    row, model = built
    assert model.input.shape == (None, row.resolution, row.resolution, 3)
    assert model.input.name == "photo" and model.input.dtype == "float32"
    assert model.output.shape[-1] == row.feature_width
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)

    never = (keras.layers.BatchNormalization, keras.layers.Normalization)
    counts = {name: [0, 0] for name in row.block_names}
    for layer in model.layers:
        counts[row.block_of(layer.name)][isinstance(layer, never)] += sum(math.prod(w.shape) for w in layer.weights)
    assert counts == {block.name: [block.learnable, block.fixed] for block in row.blocks}

    image_net_head = (row.feature_width + 1) * 1000 if row.pretrained else 0
    assert row.parameters == pytest.approx(model.count_params() + image_net_head, rel=0.03)

    ends = [tensor for start in range(1, len(row.blocks)) for tensor in crossing(row, model, start)]
    maps = [(1, 1, *end.shape[1:])[-3:] for end in (*ends, model.output)]
    assert maps == [(block.side, block.side, block.channels) for block in row.blocks]


def test_at_every_boundary_exactly_one_tensor_crosses(built: tuple[Backbone, "keras.Model"]) -> None:
    row, model = built
    for point in row.unfreeze_points[1:-1]:
        [tensor] = crossing(row, model, row.block_names.index(point))
        side, channels = row.boundary(point)
        assert tensor.shape == (None, side, side, channels), point


@pytest.mark.parametrize("row", WITH_FILE, ids=by_key)
def test_a_pretrained_row_says_where_its_weights_and_figures_come_from(row: Backbone) -> None:
    assert row.weights is not None
    assert row.pretrained and row.source and row.top1 is not None and 70 < row.top1 < 90
    assert (row.weights.url is None) == (row.weights.package is not None)
    if row.weights.url:
        assert row.weights.url.endswith(f"/{row.weights.file_name}")


@pytest.mark.parametrize("row", [row for row in WITH_FILE if row.weights and row.weights.md5], ids=by_key)
def test_the_md5_is_the_one_that_keras_checks(row: Backbone) -> None:
    from keras.src.applications import efficientnet, efficientnet_v2, resnet

    assert row.weights is not None
    variant = row.key.partition("-")[2]
    known = {
        "EfficientNet": efficientnet.WEIGHTS_HASHES,
        "EfficientNetV2": {key.lstrip("-"): value for key, value in efficientnet_v2.WEIGHTS_HASHES.items()},
        "ResNet": {"": resnet.WEIGHTS_HASHES["resnet50"]},
    }
    assert row.weights.md5 == known[row.family][variant][1]


def test_unfreeze_points_go_from_the_head_to_everything() -> None:
    row = backbone("efficientnet-b0")
    assert row.unfreeze_points == (
        "none", "top_conv", "block7", "block6", "block5", "block4", "block3", "block2", "block1", "all",
    )  # fmt: skip
    assert row.trainable_blocks("none") == ()
    assert row.trainable_blocks("block6") == ("block6", "block7", "top_conv")
    assert row.trainable_blocks("all") == row.block_names


@pytest.mark.parametrize("row", WITH_FILE, ids=by_key)
def test_each_unfreeze_point_lets_more_learn(row: Backbone) -> None:
    counts = [row.learnable_parameters(point) for point in row.unfreeze_points]
    assert counts[0] == 0 and counts[-1] == sum(block.learnable for block in row.blocks)
    assert all(fewer < more for fewer, more in itertools.pairwise(counts))


def test_a_backbone_without_weights_has_nothing_to_freeze() -> None:
    assert backbone("baseline-cnn").unfreeze_points == ("all",)


def test_an_unknown_point_names_the_choices() -> None:
    with pytest.raises(RecipeError, match=r"no unfreeze point 'block9'; choose one of: none, block4, .*block1, all"):
        backbone("resnet50").trainable_blocks("block9")
    with pytest.raises(RecipeError, match="choose one of"):
        backbone("resnet50").learnable_parameters("stem")


def test_the_boundary_is_what_the_block_before_puts_out() -> None:
    row = backbone("efficientnet-b0")
    assert row.boundary("top_conv") == (7, 320)
    assert row.boundary("block6") == (14, 112)
    assert row.boundary("block1") == (112, 32)


def test_without_a_boundary_it_is_said_why_and_where_there_are_some() -> None:
    row = backbone("resnet50")
    with pytest.raises(RecipeError, match=r"'none' of ResNet50, no block learns.* map: block4, block3, .*block1\."):
        row.boundary("none")
    with pytest.raises(RecipeError, match=r"'all' of ResNet50, every block learns.* map: block4, .*block1\."):
        row.boundary("all")
    with pytest.raises(RecipeError, match=r"no unfreeze point 'stem'; choose one of: none, block4"):
        row.boundary("stem")
    with pytest.raises(RecipeError, match=r"'all' of Baseline CNN, every block learns.* \(there are none\)"):
        backbone("baseline-cnn").boundary("all")


def test_an_unknown_key_names_the_table() -> None:
    with pytest.raises(RecipeError, match=r"no backbone 'vgg16'; choose one of: efficientnet-b0, .*baseline-cnn"):
        backbone("vgg16")


def test_layers_are_found_by_name_whatever_number_keras_gave_them() -> None:
    row = backbone("efficientnet-b0")
    assert row.block_of("rescaling") == row.block_of("normalization_12") == row.block_of("photo") == "stem"
    assert row.block_of("block6d_se_expand") == "block6"
    assert row.block_of("top_bn") == "top_conv"
    assert {row.block_of(name) for name in ("pool", "head_dropout", "head")} == {HEAD}
    with pytest.raises(RecipeError, match="no layer 'dense_1'"):
        row.block_of("dense_1")


def test_rows_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        backbone("efficientnet-b0").resolution = 1  # type: ignore[misc]


def test_what_pages_import_does_not_import_keras() -> None:
    script = (
        "import core.models.backbones, core.models.weights, core.models.heads, sys;"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
