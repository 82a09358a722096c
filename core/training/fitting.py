"""Training phase by phase, from the last checkpoint to the end, with an estimate of the time left."""

import statistics
import time
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from core.errors import WeightsError
from core.language import tr
from core.models.backbones import FEATURES, Backbone
from core.models.heads import HEAD_LAYERS
from core.models.sample_predictions import SamplePredictions
from core.models.trainable import changing, choose_learning, learner_of, values_of
from core.recipe.phases import FINE_TUNE, FROM_SCRATCH, Phase
from core.recipe.plan import ORIGINAL, PhasePlan, boundaries_of, final_boundary, starts_with_regression
from core.recipe.recipe import Recipe
from core.runs.messages import Message
from core.runs.store import Run
from core.training.budget.cost_model import finishing_seconds
from core.training.callbacks import RunCallback
from core.training.checkpoint import Checkpoint, Checkpoints
from core.training.head_start import beside_learned, regression_head
from core.training.interruption import PauseAsked, StopAsked, obey
from core.training.preparation import Ready
from core.training.recorder import Recorder
from core.training.schedule import Schedule

MOST_LONGER = 1.5
"""By which factor a phase may get more epochs than planned if there is time."""

PROBE_STEPS = 4
"""Steps that are measured, and undone, before a phase begins; the first also compiles and does not count."""

LEARNING, BEST, OPTIMIZER = "learning/", "best/", "optimizer/"
"""What the names of a checkpoint's arrays begin with."""


@dataclass(frozen=True)
class Position:
    """How far training has come: phases completed, epochs of the next phase, and steps of the next epoch."""

    phase: int = 0
    epoch: int = 0
    step: int = 0


