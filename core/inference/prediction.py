"""Predictions of a run's model for photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from core.data.images import MAX_PIXELS, decode
from core.models.serving import ACTIVATION_MAPS, EMBEDDING, PROBABILITIES, ServingGraph
from core.runs.store import Run


@dataclass(frozen=True)
class Prediction:
    """Class probabilities of photos.

    Attributes:
        class_names: K names, in the order of the columns.
        probabilities: `(N, K)`, each row in [0, 1] and summing to 1.
    """

    class_names: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check shapes and ranges; raises `ValueError`."""
        if self.probabilities.ndim != 2 or self.probabilities.shape[1] != len(self.class_names):
            raise ValueError(f"probabilities {self.probabilities.shape} do not fit {len(self.class_names)} classes")
        if not np.allclose(self.probabilities.sum(axis=1), 1, atol=1e-3):
            raise ValueError("every row of probabilities must sum to 1")
        if self.probabilities.size and self.probabilities.min() < 0:
            raise ValueError("every probability must lie in [0, 1]")

    def top(self, photo: int, k: int) -> list[tuple[str, float]]:
        """The k most probable classes of one photo with their probabilities, most probable first."""
        order = np.argsort(-self.probabilities[photo], kind="stable")[:k]
        return [(self.class_names[index], float(self.probabilities[photo, index])) for index in order]


@dataclass(frozen=True, eq=False)
class DetailedPrediction:
    """The outputs of a model for one photo.

    Attributes:
        probabilities: `(K,)`.
        embedding: `(D,)`, what the head reads.
        maps: `(h, w, K)`, what each place adds to each class's logit: their means over h and w are the logits up to
            a number that is the same for all. None for runs of earlier versions.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    maps: NDArray[np.float32] | None

    def disagreement(self) -> float:
        """The largest difference between the probabilities that follow from the maps and those of the model, 0 to 1.

        Rounding makes it about 1e-6; if it is larger, the maps do not show what the model has computed.
        """
        if self.maps is None:
            return 0.0
        return float(np.abs(softmax(self.maps.mean(axis=(0, 1))) - self.probabilities).max())


class Predictor:
    """A run's model, ready to predict; holds no TensorFlow."""

    def __init__(self, run: Run) -> None:
        """Load the run's graph; raises `RunNotReady` while there is none."""
        self._graph = ServingGraph(run.serving_folder)
        self.class_names = run.class_names()

    @property
    def resolution(self) -> int:
        """Side of the square photo that the model sees, in pixels."""
        return self._graph.resolution

    def see(self, photo: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """A photo as the model sees it, `(S, S, 3)`; raises `PhotoError` when it cannot be read."""
        return decode(photo, self.resolution, max_pixels)

    def predict_one(self, photo: NDArray[np.uint8]) -> DetailedPrediction:
        """Predict one photo as `see` gives it, with embedding and class activation maps."""
        found = self._graph.run(photo[None])
        maps = found.get(ACTIVATION_MAPS)
        return DetailedPrediction(found[PROBABILITIES][0], found[EMBEDDING][0], None if maps is None else maps[0])

    @property
    def graph(self) -> ServingGraph:
        """The graph, for many photos at once."""
        return self._graph

    def predict(self, photos: Sequence[NDArray[np.uint8]]) -> Prediction:
        """Predict photos as `see` gives them, one after the other so that memory stays small."""
        rows = [self._graph.run(photo[None])[PROBABILITIES] for photo in photos]
        return Prediction(self.class_names, np.concatenate(rows))
