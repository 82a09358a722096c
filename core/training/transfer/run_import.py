"""Import of a run that another installation exported, whatever the file holds.

Nothing that the file says about itself is trusted: only names from a table are unpacked, under our own names; sizes are
counted and hashes compared; each file is read by its own reader, checked, and written by us; the model is rebuilt. The
run appears as a whole or not at all, and never replaces another.
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
from core.data.pseudo_labels import read_pseudo_csv, write_pseudo_csv
from core.data.scan.walk import check_inside
from core.data.split import read_split_csv, write_split_csv
from core.errors import DataError, FolderError, PhotoError, RecipeError, RunError, TransferError, words_of
from core.formatting import listed
from core.inference import decision
from core.language import sentences, tr, tr_mark
from core.models.backbones import backbone
from core.models.serving import PROBABILITIES, ServingGraph
from core.recipe.recipe import Recipe
from core.recipe.start_point import read_start_point
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
"""The folder under the home in which imports are built."""

MAX_ENTRIES = 5_000
MAX_MANIFEST_BYTES = 5 * MEGABYTE
HISTORY_NAME = re.compile(re.escape(PREDICTION_HISTORY) + r"[1-9][0-9]{0,5}\.npy")

DAMAGED = tr_mark("The file may be damaged, or was changed. Export the run again.")

TOLERANCE = 1e-3
"""How far probabilities of the rebuilt model may be from those in the manifest."""

PHOTOS_LOOKED_FOR = 20

Progress = Callable[[str, float | None], None]
"""Called with the current step and the share of it that is done, 0 to 1; may raise to cancel."""


@dataclass(frozen=True)
class ImportedRun:
    """An imported run.

    Attributes:
        run: The run.
        former_id: Its id in the installation that exported it.
        has_model: Whether it has a model, so that it can predict.
        photos: The folder with its photos on this computer; None if they were not found.
    """

    run: Run
    former_id: str
    has_model: bool
    photos: Path | None

    @property
    def sentence(self) -> str:
        """What it can be used for."""
        use = tr("It has no model; its curves can be viewed.")
        if self.has_model:
            use = tr("It can predict and be compared.")
        if self.photos is None:
            return sentences(use, tr("Its photos are not on this computer, so they cannot be shown."))
        return sentences(use, tr("Its photos were found in {folder}.", folder=str(self.photos)))


def import_run(
    archive: BinaryIO,
    settings: Settings,
    photos: Path | None = None,
    on_progress: Progress = lambda what, share: None,
) -> ImportedRun:
    """Import a run that `core.training.transfer.run_export.export_run` has written.

    Args:
        archive: Seekable; read in chunks.
        settings: The home with its runs, and the limits of what is read.
        photos: A folder that may hold its photos; the recipe's folder and the dataset roots are searched anyway.
        on_progress: See `Progress`; if it raises, nothing is left behind.

    Raises:
        TransferError: The file is not an exported run, is damaged, or holds something that does not belong there.
        FolderError: The run cannot be written, or the disk is full.
    """
    try:
        reader = ZipReader(archive, MAX_ENTRIES)
    except DataError as error:
        raise TransferError(error.text) from error
    entries = _by_name(reader.entries, settings.limits)
    with unfinished(settings.home / FOLDER, 2 * sum(entry.size for entry in entries.values())) as folder:
        unpacked, run = folder / "came", Run(folder / "run")
        (unpacked / PREDICTION_HISTORY).mkdir(parents=True)
        (run.folder).mkdir()
        manifest = _unpack(reader, entries, unpacked, on_progress)
        imported = _build(unpacked, run, manifest, settings, photos, on_progress)
        run = RunStore(settings.runs_folder).adopt(run.folder, imported.former_id)
        return replace(imported, run=run)


def _by_name(entries: Sequence[Entry], limits: Limits) -> dict[str, Entry]:
    """The entries by name, all of them files of an exported run; folders are skipped."""
    most = {file.name: file.max_bytes for file in RUN_FILES}
    most |= {MANIFEST: MAX_MANIFEST_BYTES, WEIGHTS: MAX_WEIGHTS_BYTES}
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in (PREDICTION_HISTORY, ""):
            continue
        largest = most.get(entry.name, MAX_HISTORY_BYTES if HISTORY_NAME.fullmatch(entry.name) else None)
        problem = _problem(entry, largest, limits.ratio) or (tr("it occurs twice") if entry.name in found else "")
        if problem:
            raise TransferError(
                tr(
                    "“{name}” in this file cannot be imported: {reason}. Nothing was imported.",
                    name=shown(entry.name)[:80],
                    reason=problem,
                )
            )
        found[entry.name] = entry
    missing = [name for name in (MANIFEST, *(file.name for file in RUN_FILES if file.required)) if name not in found]
    if missing:
        together = listed(missing)
        raise TransferError(
            tr(
                "This is not an exported run: {missing} is missing. Choose a file that was made with “Export this"
                " run”.",
                missing=together,
            )
        )
    return found


def _problem(entry: Entry, largest: int | None, ratio: int) -> str:
    if largest is None:
        return tr("it is not part of an exported run")
    if entry.is_special or entry.is_folder:
        return tr("it is a link or a device, not a file")
    if entry.is_encrypted or entry.unread_method:
        return tr("it is encrypted, or compressed by an unsupported method")
    if entry.size > largest:
        return tr("it has {size}; at most {most} are allowed", size=in_words(entry.size), most=in_words(largest))
    if entry.size > MEGABYTE and entry.size > ratio * entry.packed:
        times = entry.size // max(1, entry.packed)
        return tr("it would unpack to {count} times its size, which may be an attack", count=times)
    return ""


def _unpack(reader: ZipReader, entries: Mapping[str, Entry], folder: Path, on_progress: Progress) -> Mapping[str, Any]:
    """Write the entries into a folder, compare them with the manifest, and return the manifest."""
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
                    on_progress(tr("Unpacking"), min(1.0, done / total))
        except PhotoError as error:
            raise TransferError(
                sentences(tr("“{file}” cannot be unpacked: {reason}.", file=name, reason=error.text), tr(DAMAGED))
            ) from error
        digests[name] = digest.hexdigest()
    del digests[MANIFEST]
    manifest: dict[str, Any] = imported_facts.read_json(folder / MANIFEST)
    _check_manifest(manifest, digests)
    return manifest


def _check_manifest(manifest: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    if manifest.get("format") != FORMAT:
        raise TransferError(tr("This is not an exported run: its manifest belongs to something else."))
    if manifest.get("version") != VERSION:
        raise TransferError(
            tr(
                "This run was exported in version {found} of the format; this Unfreeze reads version {known}. Update"
                " Unfreeze.",
                found=f"{manifest.get('version')!s:.20}",
                known=VERSION,
            )
        )
    listed = manifest.get("files")
    if not isinstance(listed, dict) or listed.keys() != digests.keys():
        raise TransferError(sentences(tr("The files are not those that the manifest lists."), tr(DAMAGED)))
    for name, digest in digests.items():
        if not isinstance(listed[name], dict) or listed[name].get("sha256") != digest:
            raise TransferError(
                sentences(
                    tr("“{file}” is not the file that was exported: its SHA-256 differs.", file=name), tr(DAMAGED)
                )
            )


def _build(
    unpacked: Path,
    run: Run,
    manifest: Mapping[str, Any],
    settings: Settings,
    photos: Path | None,
    on_progress: Progress,
) -> ImportedRun:
    """Check each file, and write the run's folder from what was read."""
    on_progress(tr("Checking the files"), None)
    former_id = f"{manifest.get('id')!s:.40}"
    try:
        recipe = Recipe.from_values(imported_facts.read_json(unpacked / "recipe.json"))
    except RecipeError as error:
        raise TransferError(tr("The recipe of this run cannot be used: {reason}", reason=error.text)) from error
    class_names = imported_facts.class_names(unpacked)
    paths = _split(unpacked, run, class_names, settings.limits)
    _spread(unpacked, run, class_names, settings.limits)
    found = _photos_here(paths, recipe.dataset, photos, settings)
    recipe = replace(recipe, dataset=str(found)) if found else recipe
    run.recipe_file.write_text(recipe.to_json(), "utf-8")
    _start(unpacked, run)
    names = json.dumps({"class_names": class_names}, indent=1, ensure_ascii=False)
    run.classes_file.write_text(names, "utf-8")
    validations = imported_facts.write_metrics(unpacked, run)
    has_model = (unpacked / WEIGHTS).exists()
    tested = imported_arrays.write_arrays(unpacked, run, len(class_names), frozenset(paths), validations)
    run.write_status(imported_facts.status(unpacked, has_model, tested))
    imported_facts.write_left_out(unpacked, run)
    if Run(unpacked).decision_file.exists():
        decision.keep_least_confidence(run, decision.least_confidence_of(Run(unpacked)))
    _write_origin(unpacked, run, recipe, former_id, manifest)
    if has_model:
        _build_model(unpacked, run, manifest.get("proof"), on_progress)
    return ImportedRun(run, former_id, has_model, found)


