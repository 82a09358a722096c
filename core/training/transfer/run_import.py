"""Taking in a run that another installation has packed, whatever the file holds.

Nothing that the file says of itself is believed: only names from a table are unpacked, under our own names; sizes are
counted and hashes compared; each piece is read by its own reader, checked, and written anew by us; the model is built
anew. The run appears whole or not at all, and never takes the place of another.
"""

import csv
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import numpy as np

from core.data.intake.incoming import in_words, shown, unfinished
from core.data.intake.zip_reader import Entry, ZipReader
from core.data.scan.walk import check_inside
from core.data.split import read_split_csv, write_split_csv
from core.errors import DataError, FolderError, PhotoError, RecipeError, TransferError
from core.models.backbones import backbone
from core.models.serving import PROBABILITIES, ServingGraph
from core.recipe.recipe import Recipe
from core.runs.store import Label, Run, RunStore
from core.settings import MEGABYTE, Limits, Settings
from core.training.transfer import imported_arrays, imported_facts
from core.training.transfer.rebuild import rebuild_in_child
from core.training.transfer.run_export import (
    FORMAT,
    MANIFEST,
    MAX_HISTORY_BYTES,
    MAX_WEIGHTS_BYTES,
    PREDICTION_HISTORY,
    RUN_FILES,
    VERSION,
    WEIGHTS,
    reference_images,
)

FOLDER = "transfers"
"""Where under the home runs are put together that are being taken in."""

MAX_ENTRIES = 5_000
MAX_MANIFEST_BYTES = 5 * MEGABYTE
HISTORY_NAME = re.compile(re.escape(PREDICTION_HISTORY) + r"[1-9][0-9]{0,5}\.npy")

DAMAGED = "The file may be damaged, or was changed: export the run once more."

TOLERANCE = 1e-3
"""How far probabilities of the model built anew may be from those that came with it."""

PHOTOS_LOOKED_FOR = 20

Progress = Callable[[str, float | None], None]
"""Hears what is being done, and the share of it that is done, 0 to 1; may raise to give up."""


@dataclass(frozen=True)
class ImportedRun:
    """A run that was taken in.

    Attributes:
        run: The run.
        former_id: What it was called where it came from.
        has_model: Whether a model came with it, so that it can predict.
        photos: The folder where its photos are on this computer; None if they were not found.
    """

    run: Run
    former_id: str
    has_model: bool
    photos: Path | None

    @property
    def sentence(self) -> str:
        """What can be done with it."""
        model = (
            "It can predict and be compared" if self.has_model else "It brought no model; its curves can be looked at"
        )
        if self.photos is None:
            return f"{model}. Its photos are not on this computer, so pages cannot show them."
        return f"{model}. Its photos were found in {self.photos}."


def import_run(
    archive: BinaryIO,
    settings: Settings,
    photos: Path | None = None,
    on_progress: Progress = lambda what, share: None,
) -> ImportedRun:
    """Take in a run that `core.training.transfer.run_export.export_run` has packed.

    Args:
        archive: Seekable; read piece by piece.
        settings: Where runs are kept, and what is read at most.
        photos: A folder that may hold its photos, besides those where they are looked for anyway.
        on_progress: See `Progress`; what it raises leaves nothing behind.

    Raises:
        TransferError: The file is no such run, is damaged, or holds what does not belong there.
        FolderError: It cannot be written, or the disk is full.
    """
    try:
        reader = ZipReader(archive, MAX_ENTRIES)
    except DataError as error:
        raise TransferError(str(error)) from error
    entries = _by_name(reader.entries, settings.limits)
    with unfinished(settings.home / FOLDER, 2 * sum(entry.size for entry in entries.values())) as folder:
        unpacked, run = folder / "came", Run(folder / "run")
        (unpacked / PREDICTION_HISTORY).mkdir(parents=True)
        (run.folder).mkdir()
        manifest = _unpack(reader, entries, unpacked, on_progress)
        imported = _put_together(unpacked, run, manifest, settings, photos, on_progress)
        run = RunStore(settings.runs_folder).adopt(run.folder, imported.former_id)
        return replace(imported, run=run)


