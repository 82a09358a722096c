"""Photos and classes that people remove from their own datasets, and put back.

Nothing is deleted at once: what is removed goes to a hidden folder in the dataset, where no page, scan or run sees it,
and from which it can be put back. It is deleted when something is added or removed a day later.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from core.data.intake.incoming import free_names, move_in, shown
from core.data.intake.own_datasets import changing, class_folder, is_photo_name, own_dataset
from core.errors import FolderError
from core.language import tr

REMOVED = ".removed"
"""In a dataset: a folder for each removal, named by its time in nanoseconds since 1970 and random digits."""

TICKET = re.compile(r"([0-9]{19})-[0-9a-f]{8}")

KEPT_SECONDS = 24 * 3600.0
"""How long what was removed can be put back."""


def remove_photos(dataset: Path, class_name: str, names: Iterable[str], *, datasets_folder: Path) -> str:
    """Remove photos from a class, and return the ticket with which `put_back` brings them back.

    Args:
        dataset: A folder directly in `datasets_folder`.
        class_name: One of its classes.
        names: Files directly in the class; what is not there, or is no photo, is passed over.
        datasets_folder: Where Unfreeze's own datasets are.

    Returns an empty text if no photo was there.

    Raises:
        FolderError: There is no such class or dataset, or it cannot be written.
    """
    folder = own_dataset(dataset, datasets_folder)
    try:
        with changing(folder):
            source = class_folder(folder, class_name)
            there = [source / name for name in names if is_photo_name(name) and Path(name).name == name]
            there = [path for path in there if path.is_file()]
            if not there:
                return ""
            ticket = _new_ticket(folder)
            kept = folder / REMOVED / ticket / source.name
            kept.mkdir()
            for path in there:
                os.rename(path, kept / path.name)
            return ticket
    except OSError as error:
        raise FolderError(
            tr("Photos cannot be removed in {folder} ({reason}).", folder=str(folder), reason=str(error.strerror))
        ) from error


def remove_class(dataset: Path, class_name: str, *, datasets_folder: Path) -> str:
    """Remove a class with all that is in it, and return the ticket with which `put_back` brings it back.

    Raises:
        FolderError: There is no such class or dataset, or it cannot be written.
    """
    folder = own_dataset(dataset, datasets_folder)
    try:
        with changing(folder):
            source = class_folder(folder, class_name)
            ticket = _new_ticket(folder)
            os.rename(source, folder / REMOVED / ticket / source.name)
            return ticket
    except OSError as error:
        raise FolderError(
            tr(
                "The class “{name}” cannot be removed in {folder} ({reason}).",
                name=shown(class_name)[:40],
                folder=str(folder),
                reason=str(error.strerror),
            )
        ) from error


def put_back(dataset: Path, ticket: str, *, datasets_folder: Path) -> bool:
    """Put back what was removed with a ticket; returns whether it was still there.

    Photos go back to their class, whatever it is called now; one whose name has been taken meanwhile gets a number.

    Raises:
        FolderError: It cannot be written, or `dataset` does not lie directly in `datasets_folder`.
    """
    folder = own_dataset(dataset, datasets_folder)
    try:
        with changing(folder):
            kept = _removed_folder(folder) / ticket
            if not TICKET.fullmatch(ticket) or not kept.is_dir():
                return False
            for source in sorted(kept.iterdir()):
                _put_class_back(folder, source)
            kept.rmdir()
            return True
    except OSError as error:
        raise FolderError(
            tr(
                "What was removed cannot be put back in {folder} ({reason}).",
                folder=str(folder),
                reason=str(error.strerror),
            )
        ) from error


def delete_old(dataset: Path) -> None:
    """Delete what was removed from a dataset more than a day ago; only while `changing` it."""
    with suppress(FileNotFoundError):
        for folder in list(_removed_folder(dataset).iterdir()):
            ticket = TICKET.fullmatch(folder.name)
            if ticket and time.time() - int(ticket[1]) / 1e9 > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _new_ticket(dataset: Path) -> str:
    """Make the folder of a new removal, after deleting old ones."""
    delete_old(dataset)
    ticket = f"{time.time_ns():019d}-{uuid.uuid4().hex[:8]}"
    (_removed_folder(dataset) / ticket).mkdir(parents=True)
    return ticket


def _removed_folder(dataset: Path) -> Path:
    folder = dataset / REMOVED
    if folder.is_symlink():
        raise FolderError(
            tr(
                "{folder} is a link to another place. Remove the link, so that nothing is moved there.",
                folder=str(folder),
            )
        )
    return folder


def _put_class_back(dataset: Path, source: Path) -> None:
    """Move a removed class, or removed photos of a class that is still there, back to where they were."""
    try:
        target = class_folder(dataset, source.name)
    except FolderError:
        os.rename(source, dataset / source.name)
        return
    for path in sorted(source.iterdir()):
        move_in(path, free_names(target / path.name))
    source.rmdir()
