"""How photos come in: a built-in sample to try things with, names of uploaded files, and finding folders to pick."""

import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from core.data.images import PHOTO_SUFFIXES
from core.data.walk import check_inside, is_housekeeping, is_inside
from core.errors import FolderError

SAMPLE_NAME = "digits"
SAMPLE_PHOTOS = 1797
SAMPLE_SIDE = 64
SAMPLE_FILE = re.compile(r"[0-9]/digit_[0-9]{4}\.png")

RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
"""Names that mean devices on Windows, with any ending."""

LONGEST_SUFFIX = 20
MAX_NAME = 120
MAX_NAME_BYTES = 240
"""File systems take 255 bytes for a name; the rest is room for a prefix."""

UNSAFE_IN_NAMES = re.compile(r'[<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]')
"""Characters that Windows forbids, and those that reverse the direction of writing to disguise an ending."""

ENTRIES_LOOKED_AT = 200


def write_sample(datasets_folder: Path) -> Path:
    """Write the sample dataset into `datasets_folder`, and return its folder.

    It holds the 1,797 handwritten digits of scikit-learn's `load_digits` (UCI, "Optical Recognition of Handwritten
    Digits") in ten class folders. Each is 8 × 8 grey values 0..16; it is stored as an 8-bit grey PNG of 64 × 64
    pixels, values scaled by 255/16 and enlarged bicubically. The folder appears whole or not at all. A complete one is
    returned as it is, an incomplete one is replaced.

    Raises:
        FolderError: It cannot be written, or a folder of this name holds other files.
    """
    target = datasets_folder / SAMPLE_NAME
    unfinished = datasets_folder / f".{SAMPLE_NAME}-{uuid.uuid4().hex}"
    try:
        if not _is_complete_sample(target):
            _write_digits(unfinished)
            if not _is_complete_sample(target):  # another session may have been faster
                _replace(target, unfinished)
    except OSError as error:
        raise FolderError(f"The sample cannot be written to {target} ({error.strerror}).") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def safe_name(name: str) -> str:
    """Return the name of an uploaded file as one that can be written in any folder.

    Folders (after either slash), control characters and what file systems forbid are taken away, and it is cut to 120
    characters and 240 bytes of UTF-8, the ending kept. What comes out is never empty and never hidden.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
    plain = UNSAFE_IN_NAMES.sub("_", kept).strip(" .") or "unnamed"
    plain = f"_{plain}" if RESERVED_NAMES.match(plain) else plain
    suffix = PurePosixPath(plain).suffix
    suffix = suffix if len(suffix) <= LONGEST_SUFFIX else ""
    return _cut(plain.removesuffix(suffix), MAX_NAME - len(suffix), MAX_NAME_BYTES - len(suffix.encode())) + suffix


def list_datasets(roots: Sequence[Path], home_datasets: Path) -> tuple[Path, ...]:
    """Return the folders directly below `home_datasets` and then below each root that look like datasets.

    Folders that cannot be read are skipped; none comes twice.
    """
    allowed = [*roots, home_datasets]
    places = dict.fromkeys(path.expanduser().resolve() for path in (home_datasets, *roots))
    found = (folder for place in places for folder in _subfolders(place, allowed) if looks_like_dataset(folder))
    return tuple(dict.fromkeys(found))


def browse(folder: Path | str, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders directly below one, sorted by name without regard to case.

    Hidden and unreadable ones are left out, and links to folders outside `roots`.

    Raises:
        FolderError: As `core.data.folder.check_inside`.
    """
    return _subfolders(check_inside(folder, roots), roots)


def looks_like_dataset(folder: Path) -> bool:
    """Guess by the names of files whether a folder holds at least two subfolders with photos.

    Only the first 200 entries of the folder and of each subfolder are looked at, and nothing deeper.
    """
    subfolders = filter(_is_folder, islice(_entries(folder), ENTRIES_LOOKED_AT))
    return len(list(islice(filter(_holds_photo, subfolders), 2))) == 2


def _is_complete_sample(target: Path) -> bool:
    """Tell whether the sample is there, every file of it.

    Raises:
        FolderError: Something else has its name.
    """
    if not os.path.lexists(target):
        return False
    files = [path for path in target.rglob("*") if path.is_file() and not is_housekeeping(path.name)]
    strange = [path for path in files if not SAMPLE_FILE.fullmatch(path.relative_to(target).as_posix())]
    if strange or target.is_symlink() or not target.is_dir():
        raise FolderError(f"{target} is not the sample, but has its name; rename it, and add the sample again.")
    return len(files) == SAMPLE_PHOTOS and all(path.stat().st_size for path in files)


def _write_digits(folder: Path) -> None:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore] # slow to import

    digits = load_digits()
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for i, (values, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        small = Image.fromarray(np.rint(values * (255 / 16)).astype(np.uint8))
        large = small.resize((SAMPLE_SIDE, SAMPLE_SIDE), Image.Resampling.BICUBIC)
        large.save(folder / str(label) / f"digit_{i:04d}.png")


def _replace(target: Path, finished: Path) -> None:
    """Move a finished folder to its place; what was there is moved aside first, then deleted."""
    aside = finished.with_name(finished.name + "-old")
    if target.exists():
        target.rename(aside)
    finished.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _cut(stem: str, characters: int, size: int) -> str:
    return stem[:characters].encode()[:size].decode(errors="ignore")


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
    entries = islice(_entries(Path(folder.path)), ENTRIES_LOOKED_AT)
    return any(PurePosixPath(entry.name).suffix.lower() in PHOTO_SUFFIXES for entry in entries)
