"""The graph that predicts: written once by the trainer, read without TensorFlow by everything else.

One graph, three outputs: class probabilities `(B, K)`, the embedding `(B, D)` before the head, and class activation
maps `(B, h, w, K)` whose mean over h and w is the logit; graphs of former versions may lack these.
"""

import errno
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.errors import RunNotReady
from core.files import storage_error
from core.language import tr
from core.models.openvino_runtime import BATCH, REQUESTS, OpenVINOModel, Outputs, Photos, Receive, part_of

if TYPE_CHECKING:
    import keras

GRAPH = "graph.xml"

COMPILE_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
"""Without the second, OpenVINO computes in bfloat16 where the processor can, and probabilities move by up to 0.02."""

PROBABILITIES, EMBEDDING, ACTIVATION_MAPS = "probabilities", "embedding", "class_activation_maps"


@dataclass(frozen=True)
class Below:
    """The part of a network that has stayed as it was, converted before.

    Attributes:
        graph: From photos to boundaries.
        boundary: The one of them that the rest of the network begins at.
    """

    graph: ov.Model
    boundary: str


def write_graph(
    model: "keras.Model", folder: Path, below: Below | None = None, start: "keras.KerasTensor | None" = None
) -> None:
    """Write a model of `core.models.build` as an OpenVINO graph in fp32; needs TensorFlow.

    The folder appears in one step. Its input is float32 `(B, S, S, 3)` in [0, 255].

    Args:
        model: The model.
        folder: Where.
        below: The part of the model that need not be converted again.
        start: The model's tensor at that boundary.

    Raises:
        StorageError: The disk does not take it.
    """
    from core.models.frozen import graph_to

    graph = graph_to(model, _outputs(model), start)
    if below is not None:
        graph = joined(below, graph)
    making = folder.with_name(f"writing-{folder.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        save_graph(graph, making / GRAPH)
        shutil.rmtree(folder, ignore_errors=True)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def save_graph(graph: ov.Model, file: Path) -> None:
    """Write an OpenVINO graph in fp32; raises `StorageError` where the disk does not take it."""
    try:
        ov.save_model(graph, file, compress_to_fp16=False)
    except RuntimeError as error:
        if "iostream" not in str(error):
            raise
        # OpenVINO does not say what the system has said; a new file in a folder that was just made is short of room.
        raise storage_error(file, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error


def joined(below: Below, above: ov.Model) -> ov.Model:
    """One graph of two: what `above` takes is what the other one has at the boundary. Both stay as they are."""
    lower, upper = part_of(below.graph, [below.boundary]), above.clone()
    [photos], [taken] = lower.get_parameters(), upper.get_parameters()
    source = lower.output(below.boundary).get_node().input_value(0)
    names = [output.get_names() for output in upper.outputs]
    for target in taken.output(0).get_target_inputs():
        target.replace_source_output(source)
    for output, known in zip(upper.outputs, names, strict=True):
        output.get_tensor().add_names(known)  # one that is taken as it comes was named after what it was taken from
    return ov.Model(upper.get_results(), [photos])


def embedding_of(model: "keras.Model") -> "keras.KerasTensor":
    """The tensor that a model's last layer reads, before anything of it is dropped."""
    return model.get_layer("head_dropout").input


def _outputs(model: "keras.Model") -> dict[str, "keras.KerasTensor"]:
    from core.models.activation_maps import activation_maps

    return {
        PROBABILITIES: model.output,
        EMBEDDING: embedding_of(model),
        ACTIVATION_MAPS: activation_maps(model),
    }


class ServingGraph:
    """A written graph, compiled for this machine's processor.

    Attributes:
        resolution: Side of the square photos, in pixels.
        width: Length D of an embedding.
    """

    def __init__(self, folder: Path) -> None:
        """Compile the graph in `folder`; raises `RunNotReady` when there is none."""
        file = folder / GRAPH
        if not file.exists():
            raise RunNotReady(
                tr("This run has no model to predict with yet. Wait until it has ended, or choose another.")
            )
        self._graph = ov.Core().read_model(file)
        self._compiled = ov.Core().compile_model(self._graph, "CPU", COMPILE_OPTIONS)
        self.resolution: int = self._compiled.input(0).partial_shape[1].get_length()
        self.width: int = self._compiled.output(EMBEDDING).partial_shape[1].get_length()

    def run(self, photos: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The outputs by name for photos `(B, S, S, 3)` in [0, 255]."""
        request = self._compiled.create_infer_request()
        results = request.infer({0: np.ascontiguousarray(photos, np.float32)})
        return {port.get_any_name(): np.array(values) for port, values in results.items()}

    def run_all(self, batches: Iterable[tuple[Any, Photos]], receive: Receive) -> None:
        """Compute probabilities and embeddings of many photos, about twice as fast as one after the other.

        Args:
            batches: Tags with photos `(n, S, S, 3)` in [0, 255], n ≤ `core.models.openvino_runtime.BATCH`.
            receive: Gets each tag with the outputs by name, in order; they are good during the call alone.
        """
        self._fast.run_all(batches, receive)

    def run_many(
        self,
        count: int,
        pixels: Callable[[NDArray[np.intp]], Photos],
        on_photos: Callable[[int], None] = lambda done: None,
    ) -> dict[str, NDArray[np.float32]]:
        """The probabilities and embeddings of many photos by name, `(count, ...)`.

        Args:
            count: How many photos there are, at least 1.
            pixels: Gives the photos at some positions, `(n, S, S, 3)` in [0, 255]; is called from several threads, a
                little ahead of what is being computed.
            on_photos: Hears how many are done, and may raise.
        """
        found: dict[str, list[NDArray[np.float32]]] = {PROBABILITIES: [], EMBEDDING: []}

        def receive(done: int, outputs: Outputs) -> None:
            for name, rows in found.items():
                rows.append(outputs[name].copy())
            on_photos(done)

        chunks = np.array_split(np.arange(count), range(BATCH, count, BATCH))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self.run_all(((int(chunk[-1]) + 1, photos) for chunk, photos in _ahead(pixels, chunks, pool)), receive)
        return {name: np.concatenate(rows) for name, rows in found.items()}

    @cached_property
    def _fast(self) -> OpenVINOModel:
        return OpenVINOModel(self._graph, (PROBABILITIES, EMBEDDING))


def _ahead(
    pixels: Callable[[NDArray[np.intp]], Photos], chunks: Sequence[NDArray[np.intp]], pool: ThreadPoolExecutor
) -> Iterator[tuple[NDArray[np.intp], Photos]]:
    """Each chunk with its photos, of which a few are made before they are asked for."""
    waiting: deque[tuple[NDArray[np.intp], Future[Photos]]] = deque()
    try:
        for chunk in chunks:
            waiting.append((chunk, pool.submit(pixels, chunk)))
            if len(waiting) > 2 * REQUESTS:
                first, photos = waiting.popleft()
                yield first, photos.result()
        while waiting:
            first, photos = waiting.popleft()
            yield first, photos.result()
    finally:
        for _, photos in waiting:
            photos.cancel()
