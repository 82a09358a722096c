"""Finding dataset folders to pick: browsing below the allowed roots. No photo is opened."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from core.data.images import PHOTO_SUFFIXES
from core.data.scan.subset_folders import subset_named
from core.data.scan.walk import check_inside, is_housekeeping, is_inside
from core.data.subsets import NO_SUBSET

ENTRIES_LOOKED_AT = 200


def browse(folder: Path | str, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders directly below one, sorted by name without regard to case.

    Hidden and unreadable ones are left out, and links to folders outside `roots`.

    Raises:
        FolderError: As `core.data.scan.folder.check_inside`.
    """
    return _subfolders(check_inside(folder, roots), roots)


def looks_like_dataset(folder: Path) -> bool:
    """Guess by names whether a folder holds at least two subfolders with photos, or two parts such as train and test.

    A part itself is none, nor are folders of photos that are named like parts. Only the first 200 entries of the folder
    and of each subfolder are looked at, and nothing deeper than the class folders of parts.
    """
    inside = [entry for entry in islice(_entries(folder), ENTRIES_LOOKED_AT) if _is_folder(entry)]
    parts = {entry.name for entry in inside if subset_named(entry.name) != NO_SUBSET}
    if len(list(islice((entry for entry in inside if entry.name in parts and _holds_classes(entry)), 2))) == 2:
        return True
    classes = (entry for entry in inside if entry.name not in parts and _holds_photo(entry))
    return len(list(islice(classes, 2))) == 2 and not _is_part(folder)


def holds_photos(folder: Path) -> bool:
    """Tell whether one of the first 200 entries of a folder is a photo, by its name."""
    entries = islice(_entries(folder), ENTRIES_LOOKED_AT)
    return any(PurePosixPath(entry.name).suffix.lower() in PHOTO_SUFFIXES for entry in entries)


def _is_part(folder: Path) -> bool:
    """Tell whether a folder is named like a part and has another part beside it."""
    own = subset_named(folder.name)
    beside = (subset_named(entry.name) for entry in islice(_entries(folder.parent), ENTRIES_LOOKED_AT))
    return own != NO_SUBSET and any(subset not in (own, NO_SUBSET) for subset in beside)


def _holds_classes(part: os.DirEntry[str]) -> bool:
    inside = filter(_is_folder, islice(_entries(Path(part.path)), ENTRIES_LOOKED_AT))
    return len(list(islice(filter(_holds_photo, inside), 2))) == 2


def _subfolders(folder: Path, roots: Sequence[Path]) -> tuple[Path, ...]:
    found = [folder / entry.name for entry in _entries(folder) if _is_folder(entry) and _may_follow(entry, roots)]
    return tuple(sorted(found, key=lambda path: (path.name.casefold(), path.name)))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what a folder holds, housekeeping left out; nothing when it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            yield from (entry for entry in listing if not is_housekeeping(entry.name))
    except OSError:
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and os.access(entry.path, os.R_OK | os.X_OK)
    except OSError:
        return False


def _may_follow(entry: os.DirEntry[str], roots: Sequence[Path]) -> bool:
    return not entry.is_symlink() or is_inside(Path(entry.path).resolve(), roots)


def _holds_photo(folder: os.DirEntry[str]) -> bool:
    return holds_photos(Path(folder.path))
