"""Starting from an earlier run: its model is copied into the new run's folder, and their photos are compared."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from core.data.images import file_digest
from core.data.scan.index import known_digests
from core.data.scan.walk import check_photo
from core.errors import PhotoError, WeightsError
from core.language import tr
from core.models.heads import EarlierHead
from core.models.weights import WeightsFile
from core.recipe.recipe import Recipe
from core.recipe.start_point import LearnedPhotos, StartPoint, describe_start, read_start_point
from core.runs.store import Run
from core.settings import Settings
from core.training.inputs.photos import RunPhotos


def copy_start(earlier: Run, run: Run) -> None:
    """Copy the model of an earlier run into the folder of a new one, with what is known of it.

    Raises:
        UnfreezeError: Something of the earlier run cannot be read.
    """
    shutil.copyfile(earlier.best_file, run.start_file)
    run.start_facts_file.write_text(describe_start(earlier, _sha256(run.start_file)).to_json(), "utf-8")


def start_of(run: Run, recipe: Recipe) -> StartPoint | None:
    """What a run begins with, its model compared with what was written down; None where the recipe names no run.

    Raises:
        RunError: What is known of it cannot be read.
        WeightsError: The model is gone, or is another one.
    """
    if not recipe.start_from:
        return None
    found = read_start_point(run)
    try:
        whole = found is not None and _sha256(run.start_file) == found.sha256
    except OSError:
        whole = False
    if found is None or not whole:
        raise WeightsError(
            tr(
                "The weights that this run starts from are damaged or gone ({file}). Start a new run.",
                file=str(run.start_file),
            )
        )
    return found


def weights_of_start(run: Run, start: StartPoint) -> WeightsFile:
    """The file with the weights that a run begins with."""
    return WeightsFile(run.start_file, tr("the run {run}", run=start.run))


def earlier_head(start: StartPoint, recipe: Recipe, class_names: tuple[str, ...]) -> EarlierHead:
    """What of the head in the start's file is taken over by a run with these classes."""
    return EarlierHead(start.head, len(start.class_names), start.columns(recipe, class_names))


def seen_before(start: StartPoint, given: RunPhotos, settings: Settings) -> dict[str, int]:
    """How many validation and test photos of a run the model that it starts from has learned from, by their content.

    Returns these fields of `core.runs.store.Status`.
    """
    digests: set[bytes] = set()
    unknown = 0
    for learned in start.learned:
        found = list(_digests(learned, settings))
        digests.update(digest for digest in found if digest)
        unknown += found.count(b"")
    known = np.array([digest in digests for digest in given.digests], bool)
    return {
        "seen_validation": int(known[given.subsets["validation"]].sum()),
        "seen_test": int(known[given.subsets["test"]].sum()),
        "seen_unknown": unknown,
    }


def _digests(learned: LearnedPhotos, settings: Settings) -> Iterator[bytes]:
    """The digest of each photo, as the last scan found it, or else from the file; empty where it is not known."""
    root = Path(learned.dataset)
    scanned = known_digests(settings.index_folder, root)
    for path in learned.files:
        if path in scanned:
            yield scanned[path].digest
            continue
        digest = b""
        with suppress(PhotoError, OSError):
            digest = file_digest(check_photo(root / path, settings.dataset_roots))
        yield digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
