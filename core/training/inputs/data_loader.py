"""The data loader: which version of which photos an epoch gets, in which order, mixed or not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.errors import FeatureCacheError
from core.models.backbones import Backbone
from core.recipe.plan import ORIGINAL, PhasePlan, row_shape, version_of
from core.recipe.recipe import Recipe
from core.training.feature_cache.extraction import FrozenOutputs
from core.training.inputs.batches import batches
from core.training.inputs.mixing import Softening, softening_of
from core.training.inputs.photos import Gather, Photos
from core.training.inputs.versions import Versions


@dataclass(frozen=True)
class TrainingData:
    """The photos and labels of a run, by subset.

    Attributes:
        photos: The pixels.
        digests: BLAKE2b of each file; empty for one that cannot be read.
        labels: (N,).
        subsets: For each subset the positions of its photos.
        classes: Number of classes K.
        weights: (N,), how much each photo counts in training; None if all do alike.
    """

    photos: Photos
    digests: Sequence[bytes]
    labels: NDArray[np.int32]
    subsets: Mapping[str, NDArray[np.intp]]
    classes: int
    weights: NDArray[np.float32] | None

    @property
    def usable(self) -> NDArray[np.intp]:
        """Positions of the training photos; one may have gone since it was read first."""
        failures = self.photos.failures
        return np.array([i for i in self.subsets["training"] if i not in failures], np.intp)


class DataLoader:
    """Batches for training and validation; they depend on the recipe and the epoch's number alone.

    Attributes:
        made: Numbers of the versions whose outputs are cached, in the order in which epochs take them.
    """

    def __init__(
        self,
        recipe: Recipe,
        chosen: Backbone,
        data: TrainingData,
        outputs: FrozenOutputs,
        versions: Versions | None,
        made: Sequence[int] = (),
    ) -> None:
        """Compute nothing yet; `made` are versions whose outputs are cached already."""
        self._recipe, self._chosen, self._data = recipe, chosen, data
        self._outputs, self._versions = outputs, versions
        self.made = list(made)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._recipe.steps_per_epoch or -(-len(self._data.subsets["training"]) // self._recipe.batch_size)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Positions of the training photos in the order of an epoch, counted from the beginning of the run."""
        random = np.random.default_rng((self._recipe.seed, epoch if self._recipe.shuffle else 0))
        usable = self._data.usable
        wanted = self._recipe.steps_per_epoch * self._recipe.batch_size or len(usable)
        rounds = [random.permutation(usable) for _ in range(-(-wanted // max(1, len(usable))))]
        return np.concatenate(rounds)[:wanted]

    def version(self, plan: PhasePlan, epoch: int, compute: Callable[[int], None]) -> int:
        """Which version of the photos an epoch of the run takes; `compute` makes sure that it is cached."""
        version = version_of(plan, epoch, self.made)
        if not (plan.augmented and plan.cached):
            return version
        try:
            compute(version)
        except FeatureCacheError as error:
            if version in self.made or not self.made:
                raise
            print(error, flush=True)  # there is no room for another version: those that there are serve again
            version = self.made[epoch % len(self.made)]
            compute(version)
        self.made = list(dict.fromkeys([*self.made, version]))
        return version

    def stretch(self, epoch: int, first: int, last: int) -> NDArray[np.intp]:
        """Positions of the photos that an epoch takes from step `first` to before step `last`."""
        size = self._recipe.batch_size
        return self.order(epoch)[first * size : last * size]

    def training(
        self, plan: PhasePlan, version: int, epoch: int, positions: NDArray[np.intp], first: int = 0
    ) -> tf.data.Dataset:
        """Batches of a stretch of an epoch, which begins with the step `first`."""
        softening = softening_of(self._recipe, self._data.classes, epoch)
        return self._batches(plan, version, positions, softening, first, self._data.weights)

    def validation(self, plan: PhasePlan) -> tf.data.Dataset:
        """The validation photos as they are."""
        plain = Softening(self._data.classes) if self._recipe.needs_soft_targets else None
        return self._batches(plan, ORIGINAL, self._data.subsets["validation"], plain)

    def _batches(
        self,
        plan: PhasePlan,
        version: int,
        positions: NDArray[np.intp],
        softening: Softening | None,
        first: int = 0,
        weights: NDArray[np.float32] | None = None,
    ) -> tf.data.Dataset:
        gather, shape = self._source(plan, version)
        return batches(gather, self._data.labels, positions, self._recipe.batch_size, shape, softening, first, weights)

    def _source(self, plan: PhasePlan, version: int) -> tuple[Gather, tuple[int, ...]]:
        if plan.cached:
            shape = row_shape(self._chosen, plan.boundary, self._recipe.pooling)
            return self._outputs.gather(plan.boundary, version), shape
        photos, versions = self._data.photos, self._versions
        if version == ORIGINAL or versions is None:
            return photos.pixels, photos.shape
        digests = self._data.digests
        return lambda some: versions.make(photos.pixels(some), [digests[i] for i in some], version), photos.shape
