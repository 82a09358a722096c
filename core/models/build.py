"""Building networks. Only the trainer may import this module: it imports Keras.

Every model is flat (no model inside a model), so it can be cut at any layer, and takes photos in [0, 255]: whatever
preprocessing its backbone needs is inside.
"""

import importlib
import re
from collections.abc import Callable

import keras
import numpy as np

from core.errors import RecipeError
from core.language import tr
from core.models import weights as weights_files
from core.models.backbones import Backbone
from core.models.heads import HEAD_LAYERS, EarlierHead, Head, attach
from core.models.weights import WeightsFile

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
"""ImageNet's mean of blue, green and red in [0, 255], as keras.applications.resnet.preprocess_input subtracts it."""

_BUILD_OPTIONS = {"keras.applications": {"include_top": False, "weights": None}}
_DROP_LAYER = re.compile(r"(block\d[a-z])_drop")
_BLOCK_LAYER = re.compile(r"(block\d[a-z])_.*")


def _inside(photo: keras.KerasTensor) -> keras.KerasTensor:
    return photo


def _symmetric(photo: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocess")(photo)


def _caffe(photo: keras.KerasTensor) -> keras.KerasTensor:
    bgr = keras.ops.flip(photo, axis=-1)
    return keras.layers.Rescaling(1.0, offset=[-mean for mean in CAFFE_MEAN_BGR], name="preprocess")(bgr)


_PREPROCESSING: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "inside": _inside,
    "symmetric": _symmetric,
    "caffe": _caffe,
}


def build_backbone(backbone: Backbone) -> keras.Model:
    """Build a backbone with random weights.

    Returns:
        A flat functional model from the input "photo" (B, S, S, 3), float32 in [0, 255], to features: a map
        (B, h, w, C), or (B, C) for the baseline.
    """
    side = backbone.resolution
    photo = keras.Input((side, side, 3), dtype="float32", name="photo")
    module, _, function = backbone.build.partition(":")
    factory = getattr(importlib.import_module(module), function)
    pixels = _PREPROCESSING[backbone.preprocessing](photo)
    model = factory(input_tensor=pixels, name=backbone.key, **_BUILD_OPTIONS.get(module, {}))
    return keras.Model(photo, model.output, name=backbone.key)


def baseline_cnn(input_tensor: keras.KerasTensor, name: str) -> keras.Model:
    """Build the small network of TensorFlow's beginners' tutorials, for comparison.

    Returns:
        A functional model from photos (B, S, S, 3) in [0, 255] to features (B, 128).
    """
    x = keras.layers.Rescaling(1 / 255, name="preprocess")(input_tensor)
    for number in (1, 2, 3):
        x = keras.layers.Conv2D(32, 3, activation="relu", name=f"conv{number}")(x)
        x = keras.layers.MaxPooling2D(name=f"pool{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(128, activation="relu", name="dense")(x)
    return keras.Model(input_tensor, x, name=name)


def build_model(
    backbone: Backbone,
    head: Head,
    class_count: int,
    weights: WeightsFile | None,
    earlier: EarlierHead | None = None,
) -> keras.Model:
    """Build a classifier, not yet compiled.

    Args:
        backbone: What looks at the photo.
        head: How the head is made.
        class_count: Number of classes K, at least 2.
        weights: The backbone's weights; None starts from random ones, which the caller must want.
        earlier: What of the head in that file, which Keras saved, is taken over; None for nothing.

    Returns:
        A flat functional model from "photo" (B, S, S, 3), float32 in [0, 255], to probabilities (B, K), float32.

    Raises:
        RecipeError: There are fewer than two classes.
        WeightsError: The file cannot be used for this backbone.
    """
    model = build_backbone(backbone)
    if weights is None:
        weights_files.normalise_as_imagenet(model)
    else:
        weights_files.load(model, backbone, weights)
    classifier = keras.Model(model.input, attach(model.output, head, class_count), name=backbone.key)
    if earlier and earlier.known and weights is not None:
        _take_over(classifier, model, earlier, weights)
    _fix_drops(classifier, head.seed)
    return classifier


def _take_over(classifier: keras.Model, bare: keras.Model, earlier: EarlierHead, file: WeightsFile) -> None:
    """Give a head what the one in a saved classifier has learned of the classes that both have."""
    before = keras.Model(bare.input, attach(bare.output, earlier.head, earlier.classes), name=bare.name)
    weights_files.load_saved(before, file)
    norm, dense = HEAD_LAYERS[1], HEAD_LAYERS[-1]
    if earlier.head.batch_norm:
        classifier.get_layer(norm).set_weights(before.get_layer(norm).get_weights())
    known = list(earlier.known)
    values = [np.array(each) for each in classifier.get_layer(dense).get_weights()]
    for new, old in zip(values, before.get_layer(dense).get_weights(), strict=True):
        new[..., known] = old[..., [earlier.columns[number] for number in known]]
    classifier.get_layer(dense).set_weights(values)


def _fix_drops(model: keras.Model, seed: int) -> None:
    """Make what is dropped in training depend on the seed alone, and not on what was built before."""
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout) and layer.rate > 0]
    for number, layer in enumerate(drops):
        layer.seed_generator.state.assign([seed + number, 0])


def set_drop_connect(model: keras.Model, rate: float) -> None:
    """Set how often a whole block is skipped while training (stochastic depth).

    The rate grows linearly with depth, as in the EfficientNet paper: the i-th of n blocks is skipped with probability
    rate * i / n. Call before compiling. Networks without such layers stay as they are.

    Args:
        model: A model of `build_model` or `build_backbone`.
        rate: Probability for the end of the network, 0 to 0.9.

    Raises:
        RecipeError: The rate is out of range.
    """
    if not 0 <= rate <= 0.9:
        raise RecipeError(
            tr("The drop-connect rate is {rate}, but must be between 0 and 0.9; 0.2 is usual.", rate=str(rate))
        )
    found = (_BLOCK_LAYER.fullmatch(layer.name) for layer in model.layers)
    depths = {name: depth for depth, name in enumerate(dict.fromkeys(match[1] for match in found if match))}
    for layer in model.layers:
        match = _DROP_LAYER.fullmatch(layer.name)
        if match:
            layer.rate = rate * depths[match[1]] / len(depths)
