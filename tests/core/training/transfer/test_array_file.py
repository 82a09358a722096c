import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from core.errors import TransferError
from core.training.transfer.array_file import REAL, Schema, array_of, read_npy, read_npz


def saved(values: object, *, pickled: bool = False) -> bytes:
    target = io.BytesIO()
    np.save(target, np.asarray(values), allow_pickle=pickled)
    return target.getvalue()


def test_plain_arrays_are_read_unchanged(tmp_path: Path) -> None:
    arrays = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.array(3), "d": np.zeros((0, 2), np.int8)}
    np.savez(tmp_path / "some.npz", **arrays)  # type: ignore[arg-type, unused-ignore]
    np.save(tmp_path / "one.npy", np.asfortranarray(arrays["a/b"]))
    found = read_npz(tmp_path / "some.npz")
    assert set(found) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values, strict=True)
    np.testing.assert_array_equal(read_npy(tmp_path / "one.npy"), arrays["a/b"], strict=True)


def header(text: str) -> bytes:
    line = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (saved(np.array([{"a": 1}], object), pickled=True), "not a plain array"),
        (saved(np.array([(1, 2.0)], "i4,f4")), "plain numbers"),
        (saved(np.array(["text"])), "plain numbers"),
        (saved(np.arange(3))[:-1], "expected 24 bytes got 23"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"), "not a plain array"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "not a plain array"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"), "not a plain array"),
        (header("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}") + b"1", "holds bool"),
        (header("{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"), "not a plain array"),
        (header("(" * 100), "not a plain array"),
        (b"\x93NUMPY\x09\x00", "not a plain array"),
        (b"", "not a NumPy array"),
        (pickle.dumps({"a": 1}), "not a NumPy array"),
        (b"PK\x03\x04", "not a NumPy array"),
    ],
)
def test_anything_but_a_plain_array_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(TransferError, match=words):
        array_of(content, "what came")


def test_compressed_arrays_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(10_000_000))
    with pytest.raises(TransferError, match=r"bomb\.npz” is not a readable file of arrays: .*compressed"):
        read_npz(tmp_path / "bomb.npz")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(TransferError, match="no ZIP archive"):
        read_npz(tmp_path / "text.npz")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"a": (REAL, 1)}, "holds a, b; expected a"),
        ({"a": (REAL, 1), "b": (REAL, 1)}, "b in some.npz is int64 with 1 dimensions"),
        ({"a": (REAL, 2), "b": ("iu", 1)}, "a in some.npz is float64 with 1 dimensions"),
    ],
)
def test_arrays_that_differ_from_the_schema_are_refused(schema: Schema, words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", a=np.zeros(2), b=np.arange(2, dtype=np.int64))
    with pytest.raises(TransferError, match=words):
        read_npz(tmp_path / "some.npz", schema)
