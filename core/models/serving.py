"""The graph that predicts: written once by the trainer, read without TensorFlow by everything else.

One graph, three outputs: class probabilities `(B, K)`, the embedding `(B, D)` before the head, and class activation
maps `(B, h, w, K)` whose mean over h and w is the logit; graphs of former versions may lack these.
"""

import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.errors import RunNotReady
from core.models.processor import OnProcessor, Photos, Receive

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
    from core.models.activation_maps import activation_maps

    return {
        PROBABILITIES: model.output,
        EMBEDDING: model.get_layer("head_dropout").input,
        ACTIVATION_MAPS: activation_maps(model),
    }


class ServingGraph:
    """A written graph, compiled for this machine's processor."""

    def __init__(self, folder: Path) -> None:
        """Compile the graph in `folder`; raises `RunNotReady` when there is none."""
        file = folder / GRAPH
        if not file.exists():
            raise RunNotReady("This run has no model to predict with yet. Wait until it has ended, or choose another.")
        self._graph = ov.Core().read_model(file)
        self._compiled = ov.Core().compile_model(self._graph, "CPU", COMPILE_OPTIONS)
        self.resolution: int = self._compiled.input(0).partial_shape[1].get_length()

    def run(self, photos: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The outputs by name for photos `(B, S, S, 3)` in [0, 255]."""
        request = self._compiled.create_infer_request()
        results = request.infer({0: np.ascontiguousarray(photos, np.float32)})
        return {port.get_any_name(): np.array(values) for port, values in results.items()}

    def run_all(self, batches: Iterable[tuple[Any, Photos]], receive: Receive) -> None:
        """Compute probabilities and embeddings of many photos, about twice as fast as one after the other.

        Args:
            batches: Tags with photos `(n, S, S, 3)` in [0, 255], n ≤ `core.models.processor.BATCH`.
            receive: Gets each tag with the outputs by name, in order; they are good during the call alone.
        """
        self._fast.run_all(batches, receive)

    @cached_property
    def _fast(self) -> OnProcessor:
        return OnProcessor(self._graph, (PROBABILITIES, EMBEDDING))
