import io
from pathlib import Path

import numpy as np
import pytest

from core.errors import TransferError
from core.training.transfer.array_file import array_of, read_npy, read_npz


def saved(values: object, *, pickle: bool = False) -> bytes:
    target = io.BytesIO()
    np.save(target, np.asarray(values), allow_pickle=pickle)
    return target.getvalue()


def test_plain_arrays_come_as_they_were(tmp_path: Path) -> None:
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
        (saved(np.array([{"a": 1}], object), pickle=True), "plain numbers"),
        (saved(np.array([(1, 2.0)], "i4,f4")), "no plain array|plain numbers"),
        (saved(np.array(["text"])), "plain numbers"),
        (saved(np.arange(3))[:-1], "bytes"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"), "1,000,000,000,000 numbers"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "numbers"),
        (header("{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"), "no plain array"),
        (b"\x93NUMPY\x09\x00", "no plain array"),
        (b"", "no plain array"),
    ],
)
def test_what_is_no_plain_array_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(TransferError, match=words):
        array_of(content, "what came")


def test_arrays_that_are_packed_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(10_000_000))
    with pytest.raises(TransferError, match=r"bomb\.npz holds no arrays"):
        read_npz(tmp_path / "bomb.npz")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(TransferError, match="no ZIP archive"):
        read_npz(tmp_path / "text.npz")
