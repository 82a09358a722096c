"""What a report is made of, read from a run's folder and its photos."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.images import thumbnail
from core.data.scan.walk import check_photo
from core.data.subsets import SUBSETS, TRAINING
from core.errors import PhotoError, RunError
from core.evaluation.metrics import Evaluation
from core.evaluation.run_results import photos_of
from core.evaluation.training_dynamics import TrainingDynamics, read_training_dynamics
from core.formatting import percent, whole
from core.inference.decision import temperature_of
from core.language import retold, tr
from core.recipe.recipe import Recipe
from core.recipe.run_recipe import read_recipe
from core.reports.card_facts import CardFacts, read_card_facts
from core.runs.store import Run, Status

PHOTO_PIXELS = 144
MOST_EXAMPLES, OF_A_CLASS = 36, 6
MOST_MISTAKES, MOST_SUSPECTS = 24, 12


@dataclass(frozen=True)
class Suspect:
    """A photo whose label is probably wrong: the label that it has, the one that is suggested, how sure that is."""

    path: str
    given: str
    suggested: str
    confidence: float


@dataclass(frozen=True)
class ReportContext:
    """What a report needs to know that is not in the run's folder.

    Attributes:
        name: What people call the run.
        suspects: What checking the dataset's labels found, most suspect first; None where they were not checked.
        decisions: Sentences on what was decided about photos of the dataset.
        misfit: Why that check says little, if it does.
    """

    name: str
    suspects: tuple[Suspect, ...] | None = None
    decisions: tuple[str, ...] = ()
    misfit: str = ""


@dataclass(frozen=True)
class Photo:
    """A small photo: its path, its caption, and its JPEG, which is empty where it can no longer be read."""

    path: str
    caption: str
    jpeg: bytes


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """Everything that a report shows.

    Attributes:
        card: What is known of the model.
        context: What is not in the run's folder.
        recipe: How it was trained.
        status: How the run ended.
        metrics: What it measured, see `Run.read_metrics`.
        examples: Some training photos of each class, by its name; not of every class where there are many.
        mistakes: Test photos that are mistaken for another class, the most confident first, as many as are shown.
        suspects: Photos whose labels are probably wrong, as many as are shown.
        dynamics: Its predictions on the validation photos after each epoch; None where they were not kept.
        temperature: The calibration temperature; None where there are no predictions on validation photos.
        environment: Versions and hardware.
        left_out: Photos that could not be read, each with the reason.
    """

    card: CardFacts
    context: ReportContext
    recipe: Recipe
    status: Status
    metrics: Sequence[dict[str, Any]]
    examples: dict[str, tuple[Photo, ...]]
    mistakes: tuple[Photo, ...]
    suspects: tuple[Photo, ...]
    dynamics: TrainingDynamics | None
    temperature: float | None
    environment: dict[str, Any]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PhotoReader:
    """Where photos may be read: the dataset's folder, the folders that may be read at all, and the largest photo."""

    folder: Path
    roots: tuple[Path, ...]
    max_pixels: int

    def photos(self, wanted: Sequence[tuple[str, str]]) -> tuple[Photo, ...]:
        """Small photos for paths with captions, in order."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return tuple(pool.map(lambda each: Photo(each[0], each[1], self._jpeg(each[0])), wanted))

    def _jpeg(self, path: str) -> bytes:
        try:
            return thumbnail(check_photo(self.folder / path, self.roots), PHOTO_PIXELS, self.max_pixels)
        except PhotoError:
            return b""


def read_report_facts(run: Run, context: ReportContext, roots: Sequence[Path], max_pixels: int) -> ReportFacts:
    """Read what a report of a run shows; photos only below `roots`.

    Raises:
        UnfreezeError: The run's folder does not hold what it should.
    """
    recipe = read_recipe(run)
    reader = PhotoReader(Path(recipe.dataset), tuple(roots), max_pixels)
    card = read_card_facts(run, context.name)
    return ReportFacts(
        card,
        context,
        recipe,
        run.read_status(),
        run.read_metrics(),
        _examples(run, card.class_names, reader),
        _mistakes(card.evaluation, reader),
        reader.photos([(each.path, _suspicion(each)) for each in (context.suspects or ())[:MOST_SUSPECTS]]),
        _dynamics(run),
        _temperature(run),
        run.environment(),
        _left_out(run),
    )


def _examples(run: Run, class_names: Sequence[str], reader: PhotoReader) -> dict[str, tuple[Photo, ...]]:
    paths, labels = photos_of(run, SUBSETS[TRAINING])
    each = max(1, min(OF_A_CLASS, MOST_EXAMPLES // len(class_names)))
    chosen = {
        name: [paths[i] for i in _spread(np.flatnonzero(labels == label), each)]
        for label, name in enumerate(class_names[:MOST_EXAMPLES])
    }
    shown = iter(reader.photos([(path, name) for name, found in chosen.items() for path in found]))
    return {name: tuple(next(shown) for _ in found) for name, found in chosen.items()}


def _spread(positions: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the positions, evenly."""
    count = min(most, len(positions))
    return positions[(np.arange(count) * len(positions)) // max(1, count)]


def _mistakes(found: Evaluation | None, reader: PhotoReader) -> tuple[Photo, ...]:
    if found is None or not found.paths:
        return ()
    return reader.photos([(found.paths[i], _mistake(found, i)) for i in found.most_wrong()[:MOST_MISTAKES].tolist()])


def _mistake(found: Evaluation, position: int) -> str:
    shows, taken_for = (found.class_names[found.labels[position]], found.class_names[found.predicted[position]])
    sure = percent(float(found.confidence[position]))
    return tr("{label}, mistaken for {other} ({share} confident)", label=shows, other=taken_for, share=sure)


def _suspicion(suspect: Suspect) -> str:
    return tr(
        "labelled {label}, perhaps {other} ({share})",
        label=suspect.given,
        other=suspect.suggested,
        share=whole(suspect.confidence),
    )


def _dynamics(run: Run) -> TrainingDynamics | None:
    try:
        return read_training_dynamics(run)
    except RunError:
        return None


def _temperature(run: Run) -> float | None:
    """The temperature that fits the validation photos best."""
    try:
        return temperature_of(run)
    except RunError:
        return None


def _left_out(run: Run) -> tuple[tuple[str, str], ...]:
    return tuple((photo.file, retold(photo.reason)) for photo in run.left_out())
