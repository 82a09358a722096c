"""One training run, from recipe to tested model.

Importing this module brings no TensorFlow, which is loaded when a run is carried out.
"""

import json
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data.scan.folder import check_inside
from core.errors import StorageError, TrainingDiverged, UnfreezeError, WeightsNotFound
from core.files import FULL, write_atomically
from core.language import sentences, tr
from core.models import weights
from core.models.backbones import FEATURES, backbone
from core.models.openvino_runtime import BATCH, OpenVINOModel
from core.processes.children import at_idle_priority
from core.recipe.plan import final_boundary
from core.recipe.recipe import Recipe, are_few
from core.recipe.run_recipe import read_recipe, settle
from core.runs.messages import Message
from core.runs.store import FAILED, FINISHED, PAUSED, STOPPED, Run, Status
from core.settings import Settings
from core.training.budget.cost_model import LEAST_FIXED_SECONDS, Counts, Throughput
from core.training.budget.throughput import known_throughput, remember_fixed
from core.training.budget.time_budget import fitted, timed_variants
from core.training.feature_cache.kept_graphs import KeptGraph
from core.training.finishing import finish, keep_embeddings
from core.training.inputs.photos import Photos, in_chunks, learned_and_judged
from core.training.interruption import PauseAsked, StopAsked
from core.training.network import feature_cache, prepare
from core.training.preparation import Ready, ready
from core.training.process.libraries import load_keras
from core.training.recorder import Recorder
from core.training.transfer.starting import start_of, weights_of_start

LEAST_FREE = 100_000
"""Bytes free on the disk, below which it was full when something failed, whatever the library said that failed."""

PROBE_PHOTOS = 96
"""How many photos the throughput of this machine is measured with."""


def train(run: Run, settings: Settings, prepared: KeptGraph | None = None) -> None:
    """Carry out a run from its folder's recipe and split; every outcome ends up in its status.

    What was prepared is used if it is of this run's network; the result is the same.

    An error that a person can fix ends in the state "failed" with its message; any other does too, and is raised.
    """
    with telling_how_it_ends(run) as recorder:
        _carry_out(run, settings, recorder, prepared)


@contextmanager
def telling_how_it_ends(run: Run) -> Iterator[Recorder]:
    """Write to the run's status how the work inside ended."""
    recorder = Recorder(run)
    try:
        yield recorder
    except StopAsked:
        end(recorder, STOPPED, Message("stopped-untrained"))
    except PauseAsked:
        end(recorder, PAUSED, _how_far(recorder.status))
    except UnfreezeError as error:
        _fail(run, recorder, error)
    except Exception as error:
        # The process is about to end: whatever it was, the person who watches must read about it.
        _fail(run, recorder, error)
        raise
    finally:
        shutil.rmtree(run.work_folder, ignore_errors=True)


def _carry_out(run: Run, settings: Settings, recorder: Recorder, prepared: KeptGraph | None) -> None:
    recipe = read_recipe(run)
    if recipe.minutes and not run.has_checkpoint():
        recipe, prepared = _fit_into_time(run, recipe, settings, recorder, prepared)
    with ready(run, recipe, settings, recorder, prepared) as all_there:
        from core.training.environment import describe_environment

        write_atomically(run.environment_file, json.dumps(describe_environment(), indent=2))
        getting_ready, resumed = recorder.seconds - all_there.outputs.seconds, run.has_checkpoint()
        stopped = _fit(run, all_there, recorder)
        fitted_at = recorder.seconds
        cached = finish(run, all_there, recorder)
        if stopped:
            end(recorder, STOPPED, Message("stopped"))
        else:
            end(recorder, FINISHED, Message("finished"))
        if not resumed and final_boundary(all_there.plans, all_there.chosen):  # else it has looked at photos again
            fixed_seconds = getting_ready + recorder.seconds - fitted_at
            remember_fixed(settings.home, all_there.chosen.key, fixed_seconds)
        at_idle_priority(partial(keep_embeddings, run, all_there, settings, cached))


def _fit(run: Run, given: Ready, recorder: Recorder) -> bool:
    """Train to the end and write the best model; returns whether a stop was requested."""
    from core.training.fitting import Fitting

    fitting = Fitting(run, given, recorder)
    try:
        with _logs(run, given.recipe, recorder):
            stopped = fitting.fit()
    except TrainingDiverged as error:
        if not fitting.callback.best:
            raise
        fitting.callback.settle()
        finish(run, given, recorder)
        raise TrainingDiverged(
            sentences(
                error.text,
                tr("The best model until then, of epoch {epoch}, is kept.", epoch=recorder.status.best_epoch or 0),
            )
        ) from error
    fitting.callback.settle()
    return stopped


