"""The first look at a run's photos: what the first epoch needs is computed, and linear probes tell how good it may get.

Photos as they are need no TensorFlow, so this begins while it is still being loaded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import FeatureCacheError
from core.models.backbones import FEATURES
from core.recipe.plan import ORIGINAL, PhasePlan, boundaries_of, final_boundary
from core.runs.messages import Message
from core.runs.store import Run
from core.training.feature_cache.extraction import FrozenOutputs
from core.training.feature_cache.linear_probe import linear_probe
from core.training.inputs.photos import RunPhotos
from core.training.interruption import obey
from core.training.recorder import Recorder

FIRST_VALIDATION, FIRST_TRAINING = 104, 200
"""How many validation and training photos the first linear probe uses, if there are as many."""

MOST_TRAINING = 3_000
"""Training photos that a linear probe uses at most: memory for it grows with the square of their number."""

GROWTH = 3
"""How many times more photos each further probe uses."""


@dataclass(frozen=True)
class FirstPass:
    """The first look at a run's photos.

    Attributes:
        run: The run; a stop or a pause of it is obeyed.
        given: Its photos.
        outputs: Computes what is frozen.
        recorder: Hears of the progress.
        can_augment: Whether a photo can be augmented without waiting for TensorFlow.
    """

    run: Run
    given: RunPhotos
    outputs: FrozenOutputs
    recorder: Recorder
    can_augment: Callable[[], bool] = lambda: True

    def carry_out(self, plans: Sequence[PhasePlan]) -> tuple[PhasePlan, ...]:
        """Compute, or decode, what the first epoch needs, and what the test will.

        Returns the plans, without caching where the cache fails.
        """
        if boundaries_of(plans):
            try:
                self._compute(plans)
            except FeatureCacheError as error:
                reason = Message("cache-failed", {"error": error.text})
                plans = [replace(plan, boundary="", views=0, reason=reason) for plan in plans]
        if not all(plan.cached for plan in plans):
            self._decode("training", "validation")
        if not final_boundary(plans, self.outputs.frozen.backbone) or not self._compute_test(boundaries_of(plans)):
            self._decode("validation", "test")
        return tuple(plans)

    def _decode(self, *names: str) -> None:
        needed = np.concatenate([self.given.subsets[name] for name in names])
        self.recorder.begin_computing(Message("decoding-photos"))
        self.given.photos.decode(needed, lambda done: self._on_photos(done, len(needed)))

    def _compute(self, plans: Sequence[PhasePlan]) -> None:
        """Compute the validation photos and the first version of the training photos, and fit linear probes to them.

        Photos are shuffled, so that the probes use a fair sample.
        """
        boundaries = boundaries_of(plans)
        version = 0 if plans[0].augmented else ORIGINAL
        random = np.random.default_rng(0)
        training, validation = (random.permutation(self.given.subsets[name]) for name in ("training", "validation"))
        total = len(training) + len(validation)
        new = self._count_new(version, boundaries)
        self.recorder.begin_computing(Message("computing-photos"))
        done, known, seen = 0, FIRST_TRAINING, FIRST_VALIDATION
        if new and version != ORIGINAL and FEATURES in boundaries and not self.can_augment():
            self._compute_some(validation[:seen], ORIGINAL, boundaries, new)
            self._compute_some(training[:known], ORIGINAL, (FEATURES,), new)
            self._probe(training[:known], validation[:seen], ORIGINAL)
        while done < total:
            self._compute_some(validation[:seen], ORIGINAL, boundaries, new)
            self._compute_some(training[:known], version, boundaries, new)
            done = len(training[:known]) + len(validation[:seen])
            if new and FEATURES in boundaries:
                self._probe(training[: min(known, MOST_TRAINING)], validation[:seen], version)
            known, seen = known * GROWTH, seen * GROWTH

    def _compute_test(self, boundaries: tuple[str, ...]) -> bool:
        """Compute the test photos, too, at which the model that comes out has still to look; whether that worked."""
        test = self.given.subsets["test"]
        try:
            missing = self.outputs.count_missing(test, ORIGINAL, boundaries)
            self._compute_some(test, ORIGINAL, boundaries, self.outputs.computed + missing)
        except FeatureCacheError as error:
            print(f"Outputs for the test photos are not cached: {error}", flush=True)
            return False
        return True

    def _count_new(self, version: int, boundaries: tuple[str, ...]) -> int:
        """How many photos have to be computed for the first epoch and the test; each kind is asked for at once."""
        names = ("validation", "test") if version != ORIGINAL else ("training", "validation", "test")
        plain = np.concatenate([self.given.subsets[name] for name in names])
        new = self.outputs.count_missing(plain, ORIGINAL, boundaries)
        if version != ORIGINAL:
            new += self.outputs.count_missing(self.given.subsets["training"], version, boundaries)
        return new

    def _compute_some(self, positions: NDArray[np.intp], version: int, boundaries: tuple[str, ...], total: int) -> None:
        before = self.outputs.computed
        self.outputs.compute(positions, version, boundaries, lambda more: self._on_photos(before + more, max(1, total)))

    def _probe(self, training: NDArray[np.intp], validation: NDArray[np.intp], version: int) -> None:
        failures, labels = self.given.photos.failures, self.given.folder.labels
        known, unseen = (np.array([i for i in part if i not in failures], np.intp) for part in (training, validation))
        features, new = (
            self.outputs.gather(FEATURES, number)(part).astype(np.float32)
            for part, number in ((known, version), (unseen, ORIGINAL))
        )
        found = linear_probe(features, labels[known], new, labels[unseen])
        if found:
            self.recorder.tell_first(found.accuracy, found.training, found.validation)

    def _on_photos(self, done: int, total: int) -> None:
        obey(self.run)
        self.recorder.computing(min(done, total), total)
