"""The graph that predicts: written once by the trainer, read without TensorFlow by everything else.

One graph, three outputs: class probabilities `(B, K)`, the embedding `(B, D)` before the head, and, where the head is
linear on pooled features, class activation maps `(B, h, w, K)` whose mean over h and w is the logit.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.errors import RunNotReady

if TYPE_CHECKING:
    import keras

GRAPH = "graph.xml"

COMPILE_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
"""Without the second, OpenVINO computes in bfloat16 where the processor can, and probabilities move by up to 0.02."""

PROBABILITIES, EMBEDDING, ACTIVATION_MAPS = "probabilities", "embedding", "class_activation_maps"


def write_graph(model: "keras.Model", folder: Path) -> None:
    """Write a model of `core.models.build` as an OpenVINO graph in fp32; needs TensorFlow.

    The folder appears in one step. Its input is float32 `(B, S, S, 3)` in [0, 255].
    """
    from core.models.frozen import graph_to

    making = folder.with_name(f"writing-{folder.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    ov.save_model(graph_to(model, _outputs(model)), making / GRAPH, compress_to_fp16=False)
    shutil.rmtree(folder, ignore_errors=True)
    making.replace(folder)


def _outputs(model: "keras.Model") -> dict[str, "keras.KerasTensor"]:
    import keras

    head = model.get_layer("head")
    outputs = {PROBABILITIES: model.output, EMBEDDING: model.get_layer("head_dropout").input}
    layers = {layer.name: layer for layer in model.layers}
    if isinstance(layers.get("pool"), keras.layers.GlobalAveragePooling2D):
        kernel, bias = _without_norm(head, layers.get("head_norm"))
        maps = keras.layers.Conv2D(kernel.shape[1], 1, name=ACTIVATION_MAPS)
        outputs[ACTIVATION_MAPS] = maps(model.get_layer("pool").input)
        maps.set_weights([kernel[None, None], bias])
    return outputs


def _without_norm(
    head: "keras.layers.Layer", norm: "keras.layers.Layer | None"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel (C, K) and bias (K,) that make of features what the head makes of them behind its BatchNorm."""
    kernel, bias = head.get_weights()
    if norm is None:
        return kernel, bias
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * scale[:, None], bias + (beta - mean * scale) @ kernel


class ServingGraph:
    """A written graph, compiled for this machine's processor."""

    def __init__(self, folder: Path) -> None:
        """Compile the graph in `folder`; raises `RunNotReady` when there is none."""
        file = folder / GRAPH
        if not file.exists():
            raise RunNotReady("This run has no model to predict with yet. Wait until it has ended, or choose another.")
        self._compiled = ov.Core().compile_model(file, "CPU", COMPILE_OPTIONS)
        shape = self._compiled.input(0).partial_shape
        self.resolution: int = shape[1].get_length()

    def run(self, photos: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The outputs by name for photos `(B, S, S, 3)` in [0, 255]."""
        request = self._compiled.create_infer_request()
        results = request.infer({0: np.ascontiguousarray(photos, np.float32)})
        return {port.get_any_name(): np.array(values) for port, values in results.items()}
