"""Fast inference on a CPU: OpenVINO with several requests in flight. No TensorFlow."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

BATCH = 8
"""Photos in one request. Of 1, 8, 16 and 32, this was the fastest on two cores, with two requests in flight."""

EXACT, FAST = "f32", "bf16"
"""Names of precisions: "f32" rounds as TensorFlow does, "bf16" to 8 significant bits."""

REQUESTS = 4
"""Batches handed over before the first has come back, so that the processor never waits."""

Photos = NDArray[np.uint8] | NDArray[np.float32]
Outputs = Mapping[str, NDArray[np.float32]]
Receive = Callable[[Any, Outputs], None]


class OpenVINOModel:
    """A graph compiled by OpenVINO for the CPU, for many photos, with several requests in flight."""

    def __init__(self, graph: ov.Model, wanted: Iterable[str], precision: str = EXACT) -> None:
        """Compile what of a graph leads to the wanted outputs, for `BATCH` photos at a time."""
        self.precision = precision
        chosen = [graph.output(name) for name in wanted]
        part = ov.Model([output.get_node() for output in chosen], graph.get_parameters()).clone()
        photo = part.input(0).partial_shape
        part.reshape([BATCH, *(side.get_length() for side in list(photo)[1:])])
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        self._compiled = ov.Core().compile_model(part, "CPU", hints)
        self._names = list(wanted)

    def run_all(self, batches: Iterable[tuple[Any, Photos]], receive: Receive) -> None:
        """Compute every batch `(n, S, S, 3)` in [0, 255], n ≤ `BATCH`, and hand over its tag and outputs, in order.

        What is handed over is good during the call alone: the next batch is written to the same place.
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


def filled(photos: Photos) -> NDArray[np.float32]:
    """A whole batch: compiled for one size only, a smaller last one is padded with black."""
    if len(photos) == BATCH:
        return np.ascontiguousarray(photos, np.float32)
    whole = np.zeros((BATCH, *photos.shape[1:]), np.float32)
    whole[: len(photos)] = photos
    return whole
