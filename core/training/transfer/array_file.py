"""Arrays from files of unknown origin: plain numbers only, and no more of them than the file has bytes for.

`core.arrays` reads each array, from bytes in memory, so that a header can promise no more than
there is. The archive around several arrays is opened by `ZipReader`, which bounds the number of entries; an entry must
be stored uncompressed, so that all of them together are no larger than the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from core.arrays import read_array
from core.data.intake.zip_reader import Entry, ZipReader
from core.errors import DataError, TransferError, words_of
from core.language import tr

Arrays = Mapping[str, NDArray[Any]]

Schema = Mapping[str, tuple[str, int]]
"""For each array of a file its kinds of numbers, as NumPy's `dtype.kind` has them, and its number of dimensions."""

MAX_ARRAYS = 20_000
"""In a file; the largest network has about two thousand."""

INTEGER, REAL = "iu", "f"
SUFFIX, MAGIC = ".npy", b"\x93NUMPY"


def read_npz(path: Path, schema: Schema | None = None) -> Arrays:
    """The arrays of a file that `numpy.savez` wrote, by name.

    Raises `TransferError` for any other file, and where arrays differ from the schema.
    """
    try:
        with path.open("rb") as file:
            reader = ZipReader(file, MAX_ARRAYS)
            found = {entry.name.removesuffix(SUFFIX): _content(reader, entry) for entry in reader.entries}
            repeated = len(found) < len(reader.entries)
    except DataError as error:
        raise TransferError(
            tr("“{file}” is not a readable file of arrays: {reason}", file=path.name, reason=error.text)
        ) from error
    if repeated:
        raise TransferError(tr("“{file}” holds two arrays of the same name.", file=path.name))
    if schema is not None and set(found) != set(schema):
        raise TransferError(
            tr(
                "“{file}” holds {found}; expected {expected}.",
                file=path.name,
                found=", ".join(found)[:100],
                expected=", ".join(schema),
            )
        )
    arrays = {
        name: array_of(content, tr("{array} in {file}", array=name, file=path.name)) for name, content in found.items()
    }
    for name, (kinds, dimensions) in (schema or {}).items():
        if arrays[name].dtype.kind not in kinds or arrays[name].ndim != dimensions:
            raise TransferError(
                tr(
                    "{array} in {file} is {type} with {count} dimensions, which does not fit an exported run.",
                    array=name,
                    file=path.name,
                    type=str(arrays[name].dtype),
                    count=arrays[name].ndim,
                )
            )
    return arrays


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a file that `numpy.save` wrote; raises `TransferError` for any other."""
    return array_of(path.read_bytes(), path.name)


def array_of(content: bytes, name: str) -> NDArray[Any]:
    """The array in the bytes of a `.npy` file; `name` is for the message of `TransferError`."""
    if not content.startswith(MAGIC):  # `numpy.load` would try archives and pickles
        raise TransferError(tr("{array} is not a NumPy array.", array=name))
    try:
        array = read_array(content)
    except ValueError as error:
        raise TransferError(
            tr("{array} is not a plain array ({reason}).", array=name, reason=words_of(error))
        ) from error
    if array.dtype.kind not in INTEGER + REAL:
        raise TransferError(tr("{array} holds {type}; expected plain numbers.", array=name, type=str(array.dtype)[:80]))
    return array


def _content(reader: ZipReader, entry: Entry) -> bytes:
    if entry.method or entry.size != entry.packed or entry.is_encrypted or not entry.name.endswith(SUFFIX):
        raise DataError(tr("“{name}” in it is compressed, encrypted or not an array.", name=entry.name[:80]))
    return b"".join(reader.content(entry))
