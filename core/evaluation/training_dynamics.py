"""How the predictions for each validation photo changed over the epochs.

Terms from Toneva et al., "An empirical study of example forgetting during deep neural network learning" (ICLR 2019):
a photo is learned when its prediction becomes right, and forgotten when it becomes wrong again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.subsets import SUBSETS, VALIDATION
from core.errors import RunNotReady
from core.evaluation.run_results import photos_of
from core.language import tr
from core.runs.prediction_history import read_predictions
from core.runs.store import Run


@dataclass(frozen=True, eq=False)
class TrainingDynamics:
    """V validations of N photos.

    Attributes:
        paths: N paths, relative to the dataset's folder.
        labels: (N,), int: given classes.
        epochs: (V,): when each validation came, rising.
        predicted: (V, N), int.
        confidence: (V, N): probability of the predicted class.
        confidence_in_label: (V, N): probability of the given class.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.intp]
    epochs: NDArray[np.float64]
    predicted: NDArray[np.intp]
    confidence: NDArray[np.float32]
    confidence_in_label: NDArray[np.float32]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(V, N): where the prediction is the given class."""
        return np.asarray(self.predicted == self.labels)

    def learned_at(self) -> NDArray[np.intp]:
        """(N,): the validation from which on the prediction stays right; V for photos that end wrong."""
        wrong = ~self.right
        count = len(self.epochs)
        return np.where(wrong.any(axis=0), count - np.argmax(wrong[::-1], axis=0), 0)

    def forgotten(self) -> NDArray[np.intp]:
        """(N,): how often a right prediction was followed by a wrong one."""
        return np.asarray((self.right[:-1] & ~self.right[1:]).sum(axis=0), np.intp)

    def flips(self) -> NDArray[np.intp]:
        """(N,): how often the predicted class changed from one validation to the next."""
        return np.asarray((self.predicted[:-1] != self.predicted[1:]).sum(axis=0), np.intp)

    def most_changing(self, most: int) -> NDArray[np.intp]:
        """Photos whose prediction changed most often, as positions in rising order, so that they stay in their places.

        Of equal ones those first whose class is less probable now; where too few have changed, those fill up, too.
        """
        ranked = np.lexsort((self.confidence_in_label[-1], -self.flips()))
        return np.sort(ranked[:most])


def read_training_dynamics(run: Run, most: int | None = None) -> TrainingDynamics:
    """The training dynamics of a run, also of one in progress; `most` as `read_predictions` takes it.

    Raises:
        RunNotReady: Nothing was kept, or it is unknown for which photos.
        RunError: It cannot be read.
    """
    epochs, history = read_predictions(run, most)
    paths, labels = photos_of(run, SUBSETS[VALIDATION])
    if len(paths) != history.shape[2]:
        raise RunNotReady(tr("It is no longer known which validation photos this run's predictions were for."))
    predicted, confidence, given = history[:, 0].astype(np.intp), history[:, 1], history[:, 2]
    return TrainingDynamics(paths, labels, epochs, predicted, confidence, given)
