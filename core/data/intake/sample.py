"""The built-in sample dataset, written where a person can pick it."""

import os
import re
import shutil
import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.scan.walk import is_housekeeping
from core.errors import FolderError
from core.language import tr

SAMPLE_NAME = "digits"
SAMPLE_PHOTOS = 1797
SAMPLE_SIDE = 64
SAMPLE_FILE = re.compile(r"[0-9]/digit_[0-9]{4}\.png")


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
        raise FolderError(
            tr(
                "The sample cannot be written to {folder} ({reason}).",
                folder=str(target),
                reason=str(error.strerror),
            )
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


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
        raise FolderError(
            tr(
                "{folder} is not the sample, but has its name; rename it, and add the sample again.",
                folder=str(target),
            )
        )
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
