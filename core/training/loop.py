"""One training run from recipe to model; the only place that opens a recipe while training."""

import errno
import json
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder, check_inside
from core.data.split import read_split_csv
from core.data.subsets import SUBSETS
from core.errors import DataError, FeatureCacheError, TrainingDiverged, UnfreezeError, WeightsNotFound
from core.files import write_atomically
from core.models import weights
from core.models.backbones import FEATURES, Backbone, backbone
from core.models.build import build_model
from core.models.frozen import graph_to, tensor_at, weights_hash
from core.models.heads import AVERAGE, Head
from core.models.openvino_runtime import BATCH, OpenVINOModel
from core.models.serving import PROBABILITIES, ServingGraph, write_graph
from core.recipe.plan import ORIGINAL, PhasePlan, first_versions, plan_phases
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe, settle
from core.runs.messages import Message
from core.runs.store import FAILED, FINISHED, PAUSED, STOPPED, Run, Status
from core.settings import Settings
from core.training.budget import throughput
from core.training.budget.time_budget import Counts, Pace, fitted, timed_variants
from core.training.callbacks import PauseAsked, StopAsked, obey
from core.training.environment import describe_environment
from core.training.feature_cache.cache import FeatureCache
from core.training.feature_cache.extraction import Frozen, FrozenOutputs
from core.training.fitting import Fitting
from core.training.inputs.augmenter import Versions
from core.training.inputs.data_loader import DataLoader, TrainingData
from core.training.inputs.photos import Photos, RunPhotos, a_few_of, in_chunks, look_at
from core.training.linear_probe import linear_probe
from core.training.recorder import Recorder
from core.training.tensorboard import Logs

FIRST_VALIDATION, FIRST_TRAINING = 104, 200
"""How many validation and training photos the first linear probe uses, if there are as many."""

PROBE_PHOTOS = 96
"""How many photos this machine is measured with."""

MOST_TRAINING = 3_000
"""Training photos that a linear probe uses at most: memory for it grows with the square of their number."""

GROWTH = 3
"""How many times more photos each further probe uses."""


@dataclass(frozen=True)
class Prepared:
    """A frozen part that was converted before it was known for which run.

    Attributes:
        backbone: The backbone's key.
        weights: Hash of its weights.
        graph: Its graph, with outputs at every boundary.
    """

    backbone: str
    weights: str
    graph: ov.Model


def prepare(key: str, settings: Settings) -> Prepared | None:
    """Convert the frozen part of a backbone if its weights are on this machine, so that a run need not wait for it.

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


def train(run: Run, settings: Settings, prepared: Prepared | None = None) -> None:
    """Carry out a run from its folder's recipe and split; every outcome ends up in its status.

    What was prepared is used if it is of this run's network; the result is the same.

    What a person can mend ends in the state "failed" with its sentence; anything else does too, and is raised.
    """
    with telling_how_it_ends(run) as recorder:
        _carry_out(run, settings, recorder, prepared)


@contextmanager
def telling_how_it_ends(run: Run) -> Iterator[Recorder]:
    """Have whatever ends what is done inside end up in the run's status."""
    recorder = Recorder(run)
    try:
        yield recorder
    except StopAsked:
        end(recorder, STOPPED, Message("stopped-untrained"))
    except PauseAsked:
        end(recorder, PAUSED, _how_far(recorder.status))
    except UnfreezeError as error:
        _fail(run, recorder, str(error))
    except Exception as error:
        # The process is about to end: whatever it was, the person who watches must read of it.
        _fail(run, recorder, _in_words(error))
        raise
    finally:
        shutil.rmtree(run.work_folder, ignore_errors=True)


def _carry_out(run: Run, settings: Settings, recorder: Recorder, prepared: Prepared | None) -> None:
    recipe = read_recipe(run)
    keras.utils.clear_session()
    if recipe.minutes and not run.has_checkpoint():
        recipe, prepared = _fit_into_time(run, recipe, settings, recorder, prepared)
    write_atomically(run.environment_file, json.dumps(describe_environment(), indent=2))
    with ready(run, recipe, settings, recorder, prepared) as all_there:
        stopped = _fit(run, all_there, recorder)
    _finish(run, all_there, recorder)
    if stopped:
        end(recorder, STOPPED, Message("stopped"))
    else:
        end(recorder, FINISHED, Message("finished"))


