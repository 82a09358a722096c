"""Reading arrays out of PyTorch's older file format without PyTorch, and without executing anything.

The format is a sequence of pickles (a magic number, a version, facts about the machine, the named tensors, the
storages' keys) followed by the storages' raw bytes. A pickle can ask for any function to be called; here it is first
read as a mere list of instructions, of which only those that build plain values may occur, and then the few names
that it may ask for are answered with builders of our own. Everything else is refused before it happens.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeGuard

import numpy as np

from core.errors import UnsafeWeightsFile, WeightsError, words_of
from core.language import tr

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
MAX_FILE_BYTES = 1_000_000_000
MAX_MEMO = 1_000_000
MAX_AXES = 8

_OPCODES = frozenset(
    {
        *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("APPEND", "APPENDS", "SETITEM", "SETITEMS"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    }
)
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_BROKEN_PICKLE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
)


class _Storage(NamedTuple):
    """A stretch of numbers that is stored further down in the file."""

    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """A dense stretch of a storage; `order` names its axes from the slowest to the fastest."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]


class _NamedValues(dict[Any, Any]):
    """Stands for an OrderedDict; what PyTorch hangs onto it besides its items is dropped."""

    def __setstate__(self, state: object) -> None:
        """Drop the state."""


class _Builder:
    """Stands for one name that a file may ask for; can be called and nothing else."""

    __slots__ = ("_make", "dtype")

    def __init__(self, make: Callable[..., object] | None = None, dtype: str = "") -> None:
        self._make = make
        self.dtype = dtype

    def __call__(self, *arguments: object) -> object:
        if self._make is None:
            _refuse(tr("it calls a storage type"))
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        _refuse(tr("it changes a builder"))


def _refuse(why: str) -> NoReturn:
    raise UnsafeWeightsFile(why)