def _by_name(entries: Sequence[Entry], limits: Limits) -> dict[str, Entry]:
    """The entries by name, once each of them is one that a packed run has; folders are passed over."""
    most = {file.name: file.max_bytes for file in RUN_FILES}
    most |= {MANIFEST: MAX_MANIFEST_BYTES, WEIGHTS: MAX_WEIGHTS_BYTES}
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in (PREDICTION_HISTORY, ""):
            continue
        largest = most.get(entry.name, MAX_HISTORY_BYTES if HISTORY_NAME.fullmatch(entry.name) else None)
        problem = _problem(entry, largest, limits.ratio) or ("it is there twice" if entry.name in found else "")
        if problem:
            raise TransferError(
                f"“{shown(entry.name)[:80]}” in this file is not taken: {problem}. Nothing was imported."
            )
        found[entry.name] = entry
    missing = [name for name in (MANIFEST, *(file.name for file in RUN_FILES if file.required)) if name not in found]
    if missing:
        raise TransferError(
            f"This is no run that Unfreeze has exported: {' and '.join(missing)} is missing. Choose a file that was"
            " made with “Export this run”."
        )
    return found


def _problem(entry: Entry, largest: int | None, ratio: int) -> str:
    if largest is None:
        return "it is no part of an exported run"
    if entry.is_special or entry.is_folder:
        return "this is a link or a device, not a file"
    if entry.is_encrypted or entry.unread_method:
        return "it is packed in a way that is not read"
    if entry.size > largest:
        return f"it has {in_words(entry.size)}, at most {in_words(largest)} are read"
    if entry.size > MEGABYTE and entry.size > ratio * entry.packed:
        return f"it is packed {entry.size // max(1, entry.packed):,} times smaller; this may be a trap"
    return ""


def _unpack(reader: ZipReader, entries: Mapping[str, Entry], folder: Path, on_progress: Progress) -> Mapping[str, Any]:
    """Write the entries, each by its name in our table, and compare them with the manifest, which is returned."""
    digests: dict[str, str] = {}
    total = max(1, sum(entry.size for entry in entries.values()))
    done = 0
    for name, entry in entries.items():
        digest = hashlib.sha256()
        try:
            with (folder / name).open("wb") as file:
                for chunk in reader.content(entry):
                    digest.update(chunk)
                    done += file.write(chunk)
                    on_progress("Unpacking", min(1.0, done / total))
        except PhotoError as error:
            raise TransferError(f"“{name}” cannot be unpacked: {error}. {DAMAGED}") from error
        digests[name] = digest.hexdigest()
    del digests[MANIFEST]
    manifest = imported_facts.read_object(folder / MANIFEST)
    _check_manifest(manifest, digests)
    return manifest


