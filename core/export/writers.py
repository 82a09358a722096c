"""What writes a network in each format; needs TensorFlow. Each function is named in a row of `core.export.formats`.

Every function takes the network, where to write to, and the training photos `(N, S, S, 3)` in [0, 255] that the
ranges of 8-bit integers are fitted to.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.export.network import PHOTOS, PROBABILITIES, frozen
from core.models.frozen import graph_to
from core.models.serving import save_graph

Photos = NDArray[np.uint8]

ONNX_OPSET = 17
"""A version of ONNX' operators that runtimes since 2022 understand."""


def keras_file(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write Keras' own format, without what only training needs."""
    model.save(path)


def saved_model(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write TensorFlow's format, with one signature from photos to probabilities."""
    spec = tf.TensorSpec([None, *model.input.shape[1:]], tf.float32, name=PHOTOS)
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(lambda photos: {PROBABILITIES: model(photos, training=False)}, input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve.get_concrete_function()})


def litert(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write LiteRT's format in full precision."""
    path.write_bytes(_converter(model).convert())


def litert_half(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write LiteRT's format with weights in half precision."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())


def litert_int8(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write LiteRT's format in 8-bit integers inside, whose ranges are those seen on the photos."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([photo[None].astype(np.float32)] for photo in photos)
    path.write_bytes(converter.convert())


def _converter(model: keras.Model) -> tf.lite.TFLiteConverter:
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen(model, batch=1)])


def openvino(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write OpenVINO's format, in float32."""
    graph = graph_to(model, {PROBABILITIES: model.output})
    graph.input(0).set_names({PHOTOS})
    save_graph(graph, path)


def onnx(model: keras.Model, path: Path, photos: Photos) -> None:
    """Write ONNX' format, with one input and one output."""
    import tf2onnx

    function = frozen(model)
    ends = function.inputs[0].name, function.outputs[0].name
    proto, _ = tf2onnx.convert.from_graph_def(
        function.graph.as_graph_def(), input_names=[ends[0]], output_names=[ends[1]], opset=ONNX_OPSET
    )
    names = dict(zip(ends, (PHOTOS, PROBABILITIES), strict=True))
    _rename(proto.graph, names)
    path.write_bytes(proto.SerializeToString())


def _rename(graph: object, names: dict[str, str]) -> None:
    """Give tensors of an ONNX graph other names, wherever they occur."""
    for ends in (graph.input, graph.output):  # type: ignore[attr-defined]
        for end in ends:
            end.name = names.get(end.name, end.name)
    for node in graph.node:  # type: ignore[attr-defined]
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