def _split(unpacked: Path, run: Run, class_names: Sequence[str], limits: Limits) -> tuple[str, ...]:
    try:
        folder, parts = read_split_csv(unpacked / "split.csv", run.folder)
    except (DataError, csv.Error) as error:
        raise TransferError(tr("The split of this run cannot be used: {reason}", reason=words_of(error))) from error
    if not set(folder.class_names) <= set(class_names) or len(folder) > limits.files:
        raise TransferError(
            sentences(tr("The split of this run has classes that its model lacks, or too many photos."), tr(DAMAGED))
        )
    if any("\0" in path for path in folder.paths):
        raise TransferError(sentences(tr("The split of this run has a file name with a zero byte."), tr(DAMAGED)))
    write_split_csv(run.split_file, folder, parts)
    return folder.paths


def _start(unpacked: Path, run: Run) -> None:
    """Write what is known of the earlier model that the run began with, if it did; that model is not in the file."""
    try:
        found = read_start_point(Run(unpacked))
    except RunError as error:
        raise TransferError(sentences(tr("What this run starts from cannot be used."), tr(DAMAGED))) from error
    if found is not None:
        run.start_facts_file.write_text(found.to_json(), "utf-8")


def _spread(unpacked: Path, run: Run, class_names: Sequence[str], limits: Limits) -> None:
    """Write the labels that had spread to unlabelled photos, if the run learned from such."""
    file = unpacked / run.pseudo_file.name
    if not file.exists():
        return
    try:
        spread = read_pseudo_csv(file)
    except DataError as error:
        raise TransferError(tr("The spread labels of this run cannot be used: {reason}", reason=error.text)) from error
    if not set(spread.classes) <= set(class_names) or len(spread) > limits.files:
        raise TransferError(
            sentences(
                tr("The spread labels of this run have classes that its model lacks, or too many photos."), tr(DAMAGED)
            )
        )
    if any("\0" in path or path.startswith("/") or ".." in path.split("/") for path in spread.paths):
        raise TransferError(
            sentences(tr("The spread labels of this run have a file name that leads outside its folder."), tr(DAMAGED))
        )
    write_pseudo_csv(run.pseudo_file, spread)


