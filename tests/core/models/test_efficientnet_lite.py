from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import RecipeError, WeightsError
from core.models.backbones import backbone
from core.models.efficientnet_lite import RESOLUTION, build_lite, load_lite_weights, plan, torch_names
from core.models.torch_checkpoint import read_torch_file
from core.models.weights import look_up
from core.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
PHOTOS = ("china_left", "china_right", "flower", "flower_close")
TOLERANCE = 1e-4


def photos(side: int) -> NDArray[np.float32]:
    extra = side - 224
    arrays = [np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB")) for name in PHOTOS]
    return np.stack([np.pad(array, ((0, extra), (0, extra), (0, 0)), mode="reflect") for array in arrays]).astype("f4")


def packaged_arrays(key: str, tmp_path: Path) -> dict[str, np.ndarray]:
    source = backbone(key).weights
    found = look_up(backbone(key), Settings(tmp_path, (), tmp_path, tmp_path))
    if source and not found:
        pytest.skip(f"{source.package} absent: install the extra {source.extra} to run this test")
    assert found is not None
    return read_torch_file(found.path)


@pytest.mark.parametrize("key", RESOLUTION)
def test_the_port_gives_the_logits_of_the_pytorch_network(key: str, tmp_path: Path) -> None:
    arrays = packaged_arrays(key, tmp_path)
    model = build_lite(key)
    load_lite_weights(model, key, arrays)
    features = np.asarray(model(photos(RESOLUTION[key]), training=False)).mean(axis=(1, 2))
    logits = features @ arrays["_fc.weight"].T + arrays["_fc.bias"]
    golden = np.load(GOLDEN / f"{key}.npz")["logits"]
    np.testing.assert_array_equal(logits.argmax(axis=1), golden.argmax(axis=1))
    np.testing.assert_allclose(logits, golden, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("key", RESOLUTION)
def test_every_layer_with_weights_has_a_name_in_the_pytorch_file(key: str) -> None:
    model = build_lite(key)
    assert {layer.name for layer in model.layers if layer.weights} == set(torch_names(key))
    keras.backend.clear_session()


def test_lite_has_neither_squeeze_and_excitation_nor_a_scaled_stem_and_top() -> None:
    model = build_lite("efficientnet-lite2")
    assert not [layer.name for layer in model.layers if "_se_" in layer.name]
    assert model.get_layer("stem_conv").filters == 32 and model.get_layer("top_conv").filters == 1280
    assert {layer.max_value for layer in model.layers if isinstance(layer, keras.layers.ReLU)} == {6.0}


def test_only_the_inner_stages_grow_with_the_depth_coefficient() -> None:
    repeats = [[block.name[5] for block in plan(f"efficientnet-lite{number}")] for number in (0, 1)]
    counts = [[names.count(stage) for stage in "1234567"] for names in repeats]
    assert counts == [[1, 2, 2, 3, 3, 4, 1], [1, 3, 3, 4, 4, 5, 1]]


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(RecipeError, match="no EfficientNet-Lite 'efficientnet-lite4'; choose one of"):
        build_lite("efficientnet-lite4")


def test_a_file_of_another_variant_changes_nothing(tmp_path: Path) -> None:
    arrays = packaged_arrays("efficientnet-lite0", tmp_path)
    model = build_lite("efficientnet-lite1")
    before = model.get_layer("stem_conv").get_weights()[0]
    with pytest.raises(WeightsError, match="The weights file has"):
        load_lite_weights(model, "efficientnet-lite1", arrays)
    np.testing.assert_array_equal(model.get_layer("stem_conv").get_weights()[0], before)


def test_a_file_that_lacks_an_array_is_refused(tmp_path: Path) -> None:
    arrays = packaged_arrays("efficientnet-lite0", tmp_path)
    del arrays["_bn1.running_var"]
    with pytest.raises(WeightsError, match=r"no array '_bn1.running_var'; is it the file of another network\?"):
        load_lite_weights(build_lite("efficientnet-lite0"), "efficientnet-lite0", arrays)
