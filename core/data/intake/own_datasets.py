"""Datasets in Unfreeze's own folder: which folders they and their classes are, and changing them one at a time.

A class that was given another name is still found by its former one, so that photos which are on their way to it
arrive, whichever browser tab they come from.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from core.data.images import PHOTO_SUFFIXES
from core.data.intake.incoming import folder_name, shown
from core.data.intake.sample import SAMPLE_NAME
from core.data.scan.walk import is_housekeeping
from core.errors import DataError, FolderError
from core.language import tr, tr_mark
from core.processes.locks import locked

LOCK = ".changing"
"""In a dataset: a file that whoever moves its photos or classes holds the lock on."""

FORMER_NAMES = ".former-names"
"""In a dataset: former and new name of each class that was renamed, one a line with "/" between, the newest last."""

TAKEN = {
    "dataset": tr_mark("There is already a dataset “{name}”. Use that one, or give another name."),
    "class": tr_mark("There is already a class “{name}”. Use that one, or give another name."),
}

PATIENCE = 10.0
"""Seconds to wait for whoever is changing the same dataset, which takes a moment."""


def own_dataset_names(datasets_folder: Path) -> list[str]:
    """The datasets that people have made, without the sample, in order; none where the folder is not there yet."""
    if not datasets_folder.is_dir():
        return []
    paths = [path for path in datasets_folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(path.name for path in paths if path.name != SAMPLE_NAME)


def own_dataset(dataset: Path, datasets_folder: Path) -> Path:
    """Return a dataset's folder, resolved.

    Raises:
        FolderError: It is not one that lies directly in `datasets_folder`.
    """
    try:
        resolved, home = dataset.resolve(), datasets_folder.resolve()
        own = resolved.parent == home and not is_housekeeping(resolved.name) and resolved.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(
            tr("The folder {folder} cannot be opened ({reason}).", folder=str(dataset), reason=str(error))
        ) from error
    if not own:
        raise FolderError(
            tr(
                "{folder} is not one of Unfreeze's own datasets: photos are only added to folders directly in {home}."
                " Make a new dataset, or pick one of these.",
                folder=str(dataset),
                home=str(home),
            )
        )
    return resolved


def class_folder(dataset: Path, name: str) -> Path:
    """Return the folder of a class, by the name that it has or has had; `dataset` is as `own_dataset` returns it.

    Raises:
        FolderError: The dataset has no such class.
    """
    try:
        now = name if is_class(dataset, name) else _name_now(dataset, name)
        if is_class(dataset, now):
            return dataset / now
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(
            tr("The class “{name}” cannot be opened ({reason}).", name=shown(name)[:40], reason=str(error))
        ) from error
    raise FolderError(
        tr(
            "The dataset {folder} has no class “{name}”. Make the class first.",
            folder=str(dataset),
            name=shown(name)[:40],
        )
    )


def is_class(dataset: Path, name: str) -> bool:
    """Whether a folder directly in the dataset, and no link to one elsewhere, has this name."""
    folder = (dataset / name).resolve()
    return folder == dataset / name and folder.parent == dataset and folder.is_dir() and not is_housekeeping(name)


def is_photo_name(name: str) -> bool:
    """Whether a file of this name in a class counts as one of its photos."""
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and not is_housekeeping(name)


@contextmanager
def changing(dataset: Path) -> Iterator[None]:
    """Have a dataset to oneself while photos or classes in it are moved; only ever for a moment.

    Raises:
        FolderError: Somebody else has been changing it for ten seconds.
        OSError: The dataset cannot be written to.
    """
    with locked(dataset / LOCK, PATIENCE) as held:
        if not held:
            raise FolderError(
                tr("Somebody else is changing the dataset {folder} at this moment. Try again.", folder=str(dataset))
            )
        yield


def settled_class_folder(dataset: Path, name: str) -> Path:
    """As `class_folder`, for whoever does not have the dataset to himself: a renaming that is going on is waited for.

    Nothing is written in a dataset that nobody has changed yet.

    Raises:
        FolderError: The dataset has no such class, or somebody else has been changing it for ten seconds.
    """
    try:
        return class_folder(dataset, name)
    except FolderError as missing:
        if not (dataset / LOCK).exists():
            raise
        try:
            with changing(dataset):
                return class_folder(dataset, name)
        except OSError:
            raise missing from None


def rename_class(dataset: Path, name: str, wanted: str, *, datasets_folder: Path) -> str:
    """Give a class another name, and return it, made fit for a folder.

    Raises:
        DataError: The name is empty, or another class has it (in capital or small letters).
        FolderError: There is no such class or dataset, or it cannot be written.
    """
    folder = own_dataset(dataset, datasets_folder)
    cleaned = folder_name(wanted, "a class")
    try:
        with changing(folder):
            source = class_folder(folder, name)
            if source.name != cleaned:
                check_free(folder, cleaned, "class", besides=source.name)
                os.rename(source, folder / cleaned)
                with (folder / FORMER_NAMES).open("a", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(f"{source.name}/{cleaned}\n")
    except OSError as error:
        raise FolderError(
            tr(
                "The class “{name}” cannot be renamed in {folder} ({reason}).",
                name=shown(name)[:40],
                folder=str(folder),
                reason=str(error.strerror),
            )
        ) from error
    return cleaned


def check_free(parent: Path, name: str, what: str, *, besides: str = "") -> None:
    """Raise `DataError` if something in a folder has this name, in capital or small letters, and is not `besides`.

    `what` is "dataset" or "class".
    """
    for path in parent.iterdir():
        if path.name.casefold() == name.casefold() and path.name != besides:
            raise DataError(tr(TAKEN[what], name=path.name))


def _name_now(dataset: Path, name: str) -> str:
    """The name of a class that was last called `name`, after all that it has been renamed to since."""
    try:
        lines = (dataset / FORMER_NAMES).read_text("utf-8", errors="surrogateescape").split("\n")
    except FileNotFoundError:
        return name
    renamings = [(former, new) for former, slash, new in (line.partition("/") for line in lines) if slash]
    begin = max((place for place, (former, _) in enumerate(renamings) if former == name), default=len(renamings))
    now = name
    for former, new in renamings[begin:]:
        now = new if former == now else now
    return now
