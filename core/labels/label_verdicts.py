"""Given labels of photos, compared with what a run's model predicts."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.intake.labelled_photos import LabelledPhoto, LabelledPhotos
from core.data.scan.walk import LeftOut
from core.data.subsets import TRAINING
from core.errors import PhotoError
from core.evaluation.similarity import nearest
from core.inference.decision import DecisionRule, decide
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.labels.label_checks import verdicts
from core.models.serving import EMBEDDING, PROBABILITIES
from core.runs.embeddings import Embeddings

CHUNK = 16
"""Photos whose bytes are in memory at a time."""

EVIDENCE = 5
"""Training photos that are shown beside each photo: those most like it."""


@dataclass(frozen=True, eq=False)
class CheckedPhotos:
    """Photos with what a model predicts for them. Q is the number of photos that could be read.

    Attributes:
        names: Q.
        labels: Q, the given ones; empty where there is none.
        pixels: Shape (Q, S, S, 3), uint8.
        probabilities: Shape (Q, K), calibrated.
        out_of_distribution: Shape (Q,), whether a photo is unlike the training photos.
        evidence: Shape (Q, 5) or fewer: positions of the most similar photos in `known`, the most similar first.
        known: The training photos.
        left_out: What could not be read, with reasons.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    pixels: NDArray[np.uint8]
    probabilities: NDArray[np.float64]
    out_of_distribution: NDArray[np.bool_]
    evidence: NDArray[np.intp]
    known: Embeddings
    left_out: tuple[LeftOut, ...]


class LabelChecker:
    """A run's model with all that it takes to check given labels; holds no TensorFlow."""

    def __init__(
        self, predictor: Predictor, embeddings: Embeddings, rule: DecisionRule, detector: OutOfDistributionDetector
    ) -> None:
        """Take a model, the embeddings of its run's photos, its decision rule, and the detector fitted to them."""
        self.predictor, self.rule, self.detector = predictor, rule, detector
        self.known = embeddings.of(TRAINING)

    def check(self, sent: LabelledPhotos, max_pixels: int, on_photos: Callable[[int], None]) -> CheckedPhotos:
        """Predict photos on all cores; those that cannot be read are left out, with their reasons.

        `on_photos` receives the number of photos done.
        """
        read: list[tuple[LabelledPhoto, NDArray[np.uint8]]] = []
        photos, left_out = sent.photos, list(sent.left_out)
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(photos), CHUNK):
                chunk = photos[start : start + CHUNK]
                contents = [_content(photo) for photo in chunk]  # one after the other: an archive is one file
                found = pool.map(lambda content: self._see(content, max_pixels), contents)
                for photo, pixels in zip(chunk, found, strict=True):
                    if isinstance(pixels, str):
                        left_out.append(LeftOut(photo.name, pixels))
                    else:
                        read.append((photo, pixels))
        return self._predict(read, tuple(left_out), on_photos)

    def _see(self, content: bytes | str, max_pixels: int) -> NDArray[np.uint8] | str:
        """A photo's pixels, or why there are none."""
        try:
            return content if isinstance(content, str) else self.predictor.see(content, max_pixels)
        except PhotoError as error:
            return error.text

    def _predict(
        self,
        read: Sequence[tuple[LabelledPhoto, NDArray[np.uint8]]],
        left_out: tuple[LeftOut, ...],
        on_photos: Callable[[int], None],
    ) -> CheckedPhotos:
        side = self.predictor.resolution
        pixels = np.array([pixels for _, pixels in read], np.uint8).reshape(-1, side, side, 3)
        outputs = {PROBABILITIES: self.known.probabilities[:0], EMBEDDING: self.known.embedding[:0]}
        if len(pixels):
            outputs = self.predictor.graph.run_many(len(pixels), lambda some: pixels[some], on_photos)
        found = decide(outputs[PROBABILITIES], self.rule, self.detector.ood_scores(outputs[EMBEDDING]))
        evidence, _ = nearest(outputs[EMBEDDING], self.known.embedding, EVIDENCE)
        names, labels = tuple(photo.name for photo, _ in read), tuple(photo.label for photo, _ in read)
        unlike = found.out_of_distribution
        return CheckedPhotos(names, labels, pixels, found.probabilities, unlike, evidence, self.known, left_out)


def _content(photo: LabelledPhoto) -> bytes | str:
    """A photo's bytes, or why there are none."""
    try:
        return photo.read()
    except PhotoError as error:
        return error.text


def verdicts_on(photos: CheckedPhotos, given: Sequence[int | None]) -> list[str]:
    """The verdict on each given label; empty where none is given that the model knows."""
    known = [place for place, label in enumerate(given) if label is not None]
    labels = np.array([given[place] for place in known], np.intp)
    found = verdicts(photos.probabilities[known], labels, photos.out_of_distribution[known])
    by_place = dict(zip(known, found, strict=True))
    return [by_place.get(place, "") for place in range(len(given))]
