import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from core.errors import UnsafeWeightsFile, WeightsError
from core.models import torch_checkpoint
from core.models.torch_checkpoint import read_torch_file

# A small assembler for the older format, because the real writer would need PyTorch.
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
VERSION = pickle.dumps(1001, protocol=2)
MACHINE = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, protocol=2)


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    if value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def group(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    return group(text("storage"), named("torch", kind), text(key), text("cpu"), number(count), b"N") + b"Q"


EMPTY_ORDERED = named("collections", "OrderedDict") + b")R"
REBUILD = named("torch._utils", "_rebuild_tensor_v2")


def tensor(stored: bytes, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    sizes, steps = (group(*(number(value) for value in values)) for values in (shape, stride))
    return REBUILD + group(stored, number(offset), sizes, steps, b"\x89", EMPTY_ORDERED) + b"R"


def arrays(**items: bytes) -> bytes:
    body = b"".join(text(name) + value for name, value in items.items())
    return b"\x80\x02" + EMPTY_ORDERED + b"(" + body + b"u."


def whole(main: bytes, storages: dict[str, tuple[int, bytes]]) -> bytes:
    raw = b"".join(struct.pack("<Q", count) + data for count, data in storages.values())
    return MAGIC + VERSION + MACHINE + main + pickle.dumps(list(storages), protocol=2) + raw


def good_file() -> bytes:
    main = arrays(
        plain=tensor(storage("1", 8), (2, 3), (3, 1), offset=2),
        turned=tensor(storage("1", 8), (2, 3), (1, 2)),
        count=tensor(storage("2", 1, "LongStorage"), (), ()),
    )
    return whole(main, {"1": (8, np.arange(8, dtype="<f4").tobytes()), "2": (1, np.array([5], dtype="<i8").tobytes())})


def write(folder: Path, content: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(content)
    return path


def refuse(folder: Path, content: bytes, because: str) -> None:
    with pytest.raises(UnsafeWeightsFile, match=because):
        read_torch_file(write(folder, content))


def test_arrays_come_out_with_their_names_types_and_axes(tmp_path: Path) -> None:
    found = read_torch_file(write(tmp_path, good_file()))
    assert list(found) == ["plain", "turned", "count"]
    np.testing.assert_array_equal(found["plain"], [[2, 3, 4], [5, 6, 7]])
    np.testing.assert_array_equal(found["turned"], [[0, 2, 4], [1, 3, 5]])
    assert found["plain"].dtype == np.float32 and found["count"].dtype == np.int64 and found["count"] == 5


def test_what_is_hung_onto_the_dictionary_is_dropped(tmp_path: Path) -> None:
    metadata = b"}" + text("_metadata") + EMPTY_ORDERED + b"s" + b"b"
    main = arrays(a=tensor(storage("1", 1), (1,), (1,)))[:-1] + metadata + b"."
    found = read_torch_file(write(tmp_path, whole(main, {"1": (1, b"\0\0\x80?")})))
    assert found["a"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("torch", "load")]
)
def test_a_call_to_anything_else_is_refused_and_not_made(tmp_path: Path, module: str, name: str) -> None:
    victim = tmp_path / "victim"
    argument = text(f"touch {victim}") if name == "system" else text(f"open({str(victim)!r}, 'w')")
    call = b"\x80\x02" + named(module, name) + group(argument) + b"R."
    refuse(tmp_path, whole(call, {}), f"asks for {module}.{name}; nothing in it was executed")
    refuse(tmp_path, whole(arrays(a=call[2:-1]), {}), f"asks for {module}.{name}")
    refuse(tmp_path, call, "asks for")
    assert not victim.exists()


def test_a_pickle_of_pythons_own_making_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (print, ("executed",))

    for protocol in (2, 4):
        refuse(tmp_path, whole(pickle.dumps(Evil(), protocol=protocol), {}), "refused because it")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = good_file()
    for length in range(len(content)):
        refuse(tmp_path, content[:length], "refused because")


def test_bytes_after_the_end_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path, good_file() + b"x", "after its last array")


@pytest.mark.parametrize("count", [2**31 - 1, 2**60])
def test_a_huge_storage_takes_no_memory(tmp_path: Path, count: int) -> None:
    main = arrays(a=tensor(storage("1", count), (1,), (1,)))
    refuse(tmp_path, whole(main, {"1": (count, b"\0\0\0\0")}), "ends within an array")
    refuse(tmp_path, whole(main, {"1": (1, b"\0\0\0\0")}), "a storage has 1 numbers")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_checkpoint, "MAX_FILE_BYTES", 100)
    refuse(tmp_path, good_file(), "larger than 100 bytes")


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [
        ((9,), (1,), 0),
        ((8,), (1,), 1),
        ((1000, 1000), (0, 1), 0),
        ((2, 2), (1, 1), 0),
        ((2,), (1, 1), 0),
        ((0,), (1,), 0),
    ],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(
    tmp_path: Path, shape: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    main = arrays(a=tensor(storage("1", 8), shape, stride, offset))
    refuse(tmp_path, whole(main, {"1": (8, bytes(32))}), "a tensor")


@pytest.mark.parametrize(
    ("value", "because"),
    [
        (text("not an array"), "something other than named arrays"),
        (named("torch", "FloatStorage") + b")R", "calls a storage type"),
        (REBUILD + b"}b", "changes a builder"),
        (EMPTY_ORDERED + b"r\xff\xff\xff\x7f", "huge memory"),
        (text("os") + text("system") + b"\x93", "instruction STACK_GLOBAL"),
        (group(text("module"), text("code")) + b"Q", "other than a storage"),
    ],
)
def test_odd_instructions_are_refused(tmp_path: Path, value: bytes, because: str) -> None:
    refuse(tmp_path, whole(arrays(a=value), {}), because)


def test_another_format_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, b"PK\x03\x04" + bytes(100), "refused because")
    refuse(tmp_path, pickle.dumps(1, protocol=2), "not in PyTorch's older format")
    refuse(tmp_path, b"", "refused because it is damaged")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent.pth cannot be read"):
        read_torch_file(tmp_path / "absent.pth")