class Fitting:
    """One run's training.

    Attributes:
        callback: Records every step.
    """

    def __init__(self, run: Run, given: Ready, recorder: Recorder) -> None:
        """Get ready to train, by the plans, what was prepared."""
        self._run, self._recorder = run, recorder
        self._recipe, self._chosen, self._model, self._data = given.recipe, given.chosen, given.model, given.data
        self._plans, self._loader, self._outputs = list(given.plans), given.loader, given.outputs
        self._steps, self._earlier = given.loader.steps, given.earlier
        self._learners: dict[tuple[str, ...], keras.Model] = {}
        self._checkpoints = Checkpoints(run.checkpoints_folder)
        self._at = Position()
        self._epochs_done = 0
        self._epoch_seconds = 0.0
        self._seconds_left: float | None = None
        self._predictions = SamplePredictions(len(given.data.subsets["validation"]))
        self.callback = RunCallback(run, recorder, given.model, self._predictions)

    def fit(self) -> bool:
        """Train to the end; returns whether a stop was requested.

        Raises:
            StopAsked: It was, before the first epoch.
            PauseAsked: A pause was requested; the checkpoint is written.
            WeightsError: The run began with other pretrained weights than there are now.
        """
        self._begin_run(self._checkpoints.read())
        while self._at.phase < len(self._plans):
            self._begin()
            while self._at.epoch < self._phase.epochs:
                if not self._stretch():
                    return True
            self._at = Position(self._at.phase + 1)
        return False

    @property
    def _plan(self) -> PhasePlan:
        return self._plans[self._at.phase]

    @property
    def _phase(self) -> Phase:
        return self._plan.phase

    @property
    def _learner(self) -> keras.Model:
        return self._learners[_learner_key(self._plan)]

    def _begin_run(self, found: Checkpoint | None) -> None:
        """Announce the phases, and continue from the checkpoint if there is one."""
        size = min(self._recipe.batch_size, len(self._data.subsets["training"]))
        every = self._recipe.validate_every
        if found:
            for number, epochs in enumerate(found.facts["epochs"]):
                self._change_epochs(number, epochs)
        self._recorder.plan(self._phases, self._steps, size, self._steps / every if every else 1.0)
        self._recorder.go_on_from(found.facts["recorder"] if found else None)
        if found:
            self._restore(found)
        self._estimate_rest()

    @property
    def _phases(self) -> tuple[Phase, ...]:
        return tuple(plan.phase for plan in self._plans)

    def _change_epochs(self, number: int, epochs: int) -> None:
        plan = self._plans[number]
        self._plans[number] = replace(plan, phase=replace(plan.phase, epochs=epochs))

    def _begin(self) -> None:
        """Enter the phase, with its learner, unless that was done to restore or to measure it."""
        plan, phase = self._plan, self._phase
        self._choose(phase)
        if _learner_key(plan) not in self._learners:
            self._learners[_learner_key(plan)] = self._make_learner(plan)
        self._recorder.begin_phase(phase, plan.reason)
        if self._at.epoch == self._at.step == 0:
            self.callback.begin_phase(self._schedule(), self._steps)

    def _schedule(self) -> Schedule:
        schedule = Schedule(self._recipe, self._phase.learning_rate, self._phase.epochs, self._steps)
        if self._phase.kind == FINE_TUNE and not self._phase.added and self._recorder.best_loss is not None:
            schedule.must_beat(self._recorder.best_loss)
        return schedule

    def _choose(self, phase: Phase) -> None:
        choose_for(self._model, self._chosen, self._recipe, phase)

    def _make_learner(self, plan: PhasePlan) -> keras.Model:
        return learner_for(self._model, self._chosen, self._recipe, plan, plan.phase.learning_rate, self._predictions)

    def _stretch(self) -> bool:
        """Train up to the next validation or the end of the epoch, and keep a checkpoint; returns False for a stop."""
        last, validates = self._end_of_stretch()
        try:
            version = self._version()
        except StopAsked:
            if not self._epochs_done:
                raise
            return False
        if self._at == Position():
            self._start_head(version)
        self._fit(last, validates, version)
        if self.callback.interrupted and self._run.stop_requested():
            if self.callback.is_cut_short:
                self._go_to(self.callback.step)
            return False
        self._go_to(self.callback.step)
        if self._run.pause_requested():
            raise PauseAsked
        if self._at.step == 0:
            self._after_epoch()
        return True

    def _start_head(self, version: int) -> None:
        """Put the head at the logistic regression on the features of this version of the photos, if they are cached.

        Classes that it has from an earlier run keep what was learned of them.
        """
        known = self._earlier.known if self._earlier else ()
        if self._earlier and self._earlier.knows_all:
            return
        data, given = self._data, self._data.usable
        if starts_with_regression(self._recipe, self._plan, len(given)):
            features = self._outputs.gather(FEATURES, version)(given).astype(np.float32)
            weights = None if data.weights is None else data.weights[given]
            found = regression_head(features, data.labels[given], data.classes, weights)
            head = self._model.get_layer(HEAD_LAYERS[-1])
            head.set_weights(beside_learned(head.get_weights(), found, known))

    def _end_of_stretch(self) -> tuple[int, bool]:
        """The step of the epoch before which the stretch ends, and whether a validation follows it."""
        every, steps = self._recipe.validate_every, self._steps
        if not every:
            return steps, True
        before = self._at.epoch * steps
        following = (before + self._at.step) // every * every + every - before
        last_of_phase = following >= steps and self._at.epoch + 1 == self._phase.epochs
        return min(following, steps), following <= steps or last_of_phase

    def _fit(self, last: int, validates: bool, version: int) -> None:
        first, epoch = self._at.step, self._at.epoch
        positions = self._loader.stretch(self._epochs_done, first, last)
        source = self._loader.training(self._plan, version, self._epochs_done, positions, first)
        self._recorder.begin_epoch(epoch, first)
        self.callback.begin_stretch(epoch, first, len(positions), self._recipe.batch_size, version)
        began = time.perf_counter()
        self._learner.fit(
            source,
            validation_data=self._loader.validation(self._plan) if validates else None,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[self.callback],
            verbose=0,
        )
        self._epoch_seconds += time.perf_counter() - began

    def _go_to(self, step: int) -> None:
        """Move on to a step, and write a checkpoint."""
        at = replace(self._at, step=step)
        if step >= self._steps:
            at = Position(at.phase, at.epoch + 1)
            self._epochs_done += 1
            self._recorder.estimator.epoch(self._phase, self._epoch_seconds)
            self._epoch_seconds = 0.0
        self._at = at
        if self.callback.over:
            self._end_phase_here()
        self._write_checkpoint()

    def _end_phase_here(self) -> None:
        """Plan no more epochs of this phase than have begun."""
        if self._at.step:
            self._at = Position(self._at.phase, self._at.epoch + 1)
            self._epochs_done += 1
        self._change_epochs(self._at.phase, self._at.epoch)
        self._recorder.change_plan(self._phases)

    def _after_epoch(self) -> None:
        """Adapt the plan to the time left, now that the duration of an epoch is known."""
        number = self._at.phase
        if self._at.epoch == 1 and number + 1 < len(self._plans):
            self._measure(number + 1)
            self._choose(self._phase)
            self._fit_into_time(number + 1)
        if self._at.epoch < self._phase.epochs and self._is_over():
            self._end_phase_here()
            self._write_checkpoint()

    def _version(self) -> int:
        version = self._loader.version(self._plan, self._epochs_done, self._compute)
        self._estimate_rest()
        return version

    def _compute(self, version: int) -> None:
        training, boundaries = self._data.subsets["training"], self._boundaries_from_here()
        missing = self._outputs.count_missing(training, version, boundaries)
        if missing:
            self._seconds_left = self._recorder.estimator.seconds_left(self._phase, self._at.epoch, 0)
            self._recorder.begin_computing(Message("computing-version", {"number": version + 1}))
        self._outputs.compute(training, version, boundaries, lambda done: self._on_photos(done, missing))

    def _on_photos(self, done: int, total: int) -> None:
        obey(self._run)
        left, rate = self._seconds_left, self._outputs.photos_per_second
        self._recorder.computing(done, total, None if left is None or not rate else max(0.0, left - done / rate))

    def _boundaries_from_here(self) -> tuple[str, ...]:
        """The boundaries whose outputs are needed from this phase on."""
        return boundaries_of(self._plans[self._at.phase :])

    def _write_checkpoint(self) -> None:
        learning = {LEARNING + name: values for name, values in values_of(changing(self._model)).items()}
        best = {BEST + name: values for name, values in self.callback.best.items()}
        variables = {f"{OPTIMIZER}{number}": each for number, each in enumerate(self._learner.optimizer.variables)}
        facts = {
            "position": [self._at.phase, self._at.epoch, self._at.step],
            "epochs_done": self._epochs_done,
            "epochs": [phase.epochs for phase in self._phases],
            "versions": self._loader.made,
            "schedule": self.callback.schedule.state(),
            "recorder": self._recorder.facts(),
            "weights": self._outputs.weights,
        }
        self._checkpoints.write(Checkpoint(facts, {**learning, **best, **values_of(variables)}))

    def _restore(self, found: Checkpoint) -> None:
        if found.facts["weights"] != self._outputs.weights:
            raise WeightsError(
                tr(
                    "This run began with other pretrained weights than this computer has now, so it cannot be resumed."
                    " Put the old file back into the weights folder, or start a new run."
                )
            )
        self._at = Position(*found.facts["position"])
        self._epochs_done = found.facts["epochs_done"]
        self._loader.made = list(found.facts["versions"]) or self._loader.made
        self._choose(self._phase)
        learner = self._learners[_learner_key(self._plan)] = self._make_learner(self._plan)
        variables = changing(self._model)
        for name, values in found.under(LEARNING).items():
            variables[name].assign(values)
        for number, values in found.under(OPTIMIZER).items():
            learner.optimizer.variables[int(number)].assign(values)
        self.callback.begin_phase(self._schedule(), self._steps)
        self.callback.schedule.restore(found.facts["schedule"])
        self.callback.best = found.under(BEST)

    def _measure(self, number: int) -> None:
        """Measure a step of a phase to come, so that the estimate of what remains holds from now on."""
        plan = self._plans[number]
        if _learner_key(plan) in self._learners:
            return
        self._choose(plan.phase)
        learner = self._learners[_learner_key(plan)] = self._make_learner(plan)
        version = self._loader.made[0] if plan.augmented and plan.cached else ORIGINAL
        self._recorder.tell(message=Message("timing-fine-tuning"))
        batches = self._loader.training(plan, version, 0, self._loader.stretch(0, 0, PROBE_STEPS))
        seconds = seconds_of_step(learner, batches)
        self._recorder.estimator.step(plan.phase, seconds)

    def _fit_into_time(self, number: int) -> None:
        """Plan as many epochs of the phase to come, now that it was measured, as there is time for."""
        seconds = self._seconds_to_deadline()
        if seconds is None:
            return
        phase, estimator = self._plans[number].phase, self._recorder.estimator
        before = (self._phase.epochs - 1) * estimator.epoch_seconds(self._phase) + estimator.finishing
        if estimator.photos_per_second:
            before += estimator.pending / estimator.photos_per_second
        epochs = int((seconds - before) / estimator.epoch_seconds(phase))
        self._change_epochs(number, max(1, min(epochs, round(MOST_LONGER * phase.epochs))))
        self._recorder.change_plan(self._phases)

    def _is_over(self) -> bool:
        """Whether there is no time for another epoch of the phase."""
        seconds, estimator = self._seconds_to_deadline(), self._recorder.estimator
        return seconds is not None and seconds < estimator.epoch_seconds(self._phase) + estimator.finishing

    def _seconds_to_deadline(self) -> float | None:
        return self._recipe.minutes * 60 - self._recorder.seconds if self._recipe.minutes else None

    def _estimate_rest(self) -> None:
        """Update the estimate with the other work: versions still to compute, and the photos tested at the end."""
        estimator = self._recorder.estimator
        estimator.photos_per_second = self._outputs.photos_per_second
        views = max((plan.views for plan in self._plans if plan.cached and plan.augmented), default=0)
        total = sum(plan.phase.epochs for plan in self._plans)
        subsets = self._data.subsets
        estimator.pending = max(0, min(views, total) - len(self._loader.made)) * len(subsets["training"])
        looked_at = bool(final_boundary(self._plans, self._chosen))  # what the frozen part makes of them is cached
        tested = 0 if looked_at else len(subsets["validation"]) + len(subsets["test"])
        estimator.finishing = finishing_seconds(tested, estimator.photos_per_second)


