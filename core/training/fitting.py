"""Training phase by phase: what each epoch is fed with, and how long what remains will take."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from core.errors import ShelfError
from core.models.backbones import Backbone
from core.models.learner import choose_learning, learner_of
from core.runs.store import Run
from core.training.augmenter import build_augmenter
from core.training.callbacks import RunCallback, StopAsked
from core.training.extraction import ORIGINAL, FrozenOutputs
from core.training.photos import Photos
from core.training.pipeline import batches
from core.training.plan import Way, row_shape
from core.training.recipe import Recipe
from core.training.recorder import FROM_SCRATCH, Phase, Recorder

FRESH_SHARE = 0.25
"""A new version of all photos is made for another epoch when that takes no more than this share of the epoch."""

MOST_LONGER = 1.5
"""How many times more epochs than planned a phase may get where there turns out to be time."""

PROBE_STEPS = 4
"""Steps that are measured, and undone, before a phase begins; the first also compiles and does not count."""


WRITING_SECONDS = 4.0
"""A first guess of how long it takes to write the model and its graph."""

PHOTOS_PER_SECOND = 60.0
"""A first guess of how fast the graph predicts."""


@dataclass(frozen=True)
class Material:
    """What there is to learn from.

    Attributes:
        photos: The pixels.
        labels: (N,).
        parts: For each part the positions of its photos.
        class_weights: How much each class counts in training, by label; None if alike.
    """

    photos: Photos
    labels: NDArray[np.int32]
    parts: Mapping[str, NDArray[np.intp]]
    class_weights: Mapping[int, float] | None


class Fitting:
    """One run's training, epoch by epoch.

    Attributes:
        callback: What watches every step; knows whether a stop was asked for.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        chosen: Backbone,
        model: keras.Model,
        material: Material,
        ways: Sequence[Way],
        outputs: FrozenOutputs,
        recorder: Recorder,
    ) -> None:
        """Get ready to train the classifier `model` in the given ways."""
        self._run, self._recipe, self._chosen, self._model = run, recipe, chosen, model
        self._material, self._ways, self._outputs, self._recorder = material, list(ways), outputs, recorder
        self._learners: dict[str, keras.Model] = {}
        self._augmenter = build_augmenter(recipe.augmentations, recipe.seed)
        self._steps = -(-len(self._training) // recipe.batch_size)
        self._epochs_done = 0
        self._made: list[int] = []
        self._seconds_left: float | None = None
        self.callback = RunCallback(run, recorder, model)

    @property
    def _training(self) -> NDArray[np.intp]:
        return self._material.parts["training"]

    @property
    def _validation(self) -> NDArray[np.intp]:
        return self._material.parts["validation"]

    def fit(self) -> bool:
        """Train to the end; returns whether a stop was asked for.

        Raises:
            StopAsked: It was, before anything was learned.
        """
        size = min(self._recipe.batch_size, len(self._training))
        self._recorder.plan(tuple(way.phase for way in self._ways), self._steps, size)
        self._estimate_rest()
        for number in range(len(self._ways)):
            self._begin(number)
            for epoch in range(self._ways[number].phase.epochs):
                self._epoch(number, epoch)
                if self.callback.stopped:
                    self.callback.settle()
                    return True
                if epoch == 0 and number + 1 < len(self._ways):
                    self._measure(number + 1)
                    self._choose(self._ways[number].phase)
                    self._fit_into_time(number + 1)
                if self._is_over(number):
                    break
            self.callback.settle()
        return False

    def _begin(self, number: int) -> None:
        """Enter a phase: make its learner, unless it was made to be measured."""
        way = self._ways[number]
        self._choose(way.phase)
        if way.phase.name not in self._learners:
            self._learners[way.phase.name] = self._learner(way)
        self._recorder.begin_phase(way.phase, way.reason)
        self.callback.rate = cosine_decay(way.phase.learning_rate, way.phase.epochs * self._steps)

    def _choose(self, phase: Phase) -> None:
        choose_learning(
            self._model,
            self._chosen,
            phase.unfreeze_point,
            drop_connect=self._recipe.drop_connect,
            from_scratch=phase.name == FROM_SCRATCH,
        )

    def _learner(self, way: Way) -> keras.Model:
        """The network to train in a phase, with its optimizer; what learns has been chosen."""
        return learner_of(self._model, self._chosen, way.boundary, keras.optimizers.Adam(way.phase.learning_rate))

    def _epoch(self, number: int, epoch: int) -> None:
        way = self._ways[number]
        try:
            source, validation = self._feed(way)
        except StopAsked:
            if not self._epochs_done:
                raise
            self.callback.stopped = True
            return
        self._recorder.begin_epoch(epoch)
        began = time.perf_counter()
        self._learners[way.phase.name].fit(
            source,
            validation_data=validation,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[self.callback],
            class_weight=self._material.class_weights,
            verbose=0,
        )
        self._recorder.estimator.epoch(way.phase, time.perf_counter() - began)
        self._epochs_done += 1

    def _feed(self, way: Way) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        """The batches of the next epoch, in an order of its own, and those of the validation."""
        random = np.random.default_rng((self._recipe.seed, self._epochs_done))
        version = self._version(way) if way.kept else ORIGINAL
        failures = self._material.photos.failures  # a photo may have gone before a later version of it was computed
        order = random.permutation([i for i in self._training if i not in failures])
        return self._batches(way, version, order, self._augmenter), self._batches(way, ORIGINAL, self._validation)

    def _batches(
        self, way: Way, version: int, positions: NDArray[np.intp], augmenter: keras.Sequential | None = None
    ) -> tf.data.Dataset:
        labels, size = self._material.labels, self._recipe.batch_size
        if way.kept:
            gather, shape = self._outputs.gather(way.boundary, version), row_shape(self._chosen, way.boundary)
            return batches(gather, labels, positions, size, shape)
        photos = self._material.photos
        return batches(photos.pixels, labels, positions, size, photos.shape, augmenter)

    def _version(self, way: Way) -> int:
        """Which version of the photos the next epoch takes; a new one is computed while there are to be more."""
        if not way.augmented:
            return ORIGINAL
        if self._epochs_done < way.views or self._affords_fresh(way):
            try:
                self._compute(self._epochs_done, way)
                self._made.append(self._epochs_done)
                return self._epochs_done
            except ShelfError as error:  # there is no room for another one: those that there are serve again
                print(error, flush=True)
        return self._made[self._epochs_done % len(self._made)]

    def _compute(self, version: int, way: Way) -> None:
        boundaries = self._boundaries_from(way)
        missing = self._outputs.count_missing(self._training, version, boundaries)
        if missing:
            epoch = self._epochs_done - self._epochs_before(way)
            self._seconds_left = self._recorder.estimator.seconds_left(way.phase, epoch, 0)
            self._recorder.begin_computing(f"Computing version {version + 1} of each photo")
        self._outputs.compute(self._training, version, boundaries, lambda done: self._on_photos(done, missing))
        self._estimate_rest()

    def _on_photos(self, done: int, total: int) -> None:
        if self._run.stop_requested():
            raise StopAsked
        left, rate = self._seconds_left, self._outputs.photos_per_second
        self._recorder.computing(done, total, None if left is None or not rate else max(0.0, left - done / rate))

    def _boundaries_from(self, way: Way) -> tuple[str, ...]:
        """Where outputs are wanted from this phase on."""
        later = self._ways[[each.phase.name for each in self._ways].index(way.phase.name) :]
        return tuple(dict.fromkeys(each.boundary for each in later if each.kept))

    def _affords_fresh(self, way: Way) -> bool:
        """Whether another version of all photos costs little beside an epoch."""
        rate = self._outputs.photos_per_second
        if rate is None or way is not self._ways[-1] or self._epochs_done == self._epochs_before(way):
            return False
        return len(self._training) / rate <= FRESH_SHARE * self._recorder.estimator.epoch_seconds(way.phase)

    def _epochs_before(self, way: Way) -> int:
        names = [each.phase.name for each in self._ways]
        return sum(each.phase.epochs for each in self._ways[: names.index(way.phase.name)])

    def _measure(self, number: int) -> None:
        """Measure a step of a phase to come, so that the estimate of what remains holds from now on."""
        way = self._ways[number]
        self._choose(way.phase)
        learner = self._learners[way.phase.name] = self._learner(way)
        version = self._made[0] if way.augmented and way.kept else ORIGINAL
        few = self._training[: PROBE_STEPS * self._recipe.batch_size]
        self._recorder.tell(message="Measuring how long fine-tuning will take")
        seconds = seconds_of_step(learner, self._batches(way, version, few, self._augmenter))
        self._recorder.estimator.step(way.phase, seconds)

    def _fit_into_time(self, number: int) -> None:
        """Plan as many epochs of the phase to come, now that it was measured, as there is time for."""
        seconds = self._seconds_to_deadline()
        if seconds is None:
            return
        way, estimator = self._ways[number], self._recorder.estimator
        present = self._ways[number - 1].phase
        before = (present.epochs - 1) * estimator.epoch_seconds(present) + estimator.finishing
        if estimator.photos_per_second:
            before += estimator.pending / estimator.photos_per_second
        epochs = int((seconds - before) / estimator.epoch_seconds(way.phase))
        epochs = max(1, min(epochs, round(MOST_LONGER * way.phase.epochs)))
        self._ways[number] = replace(way, phase=replace(way.phase, epochs=epochs))
        self._recorder.change_plan(tuple(each.phase for each in self._ways))

    def _is_over(self, number: int) -> bool:
        """Whether there is no time for another epoch of a phase."""
        seconds = self._seconds_to_deadline()
        if seconds is None:
            return False
        estimator = self._recorder.estimator
        return seconds < estimator.epoch_seconds(self._ways[number].phase) + estimator.finishing

    def _seconds_to_deadline(self) -> float | None:
        if not self._recipe.minutes:
            return None
        return self._recorder.status.created + self._recipe.minutes * 60 - time.time()

    def _estimate_rest(self) -> None:
        """Tell the estimator what else there is to do: versions to come, and the photos that are tested at the end."""
        estimator = self._recorder.estimator
        estimator.photos_per_second = self._outputs.photos_per_second
        views = max((way.views for way in self._ways if way.kept and way.augmented), default=0)
        total = sum(way.phase.epochs for way in self._ways)
        estimator.pending = max(0, min(views, total) - len(self._made) - 1) * len(self._training)
        tested = len(self._validation) + len(self._material.parts["test"])
        estimator.finishing = WRITING_SECONDS + tested / (estimator.photos_per_second or PHOTOS_PER_SECOND)


def cosine_decay(peak: float, steps: int) -> Callable[[int], float]:
    """The learning rate of each step, from 0: half a cosine wave from the peak to 0 (Loshchilov and Hutter, SGDR)."""
    return lambda step: peak * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))


def seconds_of_step(learner: keras.Model, source: tf.data.Dataset) -> float:
    """Measure a step of a compiled network on a few batches, after which all its variables are as they were."""
    learner.optimizer.build(learner.trainable_variables)
    variables = [*learner.variables, *learner.optimizer.variables]
    before = [variable.numpy() for variable in variables]
    clock = _Clock()
    learner.fit(source, callbacks=[clock], verbose=0)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return statistics.median(clock.seconds[1:] or clock.seconds)


class _Clock(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Takes the time of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)
