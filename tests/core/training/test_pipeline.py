from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.data.images import decode
from core.training.augmenter import build_augmenter
from core.training.pipeline import CHUNK, batches, decode_all, in_chunks

COUNT = 10


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """More photos than are decoded in one go, all different."""
    random = np.random.default_rng(0)
    files = [tmp_path / f"{number:03d}.png" for number in range(CHUNK + 6)]
    for file in files:
        Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(file)
    return files


def numbered() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Photos of one colour each, by which they can be told, and labels that follow from it."""
    numbers = np.arange(COUNT)
    pixels = np.broadcast_to((numbers * 10)[:, None, None, None], (COUNT, 8, 8, 3)).astype(np.uint8)
    return pixels, (numbers % 3).astype(np.int32)


def passes(source: object, count: int) -> list[list[int]]:
    """Which photos came, pass by pass."""
    return [[int(photo[0, 0, 0]) // 10 for batch, _ in source for photo in np.asarray(batch)] for _ in range(count)]  # type: ignore[attr-defined]


def shuffled(seed: int, indices: NDArray[np.intp] | None = None, size: int = 4) -> object:
    pixels, labels = numbered()
    chosen = np.arange(COUNT) if indices is None else indices
    return batches(pixels, labels, chosen, size, shuffle_seed=seed)


def test_every_photo_is_decoded_into_the_file(photos: list[Path], tmp_path: Path) -> None:
    heard: list[int] = []
    pixels, failures = decode_all(photos, 8, tmp_path / "work" / "pixels.npy", [tmp_path], heard.append)
    assert failures == {} and heard == [CHUNK, len(photos)]
    assert pixels.shape == (len(photos), 8, 8, 3) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.stack([decode(file, 8) for file in photos]))
    np.testing.assert_array_equal(np.load(tmp_path / "work" / "pixels.npy"), pixels)


def test_photos_that_cannot_be_read_are_reported_and_the_others_are_not_harmed(
    photos: list[Path], tmp_path: Path
) -> None:
    photos[1].write_bytes(photos[1].read_bytes()[:40])
    photos[2].write_bytes(b"<html>")
    photos[CHUNK + 1].unlink()
    pixels, failures = decode_all(photos, 8, tmp_path / "pixels.npy", [tmp_path], lambda done: None)
    assert set(failures) == {1, 2, CHUNK + 1}
    assert "web page" in failures[2] and failures[CHUNK + 1] == "the file is no longer there"
    assert not pixels[list(failures)].any()
    np.testing.assert_array_equal(pixels[3], decode(photos[3], 8))


def test_photos_with_too_many_pixels_are_reported(photos: list[Path], tmp_path: Path) -> None:
    Image.new("RGB", (12, 10), "red").save(photos[2])
    _, failures = decode_all(photos, 8, tmp_path / "pixels.npy", [tmp_path], lambda done: None, 9 * 12)
    assert failures == {2: "too many pixels: 12 × 10, at most 108 are read"}


def test_a_photo_that_has_become_a_link_to_elsewhere_is_not_read(photos: list[Path], tmp_path: Path) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside.png")
    photos[4].rename(outside)
    photos[4].symlink_to(outside)
    pixels, failures = decode_all(photos, 8, tmp_path / "pixels.npy", [tmp_path], lambda done: None)
    assert failures == {4: "it leads outside the folders that may be read"}
    assert not pixels[4].any()


def test_who_hears_of_the_progress_can_give_up(photos: list[Path], tmp_path: Path) -> None:
    heard: list[int] = []

    def give_up(done: int) -> None:
        heard.append(done)
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        decode_all(photos, 8, tmp_path / "pixels.npy", [tmp_path], give_up)
    assert heard == [CHUNK]
    assert not np.load(tmp_path / "pixels.npy")[CHUNK:].any(), "nothing was decoded after that"


def test_batches_hold_floats_of_0_to_255_with_their_labels() -> None:
    pixels, labels = numbered()
    seen = [(np.asarray(batch), np.asarray(truth)) for batch, truth in batches(pixels, labels, np.arange(COUNT), 4)]
    assert [batch.shape for batch, _ in seen] == [(4, 8, 8, 3), (4, 8, 8, 3), (2, 8, 8, 3)]
    assert {(batch.dtype, truth.dtype) for batch, truth in seen} == {(np.dtype(np.float32), np.dtype(np.int32))}
    np.testing.assert_array_equal(np.concatenate([batch for batch, _ in seen]), pixels)
    np.testing.assert_array_equal(np.concatenate([truth for _, truth in seen]), labels)


def test_without_a_seed_photos_come_in_their_order() -> None:
    pixels, labels = numbered()
    assert passes(batches(pixels, labels, np.array([5, 2, 9]), 2), 2) == [[5, 2, 9]] * 2


def test_every_pass_brings_every_photo_once_in_a_new_order() -> None:
    orders = passes(shuffled(seed=3), 4)
    assert all(sorted(order) == list(range(COUNT)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_only_the_chosen_photos_come() -> None:
    for order in passes(shuffled(seed=3, indices=np.array([1, 4, 8])), 3):
        assert sorted(order) == [1, 4, 8]


def test_labels_stay_with_their_photos() -> None:
    for batch, truth in shuffled(seed=3):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(batch)[:, 0, 0, 0] // 10 % 3, np.asarray(truth))


def test_the_seed_fixes_the_order_of_every_pass() -> None:
    assert passes(shuffled(seed=3), 3) == passes(shuffled(seed=3), 3)
    assert passes(shuffled(seed=3), 1) != passes(shuffled(seed=4), 1)


def test_the_seed_fixes_the_changes_and_every_pass_brings_others() -> None:
    pixels, labels = numbered()

    def drawn() -> NDArray[np.float32]:
        augmenter = build_augmenter({"brightness": 0.3, "rotation": 0.2}, 5)
        source = batches(pixels, labels, np.arange(COUNT), 4, shuffle_seed=5, augmenter=augmenter)
        return np.stack([np.concatenate([np.asarray(batch) for batch, _ in source]) for _ in range(2)])

    first, again = drawn(), drawn()
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first[:, :, 0, 0, 0].round(3))) > COUNT, "both passes changed photos, each in its own way"
    assert first.min() >= 0 and first.max() <= 255


def test_keras_counts_the_batches() -> None:
    assert int(shuffled(seed=0).cardinality()) == 3  # type: ignore[attr-defined]
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(shuffled(seed=0), epochs=2, verbose=0).history["loss"]).all()


def test_passes_that_have_ended_do_not_keep_a_tuner_waiting() -> None:
    """Freeing an iterator waits for tf.data's tuner, which sleeps up to a minute, and training stood still."""
    assert shuffled(seed=0).options().autotune.enabled is False  # type: ignore[attr-defined]


def test_chunks_hold_every_chosen_photo_in_order() -> None:
    pixels, _ = numbered()
    indices = np.arange(2 * CHUNK + 1) % COUNT
    chunks = list(in_chunks(pixels, indices))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    np.testing.assert_array_equal(np.concatenate(chunks), pixels[indices])
