import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from core.data.images import decode, inspect
from core.data.scan.index import KnownDigest
from core.training.inputs.batches import batches
from core.training.inputs.mixing import Softening
from core.training.inputs.photos import CHUNK, Photos, ahead, in_chunks
from tests.conftest import PATIENCE

COUNT = 10
SHAPE = (8, 8, 3)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """More photos than are decoded in one go, all different."""
    random = np.random.default_rng(0)
    made = [tmp_path / f"{number:03d}.png" for number in range(CHUNK + 6)]
    for file in made:
        Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(file)
    return made


def photos_in(files: list[Path], **more: int) -> Photos:
    root = files[0].parent
    return Photos(files, 8, root / "work" / "pixels.npy", [root], **more)


def decoded(photos: Photos) -> list[int]:
    """Decode all; returns what was heard."""
    heard: list[int] = []
    photos.decode(np.arange(len(photos)), heard.append)
    return heard


def numbered() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Photos of one colour each, by which they can be told, and labels that follow from it."""
    numbers = np.arange(COUNT)
    pixels = np.broadcast_to((numbers * 10)[:, None, None, None], (COUNT, *SHAPE)).astype(np.uint8)
    return pixels, (numbers % 3).astype(np.int32)


def source(positions: list[int] | range, size: int = 4, softening: Softening | None = None, first: int = 0) -> Any:
    pixels, labels = numbered()
    return batches(pixels.__getitem__, labels, np.array(positions, np.intp), size, SHAPE, softening, first)


def passes(given: tf.data.Dataset, count: int) -> list[list[int]]:
    """Which photos came, pass by pass."""
    return [[int(photo[0, 0, 0]) // 10 for batch, _ in given for photo in np.asarray(batch)] for _ in range(count)]


def test_weights_come_with_the_labels_of_their_photos() -> None:
    pixels, labels = numbered()
    weights = np.linspace(0.1, 1, COUNT).astype(np.float32)
    order = np.array([3, 1, 2])
    given = list(batches(pixels.__getitem__, labels, order, 2, SHAPE, weights=weights))
    assert [len(batch) for batch in given] == [3, 3]
    assert np.concatenate([np.asarray(batch[2]) for batch in given]).tolist() == weights[order].tolist()
    soft = list(batches(pixels.__getitem__, labels, order, 3, SHAPE, Softening(3), weights=weights))
    [(_, targets)] = soft
    np.testing.assert_allclose(targets, np.eye(3)[labels[order]] * weights[order][:, None])


def test_every_photo_is_decoded_as_everywhere_else(files: list[Path]) -> None:
    photos = photos_in(files)
    assert decoded(photos) == [CHUNK, len(files)] and photos.failures == {} and len(photos) == len(files)
    pixels = photos.pixels(np.arange(len(files)))
    assert pixels.shape == (len(files), *photos.shape) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.stack([decode(file, 8) for file in files]))


def test_photos_are_decoded_when_they_are_asked_for_and_only_once(files: list[Path]) -> None:
    photos = photos_in(files)
    expected = decode(files[3], 8)
    np.testing.assert_array_equal(photos.pixels([3])[0], expected)
    for file in files:
        file.unlink()
    np.testing.assert_array_equal(photos.pixels([3])[0], expected)
    assert photos.failures == {}, "no other was looked at"
    assert not photos.pixels([4]).any() and photos.failures == {4: "the file is no longer there"}


def test_the_order_asked_for_is_the_order_that_comes(files: list[Path]) -> None:
    photos = photos_in(files)
    np.testing.assert_array_equal(photos.pixels([5, 2, 5]), np.stack([decode(files[i], 8) for i in (5, 2, 5)]))


def test_photos_that_cannot_be_read_are_reported_and_the_others_are_not_harmed(files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:40])
    files[2].write_bytes(b"<html>")
    files[CHUNK + 1].unlink()
    photos = photos_in(files)
    assert photos.failures == {}, "nothing was asked for yet"
    assert decoded(photos) == [CHUNK, len(files)]
    assert set(photos.failures) == {1, 2, CHUNK + 1}
    assert "web page" in photos.failures[2] and photos.failures[CHUNK + 1] == "the file is no longer there"
    assert not photos.pixels(list(photos.failures)).any()
    np.testing.assert_array_equal(photos.pixels([3])[0], decode(files[3], 8))


def test_photos_with_too_many_pixels_are_reported(files: list[Path]) -> None:
    Image.new("RGB", (12, 10), "red").save(files[2])
    photos = photos_in(files, max_pixels=9 * 12)
    decoded(photos)
    assert photos.failures == {2: "too many pixels: 12 × 10; the limit is 108"}


def test_a_photo_that_has_become_a_link_to_elsewhere_is_not_read(files: list[Path], tmp_path: Path) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside.png")
    files[4].rename(outside)
    files[4].symlink_to(outside)
    photos = photos_in(files)
    decoded(photos)
    assert photos.failures == {4: "it points outside the folders that may be read"}
    assert not photos.pixels([4]).any()
    again = photos_in(files)
    assert again.digests()[4] == b"" and set(again.failures) == {4}


def test_who_hears_of_the_progress_can_give_up(files: list[Path]) -> None:
    heard: list[int] = []

    def give_up(done: int) -> None:
        heard.append(done)
        raise KeyError("enough")

    photos = photos_in(files)
    with pytest.raises(KeyError, match="enough"):
        photos.decode(np.arange(len(files)), give_up)
    assert heard == [CHUNK]
    for file in files:
        file.unlink()
    photos.pixels(np.arange(len(files)))
    assert set(photos.failures) == set(range(CHUNK, len(files))), "nothing was decoded after that"


def test_digests_are_those_of_a_scan(files: list[Path]) -> None:
    assert photos_in(files).digests() == [inspect(file).digest for file in files]


def test_a_known_digest_is_taken_where_the_file_is_as_it_was(files: list[Path]) -> None:
    def known(file: Path, digest: bytes = b"taken from scan.") -> KnownDigest:
        return KnownDigest(file.stat().st_size, file.stat().st_mtime_ns, digest)

    asked: list[KnownDigest | None] = [known(file) for file in files]
    files[0].write_bytes(files[1].read_bytes() + b"more")
    os.utime(files[1], ns=(0, 5))
    files[2].unlink()
    asked[3] = None
    photos = photos_in(files)
    digests = photos.digests(asked)
    assert [digests[i] for i in (0, 1, 3)] == [
        hashlib.blake2b(files[i].read_bytes(), digest_size=16).digest() for i in (0, 1, 3)
    ]
    assert digests[2] == b"" and photos.failures == {2: "the file is no longer there"}
    assert set(digests[4:]) == {b"taken from scan."}


def test_a_file_without_a_digest_is_a_failure_with_a_reason(files: list[Path]) -> None:
    files[0].unlink()
    files[1].unlink()
    files[1].mkdir()
    photos = photos_in(files)
    digests = photos.digests()
    assert digests[:2] == [b"", b""] and all(len(digest) == 16 for digest in digests[2:])
    assert photos.failures == {0: "the file is no longer there", 1: "this is a folder, not a photo"}


def test_batches_hold_floats_of_0_to_255_with_their_labels() -> None:
    pixels, labels = numbered()
    seen = [(np.asarray(batch), np.asarray(truth)) for batch, truth in source(range(COUNT))]
    assert [batch.shape for batch, _ in seen] == [(4, *SHAPE), (4, *SHAPE), (2, *SHAPE)]
    assert {(batch.dtype, truth.dtype) for batch, truth in seen} == {(np.dtype(np.float32), np.dtype(np.int32))}
    np.testing.assert_array_equal(np.concatenate([batch for batch, _ in seen]), pixels)
    np.testing.assert_array_equal(np.concatenate([truth for _, truth in seen]), labels)


def test_only_the_chosen_photos_come_and_in_the_order_given() -> None:
    assert passes(source([5, 2, 9], 2), 2) == [[5, 2, 9]] * 2


def test_labels_stay_with_their_photos() -> None:
    for batch, truth in source([7, 1, 8, 0, 4, 3, 2]):
        np.testing.assert_array_equal(np.asarray(batch)[:, 0, 0, 0] // 10 % 3, np.asarray(truth))


def test_batches_can_hold_whatever_is_gathered() -> None:
    rows = np.arange(30, dtype=np.float16).reshape(5, 6)
    given = batches(rows.__getitem__, np.arange(5, dtype=np.int32), np.array([4, 0]), 2, (6,))
    assert given.element_spec[0].shape.as_list() == [None, 6]
    [(batch, truth)] = list(given)
    np.testing.assert_array_equal(np.asarray(batch), rows[[4, 0]].astype(np.float32))
    np.testing.assert_array_equal(np.asarray(truth), [4, 0])


def test_an_epoch_that_is_taken_up_in_the_middle_goes_on_with_the_very_batches_that_were_left() -> None:
    mixing = Softening(3, 0.1, mixup=0.4, cutmix=1.0, seeds=(5, 1))
    whole = [(np.asarray(batch), np.asarray(truth)) for batch, truth in source(range(COUNT), 2, mixing)]
    rest = [(np.asarray(batch), np.asarray(truth)) for batch, truth in source(range(4, COUNT), 2, mixing, first=2)]
    assert len(rest) == len(whole) - 2
    for (batch, truth), (same, same_truth) in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(batch, same)
        np.testing.assert_array_equal(truth, same_truth)
        assert truth.dtype == np.float32 and truth.shape == (2, 3)


def test_keras_counts_the_batches() -> None:
    assert int(source(range(COUNT)).cardinality()) == 3
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(source(range(COUNT)), epochs=2, verbose=0).history["loss"]).all()


def test_passes_that_have_ended_do_not_keep_a_tuner_waiting() -> None:
    """Freeing an iterator waits for tf.data's tuner, which sleeps up to a minute, and training stood still."""
    assert source(range(COUNT)).options().autotune.enabled is False


