"""Fast inference on a CPU: OpenVINO with several requests in flight. No TensorFlow."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as opset

from core.models.backbones import FEATURES, LAST_MAP
from core.models.heads import AVERAGE, FLATTEN, MAX

BATCH = 8
"""Photos in one request. Of 1, 8, 16 and 32, this was the fastest on two cores, with two requests in flight."""

EXACT, FAST = "f32", "bf16"
"""Names of precisions: "f32" rounds as TensorFlow does, "bf16" to 8 significant bits."""

AGREEMENT = 1e-2
"""How far, relative to their length, outputs in bfloat16 may be from those in float32 to be used."""

REQUESTS = 4
"""Batches handed over before the first has come back, so that the processor never waits."""

Photos = NDArray[np.uint8] | NDArray[np.float32]
Outputs = Mapping[str, NDArray[np.float32]]
Receive = Callable[[Any, Outputs], None]


class FrozenPart(Protocol):
    """Computes boundary outputs by name for one batch of photos after the other."""

    precision: str

    def run_all(self, batches: Iterable[tuple[Any, NDArray[np.float32]]], receive: Receive) -> None:
        """Compute every batch `(n, S, S, 3)` in [0, 255], n ≤ `BATCH`, and hand over its tag and outputs, in order."""
        ...


class OpenVINOModel:
    """A graph compiled by OpenVINO for the CPU, for many photos, with several requests in flight."""

    def __init__(self, graph: ov.Model, wanted: Iterable[str], precision: str = EXACT) -> None:
        """Compile what of a graph leads to the wanted outputs, for `BATCH` photos, or whatever it takes, at a time."""
        self.precision = precision
        self._names = list(wanted)
        part = part_of(graph, self._names)
        photo = part.input(0).partial_shape
        part.reshape([BATCH, *(side.get_length() for side in list(photo)[1:])])
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        self._compiled = ov.Core().compile_model(part, "CPU", hints)

    def run_all(self, batches: Iterable[tuple[Any, Photos]], receive: Receive) -> None:
        """Compute every batch `(n, S, S, 3)` in [0, 255], n ≤ `BATCH`, and hand over its tag and outputs, in order.

        A graph that begins at a boundary takes what is there in the place of photos. What is handed over is good during
        the call alone: the next batch is written to the same place.
        """
        waiting: deque[tuple[Any, int, ov.InferRequest]] = deque()
        idle = [self._compiled.create_infer_request() for _ in range(REQUESTS)]
        for tag, photos in batches:
            if not idle:
                idle.append(self._finish(*waiting.popleft(), receive))
            request = idle.pop()
            request.start_async({0: filled(photos)}, share_inputs=False)
            waiting.append((tag, len(photos), request))
        while waiting:
            self._finish(*waiting.popleft(), receive)

    def _finish(self, tag: Any, count: int, request: ov.InferRequest, receive: Receive) -> ov.InferRequest:
        request.wait()
        values = {name: request.get_output_tensor(i).data[:count] for i, name in enumerate(self._names)}
        receive(tag, values)
        return request


def part_of(graph: ov.Model, wanted: Iterable[str]) -> ov.Model:
    """A copy of what of a graph leads to the wanted outputs."""
    return ov.Model([graph.output(name).get_node() for name in wanted], graph.get_parameters()).clone()


def with_pooling(graph: ov.Model, pooling: str) -> ov.Model:
    """A frozen part whose features are pooled as a head wants them; as it is, where they are averages."""
    if pooling == AVERAGE:
        return graph
    others = [output.get_any_name() for output in graph.outputs if FEATURES not in output.get_names()]
    copy = part_of(graph, others)
    source = copy.output(LAST_MAP).get_node().input_value(0)
    pooled = {MAX: lambda: opset.reduce_max(source, [1, 2]), FLATTEN: lambda: opset.reshape(source, [0, -1], True)}
    features = opset.result(pooled[pooling]())
    features.output(0).get_tensor().set_names({FEATURES})
    return ov.Model([*copy.get_results(), features], copy.get_parameters())


def filled(photos: Photos) -> NDArray[np.float32]:
    """A whole batch: compiled for one size only, a smaller last one is padded with black."""
    if len(photos) == BATCH:
        return np.ascontiguousarray(photos, np.float32)
    whole = np.zeros((BATCH, *photos.shape[1:]), np.float32)
    whole[: len(photos)] = photos
    return whole


def may_have_graphics_card() -> bool:
    """Whether TensorFlow might find a graphics card; says so too often rather than too seldom, without loading it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    devices = Path("/dev")
    return any(devices.glob("nvidia[0-9]*")) or any((devices / name).exists() for name in ("dxg", "kfd"))


def fastest_on_cpu(graph: ov.Model, wanted: Sequence[str], sample: NDArray[np.float32] | None) -> OpenVINOModel:
    """Whatever of float32 and bfloat16 computes the wanted outputs of a graph fastest, and well enough.

    Args:
        graph: Has all wanted outputs.
        wanted: Their names.
        sample: Up to `BATCH` photos to judge by whether fewer bits will do; None if they never will.
    """
    exact = OpenVINOModel(graph, wanted)
    if sample is None or not len(sample) or not _computes_in_bfloat16():
        return exact
    fast = OpenVINOModel(graph, wanted, FAST)
    return fast if _agree(exact, fast, sample) else exact


def _computes_in_bfloat16() -> bool:
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _agree(exact: FrozenPart, fast: FrozenPart, sample: NDArray[np.float32]) -> bool:
    found: list[dict[str, NDArray[np.float32]]] = []
    for part in (exact, fast):
        part.run_all([(None, sample)], lambda _, values: found.append({key: values[key].copy() for key in values}))
    right, near = found
    return all(np.linalg.norm(near[key] - right[key]) <= AGREEMENT * np.linalg.norm(right[key]) for key in right)
