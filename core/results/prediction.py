"""What a model says about photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.images import MAX_PIXELS, decode
from core.models.serving import PROBABILITIES, ServingGraph
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

    def predict(self, photos: Sequence[NDArray[np.uint8]]) -> Prediction:
        """Predict on photos as `see` gives them, one after the other so that memory stays small."""
        rows = [self._graph.run(photo[None])[PROBABILITIES] for photo in photos]
        return Prediction(self.class_names, np.concatenate(rows))