def test_chunks_hold_every_chosen_photo_in_order() -> None:
    positions = np.arange(2 * CHUNK + 1)[::-1]
    chunks = list(in_chunks(positions))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    np.testing.assert_array_equal(np.concatenate(chunks), positions)
    assert [chunk.tolist() for chunk in in_chunks(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]


def test_what_is_made_ahead_comes_in_order_though_the_first_is_ready_last() -> None:
    last_is_made = threading.Event()

    def make(number: int) -> int:
        if number == 0:
            assert last_is_made.wait(PATIENCE)
        if number == 3:
            last_is_made.set()
        return number * 10

    with ThreadPoolExecutor(2) as pool:
        assert list(ahead(make, range(4), pool, most=4)) == [0, 10, 20, 30]


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_than_so_many_are_under_way(most: int) -> None:
    taken = 0

    def given() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    with ThreadPoolExecutor(2) as pool:
        for received, made in enumerate(ahead(lambda number: number, given(), pool, most)):
            assert made == received
            assert taken <= received + 1 + most
    assert taken == 20


def test_a_mistake_made_ahead_comes_out_in_its_place() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise KeyError("two")
        return number

    seen = []
    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyError, match="two"):
        for made in ahead(make, range(10), pool, most=3):
            seen.append(made)
    assert seen == [0, 1]
