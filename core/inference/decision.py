"""How a model's output becomes an answer: the same on the page, for the camera, in a batch, in a terminal and in an
export.

The answer is the most probable class. Its confidence is its probability after temperature scaling; below the run's
least confidence, the answer is "unsure". Photos that are unlike the training photos are marked whatever the confidence;
only an export cannot do that, since it has no training photos to compare with.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import RunError
from core.evaluation.calibration import TINY, fit_temperature, with_temperature
from core.evaluation.run_results import evaluation
from core.files import write_atomically
from core.inference.out_of_distribution import are_out_of_distribution
from core.json_values import checked, read_json
from core.language import tr_mark
from core.runs.store import Run

PREDICTED, UNSURE, OUT_OF_DISTRIBUTION = "predicted", "unsure", "unlike the training photos"
"""The kinds of answer: a class; not confident enough; a photo that the training photos say little about."""

KINDS = {
    PREDICTED: tr_mark("predicted"),
    UNSURE: tr_mark("unsure"),
    OUT_OF_DISTRIBUTION: tr_mark("unlike the training photos"),
}
"""The kinds of answer in words; these go through `tr`."""

LEAST_CONFIDENCE = 0.6
"""The least confidence of runs for which nobody has chosen another one."""

FILE = "decision.json"
"""The whole rule in an export."""


@dataclass(frozen=True)
class DecisionRule:
    """What turns probabilities into answers.

    Attributes:
        temperature: What logits are divided by, above 0.
        least_confidence: From which calibrated probability on a class is an answer, 0..1.

    Raises:
        ValueError: A value is out of range.
    """

    temperature: float = 1.0
    least_confidence: float = LEAST_CONFIDENCE

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (self.temperature > 0 and 0 <= self.least_confidence <= 1):
            raise ValueError(
                f"the temperature must be above 0 and the least confidence 0 to 1; got {self.temperature} and"
                f" {self.least_confidence}"
            )

    def to_json(self) -> str:
        """The rule for the script of an export."""
        values = {
            "temperature": self.temperature,
            "least_confidence": self.least_confidence,
            "smallest_probability": TINY,
        }
        return json.dumps(values, indent=1)


@dataclass(frozen=True, eq=False)
class Decisions:
    """Answers for N photos, K classes.

    Attributes:
        probabilities: (N, K), calibrated.
        predicted: (N,), the most probable class.
        ood_scores: (N,), 0..1, see `core.inference.out_of_distribution`; 0 where nothing is known.
        least_confidence: From which confidence on a class is an answer.
    """

    probabilities: NDArray[np.float64]
    predicted: NDArray[np.intp]
    ood_scores: NDArray[np.float64]
    least_confidence: float

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """(N,): the calibrated probability of the predicted class."""
        return np.asarray(self.probabilities[np.arange(len(self.predicted)), self.predicted])

    @cached_property
    def unsure(self) -> NDArray[np.bool_]:
        """(N,): whether that is too little to be an answer."""
        return np.asarray(self.confidence < self.least_confidence)

    @cached_property
    def out_of_distribution(self) -> NDArray[np.bool_]:
        """(N,): whether the photo is unlike the training photos."""
        return are_out_of_distribution(self.ood_scores)

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """(N,): `PREDICTED`, `UNSURE` or `OUT_OF_DISTRIBUTION`; the last one comes before the second."""
        return np.where(self.out_of_distribution, OUT_OF_DISTRIBUTION, np.where(self.unsure, UNSURE, PREDICTED))


def decide(probabilities: ArrayLike, rule: DecisionRule, ood_scores: NDArray[np.float64] | None = None) -> Decisions:
    """Turn the probabilities (N, K) of a model, as its graph gives them, into answers.

    `ood_scores` are those of `OutOfDistributionDetector.ood_scores`, (N,); None where they are not known.
    """
    found = np.asarray(probabilities)
    scores = np.zeros(len(found)) if ood_scores is None else ood_scores
    calibrated = with_temperature(found, rule.temperature)
    return Decisions(calibrated, np.asarray(found.argmax(1), np.intp), scores, rule.least_confidence)


def temperature_of(run: Run) -> float:
    """The temperature that fits a run's validation photos; raises `RunError` where there are none."""
    known = evaluation(run, "validation")
    return fit_temperature(known.probabilities, known.labels)


def least_confidence_of(run: Run) -> float:
    """What a person has chosen for a run, or `LEAST_CONFIDENCE`."""
    try:
        chosen = checked(read_json(run.decision_file, dict), {"least_confidence": float}, {})["least_confidence"]
        return DecisionRule(least_confidence=chosen).least_confidence
    except (OSError, ValueError, KeyError):
        return LEAST_CONFIDENCE


def keep_least_confidence(run: Run, least_confidence: float) -> None:
    """Keep what a person has chosen, 0..1; it holds wherever the run's model is used.

    Raises `StorageError` where it cannot be saved.
    """
    chosen = DecisionRule(least_confidence=least_confidence).least_confidence
    write_atomically(run.decision_file, json.dumps({"least_confidence": chosen}))


def read_decision_rule(run: Run, fitted: Callable[[Run], float] = temperature_of) -> DecisionRule:
    """The rule of a run; without validation photos, probabilities stay as they are.

    `fitted` gives the temperature, or raises as `temperature_of` does; others may remember it.
    """
    try:
        temperature = fitted(run)
    except RunError:
        temperature = 1.0
    return DecisionRule(temperature, least_confidence_of(run))