def _photos_here(paths: Sequence[str], former: str, named: Path | None, settings: Settings) -> Path | None:
    """The first of the possible folders that holds the run's photos; only a few of them are looked up."""
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
    """Record where the run came from, for programs and for people."""
    exported = imported_facts.moment(manifest.get("exported"))
    origin = {"id": former_id, "exported": exported, "imported": time.time()}
    run.origin_file.write_text(json.dumps(origin), "utf-8")
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(exported))
    environment = {"imported from": f"the run {former_id}, exported on {day}", **imported_facts.environment(unpacked)}
    run.environment_file.write_text(json.dumps(environment, indent=2, ensure_ascii=False), "utf-8")
    label = imported_facts.label(unpacked)
    dataset = PureWindowsPath(recipe.dataset).name or recipe.dataset
    network = backbone(recipe.backbone).name
    name = label.name or tr("{network} on {dataset}", network=network, dataset=dataset)
    run.write_label(Label(tr("{name} (imported)", name=name), label.group, label.variant))


def _build_model(unpacked: Path, run: Run, proof: Any, on_progress: Progress) -> None:
    """Rebuild the model, and check that its outputs are those of the exported one."""
    weights = run.folder / WEIGHTS
    (unpacked / WEIGHTS).replace(weights)
    on_progress(tr("Building the network"), None)
    rebuild_in_child(run, lambda: on_progress(tr("Building the network"), None))
    weights.unlink()
    run.log_file.unlink(missing_ok=True)
    graph = ServingGraph(run.serving_folder)
    found = graph.run(reference_images(graph.resolution))[PROBABILITIES]
    try:
        expected = np.asarray(proof, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransferError(sentences(tr("The reference outputs of the model cannot be read."), tr(DAMAGED))) from error
    if expected.size and (expected.shape != found.shape or not np.abs(expected - found).max() <= TOLERANCE):
        raise TransferError(
            tr(
                "The model rebuilt from these weights gives other outputs than the exported one, so nothing was"
                " imported. Import the run with the version of Unfreeze that exported it."
            )
        )