def _check_manifest(manifest: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    if manifest.get("format") != FORMAT:
        raise TransferError("This is no run that Unfreeze has exported: its manifest is one of something else.")
    if manifest.get("version") != VERSION:
        raise TransferError(
            f"This run was exported in version {str(manifest.get('version'))[:20]} of the format; this Unfreeze reads"
            f" version {VERSION}. Bring Unfreeze up to date."
        )
    listed = manifest.get("files")
    if not isinstance(listed, dict) or listed.keys() != digests.keys():
        raise TransferError(f"The manifest lists other files than there are. {DAMAGED}")
    for name, digest in digests.items():
        if not isinstance(listed[name], dict) or listed[name].get("sha256") != digest:
            raise TransferError(f"“{name}” is not what the manifest says: its SHA-256 differs. {DAMAGED}")


def _put_together(
    unpacked: Path,
    run: Run,
    manifest: Mapping[str, Any],
    settings: Settings,
    photos: Path | None,
    on_progress: Progress,
) -> ImportedRun:
    """Check each piece, and write the run's folder anew from what was read."""
    on_progress("Checking every part", None)
    former_id = str(manifest.get("id"))[:40]
    try:
        recipe = Recipe.from_values(imported_facts.read_object(unpacked / "recipe.json"))
    except RecipeError as error:
        raise TransferError(f"The recipe of this run cannot be used: {error}") from error
    class_names = imported_facts.class_names(unpacked)
    paths = _split(unpacked, run, class_names, settings.limits)
    found = _photos_here(paths, recipe.dataset, photos, settings)
    recipe = replace(recipe, dataset=str(found)) if found else recipe
    run.recipe_file.write_text(recipe.to_json(), "utf-8")
    names = json.dumps({"class_names": class_names}, indent=1, ensure_ascii=False)
    run.classes_file.write_text(names, "utf-8")
    validations = imported_facts.write_metrics(unpacked, run)
    has_model = (unpacked / WEIGHTS).exists()
    results = imported_arrays.write(unpacked, run, len(class_names), paths, validations)
    run.write_status(imported_facts.status(unpacked, has_model, results))
    imported_facts.write_left_out(unpacked, run)
    _write_origin(unpacked, run, recipe, former_id, manifest)
    if has_model:
        _build_model(unpacked, run, manifest.get("proof"), on_progress)
    return ImportedRun(run, former_id, has_model, found)


def _split(unpacked: Path, run: Run, class_names: Sequence[str], limits: Limits) -> tuple[str, ...]:
    try:
        folder, parts = read_split_csv(unpacked / "split.csv", run.folder)
    except (DataError, csv.Error) as error:
        raise TransferError(f"The split of this run cannot be used: {error}") from error
    if not set(folder.class_names) <= set(class_names) or len(folder) > limits.files:
        raise TransferError(f"The split of this run has other classes than its model, or too many photos. {DAMAGED}")
    if any("\0" in path for path in folder.paths):
        raise TransferError(f"The split of this run names a photo that no disk can hold. {DAMAGED}")
    write_split_csv(run.split_file, folder, parts)
    return folder.paths


def _photos_here(paths: Sequence[str], former: str, named: Path | None, settings: Settings) -> Path | None:
    """The first of the folders where the run's photos may be that has them; a few are looked for by their names."""
    last = PureWindowsPath(former).name if "\\" in former else PurePosixPath(former).name
    places: list[Path | str] = [
        *([named] if named else []),
        former,
        *(root / last for root in settings.dataset_roots if last),
    ]
    few = [
        paths[i] for i in np.unique(np.linspace(0, max(0, len(paths) - 1), PHOTOS_LOOKED_FOR).astype(int))[: len(paths)]
    ]
    for place in places:
        with suppress(FolderError, OSError, ValueError):
            folder = check_inside(place, settings.dataset_roots)
            if few and all((folder / path).is_file() for path in few):
                return folder
    return None


def _write_origin(unpacked: Path, run: Run, recipe: Recipe, former_id: str, manifest: Mapping[str, Any]) -> None:
    """Write down where the run came from, for programs and for people."""
    exported = imported_facts.moment(manifest.get("exported"))
    origin = {"id": former_id, "exported": exported, "imported": time.time()}
    run.origin_file.write_text(json.dumps(origin), "utf-8")
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(exported))
    environment = {"imported from": f"the run {former_id}, exported on {day}", **imported_facts.environment(unpacked)}
    run.environment_file.write_text(json.dumps(environment, indent=2, ensure_ascii=False), "utf-8")
    label = imported_facts.label(unpacked)
    dataset = PureWindowsPath(recipe.dataset).name or recipe.dataset
    name = label.name or f"{backbone(recipe.backbone).name} on {dataset}"
    run.write_label(Label(f"{name} (imported)", label.group, label.variant))


def _build_model(unpacked: Path, run: Run, proof: Any, on_progress: Progress) -> None:
    """Have the model built anew, and make sure that it is the one that was packed."""
    weights = run.folder / WEIGHTS
    (unpacked / WEIGHTS).replace(weights)
    on_progress("Building the network", None)
    rebuild_in_child(run, lambda: on_progress("Building the network", None))
    weights.unlink()
    run.log_file.unlink(missing_ok=True)
    graph = ServingGraph(run.serving_folder)
    found = graph.run(reference_images(graph.resolution))[PROBABILITIES]
    try:
        expected = np.asarray(proof, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransferError(f"What proves that the model is the same cannot be read. {DAMAGED}") from error
    if expected.size and (expected.shape != found.shape or not np.abs(expected - found).max() <= TOLERANCE):
        raise TransferError(
            "The model that was built from these weights does not say what the exported one said, so it was not kept."
            " Import it with the version of Unfreeze that has exported it."
        )
