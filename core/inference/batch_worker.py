"""The child process that predicts many photos, niced so that pages stay quick; holds no TensorFlow.

It is sent the bytes of photos, so it needs no right to read any folder, and answers with what the model makes of them.
"""

import json
import os
import struct
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from core.data.images import decode
from core.data.scan.readers import FATAL
from core.errors import DataError, PhotoError
from core.language import from_json, kept, tr
from core.models.serving import EMBEDDING, PROBABILITIES, ServingGraph
from core.processes.children import ATTENDED, module_command, not_started, settle_in
from core.processes.responder import Responder, ResponderDied, read_exactly

SIZE = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class BatchOutputs:
    """The outputs of a graph for some photos.

    Attributes:
        problems: For each photo why it could not be read; empty where it could.
        probabilities: (M, K), float32, of the M photos that could be read, in order.
        embedding: (M, D), float32.
    """

    problems: tuple[str, ...]
    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]


def predict(graph: ServingGraph, contents: Sequence[bytes], max_pixels: int) -> BatchOutputs:
    """Predict photos in this process."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(lambda content: _see(content, graph.resolution, max_pixels), contents))
    photos = [pixels for pixels in seen if not isinstance(pixels, str)]
    problems = tuple(pixels if isinstance(pixels, str) else "" for pixels in seen)
    if not photos:
        nothing = np.zeros((0, 0), np.float32)
        return BatchOutputs(problems, nothing, nothing)
    if len(photos) == 1:  # at once, rather than as part of a whole batch
        outputs = graph.run(photos[0][None])
    else:
        outputs = graph.run_many(len(photos), lambda some: np.stack([photos[i] for i in some]))
    return BatchOutputs(problems, outputs[PROBABILITIES], outputs[EMBEDDING])


def _see(content: bytes, resolution: int, max_pixels: int) -> NDArray[np.uint8] | str:
    try:
        return decode(content, resolution, max_pixels)
    except PhotoError as error:
        return error.text


class Worker:
    """A child process that predicts with one graph; it starts when it is first asked, and again when it has died."""

    def __init__(self, serving_folder: Path, max_pixels: int) -> None:
        """Start nothing yet."""
        facts = {"serving": str(serving_folder), "max_pixels": max_pixels}
        self.responder = Responder(module_command("core.inference.batch_worker", json.dumps(facts)))

    def predict(self, contents: Sequence[bytes]) -> list[BatchOutputs]:
        """Predict photos; when the child dies, each is tried alone, to find the cause.

        Raises:
            DataError: The child cannot be started.
        """
        try:
            return [self.responder.ask(lambda requests: _send(requests, contents), _receive_answer)]
        except OSError as error:
            raise DataError(not_started(tr("The process that predicts photos"), error)) from error
        except ResponderDied:
            return self._predict_one_by_one(contents)

    def _predict_one_by_one(self, contents: Sequence[bytes]) -> list[BatchOutputs]:
        if len(contents) == 1:
            nothing = np.zeros((0, 0), np.float32)
            return [BatchOutputs((tr(FATAL),), nothing, nothing)]
        return [answer for content in contents for answer in self.predict([content])]

    def close(self) -> None:
        """End the child, whatever it does."""
        self.responder.close()


def _receive_answer(stream: IO[bytes]) -> BatchOutputs:
    problems, probabilities, embedding = _receive(stream, 3)
    listed = [from_json(problem) for problem in json.loads(problems)]
    read = sum(1 for problem in listed if not problem)
    arrays = (np.frombuffer(raw, np.float32).reshape(read, -1 if read else 0) for raw in (probabilities, embedding))
    return BatchOutputs(tuple(listed), *arrays)


def _send(stream: IO[bytes], contents: Sequence[bytes]) -> None:
    stream.write(SIZE.pack(len(contents)))
    for content in contents:
        stream.write(SIZE.pack(len(content)))
        stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes], expected: int | None = None) -> list[bytes]:
    """Read what `_send` has sent; raises `EOFError` where the other side has ended."""
    count = SIZE.unpack(read_exactly(stream, SIZE.size))[0]
    if expected is not None and count != expected:
        raise EOFError
    return [read_exactly(stream, SIZE.unpack(read_exactly(stream, SIZE.size))[0]) for _ in range(count)]


def main() -> None:
    """Answer each group of photos, until the input ends."""
    settle_in(ATTENDED)
    facts = json.loads(sys.argv[1])
    graph = ServingGraph(Path(facts["serving"]))
    with suppress(EOFError):
        while True:
            answer = predict(graph, _receive(sys.stdin.buffer), int(facts["max_pixels"]))
            arrays = (answer.probabilities, answer.embedding)
            problems = json.dumps([kept(problem) for problem in answer.problems])
            _send(sys.stdout.buffer, [problems.encode(), *(array.tobytes() for array in arrays)])


if __name__ == "__main__":
    main()
