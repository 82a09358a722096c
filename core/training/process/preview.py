"""Augmented photos exactly as the network will see them, drawn by a child process so that nobody waits for TensorFlow.

`PreviewWorker` runs in the server and imports no TensorFlow. Its child, `python -m core.training.process.preview`,
reads one request after the other from its standard input and answers on its standard output; it ends when its input
does.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PreviewError
from core.language import tr
from core.processes.children import NO_GPU, module_command
from core.processes.responder import Responder, ResponderDied, read_exactly, read_line
from core.recipe.augmentations import AUGMENTATION_OF, Choice

MEASURED, BATCHES = 16, 5
"""Photos in a batch, and batches, from which the cost of an augmentation is known."""


class PreviewWorker:
    """A child process that applies augmentations; started at the first request, and again when it has died."""

    def __init__(self, keras_home: Path) -> None:
        """Start nothing yet; Keras will keep its configuration in `keras_home`."""
        environ = {**os.environ, "KERAS_HOME": str(keras_home), "TF_CPP_MIN_LOG_LEVEL": "3", **NO_GPU}
        self._responder = Responder(module_command("core.training.process.preview"), environ)

    def start(self) -> None:
        """Start the child without waiting for it, so that it is warm when it is needed."""
        self._responder.start()

    def augment(
        self, photos: NDArray[np.uint8], choices: Mapping[str, Choice], seed: int, views: int
    ) -> NDArray[np.uint8]:
        """Return `views` random versions of each photo.

        Args:
            photos: `(N, S, S, 3)`.
            choices: By key, as in a recipe.
            seed: Same seed, same versions.
            views: How many of each photo.

        Returns:
            Shape `(N, views, S, S, 3)`; the photos themselves where no augmentation is on.

        Raises:
            PreviewError: The child ended, for example for lack of memory.
        """
        chosen = {key: asdict(choice) for key, choice in choices.items()}
        request = {"choices": chosen, "seed": seed, "views": views, "shape": photos.shape}
        drawn = self._ask(request, photos.tobytes(), lambda answers: read_exactly(answers, photos.nbytes * views))
        return np.frombuffer(drawn, np.uint8).reshape(photos.shape[0], views, *photos.shape[1:])

    def measure(self, keys: Iterable[str], side: int) -> dict[str, float]:
        """Milliseconds that each of these augmentations takes for a photo of this side, as in training.

        Takes about a second for each, of which most is preparation. Raises `PreviewError` as `augment` does.
        """
        answer = self._ask({"measure": list(keys), "side": side}, b"", read_line)
        return {str(key): float(value) for key, value in json.loads(answer).items()}

    def _ask(self, request: Mapping[str, Any], payload: bytes, read: Callable[[IO[bytes]], bytes]) -> bytes:
        message = json.dumps(request).encode() + b"\n" + payload
        try:
            return self._responder.ask(lambda requests: requests.write(message), read)
        except (ResponderDied, OSError) as error:
            raise PreviewError(
                tr(
                    "The preview's process ended before it answered, perhaps for lack of memory. Move a slider to try"
                    " again; training is not affected."
                )
            ) from error

    def close(self) -> None:
        """End the child."""
        self._responder.close()


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    while line := requests.readline():
        request = json.loads(line)
        if "measure" in request:
            found = {key: _milliseconds(key, request["side"]) for key in request["measure"]}
            answers.write(json.dumps(found).encode() + b"\n")
        else:
            answers.write(_drawn(request, requests))
        answers.flush()


def _drawn(request: Mapping[str, Any], requests: IO[bytes]) -> bytes:
    from core.training.inputs.augmenter import augmenter, seeds_from

    shape = tuple(request["shape"])
    raw = read_exactly(requests, int(np.prod(shape)))
    photos = np.repeat(np.frombuffer(raw, np.uint8).reshape(shape), request["views"], axis=0)
    choices = {key: Choice(**choice) for key, choice in request["choices"].items()}
    if not choices or not len(photos):
        return photos.tobytes()
    drawn = augmenter(choices)(photos.astype(np.float32), seeds_from(request["seed"], len(photos)))
    changed: NDArray[np.uint8] = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
    return changed.tobytes()


def _milliseconds(key: str, side: int) -> float:
    """The median of a few batches, after one that prepares."""
    from core.training.inputs.versions import Versions

    versions = Versions({key: Choice(AUGMENTATION_OF[key].default)}, 0, (side, side, 3))
    photos = np.random.default_rng(0).integers(0, 256, (MEASURED, side, side, 3), np.uint8)
    digests = [bytes([number]) for number in range(MEASURED)]
    versions.make(photos, digests, 0)
    seconds = []
    for number in range(1, 1 + BATCHES):
        started = time.perf_counter()
        versions.make(photos, digests, number)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds) / MEASURED


if __name__ == "__main__":
    # Libraries may print while they load; what the server reads must hold answers and nothing else.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)
