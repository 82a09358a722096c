"""The model in use on the Predict page, with everything that its answers depend on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.inference.batch import Batch
from core.inference.decision import DecisionRule, Decisions, decide
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import DetailedPrediction, Predictor
from pages.components.cached import models
from pages.components.shared.run_descriptions import LoadedRun


@dataclass(frozen=True, eq=False)
class Model:
    """A run's model.

    Attributes:
        shown: The run.
        predictor: Its graph.
        rule: Its decision rule.
        detector: Its out-of-distribution detector; None while the embeddings of the run's photos are being computed.
    """

    shown: LoadedRun
    predictor: Predictor
    rule: DecisionRule
    detector: OutOfDistributionDetector | None

    @property
    def key(self) -> str:
        """What tells a run's model from others, and from the model that the run had before more epochs."""
        return f"{self.shown.run.id}-{self.shown.status.ended}"

    def decide(self, look: DetailedPrediction) -> Decisions:
        """The decision for one photo, N = 1."""
        scores = self.detector.ood_scores(look.embedding[None]) if self.detector else None
        return decide(look.probabilities[None], self.rule, scores)

    def decide_all(self, job_id: str, batch: Batch) -> Decisions:
        """The decisions for the photos of a job."""
        return decide(batch.probabilities, self.rule, self._ood_scores(job_id, batch))

    def _ood_scores(self, job_id: str, batch: Batch) -> NDArray[np.float64] | None:
        if self.detector is None:
            return None
        modified = self.shown.run.embeddings_file.stat().st_mtime_ns
        return models.ood_scores(job_id, len(batch), modified, self.detector, batch)
