"""NumPy's files read back from a disk, where any byte may be damaged."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.language import tr

DAMAGE = (
    *(ValueError, TypeError, LookupError, EOFError, SyntaxError, ArithmeticError, MemoryError, RuntimeError),
    *(AttributeError, TokenError, struct.error, zlib.error, zipfile.BadZipFile),
)
"""What `numpy.load` and `zipfile` raise for damaged or hostile bytes, seen on some ten thousand damaged files."""


def read_arrays(source: Path | bytes, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of a file that `numpy.savez` wrote, by name: these, or all.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is damaged, or lacks an array.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in names or file.files}
    except (OSError, *DAMAGE) as error:
        raise ValueError(tr("it is damaged: {reason}", reason=str(error)[:200])) from error


def read_array(source: Path | bytes) -> NDArray[Any]:
    """The array of a file that `numpy.save` wrote; raises as `read_arrays` does."""
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
    except (OSError, *DAMAGE) as error:
        raise ValueError(tr("it is damaged: {reason}", reason=str(error)[:200])) from error