@contextmanager
def _logs(run: Run, recipe: Recipe, recorder: Recorder) -> Iterator[None]:
    """Write logs for TensorBoard meanwhile, if the recipe asks for them."""
    if not recipe.tensorboard:
        yield
        return
    from core.training.tensorboard import Logs

    with Logs(run.tensorboard_folder) as logs:
        recorder.log_to(logs.write)
        yield


def _how_far(status: Status) -> Message:
    if not status.epoch:
        return Message("paused-before-training")
    return Message("paused", {"epoch": status.epoch, "epochs": status.epochs})


def _fit_into_time(
    run: Run, recipe: Recipe, settings: Settings, recorder: Recorder, prepared: KeptGraph | None
) -> tuple[Recipe, KeptGraph | None]:
    """Measure this machine on a few of the photos, and settle the choices that depend on the time budget."""
    load_keras()  # which would disturb the measurement
    recorder.tell(phase="preparing", message=Message("benchmarking"), progress=None)
    start = start_of(run, recipe)
    if start:
        file, available = weights_of_start(run, start), [backbone(recipe.backbone)]
        prepared = prepare(recipe.backbone, settings, feature_cache(settings), file)
    else:
        available = [row for row in timed_variants() if weights.look_up(row, settings)]
    if not available:
        raise WeightsNotFound(weights.describe_missing(backbone(recipe.backbone), settings))
    probe = next((row for row in available if prepared and row.key == prepared.backbone), available[0])
    if not start and (prepared is None or prepared.backbone != probe.key):
        prepared = prepare(probe.key, settings, feature_cache(settings))
    root = check_inside(Path(recipe.dataset), settings.dataset_roots)
    folder, parts, _ = learned_and_judged(run, root)
    files = [folder.absolute(index) for index in np.random.default_rng(0).permutation(len(folder))[:PROBE_PHOTOS]]
    few = Photos(files, probe.resolution, run.work_folder / "few.npy", settings.dataset_roots, settings.limits.pixels)
    rate, guess = _photos_per_second(prepared, few), Throughput(1.0, probe.flops)
    fixed_seconds = known_throughput(settings.home, probe, guess).throughput.fixed_seconds - recorder.seconds
    measured = Throughput(rate, probe.flops, max(LEAST_FIXED_SECONDS, fixed_seconds))
    counts = Counts.of(parts)
    left = recipe.minutes * 60 - recorder.seconds
    are_too_few = are_few(counts.training, len(folder.class_names))
    fitting = fitted(recipe, available, measured, counts, left, few=are_too_few)
    settle(run, fitting)
    return fitting, prepared


def _photos_per_second(prepared: KeptGraph | None, photos: Photos) -> float:
    if prepared is None:
        raise RuntimeError("the weights were there a moment ago")
    part = OpenVINOModel(prepared.graph, [FEATURES])
    batches = [(None, photos.pixels(chunk).astype(np.float32)) for chunk in in_chunks(np.arange(len(photos)), BATCH)]
    part.run_all(batches[:1], lambda *_: None)
    began = time.perf_counter()
    part.run_all(batches, lambda *_: None)
    return len(photos) / (time.perf_counter() - began)


def end(recorder: Recorder, state: str, message: Message) -> None:
    """Tell that the run has ended, or pauses."""
    recorder.tell(**_ended(state, message))


def _ended(state: str, message: Message) -> dict[str, Any]:
    return {
        "state": state,
        "phase": "",
        "message": message,
        "progress": None,
        "seconds_left": None,
        "ended": time.time(),
    }


def _fail(run: Run, recorder: Recorder, error: Exception) -> None:
    """Tell that the run has failed; that comes first, because the disk may be full and take nothing after it."""
    details = traceback.format_exc()
    recorder.tell(**_ended(FAILED, Message("failed")), error=_in_words(error, run))
    with suppress(OSError):
        run.error_file.write_text(details, "utf-8")


def _in_words(error: Exception, run: Run) -> str:
    if isinstance(error, UnfreezeError) and not isinstance(error, StorageError):
        return error.text
    if _is_full(run.folder) or (isinstance(error, OSError) and error.errno in FULL):
        return tr("The disk is full. Free some space, then resume the run: at most one epoch is lost.")
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return tr("This computer ran out of memory. Choose a smaller variant or a smaller batch size, and start again.")
    if isinstance(error, StorageError):
        return error.text
    first_line = str(error).strip().splitlines()[:1]
    return tr(
        "The trainer ended with an unexpected {kind}: {reason}",
        kind=type(error).__name__,
        reason=" ".join(first_line)[:300],
    )


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LEAST_FREE
