"""Predictions for many photos, computed in the background, also while nobody watches.

Knows nothing of screens, so other parts use it for photos that come in from outside, too: list what there is
(`uploaded`, `zipped`, `in_folder` of `core.inference.sources`), hand the listing to a `BatchJob`, and take a `Batch`
from it at any time: names, bytes on demand, probabilities, embeddings, and what could not be used.

The first photos are predicted in a thread of this process, so that there are results at once; more go to a niced child
process, so that pages stay quick, and a photo that crashes its reader is merely left out.
"""

import logging
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.images import thumbnail
from core.data.scan.walk import LeftOut
from core.errors import DataError, PhotoError, UnfreezeError
from core.inference import batch_worker
from core.inference.batch_worker import BatchOutputs, Worker
from core.inference.prediction import Predictor
from core.inference.sources import Listing, Photo, in_folder
from core.language import tr
from core.processes.background import BackgroundWork, Cancelled
from core.settings import Settings

FEW = 64
"""So many photos of a job are predicted in this process; a child takes seconds to start."""

CHUNK, CHUNK_BYTES = 64, 32_000_000
"""Photos handed to the child at a time: so many, or fewer where they are large."""

PICTURES = 500
"""Small photos that a job keeps for showing them again."""

KEPT = 3
"""Folders whose predictions are kept; of 100,000 photos they take about 300 MB."""

Find = Callable[[Callable[[], None]], Listing]
"""Lists photos; is handed a function that it should call now and then, which raises to give up."""


@dataclass(frozen=True, eq=False)
class Batch:
    """N photos that were read, and a model's prediction for each.

    Attributes:
        photos: In the order in which they were read.
        probabilities: (N, K), float32, as the model gives them.
        embedding: (N, D), float16: what the head reads.
        left_out: What could not be used, with reasons.
    """

    photos: tuple[Photo, ...]
    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float16]
    left_out: tuple[LeftOut, ...]

    def __len__(self) -> int:
        """How many photos were read."""
        return len(self.photos)