def _learner_key(plan: PhasePlan) -> tuple[str, ...]:
    return (*plan.phase.learning, plan.boundary)


def choose_for(model: keras.Model, chosen: Backbone, recipe: Recipe, phase: Phase) -> None:
    """Set what learns in a classifier during a phase of a recipe."""
    choose_learning(
        model,
        chosen,
        phase.unfreeze_point,
        layer=phase.unfreeze_layer,
        drop_connect=recipe.drop_connect,
        from_scratch=phase.kind == FROM_SCRATCH,
    )


def learner_for(
    model: keras.Model,
    chosen: Backbone,
    recipe: Recipe,
    plan: PhasePlan,
    learning_rate: float,
    predictions: SamplePredictions | None = None,
) -> keras.Model:
    """The network to train in a phase of a recipe, with a fresh optimizer; what learns has been chosen."""
    optimizer, soft = optimizer_of(recipe, learning_rate), recipe.needs_soft_targets
    return learner_of(model, chosen, plan.boundary, optimizer, soft_targets=soft, predictions=predictions)


def optimizer_of(recipe: Recipe, learning_rate: float) -> keras.optimizers.Optimizer:
    """A fresh optimizer as a recipe asks for."""
    kinds = {
        "adam": (keras.optimizers.Adam, {}),
        "adamw": (keras.optimizers.AdamW, {"weight_decay": recipe.weight_decay}),
        "sgd": (keras.optimizers.SGD, {"momentum": recipe.momentum}),
        "rmsprop": (keras.optimizers.RMSprop, {}),
    }
    kind, special = kinds[recipe.optimizer]
    averages = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    optimizer = kind(learning_rate, **special, **averages)
    if recipe.ema:
        optimizer.ema_momentum = keras.Variable(recipe.ema)  # Keras has no schedule for it: `RunCallback` sets it
    # At the end of each `fit` Keras puts the averages in the place of the weights, but the next `fit` trains on; it has
    # no option to leave them, and own averages beside the optimizer would not fit the checkpoints of earlier runs.
    optimizer.finalize_variable_values = lambda variables: None
    return optimizer


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
    """Measures every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)
