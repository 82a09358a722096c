"""What a run's model says of photos for which somebody claims a label."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.intake.labelled_photos import Claim, Claims
from core.data.scan.walk import LeftOut
from core.data.subsets import TRAINING, VALIDATION
from core.errors import PhotoError
from core.evaluation.calibration import fit_temperature, with_temperature
from core.evaluation.similarity import nearest
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
    """Photos as a model sees them. Q is the number of photos that could be read.

    Attributes:
        names: Q.
        labels: Q, as they were claimed; empty where nothing was.
        pixels: Shape (Q, S, S, 3), uint8.
        probabilities: Shape (Q, K), calibrated.
        strange: Shape (Q,), whether a photo is like none that the model has learned from.
        evidence: Shape (Q, 5) or fewer: positions of the most similar photos in `known`, the most similar first.
        known: The training photos.
        left_out: What could not be read, with reasons.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    pixels: NDArray[np.uint8]
    probabilities: NDArray[np.float64]
    strange: NDArray[np.bool_]
    evidence: NDArray[np.intp]
    known: Embeddings
    left_out: tuple[LeftOut, ...]


class LabelChecker:
    """A run's model with all that it takes to check given labels; holds no TensorFlow."""

    def __init__(self, predictor: Predictor, embeddings: Embeddings) -> None:
        """Take a model and what it makes of the photos of its run."""
        held_out = embeddings.of(VALIDATION)
        self.predictor = predictor
        self.known = embeddings.of(TRAINING)
        self.detector = OutOfDistributionDetector.fit(
            embeddings, fit_temperature(held_out.probabilities, held_out.labels)
        )

    def check(self, sent: Claims, max_pixels: int, on_photos: Callable[[int], None]) -> CheckedPhotos:
        """Look at photos on all cores; those that cannot be read are left out, with their reasons.

        `on_photos` hears how many are done.
        """
        read: list[tuple[Claim, NDArray[np.uint8]]] = []
        claims, left_out = sent.photos, list(sent.left_out)
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(claims), CHUNK):
                chunk = claims[start : start + CHUNK]
                contents = [_content(claim) for claim in chunk]  # one after the other: an archive is one file
                found = pool.map(lambda content: self._see(content, max_pixels), contents)
                for claim, pixels in zip(chunk, found, strict=True):
                    if isinstance(pixels, str):
                        left_out.append(LeftOut(claim.name, pixels))
                    else:
                        read.append((claim, pixels))
        return self._judge([claim for claim, _ in read], [pixels for _, pixels in read], tuple(left_out), on_photos)

    def _see(self, content: bytes | str, max_pixels: int) -> NDArray[np.uint8] | str:
        """A photo's pixels, or why there are none."""
        try:
            return content if isinstance(content, str) else self.predictor.see(content, max_pixels)
        except PhotoError as error:
            return str(error)

    def _judge(
        self,
        claims: Sequence[Claim],
        photos: Sequence[NDArray[np.uint8]],
        left_out: tuple[LeftOut, ...],
        on_photos: Callable[[int], None],
    ) -> CheckedPhotos:
        side = self.predictor.resolution
        pixels = np.stack(photos) if photos else np.zeros((0, side, side, 3), np.uint8)
        outputs = {PROBABILITIES: self.known.probabilities[:0], EMBEDDING: self.known.embedding[:0]}
        if len(pixels):
            outputs = self.predictor.graph.run_many(len(pixels), lambda some: pixels[some], on_photos)
        probabilities = with_temperature(outputs[PROBABILITIES], self.detector.temperature)
        evidence, _ = nearest(outputs[EMBEDDING], self.known.embedding, EVIDENCE)
        names, labels = tuple(claim.name for claim in claims), tuple(claim.label for claim in claims)
        strange = self.detector.is_out_of_distribution(outputs[EMBEDDING])
        return CheckedPhotos(names, labels, pixels, probabilities, strange, evidence, self.known, left_out)


def _content(claim: Claim) -> bytes | str:
    """A photo's bytes, or why there are none."""
    try:
        return claim.read()
    except PhotoError as error:
        return str(error)


def verdicts_on(seen: CheckedPhotos, claimed: Sequence[int | None]) -> list[str]:
    """The verdict on each claimed label; empty where nothing is claimed that the model knows."""
    known = [place for place, label in enumerate(claimed) if label is not None]
    labels = np.array([claimed[place] for place in known], np.intp)
    found = verdicts(seen.probabilities[known], labels, seen.strange[known])
    by_place = dict(zip(known, found, strict=True))
    return [by_place.get(place, "") for place in range(len(claimed))]
