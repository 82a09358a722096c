"""A thorough label check: the trainer's side, with Keras. `core.training.thorough_check.checks` is the server's.

For each fold, the last blocks of a pretrained network are fine-tuned on the photos of the other folds for a few epochs,
and then say how well each class fits the photos of this one. What enters these blocks is computed once for all.
"""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from core.data.scan.index import known_digests
from core.errors import DataError, FeatureCacheError
from core.files import replacing
from core.labels.held_out import Fold, by_fold, divide
from core.labels.label_noise import FIRST_SHARPNESS, likely_true
from core.labels.logistic_regression import fitted
from core.language import tr
from core.models.backbones import FEATURES, Backbone, backbone
from core.models.heads import HEAD_LAYERS, Head
from core.models.trainable import changing, choose_learning, learner_of, values_of
from core.recipe.augmentations import default_augmentations
from core.recipe.plan import ORIGINAL
from core.runs.messages import Message
from core.runs.store import FINISHED, STOPPED, Run
from core.settings import Settings
from core.training.budget import throughput
from core.training.checkpoint import Checkpoint, Checkpoints
from core.training.dataset_features.job import OWN_BYTES, photos_of
from core.training.feature_cache.cache import FeatureCache
from core.training.feature_cache.extraction import Frozen, FrozenOutputs
from core.training.inputs.photos import Photos, in_chunks
from core.training.inputs.versions import Versions
from core.training.interruption import StopAsked, obey
from core.training.loop import end, telling_how_it_ends
from core.training.network import Network, feature_cache
from core.training.preparation import fetch_weights
from core.training.recorder import Recorder
from core.training.thorough_check.checks import EPOCHS, SCORES, Request, boundary_of, read_request

BATCH = 32
PEAK_RATE = 3e-4
"""The highest learning rate, of Adam, from which it falls to 0 in half a wave."""

WARM_SHARE = 0.06
"""Share of the steps in which the learning rate rises to it."""

DROPOUT = 0.2

PENALTY = 1.0
"""Of the logistic regression that the head begins with, on features of mean squared length 1."""

VERSION = 0
"""The augmented version that networks learn from as often as from the photos as they are."""

QUICK_WEIGHT = 0.25
"""Weight of the log-probabilities of the quick check, which judges by the frozen features, against the networks'."""

LEAST = np.float32(1e-7)
"""Below this, probabilities count alike."""

LEARNING, OPTIMIZER, FOUND = "learning/", "optimizer/", "found"
"""What the names of a checkpoint's arrays begin with."""

Scores = NDArray[np.float32]


def check(run: Run, settings: Settings) -> None:
    """Carry out a check, from its last checkpoint on; every outcome ends up in the folder's status."""
    with telling_how_it_ends(run) as recorder:
        try:
            _carry_out(run, settings, recorder)
        except StopAsked:
            end(recorder, STOPPED, Message("stopped-check"))


def _carry_out(run: Run, settings: Settings, recorder: Recorder) -> None:
    request = read_request(run)
    chosen = backbone(request.backbone)
    recorder.tell(phase="preparing", message=Message("indexing-photos"), progress=None)
    photos = photos_of(run, request.dataset, request.paths, chosen, settings)
    known = known_digests(settings.index_folder, Path(request.dataset))
    digests = photos.digests([known.get(path) for path in request.paths])
    for position, (digest, expected) in enumerate(zip(digests, request.digests, strict=True)):
        if digest and digest.hex() != expected:
            photos.failures[position] = "the file has changed meanwhile"
    file = fetch_weights(run, chosen, settings, recorder)
    shared = feature_cache(settings)
    network = Network(chosen, shared)
    network.build(Head(DROPOUT), len(request.class_names), file, 0)
    frozen = network.frozen()
    try:
        outputs = _computed(run, shared, frozen, request, photos, digests, recorder)
    except FeatureCacheError:  # a run is using what is kept, or there is no room: then without it
        own = FeatureCache(run.work_folder / "trunk", OWN_BYTES)
        outputs = _computed(run, own, frozen, request, photos, digests, recorder)
    with outputs:
        throughput.remember(settings.home, chosen.key, outputs.timed, outputs.seconds)
        usable = np.array([i for i in range(len(photos)) if i not in photos.failures], np.intp)
        if len(usable) < 2:
            raise DataError(
                tr(
                    "No photo in {folder} can be read any more. Check the folder and start again.",
                    folder=request.dataset,
                )
            )
        found = np.full((len(photos), len(request.class_names)), np.nan, np.float32)
        found[usable] = FineTunings(run, request, network.model(), chosen, outputs, usable, recorder).carry_out()
    with replacing(run.folder / SCORES) as written:
        np.savez(written, scores=found)
    shutil.rmtree(run.checkpoints_folder, ignore_errors=True)
    end(recorder, FINISHED, Message("finished"))


