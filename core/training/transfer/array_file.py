"""Arrays in files of others, read with distrust: numbers and shapes, and nothing that could be executed.

`numpy.load` is content with a header that promises more than there is, and reads ZIP archives as it finds them. Here a
file is taken when it holds plain numbers, packed in no way, exactly as many as its header says.
"""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.intake.zip_reader import Entry, ZipReader
from core.errors import DataError, TransferError

Arrays = Mapping[str, NDArray[Any]]

MAX_ARRAYS = 20_000
"""In a file; the largest network has about two thousand."""

HEADER_BYTES = 10_000
"""Of an array; a real one has 128."""

KINDS = "iuf"
"""Kinds of NumPy's types that are plain numbers: whole ones with and without a sign, and others."""

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""How headers are read, by the version of the format (NEP 1); version 3 is for names of fields, which are refused."""

SUFFIX = ".npy"


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that `numpy.savez` wrote, by name; raises `TransferError` for any other."""
    try:
        with path.open("rb") as file:
            reader = ZipReader(file, MAX_ARRAYS)
            found = {entry.name.removesuffix(SUFFIX): _content(reader, entry) for entry in reader.entries}
            repeated = len(found) < len(reader.entries)
    except DataError as error:
        raise TransferError(f"{path.name} holds no arrays that can be read: {error}") from error
    if repeated:
        raise TransferError(f"{path.name} holds two arrays of one name.")
    return {name: array_of(content, f"{name} in {path.name}") for name, content in found.items()}


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a file that `numpy.save` wrote; raises `TransferError` for any other."""
    return array_of(path.read_bytes(), path.name)


def array_of(content: bytes, name: str) -> NDArray[Any]:
    """The array that the bytes of a `.npy` file hold; `name` is for the message of `TransferError`."""
    stream = io.BytesIO(content)
    try:
        shape, columns_first, kind = READERS[npy.read_magic(stream)](stream, max_header_size=HEADER_BYTES)
    except (ValueError, KeyError, TypeError, EOFError, SyntaxError, MemoryError, RecursionError) as error:
        raise TransferError(f"{name} is no plain array ({str(error)[:200]}).") from error
    count, left = math.prod(shape), len(content) - stream.tell()
    if kind.kind not in KINDS or kind.hasobject or kind.subdtype is not None:
        raise TransferError(f"{name} holds {str(kind)[:80]}; only plain numbers are read.")
    if min(shape, default=0) < 0 or count * kind.itemsize != left:
        raise TransferError(f"{name} says that it holds {count:,} numbers, but has {left:,} bytes.")
    flat = np.frombuffer(content, kind, count, stream.tell())
    return flat.reshape(shape, order="F" if columns_first else "C")


def _content(reader: ZipReader, entry: Entry) -> bytes:
    if entry.method or entry.size != entry.packed or entry.is_encrypted or not entry.name.endswith(SUFFIX):
        raise DataError(f"“{entry.name[:80]}” in it is not an array as it is, or is packed")
    return b"".join(reader.content(entry))
