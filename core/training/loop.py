"""One training run from recipe to model; the only place that opens a recipe while training."""

import json
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from core.data.folder import ImageFolder, check_inside
from core.data.parts import PARTS
from core.data.split import read_split_csv
from core.errors import DataError, TrainingDiverged, UnfreezeError
from core.files import write_atomically
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.models.build import build_model, set_drop_connect, unfreeze_from
from core.models.heads import Head
from core.models.serving import PROBABILITIES, ServingGraph, write_graph
from core.runs.store import FAILED, FINISHED, STOPPED, Run
from core.settings import Settings
from core.training.augmenter import build_augmenter
from core.training.callbacks import RunCallback, save_model
from core.training.environment import describe_environment
from core.training.pipeline import batches, decode_all, in_chunks
from core.training.recipe import Recipe
from core.training.recorder import FINE_TUNE, FROM_SCRATCH, HEAD, Phase, Recorder

FULL_COST = 2.7
"""A step with everything learning against one with all but the head frozen, as measured on B0 with two cores."""


class _StopAsked(Exception):
    """The run was asked to stop before there was anything to train."""


@dataclass(frozen=True)
class _Photos:
    """Decoded photos, uint8 `(N, S, S, 3)`, labels `(N,)`, for each part the indices into both, and how much each
    class counts in training, by label.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]
    parts: dict[str, NDArray[np.intp]]
    class_weights: dict[int, float] | None


def train(run: Run, settings: Settings) -> None:
    """Carry out a run from its folder's recipe and split; every outcome ends up in its status.

    What a person can mend ends in the state "failed" with its sentence; anything else does too, and is raised.
    """
    recorder = Recorder(run)
    try:
        _carry_out(run, settings, recorder)
    except _StopAsked:
        _end(recorder, STOPPED, "Nothing was trained yet")
    except UnfreezeError as error:
        _fail(run, recorder, str(error))
    except Exception as error:
        # The process is about to end: whatever it was, the person who watches must read of it.
        _fail(run, recorder, _in_words(error))
        raise
    finally:
        shutil.rmtree(run.work_folder, ignore_errors=True)


def _carry_out(run: Run, settings: Settings, recorder: Recorder) -> None:
    recipe = Recipe.from_values(run.recipe_values())
    chosen = backbone(recipe.backbone)
    keras.utils.set_random_seed(recipe.seed)
    write_atomically(run.environment_file, json.dumps(describe_environment(), indent=2))
    photos = _decode(run, recipe, chosen, settings, recorder)
    model = _build(run, recipe, chosen, settings, recorder)
    try:
        stopped = _fit(run, recipe, chosen, model, photos, recorder)
    except TrainingDiverged as error:
        if not run.best_file.exists():
            raise
        _finish(run, model, photos, recorder)
        raise TrainingDiverged(
            f"{error} The best model until then, of epoch {recorder.status.best_epoch}, is kept."
        ) from error
    _finish(run, model, photos, recorder)
    if stopped:
        _end(recorder, STOPPED, "The best model so far is kept")
    else:
        _end(recorder, FINISHED, "Finished")


def _decode(run: Run, recipe: Recipe, chosen: Backbone, settings: Settings, recorder: Recorder) -> _Photos:
    recorder.tell(phase="preparing", message="Reading the photos", progress=0.0)
    root = check_inside(Path(recipe.dataset), settings.dataset_roots)
    folder, parts = read_split_csv(run.split_file, root)
    _check_room(run.folder, len(folder) * chosen.resolution**2 * 3)

    def on_photos(done: int) -> None:
        if run.stop_requested():
            raise _StopAsked
        recorder.tell_often(progress=done / len(folder))

    files = [folder.absolute(index) for index in range(len(folder))]
    store = run.work_folder / "pixels.npy"
    pixels, failures = decode_all(
        files, chosen.resolution, store, settings.dataset_roots, on_photos, settings.limits.pixels
    )
    _report_left_out(run, folder, failures, recorder)
    usable = np.setdiff1d(np.arange(len(folder)), list(failures))
    indices = {name: usable[parts[usable] == number] for number, name in enumerate(PARTS)}
    for name, chosen_indices in indices.items():
        if not len(chosen_indices):
            raise DataError(
                f"No readable photo is left in the {name} part of {root}. Check the folder and start again."
            )
    _require_every_class(folder, indices["training"], failures)
    class_weights = folder.subset(indices["training"]).class_weights() if recipe.class_weights else None
    return _Photos(pixels, folder.labels, indices, class_weights)


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
        reason = next(reasons, "none was in the training part")
        raise DataError(
            f"No readable training photo is left of “{empty[0]}” in {folder.root} ({reason}). Check the folder and"
            " start again."
        )


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed * 1.1:
        raise DataError(
            f"Decoding the photos needs {needed / 1e9:.1f} GB of free disk space under {folder.parent}, and "
            f"{free / 1e9:.1f} GB are free. Make room, or choose a variant with a smaller resolution."
        )


def _report_left_out(run: Run, folder: ImageFolder, failures: dict[int, str], recorder: Recorder) -> None:
    if failures:
        rows = [{"file": folder.paths[index], "reason": failures[index]} for index in sorted(failures)]
        write_atomically(run.left_out_file, json.dumps(rows, indent=1, ensure_ascii=False))
        recorder.tell(left_out=len(rows))


def _build(run: Run, recipe: Recipe, chosen: Backbone, settings: Settings, recorder: Recorder) -> keras.Model:
    file = None
    if chosen.pretrained and recipe.weights == "imagenet":

        def on_bytes(done: int, total: int | None) -> None:
            if run.stop_requested():
                raise _StopAsked
            share = done / total if total else None
            recorder.tell_often(message=f"Downloading weights, {done / 1e6:.0f} MB so far", progress=share)

        recorder.tell(phase="weights", message="Loading the pretrained weights", progress=None)
        file = weights.fetch(chosen, settings, on_bytes)
    model = build_model(chosen, Head(recipe.dropout), len(run.class_names()), file)
    set_drop_connect(model, recipe.drop_connect)
    return model


def phases_of(recipe: Recipe, chosen: Backbone) -> tuple[Phase, ...]:
    """Head first, then from the unfreeze point on; or, without pretrained weights, everything from the start."""
    if not chosen.pretrained or recipe.weights == "random":
        epochs = recipe.head_epochs + recipe.fine_tune_epochs
        return (Phase(FROM_SCRATCH, epochs, recipe.scratch_learning_rate, "all", FULL_COST),)
    share = len(chosen.trainable_blocks(recipe.unfreeze_point)) / len(chosen.blocks)
    cost = 1 + (FULL_COST - 1) * share
    phases = (
        Phase(HEAD, recipe.head_epochs, recipe.head_learning_rate, "none", 1.0),
        Phase(FINE_TUNE, recipe.fine_tune_epochs, recipe.fine_tune_learning_rate, recipe.unfreeze_point, cost),
    )
    return tuple(phase for phase in phases if phase.epochs)


def _fit(run: Run, recipe: Recipe, chosen: Backbone, model: keras.Model, photos: _Photos, recorder: Recorder) -> bool:
    """Train phase by phase; returns whether a stop was asked for."""
    training, size = photos.parts["training"], recipe.batch_size
    steps = -(-len(training) // size)
    augmenter = build_augmenter(recipe.augmentations, recipe.seed)
    source = batches(photos.pixels, photos.labels, training, size, shuffle_seed=recipe.seed, augmenter=augmenter)
    validation = batches(photos.pixels, photos.labels, photos.parts["validation"], size)
    phases = phases_of(recipe, chosen)
    recorder.plan(phases, steps, min(size, len(training)))
    callback = RunCallback(run, recorder)
    for phase in phases:
        schedule = keras.optimizers.schedules.CosineDecay(phase.learning_rate, phase.epochs * steps)
        optimizer = keras.optimizers.Adam(schedule)
        unfreeze_from(model, chosen, phase.unfreeze_point, optimizer, from_scratch=phase.name == FROM_SCRATCH)
        recorder.begin_phase(phase)
        model.fit(
            source,
            validation_data=validation,
            epochs=phase.epochs,
            callbacks=[callback],
            class_weight=photos.class_weights,
            verbose=0,
        )
        if callback.stopped:
            break
    return callback.stopped


def _finish(run: Run, model: keras.Model, photos: _Photos, recorder: Recorder) -> None:
    """Take the best weights, write the graph that predicts, and measure it, once, on the test part."""
    recorder.tell(phase="finishing", message="Writing the model and testing it", progress=None, seconds_left=None)
    if run.best_file.exists():
        model.load_weights(run.best_file)
    else:
        save_model(model, run.best_file)
    write_graph(model, run.serving_folder)
    graph = ServingGraph(run.serving_folder)
    for part in ("validation", "test"):
        indices = photos.parts[part]
        chunks = [graph.run(chunk)[PROBABILITIES] for chunk in in_chunks(photos.pixels, indices)]
        probabilities = np.concatenate(chunks)
        np.savez(run.predictions_file(part), probabilities=probabilities, labels=photos.labels[indices])
    correct = int((probabilities.argmax(1) == photos.labels[indices]).sum())
    recorder.tell(test_correct=correct, test_count=len(indices), test_accuracy=correct / len(indices))


def _end(recorder: Recorder, state: str, message: str) -> None:
    recorder.tell(state=state, phase="", message=message, progress=None, seconds_left=None, ended=time.time())


def _fail(run: Run, recorder: Recorder, sentence: str) -> None:
    run.error_file.write_text(traceback.format_exc(), "utf-8")
    recorder.tell(error=sentence)
    _end(recorder, FAILED, "Failed")


def _in_words(error: Exception) -> str:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "This computer ran out of memory. Choose a smaller variant or a smaller batch size, and start again."
    first_line = str(error).strip().splitlines()[:1]
    return f"The trainer ended with an unexpected {type(error).__name__}: {' '.join(first_line)[:300]}"
