from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import RecipeError
from core.models.backbones import backbone
from core.models.build import build_backbone, build_model, set_drop_connect
from core.models.heads import Head, features_of
from tests.conftest import FAMILIES
from tests.thorough import cases


def photos(count: int, side: int = 224) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype("float32")


def answer(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(model(images, training=False))


@pytest.mark.parametrize("key", cases([*FAMILIES, "baseline-cnn"], "efficientnet-lite0", "baseline-cnn"))
def test_a_model_survives_saving(key: str, tmp_path: Path) -> None:
    row, images = backbone(key), photos(2)
    model = build_model(row, Head(), 3, None)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = answer(model, images)
    assert expected.shape == (2, 3) and expected.dtype == np.float32
    np.testing.assert_allclose(answer(again, images), expected, rtol=0, atol=1e-6)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert all(row.block_of(layer.name) for layer in again.layers)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert features_of(model).shape[-1] == row.feature_width


@pytest.mark.parametrize(
    ("key", "module", "name"), [("mobilenetv2", "mobilenet_v2", "MobileNetV2"), ("resnet50", "resnet", "ResNet50")]
)
def test_the_preprocessing_inside_is_the_one_that_keras_documents(key: str, module: str, name: str) -> None:
    applications = keras.applications
    reference = getattr(applications, name)(include_top=False, weights=None, input_shape=(224, 224, 3))
    model, images = build_backbone(backbone(key)), photos(1)
    model.set_weights(reference.get_weights())
    expected = answer(reference, getattr(applications, module).preprocess_input(images.copy()))
    np.testing.assert_allclose(answer(model, images), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("key", "blocks"), [("efficientnet-b0", 16), ("efficientnet-lite0", 16), ("efficientnetv2-b0", 21)]
)
def test_drop_connect_grows_linearly_with_depth(key: str, blocks: int) -> None:
    model = build_model(backbone(key), Head(), 2, None)
    set_drop_connect(model, 0.4)
    rates = {layer.name: layer.rate for layer in model.layers if layer.name.endswith("_drop")}
    assert list(rates.values()) == sorted(rates.values()) and len(set(rates.values())) == len(rates)
    assert rates["block2b_drop"] == pytest.approx(0.4 * 2 / blocks)
    assert max(rates.values()) < 0.4 and model.get_layer("head_dropout").rate == 0.2


def test_drop_connect_is_what_training_uses() -> None:
    model = build_backbone(backbone("efficientnet-lite0"))
    images = photos(1)
    set_drop_connect(model, 0.0)
    quiet = [np.asarray(model(images, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(quiet[0], quiet[1])
    set_drop_connect(model, 0.9)
    noisy = [np.asarray(model(images, training=True)) for _ in range(4)]
    assert any(not np.array_equal(noisy[0], other) for other in noisy[1:])


def test_drop_connect_leaves_other_networks_alone_and_checks_its_rate() -> None:
    model = build_model(backbone("mobilenetv2"), Head(), 2, None)
    set_drop_connect(model, 0.5)
    assert model.get_layer("head_dropout").rate == 0.2
    with pytest.raises(RecipeError, match=r"drop-connect rate is 1.0, but must be between 0 and 0.9"):
        set_drop_connect(model, 1.0)


def test_without_weights_photos_are_still_normalised_as_the_family_is_used_to() -> None:
    model = build_model(backbone("efficientnet-b0"), Head(), 2, None)
    [layer] = [layer for layer in model.layers if isinstance(layer, keras.layers.Normalization)]
    grey = np.full((1, 2, 2, 3), 0.5, "float32")
    expected = (0.5 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(np.asarray(layer(grey))[0, 0, 0], expected, rtol=1e-4)
