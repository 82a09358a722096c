"""What comes before training: the photos are read, the network is built, and the first epoch's features computed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import keras
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.errors import DataError, FeatureCacheError
from core.files import write_atomically
from core.models import weights
from core.models.backbones import FEATURES, Backbone, backbone
from core.models.build import build_model
from core.models.frozen import graph_to, tensor_at, weights_hash
from core.models.heads import AVERAGE, Head
from core.recipe.plan import ORIGINAL, PhasePlan, boundaries_of, first_versions, plan_phases
from core.recipe.recipe import Recipe
from core.runs.messages import Message
from core.runs.store import Run
from core.settings import Settings
from core.training.budget import throughput
from core.training.callbacks import obey
from core.training.feature_cache.cache import FeatureCache
from core.training.feature_cache.extraction import Frozen, FrozenOutputs
from core.training.inputs.augmenter import Versions
from core.training.inputs.data_loader import DataLoader, TrainingData
from core.training.inputs.photos import RunPhotos, a_few_of, look_at
from core.training.linear_probe import linear_probe
from core.training.recorder import Recorder

FIRST_VALIDATION, FIRST_TRAINING = 104, 200
"""How many validation and training photos the first linear probe uses, if there are as many."""

MOST_TRAINING = 3_000
"""Training photos that a linear probe uses at most: memory for it grows with the square of their number."""

GROWTH = 3
"""How many times more photos each further probe uses."""


@dataclass(frozen=True)
class Prepared:
    """A frozen part that was converted before its run was known.

    Attributes:
        backbone: The backbone's key.
        weights: Hash of its weights.
        graph: Its graph, with outputs at every boundary.
    """

    backbone: str
    weights: str
    graph: ov.Model


def prepare(key: str, settings: Settings) -> Prepared | None:
    """Convert the frozen part of a backbone, if its weights are on this machine, before a run needs it.

    Raises:
        WeightsError: The weights cannot be used.
    """
    chosen = backbone(key)
    file = weights.look_up(chosen, settings)
    if file is None:
        return None
    model = build_model(chosen, Head(), 2, file)
    names = (FEATURES, *(point for point in chosen.unfreeze_points if point not in ("none", "all")))
    outputs = {name: tensor_at(model, chosen, name) for name in names}
    return Prepared(key, weights_hash(model, chosen), graph_to(model, outputs))


@dataclass(frozen=True)
class Ready:
    """Everything that training needs.

    Attributes:
        recipe: What was chosen.
        chosen: Its backbone.
        model: The classifier.
        given: The photos, with those that cannot be read.
        data: The readable photos with their labels, by subset.
        plans: The input of each phase.
        loader: Makes the batches.
        outputs: Outputs of the frozen part.
    """

    recipe: Recipe
    chosen: Backbone
    model: keras.Model
    given: RunPhotos
    data: TrainingData
    plans: tuple[PhasePlan, ...]
    loader: DataLoader
    outputs: FrozenOutputs


@contextmanager
def ready(
    run: Run,
    recipe: Recipe,
    settings: Settings,
    recorder: Recorder,
    prepared: Prepared | None = None,
    most: Mapping[str, int] | None = None,
) -> Iterator[Ready]:
    """Read the photos, build the network, and compute what the first epoch needs.

    Args:
        run: Whose split it is.
        recipe: What to build.
        settings: Where everything is.
        recorder: Hears of the progress.
        prepared: Is used if it is of this network.
        most: How many photos of each part to take; all, where it is not given.
    """
    keras.utils.set_random_seed(recipe.seed)
    chosen = backbone(recipe.backbone)
    recorder.tell(phase="preparing", message=Message("indexing-photos"), progress=None)
    given = look_at(run, recipe, chosen, settings)
    if most:
        given = a_few_of(given, most)
    model = _build(run, recipe, chosen, settings, recorder)
    cache = FeatureCache(settings.feature_cache_folder, settings.limits.feature_cache_bytes)
    plans = plan_phases(recipe, chosen, len(given.subsets["training"]), len(given.subsets["validation"]), cache.room)
    versions = Versions(recipe.augmentations, recipe.seed, given.photos.shape) if recipe.augmentations else None
    frozen = Frozen(model, chosen, boundaries_of(plans))
    if prepared is not None and prepared.weights == frozen.weights and recipe.pooling == AVERAGE:
        frozen.graph = prepared.graph
    with FrozenOutputs(cache, frozen, given.photos, given.digests, versions, recipe.pooling) as outputs:
        plans = _first_pass(run, given, plans, outputs, recorder)
        throughput.remember(settings.home, chosen.key, outputs.computed, outputs.seconds)
        data = _training_data(run, recipe, given, recorder)
        loader = DataLoader(recipe, chosen, data, outputs, versions, first_versions(plans))
        yield Ready(recipe, chosen, model, given, data, plans, loader, outputs)


def _first_pass(
    run: Run, given: RunPhotos, plans: Sequence[PhasePlan], outputs: FrozenOutputs, recorder: Recorder
) -> tuple[PhasePlan, ...]:
    """Compute, or decode, what the first epoch needs; returns the plans, without caching where the cache fails."""
    boundaries = boundaries_of(plans)
    if boundaries:
        try:
            _compute_first(run, given, plans, boundaries, outputs, recorder)
        except FeatureCacheError as error:
            reason = Message("cache-failed", {"error": str(error)})
            plans = [replace(plan, boundary="", views=0, reason=reason) for plan in plans]
    if not all(plan.cached for plan in plans):
        needed = np.concatenate([given.subsets["training"], given.subsets["validation"]])
        recorder.begin_computing(Message("decoding-photos"))
        given.photos.decode(needed, lambda done: _on_photos(run, recorder, done, len(needed)))
    tested = np.concatenate([given.subsets["validation"], given.subsets["test"]])
    given.photos.decode(tested, lambda done: _on_photos(run, recorder, done, len(tested)))
    return tuple(plans)


def _compute_first(
    run: Run,
    given: RunPhotos,
    plans: Sequence[PhasePlan],
    boundaries: tuple[str, ...],
    outputs: FrozenOutputs,
    recorder: Recorder,
) -> None:
    """Compute the validation photos and the first version of the training photos, and fit linear probes to them.

    Photos are shuffled, so that the probes use a fair sample.
    """
    version = 0 if plans[0].augmented else ORIGINAL
    random = np.random.default_rng(0)
    training, validation = (random.permutation(given.subsets[name]) for name in ("training", "validation"))
    total = len(training) + len(validation)
    new = outputs.count_missing(training, version, boundaries) + outputs.count_missing(validation, ORIGINAL, boundaries)
    recorder.begin_computing(Message("computing-photos"))
    done, known, seen = 0, FIRST_TRAINING, FIRST_VALIDATION
    while done < total:
        for photos, number, most in ((validation, ORIGINAL, seen), (training, version, known)):
            outputs.compute(
                photos[:most],
                number,
                boundaries,
                lambda more: _on_photos(run, recorder, outputs.computed + more, max(1, new)),
            )
        done = len(training[:known]) + len(validation[:seen])
        if new and FEATURES in boundaries:
            _probe(given, outputs, training[: min(known, MOST_TRAINING)], validation[:seen], version, recorder)
        known, seen = known * GROWTH, seen * GROWTH


def _probe(
    given: RunPhotos,
    outputs: FrozenOutputs,
    training: NDArray[np.intp],
    validation: NDArray[np.intp],
    version: int,
    recorder: Recorder,
) -> None:
    usable = [np.array([i for i in part if i not in given.photos.failures], np.intp) for part in (training, validation)]
    features = [
        outputs.gather(FEATURES, number)(part).astype(np.float32)
        for part, number in zip(usable, (version, ORIGINAL), strict=True)
    ]
    labels = [given.folder.labels[part] for part in usable]
    found = linear_probe(features[0], labels[0], features[1], labels[1])
    if found:
        recorder.tell_first(found.accuracy, found.training, found.validation)


def _on_photos(run: Run, recorder: Recorder, done: int, total: int) -> None:
    obey(run)
    recorder.computing(done, total)


def _training_data(run: Run, recipe: Recipe, given: RunPhotos, recorder: Recorder) -> TrainingData:
    """The readable photos by subset, once every training and validation photo was asked for."""
    failures = given.photos.failures
    report_left_out(run, given.folder, failures, recorder)
    subsets = {
        name: np.array([i for i in photos if i not in failures], np.intp) for name, photos in given.subsets.items()
    }
    for name, positions in subsets.items():
        if not len(positions):
            raise DataError(
                f"No readable photo is left in the {name} subset of {given.folder.root}. Check the folder and start"
                " again."
            )
    _require_every_class(given.folder, subsets["training"], failures)
    class_weights = given.folder.subset(subsets["training"]).class_weights() if recipe.class_weights else None
    classes = len(given.folder.class_names)
    return TrainingData(given.photos, given.digests, given.folder.labels, subsets, classes, class_weights)


def _require_every_class(folder: ImageFolder, training: NDArray[np.intp], failures: Mapping[int, str]) -> None:
    """Make sure that no class is left without photos to learn from; a network that never saw it would seem to know it.

    Raises:
        DataError: One is.
    """
    counts = folder.subset(training).counts()
    empty = [name for name, count in zip(folder.class_names, counts, strict=True) if not count]
    if empty:
        label = folder.class_names.index(empty[0])
        reasons = (reason for index, reason in sorted(failures.items()) if folder.labels[index] == label)
        reason = next(reasons, "none was in the training subset")
        raise DataError(
            f"No readable training photo is left of “{empty[0]}” in {folder.root} ({reason}). Check the folder and"
            " start again."
        )


def report_left_out(run: Run, folder: ImageFolder, failures: dict[int, str], recorder: Recorder) -> None:
    """Write which photos could not be read, and why; what could not be read before, and can be now, is forgotten."""
    if failures or run.left_out_file.exists():
        rows = [{"file": folder.paths[index], "reason": failures[index]} for index in sorted(failures)]
        write_atomically(run.left_out_file, json.dumps(rows, indent=1, ensure_ascii=False))
        recorder.tell(left_out=len(rows))


def fetch_weights(run: Run, chosen: Backbone, settings: Settings, recorder: Recorder) -> weights.WeightsFile:
    """The pretrained weights of a backbone, downloaded with progress where they are not here; a stop is obeyed."""

    def on_bytes(done: int, total: int | None) -> None:
        obey(run)
        share = done / total if total else None
        recorder.tell_often(message=Message("downloading-weights", {"bytes": done}), progress=share)

    recorder.tell(phase="weights", message=Message("loading-weights"), progress=None)
    return weights.fetch(chosen, settings, on_bytes)


def _build(run: Run, recipe: Recipe, chosen: Backbone, settings: Settings, recorder: Recorder) -> keras.Model:
    pretrained = chosen.pretrained and recipe.weights == "imagenet"
    file = fetch_weights(run, chosen, settings, recorder) if pretrained else None
    return build_model(chosen, recipe.head, len(run.class_names()), file)
