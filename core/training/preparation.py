"""What comes before training: the photos are read, the network is built, and the first epoch's features computed.

Importing this module brings no TensorFlow; a thread loads it while photos are read.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.data.subsets import SUBSETS
from core.errors import DataError
from core.files import write_atomically
from core.language import kept, tr, tr_mark
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.models.heads import EarlierHead
from core.recipe.plan import PhasePlan, boundaries_of, first_versions, plan_phases, starts_from_nothing
from core.recipe.recipe import Recipe
from core.runs.messages import Message
from core.runs.store import Run
from core.settings import Settings
from core.training.budget import throughput
from core.training.feature_cache.extraction import FrozenOutputs
from core.training.feature_cache.first_pass import FirstPass
from core.training.feature_cache.kept_graphs import KeptGraph
from core.training.inputs.photos import RunPhotos, a_few_of, look_at
from core.training.inputs.versions import Versions
from core.training.interruption import obey
from core.training.network import Network, feature_cache
from core.training.recorder import Recorder
from core.training.transfer.starting import earlier_head, seen_before, start_of, weights_of_start

if TYPE_CHECKING:
    import keras

    from core.training.inputs.data_loader import DataLoader, TrainingData


NONE_LEFT = {
    "training": tr_mark(
        "No readable photo is left in the training subset of {folder}. Check the folder and start again."
    ),
    "validation": tr_mark(
        "No readable photo is left in the validation subset of {folder}. Check the folder and start again."
    ),
    "test": tr_mark("No readable photo is left in the test subset of {folder}. Check the folder and start again."),
}
"""What is told where a subset has no photo that can be read."""


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
        earlier: What the head has from an earlier run, if the run starts from one.
    """

    recipe: Recipe
    chosen: Backbone
    model: "keras.Model"
    given: RunPhotos
    data: "TrainingData"
    plans: tuple[PhasePlan, ...]
    loader: "DataLoader"
    outputs: FrozenOutputs
    earlier: EarlierHead | None = None


@contextmanager
def ready(
    run: Run,
    recipe: Recipe,
    settings: Settings,
    recorder: Recorder,
    prepared: KeptGraph | None = None,
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
    chosen, cache = backbone(recipe.backbone), feature_cache(settings)
    network = Network(chosen, cache)
    recorder.tell(phase="preparing", message=Message("indexing-photos"), progress=None)
    given = look_at(run, recipe, chosen, settings)
    if most:
        given = a_few_of(given, most)
    class_names, start, earlier = run.class_names(), start_of(run, recipe), None
    if start:
        file: weights.WeightsFile | None = weights_of_start(run, start)
        earlier = earlier_head(start, recipe, class_names)
        recorder.tell(**seen_before(start, given, settings))
    else:
        file = None if starts_from_nothing(recipe, chosen) else fetch_weights(run, chosen, settings, recorder)
    network.build(recipe.head, len(class_names), file, recipe.seed, earlier)
    training, *others = (len(given.subsets[name]) for name in SUBSETS)
    learned_head = earlier is not None and earlier.knows_all
    plans = plan_phases(recipe, chosen, training, sum(others), cache.room, learned_head=learned_head)
    versions = Versions(recipe.augmentations, recipe.seed, given.photos.shape) if recipe.augmentations else None
    frozen = network.frozen(
        bool(boundaries_of(plans)), recipe.pooling, prepared, lambda: _tell_what_is_waited_for(network, recorder)
    )
    with FrozenOutputs(cache, frozen, given.photos, given.digests, versions, network.is_built) as outputs:
        plans = FirstPass(run, given, outputs, recorder, network.is_loaded).carry_out(plans)
        throughput.remember(settings.home, chosen.key, outputs.timed, outputs.seconds)
        if versions is None:
            frozen.forget_parts()  # all photos went through
        _tell_what_is_waited_for(network, recorder)
        model = network.model()
        from core.training.inputs.data_loader import DataLoader

        data = _training_data(run, recipe, given, recorder)
        loader = DataLoader(recipe, chosen, data, outputs, versions, first_versions(plans))
        yield Ready(recipe, chosen, model, given, data, plans, loader, outputs, earlier)


def _tell_what_is_waited_for(network: Network, recorder: Recorder) -> None:
    if not network.is_built():
        key = "building-network" if network.is_loaded() else "loading-tensorflow"
        recorder.tell(message=Message(key), progress=None)


def _training_data(run: Run, recipe: Recipe, given: RunPhotos, recorder: Recorder) -> "TrainingData":
    """The readable photos by subset, once every training and validation photo was asked for."""
    from core.training.inputs.data_loader import TrainingData

    failures = given.photos.failures
    report_left_out(run, given.folder, failures, recorder)
    subsets = {
        name: np.array([i for i in photos if i not in failures], np.intp) for name, photos in given.subsets.items()
    }
    for name, positions in subsets.items():
        if not len(positions):
            raise DataError(tr(NONE_LEFT[name], folder=str(given.folder.root)))
    _require_every_class(given.folder, subsets["training"], failures)
    classes = len(given.folder.class_names)
    weights = photo_weights(given.folder.labels, given.certainty, subsets["training"], classes, recipe.class_weights)
    return TrainingData(given.photos, given.digests, given.folder.labels, subsets, classes, weights)


def photo_weights(
    labels: NDArray[np.int32], certainty: NDArray[np.float32], training: NDArray[np.intp], classes: int, balanced: bool
) -> NDArray[np.float32] | None:
    """How much each photo counts in training, shape (N,); None where all count alike.

    Args:
        labels: (N,), below K.
        certainty: (N,), of the labels.
        training: Positions of the training photos.
        classes: K.
        balanced: Whether all classes shall count alike: a photo of a class then counts its certainty times the sum of
            all training photos' certainties, over K times that of its class. With a certainty of 1 throughout this is
            "balanced" of scikit-learn's `compute_class_weight`.
    """
    if not balanced:
        return None if (certainty[training] == 1).all() else certainty
    sums = np.bincount(labels[training], certainty[training], classes)
    return np.asarray(certainty * (sums.sum() / (classes * sums))[labels], np.float32)


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
        reason = next(reasons, tr("none was in the training subset"))
        raise DataError(
            tr(
                "No readable training photo is left of “{label}” in {folder} ({reason}). Check the folder and start"
                " again.",
                label=empty[0],
                folder=str(folder.root),
                reason=reason,
            )
        )


def report_left_out(run: Run, folder: ImageFolder, failures: dict[int, str], recorder: Recorder) -> None:
    """Write which photos could not be read, and why; what could not be read before, and can be now, is forgotten."""
    if failures or run.left_out_file.exists():
        rows = [{"file": folder.paths[index], "reason": kept(failures[index])} for index in sorted(failures)]
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