class BatchJob(BackgroundWork):
    """Photos that are predicted in the background, more of them as they are added.

    What was predicted is kept when it is asked to stop; it is over whenever nothing is left to do.

    Attributes:
        id: Different for each job.
        done: How many photos were processed so far, including those that could not be read.
        total: How many there are, as far as is known.
        listing: Whether it is still being found out which photos there are.
    """

    def __init__(self, predictor: Predictor, serving_folder: Path, max_pixels: int, *, few: int = FEW) -> None:
        """Do nothing yet; `serving_folder` is where the predictor's graph lies."""
        super().__init__()
        self.id = uuid.uuid4().hex
        self.done = self.total = 0
        self.listing = False
        self._predictor, self._max_pixels, self._few = predictor, max_pixels, few
        self._child = Worker(serving_folder, max_pixels)
        self._lock = threading.Lock()
        self._waiting: deque[Find] = deque()
        self._going = False
        self._began: tuple[float, int] = (0.0, 0)
        self._photos: list[Photo] = []
        self._left_out: list[LeftOut] = []
        self._rows: list[tuple[NDArray[np.float32], NDArray[np.float16]]] = []
        self._pictures: OrderedDict[int, bytes] = OrderedDict()
        self._over.set()

    def add(self, find: Find) -> None:
        """Predict more photos. `find` lists them in the job's thread; it gets a function that it should call often."""
        with self._lock:
            self._waiting.append(find)
            self._stop.clear()
            self._over.clear()
            if not self._going:
                self._going = True
                self.error, self.cancelled = None, False
                threading.Thread(target=self._run, name="predict", daemon=True).start()

    def seconds_left(self) -> float | None:
        """Return an estimate from the throughput so far; None while it is too early for one."""
        seconds, photos = time.time() - self._began[0], self.done - self._began[1]
        return seconds / photos * (self.total - self.done) if photos > 0 and seconds > 1 else None

    def batch(self) -> Batch:
        """What was predicted so far."""
        with self._lock:
            width = len(self._predictor.class_names)
            rows = self._rows or [(np.zeros((0, width), np.float32), np.zeros((0, 1), np.float16))]
            probabilities, embedding = (np.concatenate(arrays) for arrays in zip(*rows, strict=True))
            self._rows = [(probabilities, embedding)] if self._rows else []
            return Batch(tuple(self._photos), probabilities, embedding, tuple(self._left_out))

    def picture(self, place: int, size: int) -> bytes:
        """A photo of the batch as a JPEG file of `size` pixels a side, cut as the model sees it.

        Raises:
            PhotoError: It can no longer be read.
        """
        if place not in self._pictures:
            made = thumbnail(self._photos[place].read(), size, self._max_pixels)
            with self._lock:
                self._pictures[place] = made
                while len(self._pictures) > PICTURES:
                    self._pictures.popitem(last=False)
            return made
        return self._pictures[place]

    def _run(self) -> None:
        """Predict what there is. Until the child has ended, too, this is the job's only thread."""
        while True:
            self._predict_all()
            self._child.close()
            if self._is_over_now():
                return

    def _predict_all(self) -> None:
        try:
            while (find := self._next()) is not None:
                self._carry_out(find)
        except Cancelled:
            self.cancelled = True
        except UnfreezeError as error:
            self._fail(error)
        except Exception as error:
            # The thread is about to end: whatever it was, the page must hear of it.
            logging.exception("Photos could not be predicted")
            self._fail(
                DataError(
                    tr(
                        "The photos could not all be predicted: an unexpected {kind} ({reason}).",
                        kind=type(error).__name__,
                        reason=str(error),
                    )
                )
            )

    def _next(self) -> Find | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _fail(self, error: UnfreezeError) -> None:
        with self._lock:
            self.error = error
            self._waiting.clear()

    def _is_over_now(self) -> bool:
        """End the job, unless photos were added while the child was ended."""
        with self._lock:
            self.listing, self.total = False, self.done
            if self._waiting:
                self.error, self.cancelled = None, False
                return False
            self._going = False
            self._over.set()
            return True

    def _carry_out(self, find: Find) -> None:
        self.listing = True
        found = find(self.stop_if_asked)
        self.listing = False
        with self._lock:
            self._left_out += found.left_out
        self.total += len(found.photos)
        self._began = (time.time(), self.done)
        near = max(0, self._few - self.done)
        for photo in found.photos[:near]:
            self._take([(photo, self._content(photo))], self._predict_here)
        for chunk in _chunks((photo, self._content(photo)) for photo in found.photos[near:]):
            self._take(chunk, self._child.predict)

    def stop_if_asked(self) -> None:
        """Break off what was added so far, when it was asked to stop."""
        with self._lock:
            if self._stop.is_set():
                self._waiting.clear()  # what is added from now on is predicted
            super().stop_if_asked()

    def _content(self, photo: Photo) -> bytes | str:
        """A photo's bytes, or why there are none."""
        self.stop_if_asked()
        try:
            return photo.read()
        except PhotoError as error:
            return error.text

    def _predict_here(self, contents: Sequence[bytes]) -> list[BatchOutputs]:
        return [batch_worker.predict(self._predictor.graph, contents, self._max_pixels)]

    def _take(
        self, chunk: Sequence[tuple[Photo, bytes | str]], predict: Callable[[list[bytes]], list[BatchOutputs]]
    ) -> None:
        """Predict photos whose bytes are there, and keep what comes of them."""
        self.stop_if_asked()
        at_hand = [(photo, content) for photo, content in chunk if not isinstance(content, str)]
        lost = [LeftOut(photo.name, content) for photo, content in chunk if isinstance(content, str)]
        outputs = predict([content for _, content in at_hand]) if at_hand else []
        problems = [problem for output in outputs for problem in output.problems]
        with self._lock:
            self._left_out += lost
            for (photo, _), problem in zip(at_hand, problems, strict=True):
                if problem:
                    self._left_out.append(LeftOut(photo.name, problem))
                else:
                    self._photos.append(photo)
            for output in outputs:
                if len(output.probabilities):
                    self._rows.append((output.probabilities, output.embedding.astype(np.float16)))
        self.done += len(chunk)


def _chunks(contents: Iterator[tuple[Photo, bytes | str]]) -> Iterator[list[tuple[Photo, bytes | str]]]:
    chunk: list[tuple[Photo, bytes | str]] = []
    size = 0
    for photo, content in contents:
        chunk.append((photo, content))
        size += len(content)
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class FolderJobs:
    """Predictions for folders, by run and folder, for all sessions. Its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Predict photos under the roots of these settings."""
        self._settings = settings
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[str, str], BatchJob] = OrderedDict()

    def find(self, model: str, folder: str) -> BatchJob | None:
        """The job for a model, by any name that is its own, and a folder; None where nobody has begun it."""
        with self._lock:
            return self._jobs.get((model, folder))

    def begin(self, model: str, folder: str, predictor: Predictor, serving_folder: Path) -> BatchJob:
        """Start to predict a folder, again if that was done before.

        The folder should have gone through `core.data.scan.walk.check_inside`; otherwise the job ends with the reason.
        """
        limits, roots = self._settings.limits, self._settings.dataset_roots
        job = BatchJob(predictor, serving_folder, limits.pixels)
        with self._lock:
            former = self._jobs.pop((model, folder), None)
            self._jobs[model, folder] = job
            dropped = [self._jobs.popitem(last=False)[1] for _ in range(len(self._jobs) - KEPT)]
        for other in (former, *dropped):
            if other is not None:
                other.cancel()
        job.add(lambda stop_if_asked: in_folder(folder, roots, limits, stop_if_asked))
        return job