@dataclass(frozen=True)
class Ready:
    """All that training needs.

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
    boundaries = tuple(dict.fromkeys(plan.boundary for plan in plans if plan.cached))
    frozen = Frozen(model, chosen, boundaries)
    if prepared is not None and prepared.weights == frozen.weights and recipe.pooling == AVERAGE:
        frozen.graph = prepared.graph
    with FrozenOutputs(cache, frozen, given.photos, given.digests, versions, recipe.pooling) as outputs:
        plans = _first_pass(run, given, plans, outputs, recorder)
        throughput.remember(settings.home, chosen.key, outputs.computed, outputs.seconds)
        data = _training_data(run, recipe, given, recorder)
        loader = DataLoader(recipe, chosen, data, outputs, versions, first_versions(plans))
        yield Ready(recipe, chosen, model, given, data, plans, loader, outputs)


def _fit(run: Run, given: Ready, recorder: Recorder) -> bool:
    """Train to the end and write the best model; returns whether a stop was asked for."""
    fitting = Fitting(
        run, given.recipe, given.chosen, given.model, given.data, given.plans, given.loader, given.outputs, recorder
    )
    try:
        with _logs(run, given.recipe, recorder):
            stopped = fitting.fit()
    except TrainingDiverged as error:
        if not fitting.callback.best:
            raise
        fitting.callback.settle()
        _finish(run, given, recorder)
        raise TrainingDiverged(
            f"{error} The best model until then, of epoch {recorder.status.best_epoch}, is kept."
        ) from error
    fitting.callback.settle()
    return stopped


@contextmanager
def _logs(run: Run, recipe: Recipe, recorder: Recorder) -> Iterator[None]:
    """Write logs for TensorBoard meanwhile, if the recipe asks for them."""
    if not recipe.tensorboard:
        yield
        return
    with Logs(run.tensorboard_folder) as logs:
        recorder.log_to(logs.write)
        yield


def _how_far(status: Status) -> Message:
    if not status.epoch:
        return Message("paused-before-training")
    return Message("paused", {"epoch": status.epoch, "epochs": status.epochs})


def _fit_into_time(
    run: Run, recipe: Recipe, settings: Settings, recorder: Recorder, prepared: Prepared | None
) -> tuple[Recipe, Prepared | None]:
    """Measure this machine on a few of the photos, and settle what of a recipe the time decides."""
    recorder.tell(phase="preparing", message=Message("benchmarking"), progress=None)
    available = [row for row in timed_variants() if weights.look_up(row, settings)]
    if not available:
        raise WeightsNotFound(weights.describe_missing(backbone(recipe.backbone), settings))
    probe = next((row for row in available if prepared and row.key == prepared.backbone), available[0])
    if prepared is None or prepared.backbone != probe.key:
        prepared = prepare(probe.key, settings)
    root = check_inside(Path(recipe.dataset), settings.dataset_roots)
    folder, parts = read_split_csv(run.split_file, root)
    files = [folder.absolute(index) for index in np.random.default_rng(0).permutation(len(folder))[:PROBE_PHOTOS]]
    few = Photos(files, probe.resolution, run.work_folder / "few.npy", settings.dataset_roots, settings.limits.pixels)
    measured = Pace(_photos_per_second(prepared, few), probe.flops)
    counts = Counts(*(int((parts == number).sum()) for number in range(len(SUBSETS))))
    left = recipe.minutes * 60 - recorder.seconds
    fitting = fitted(recipe, available, measured, counts, left)
    settle(run, fitting)
    return fitting, prepared


def _photos_per_second(prepared: Prepared | None, photos: Photos) -> float:
    if prepared is None:
        raise RuntimeError("the weights were there a moment ago")
    part = OpenVINOModel(prepared.graph, [FEATURES])
    batches = [(None, photos.pixels(chunk).astype(np.float32)) for chunk in in_chunks(np.arange(len(photos)), BATCH)]
    part.run_all(batches[:1], lambda *_: None)
    began = time.perf_counter()
    part.run_all(batches, lambda *_: None)
    return len(photos) / (time.perf_counter() - began)


def _first_pass(
    run: Run, given: RunPhotos, plans: Sequence[PhasePlan], outputs: FrozenOutputs, recorder: Recorder
) -> tuple[PhasePlan, ...]:
    """Compute, or decode, what the first epoch needs; returns the plans, without caching where the cache fails."""
    boundaries = tuple(dict.fromkeys(plan.boundary for plan in plans if plan.cached))
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

    Photos come in an order of chance, so that the probes use a fair sample.
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
    _report_left_out(run, given.folder, failures, recorder)
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


def _report_left_out(run: Run, folder: ImageFolder, failures: dict[int, str], recorder: Recorder) -> None:
    if failures:
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
    head = Head(recipe.dropout, recipe.pooling, recipe.head_batch_norm, recipe.seed)
    return build_model(chosen, head, len(run.class_names()), file)


def _finish(run: Run, given: Ready, recorder: Recorder) -> None:
    """Take the best weights, write the graph that predicts, and measure it, once, on the test subset."""
    model, data = given.model, given.data
    recorder.tell(phase="finishing", message=Message("finishing"), progress=None, seconds_left=None)
    model.load_weights(run.best_file)
    run.embeddings_file.unlink(missing_ok=True)  # of the model before these epochs
    write_graph(model, run.serving_folder)
    graph, photos = ServingGraph(run.serving_folder), data.photos
    for part in ("validation", "test"):
        positions = data.subsets[part]
        chunks = [graph.run(photos.pixels(chunk))[PROBABILITIES] for chunk in in_chunks(positions)]
        probabilities = np.concatenate(chunks)
        labels = data.labels[positions]
        np.savez(run.predictions_file(part), probabilities=probabilities, labels=labels)
    correct = int((probabilities.argmax(1) == labels).sum())
    recorder.tell(test_correct=correct, test_count=len(labels), test_accuracy=correct / len(labels))
    _report_left_out(run, given.given.folder, given.given.photos.failures, recorder)


def end(recorder: Recorder, state: str, message: Message) -> None:
    """Tell that the run has ended, or pauses."""
    recorder.tell(state=state, phase="", message=message, progress=None, seconds_left=None, ended=time.time())


def _fail(run: Run, recorder: Recorder, sentence: str) -> None:
    run.error_file.write_text(traceback.format_exc(), "utf-8")
    recorder.tell(error=sentence)
    end(recorder, FAILED, Message("failed"))


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full. Make room, and let the run go on: it loses an epoch at most."
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "This computer ran out of memory. Choose a smaller variant or a smaller batch size, and start again."
    first_line = str(error).strip().splitlines()[:1]
    return f"The trainer ended with an unexpected {type(error).__name__}: {' '.join(first_line)[:300]}"
