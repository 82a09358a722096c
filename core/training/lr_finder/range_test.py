"""The learning-rate range test: the trainer's side, which tries rates on some of the photos."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from core.models.trainable import changing, values_of
from core.recipe.phases import HEAD, PHASE_KEYS
from core.recipe.plan import ORIGINAL, PhasePlan
from core.recipe.run_recipe import read_recipe
from core.runs.messages import Message
from core.runs.store import FINISHED, Run
from core.settings import Settings
from core.training.fitting import choose_for, learner_for
from core.training.interruption import obey
from core.training.loop import end, telling_how_it_ends
from core.training.lr_finder.finder import STEPS, has_exploded, rate_at, smoothed
from core.training.preparation import Ready, ready
from core.training.recorder import Recorder

MOST: Mapping[str, int] = {"training": 512, "validation": 8, "test": 1}
"""So many photos of each part are looked at."""

WARMING_EPOCHS = 3
"""Epochs that the head learns at the rate found for it, before rates for fine-tuning are tried."""

SPARED: Mapping[str, Any] = {
    "augmentations": {},
    "views": 1,
    "mixup": 0.0,
    "cutmix": 0.0,
    "ema": 0.0,
    "minutes": 0,
    "gradual": False,
    "more_epochs": (),
    "shuffle": True,
}
"""What a sweep leaves out, because it costs time and says little about the rate."""


def sweep(run: Run, settings: Settings) -> None:
    """Try learning rates for each phase of a recipe; every outcome ends up in the folder's status."""
    with telling_how_it_ends(run) as recorder:
        recipe = replace(read_recipe(run), **SPARED)
        size = min(recipe.batch_size, MOST["training"])
        recipe = replace(recipe, batch_size=size, steps_per_epoch=STEPS)
        with ready(run, recipe, settings, recorder, most=MOST) as given:
            for number, plan in enumerate(given.plans):
                _sweep_phase(run, given, plan, recorder, number)
        end(recorder, FINISHED, Message("finished"))


def _sweep_phase(run: Run, given: Ready, plan: PhasePlan, recorder: Recorder, number: int) -> None:
    phase = plan.phase
    recorder.tell(phase=phase.kind, message=Message(f"find-rate-{PHASE_KEYS[phase.kind]}"), progress=0.0)
    choose_for(given.model, given.chosen, given.recipe, phase)
    before = values_of(changing(given.model))
    trial = _Trial(run, phase.kind, recorder, number, len(given.plans))
    _fit(given, plan, phase.learning_rate, STEPS, trial)
    for name, variable in changing(given.model).items():
        variable.assign(before[name])
    if phase.kind == HEAD and number + 1 < len(given.plans):
        steps = WARMING_EPOCHS * -(-len(given.data.subsets["training"]) // given.recipe.batch_size)
        _fit(given, plan, trial.best_rate, steps, keras.callbacks.Callback())


def _fit(given: Ready, plan: PhasePlan, rate: float, steps: int, callback: keras.callbacks.Callback) -> None:
    learner = learner_for(given.model, given.chosen, given.recipe, plan, rate)
    positions = given.loader.stretch(0, 0, steps)
    source = given.loader.training(plan, ORIGINAL, 0, positions)
    learner.fit(source, callbacks=[callback], verbose=0)


class _Trial(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Raises the rate from step to step, and writes down what the loss does."""

    def __init__(self, run: Run, phase: str, recorder: Recorder, number: int, count: int) -> None:
        super().__init__()
        self._run, self._phase, self._recorder = run, phase, recorder
        self._done, self._count = number, count
        self._losses: list[float] = []
        self._rates: list[float] = []
        self._sum = 0.0

    @property
    def best_rate(self) -> float:
        """A tenth of the rate with the lowest loss; safe for learning on."""
        losses = smoothed(self._losses).tolist()
        return float(self._rates[losses.index(min(losses))]) / 10

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate.assign(rate_at(batch))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        obey(self._run)
        total = float((logs or {})["loss"]) * (batch + 1)
        loss, self._sum = total - self._sum, total
        if not math.isfinite(loss):
            self.model.stop_training = True
            return
        self._losses.append(loss)
        self._rates.append(rate_at(batch))
        self._run.append_metrics({"phase": self._phase, "learning_rate": self._rates[-1], "loss": round(loss, 6)})
        self._recorder.tell_often(progress=(self._done + (batch + 1) / STEPS) / self._count)
        self.model.stop_training = has_exploded(smoothed(self._losses))