def _named_values(*arguments: object) -> _NamedValues:
    if arguments:
        _refuse(tr("it fills a dictionary in an unusual way"))
    return _NamedValues()


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _are_counts(value: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(value, tuple) and all(_is_count(part) for part in value)


def _from_slow_to_fast(stride: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes in the order in which they lie in the storage, the fastest last."""
    return tuple(sorted(range(len(stride)), key=lambda axis: -stride[axis]))


def _is_dense(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Tell whether a tensor uses every number of a stretch once, in whatever order of axes."""
    long_axes = [axis for axis in _from_slow_to_fast(stride) if shape[axis] > 1]
    steps = (math.prod(shape[inner] for inner in long_axes[place + 1 :]) for place in range(len(long_axes)))
    return all(stride[axis] == step for axis, step in zip(long_axes, steps, strict=True))


def _tensor(storage: object, offset: object, shape: object, stride: object, *rest: object) -> _Tensor:
    """Stand in for torch._utils._rebuild_tensor_v2; accept only what lies densely within the storage."""
    if not isinstance(storage, _Storage) or not _is_count(offset) or not _are_counts(shape) or not _are_counts(stride):
        _refuse(tr("a tensor is described in an unknown way"))
    if 0 in shape or len(shape) != len(stride) or len(shape) > MAX_AXES:
        _refuse(tr("a tensor is empty or has unusual axes"))
    if not _is_dense(shape, stride):
        _refuse(tr("a tensor does not fill a stretch of its storage"))
    if offset + math.prod(shape) > storage.length:
        _refuse(tr("a tensor reaches beyond its storage"))
    return _Tensor(storage, offset, shape, _from_slow_to_fast(stride))


def _builders() -> dict[tuple[str, str], _Builder]:
    storages = {("torch", name): _Builder(dtype=dtype) for name, dtype in _DTYPES.items()}
    return storages | {
        ("collections", "OrderedDict"): _Builder(_named_values),
        ("torch._utils", "_rebuild_tensor_v2"): _Builder(_tensor),
    }


class _PlainUnpickler(pickle.Unpickler):
    """Builds plain values, storages and tensors; made anew for every pickle, so that none can spoil the next."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._known = _builders()

    def find_class(self, module_name: str, global_name: str, /) -> _Builder:
        """Answer with a builder of ours, or refuse."""
        builder = self._known.get((module_name, global_name))
        return (
            builder if builder is not None else _refuse(tr("it asks for {name}", name=f"{module_name}.{global_name}"))
        )

    def persistent_load(self, pid: object) -> _Storage:
        """Answer with a storage, or refuse."""
        match pid:
            case ("storage", _Builder(dtype=dtype), str(key), str(), int(count), None) if dtype and count >= 0:
                return _Storage(key, dtype, count)
        _refuse(tr("it refers to something other than a storage"))


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a file that torch.save wrote in its older format.

    Nothing in the file is executed, and no more memory is taken than about twice the file's length.

    Args:
        path: The file, at most 1 GB.

    Returns:
        For every name a read-only array, little endian, its axes in PyTorch's order.

    Raises:
        UnsafeWeightsFile: The file asks for anything but arrays, is damaged, or is not of this format.
        WeightsError: The file cannot be read at all.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            _refuse(tr("it is larger than {count} bytes", count=MAX_FILE_BYTES))
        return _read(io.BytesIO(path.read_bytes()))
    except OSError as error:
        raise WeightsError(
            tr("The weights file {file} cannot be read: {reason}.", file=str(path), reason=words_of(error))
        ) from error
    except UnsafeWeightsFile as error:
        raise UnsafeWeightsFile(
            tr(
                "The weights file {file} was refused because {reason}; nothing in it was executed. Expected named"
                " arrays in PyTorch's older format: get the file from its package again.",
                file=str(path),
                reason=error.text,
            )
        ) from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    if _plain_value(file) != MAGIC or _plain_value(file) != VERSION:
        _refuse(tr("it is not in PyTorch's older format"))
    machine = _plain_value(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        _refuse(tr("it was not written on a little-endian machine"))
    tensors = _plain_value(file)
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(value, _Tensor) for name, value in tensors.items()
    ):
        _refuse(tr("it holds something other than named arrays"))
    raw = _raw_storages(file, {tensor.storage for tensor in tensors.values()})
    return {name: _array(tensor, raw) for name, tensor in tensors.items()}


def _plain_value(file: BinaryIO) -> Any:
    """Read one pickle, checking every instruction before any is carried out."""
    start = file.tell()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name not in _OPCODES:
                _refuse(tr("it has the instruction {name}", name=opcode.name))
            if opcode.name == "LONG_BINPUT" and int(argument or 0) > MAX_MEMO:
                _refuse(tr("it asks for a huge memory"))
        end = file.tell()
        file.seek(start)
        return _PlainUnpickler(io.BytesIO(file.read(end - start))).load()
    except _BROKEN_PICKLE as error:
        raise UnsafeWeightsFile(tr("it is damaged ({reason})", reason=words_of(error))) from error


def _raw_storages(file: BinaryIO, storages: set[_Storage]) -> dict[str, bytes]:
    keys, expected = _plain_value(file), {storage.key: storage for storage in storages}
    if not isinstance(keys, list) or set(keys) != set(expected) or len(expected) != len(storages):
        _refuse(tr("its list of storages does not fit its arrays"))
    raw = {key: _raw_storage(file, expected[key]) for key in keys}
    if file.read(1):
        _refuse(tr("there is something after its last array"))
    return raw


def _raw_storage(file: BinaryIO, storage: _Storage) -> bytes:
    count = int.from_bytes(file.read(8), "little")
    if count != storage.length:
        _refuse(
            tr(
                "it is damaged: a storage has {count} numbers, not {expected}",
                count=count,
                expected=storage.length,
            )
        )
    size = count * np.dtype(storage.dtype).itemsize
    raw = file.read(size) if size <= MAX_FILE_BYTES else b""
    if len(raw) != size:
        _refuse(tr("it is damaged: it ends within an array"))
    return raw


def _array(tensor: _Tensor, raw: dict[str, bytes]) -> np.ndarray:
    storage, count = tensor.storage, math.prod(tensor.shape)
    offset = tensor.offset * np.dtype(storage.dtype).itemsize
    stored = np.frombuffer(raw[storage.key], storage.dtype, count, offset)
    return stored.reshape([tensor.shape[axis] for axis in tensor.order]).transpose(np.argsort(tensor.order))