def _computed(
    run: Run,
    cache: FeatureCache,
    frozen: Frozen,
    request: Request,
    photos: Photos,
    digests: Sequence[bytes],
    recorder: Recorder,
) -> FrozenOutputs:
    """What enters the last blocks, for every photo as it is and augmented; and its features."""
    versions = Versions(default_augmentations(request.class_names), 0, photos.shape)
    outputs = FrozenOutputs(cache, frozen, photos, digests, versions)
    boundary = boundary_of(frozen.backbone)
    wanted = ((ORIGINAL, (FEATURES, boundary)), (VERSION, (boundary,)))
    everything = np.array([i for i in range(len(photos)) if i not in photos.failures], np.intp)
    try:
        new = sum(outputs.count_missing(everything, version, names) for version, names in wanted)
        recorder.begin_computing(Message("computing-photos"))

        def on_photos(done: int) -> None:
            obey(run)
            recorder.computing(outputs.computed + done, new)

        for version, names in wanted:
            outputs.compute(everything, version, names, on_photos)
    except BaseException:
        outputs.__exit__()
        raise
    return outputs


class FineTunings:
    """The fine-tunings of a check, one for each fold."""

    def __init__(
        self,
        run: Run,
        request: Request,
        model: keras.Model,
        chosen: Backbone,
        outputs: FrozenOutputs,
        usable: NDArray[np.intp],
        recorder: Recorder,
    ) -> None:
        """Divide the photos that can be used, and make what is trained in the model's place."""
        self._run, self._recorder, self._model = run, recorder, model
        self._checkpoints, self._weights = Checkpoints(run.checkpoints_folder), outputs.weights
        self._usable, self._classes = usable, len(request.class_names)
        self._features = outputs.gather(FEATURES, ORIGINAL)(usable).astype(np.float32)
        labels = np.array(request.labels, np.intp)[usable]
        folds = divide(labels, np.array(request.groups)[usable], 0)
        self._folds = list(by_fold(self._features, labels, self._classes, folds, 0, lambda *_: obey(run)))
        self._labels = labels
        boundary = boundary_of(chosen)
        self._inputs = [outputs.gather(boundary, version) for version in (ORIGINAL, VERSION)]
        self._steps = -(-max(len(fold.known) for fold in self._folds) // BATCH)
        choose_learning(model, chosen, boundary)
        self._learner = learner_of(model, chosen, boundary, self._optimizer(), soft_targets=True)
        self._first = self._state()
        self._found = np.zeros((len(usable), self._classes), np.float32)
        self._began, self._done_before = time.monotonic(), 0

    def carry_out(self) -> Scores:
        """How well each class fits each photo, shape (n, K), by networks that have not learned from it.

        Raises:
            StopAsked: A stop was requested.
        """
        place, epoch = self._restore()
        self._began, self._done_before = time.monotonic(), self._done(place, epoch, 0)
        for number in range(place, len(self._folds)):
            fold = self._folds[number]
            if not epoch:
                self._set(self._first)
                self._begin_with_features(fold)
            for each in range(epoch, EPOCHS):
                self._train(fold, number, each)
                if each + 1 < EPOCHS:
                    self._write_checkpoint(number, each + 1)
            self._found[fold.photos] = self._judge(fold)
            self._write_checkpoint(number + 1, 0)
            epoch = 0
        together = (self._found + np.float32(QUICK_WEIGHT) * self._quick()) / (1 + QUICK_WEIGHT)
        return np.asarray(together / FIRST_SHARPNESS, np.float32)  # on the scale of scores, which are about 0 to 1

    def _quick(self) -> Scores:
        """The log-probabilities of the classes by the quick check, shape (n, K)."""
        scores = np.zeros_like(self._found)
        for fold in self._folds:
            scores[fold.photos] = fold.scores
        found: Scores = np.log(np.maximum(likely_true(scores, self._labels).before, LEAST))
        return found

    def _optimizer(self) -> keras.optimizers.Optimizer:
        steps = EPOCHS * self._steps
        warm = max(1, round(WARM_SHARE * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            PEAK_RATE / warm, max(1, steps - warm), warmup_target=PEAK_RATE, warmup_steps=warm
        )
        return keras.optimizers.Adam(rate)

    def _begin_with_features(self, fold: Fold) -> None:
        """Give the head the weights that a logistic regression finds on the features of the frozen network."""
        features = self._features[fold.known]
        scale = np.float32(np.sqrt((features**2).sum(axis=1).mean()) or 1)
        weights, biases = fitted(features / scale, fold.likely, PENALTY)
        self._model.get_layer(HEAD_LAYERS[-1]).set_weights([weights / scale, biases])

    def _train(self, fold: Fold, number: int, epoch: int) -> None:
        random = np.random.default_rng((number, epoch))
        order = np.resize(random.permutation(len(fold.known)), self._steps * BATCH)
        augmented = random.random(len(order)) < 0.5
        for step in range(self._steps):
            obey(self._run)
            rows = slice(step * BATCH, (step + 1) * BATCH)
            some = order[rows]
            self._learner.train_on_batch(self._gather(fold.known[some], augmented[rows]), fold.likely[some])
            self._tell(number, epoch, step + 1)

    def _gather(self, photos: NDArray[np.intp], augmented: NDArray[np.bool_]) -> Scores:
        """What enters the last blocks, of each photo as it is or of its augmented version."""
        positions = self._usable[photos]
        plain = self._inputs[0](positions).astype(np.float32)
        plain[augmented] = self._inputs[1](positions[augmented])
        return plain

    def _judge(self, fold: Fold) -> Scores:
        """The logarithms of the probabilities for the photos of a fold, as the network sees them in both versions."""
        shares = []
        for chunk in in_chunks(fold.photos):
            views = [self._gather(chunk, np.full(len(chunk), augmented)) for augmented in (False, True)]
            shares.append(np.mean([self._learner.predict_on_batch(view) for view in views], axis=0))
        found: Scores = np.log(np.maximum(np.concatenate(shares), LEAST))
        return found

    def _done(self, number: int, epoch: int, step: int) -> int:
        return (number * EPOCHS + epoch) * self._steps + step

    def _tell(self, number: int, epoch: int, step: int) -> None:
        done, total = self._done(number, epoch, step), self._done(len(self._folds), 0, 0)
        pace = (time.monotonic() - self._began) / (done - self._done_before)
        self._recorder.tell_often(
            phase="fine-tune",
            message=Message("checking-labels", {"fold": number + 1, "folds": len(self._folds)}),
            progress=done / total,
            seconds_left=pace * (total - done),
            images_per_second=BATCH / pace,
        )

    def _state(self) -> dict[str, NDArray[Any]]:
        """Everything that changes in training, by name."""
        learning = {LEARNING + name: values for name, values in values_of(changing(self._model)).items()}
        variables = {f"{OPTIMIZER}{i}": each for i, each in enumerate(self._learner.optimizer.variables)}
        return {**learning, **values_of(variables)}

    def _set(self, state: dict[str, NDArray[Any]]) -> None:
        variables = changing(self._model)
        for name, values in state.items():
            kind, _, rest = name.partition("/")
            into = variables[rest] if kind + "/" == LEARNING else self._learner.optimizer.variables[int(rest)]
            into.assign(values)

    def _write_checkpoint(self, number: int, epoch: int) -> None:
        facts = {"fold": number, "epoch": epoch, "weights": self._weights, "photos": len(self._usable)}
        self._checkpoints.write(Checkpoint(facts, {**self._state(), FOUND: self._found}))

    def _restore(self) -> tuple[int, int]:
        """The fold and epoch to go on with; from the beginning where photos or weights are others than they were."""
        found = self._checkpoints.read()
        if found is None or (found.facts["weights"], found.facts["photos"]) != (self._weights, len(self._usable)):
            return 0, 0
        self._found = np.array(found.arrays[FOUND], np.float32)
        self._set({name: values for name, values in found.arrays.items() if name != FOUND})
        return int(found.facts["fold"]), int(found.facts["epoch"])
