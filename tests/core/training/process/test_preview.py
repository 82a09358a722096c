import fcntl
import os
import signal
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from core.errors import PreviewError
from core.recipe.augmentations import AUGMENTATIONS
from core.training.inputs.augmenter import augmenter, seeds_from
from core.training.process.preview import PreviewWorker
from tests.conftest import alive, eventually

CHOICES = {row.key: row.choice() for row in AUGMENTATIONS}


def photos(count: int = 2, side: int = 24) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def child_of(worker: PreviewWorker) -> int:
    assert worker._responder.pid is not None
    return worker._responder.pid


def waiting_bytes(pipe: int) -> int:
    """How much was written into a pipe and is not read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewWorker]:
    """A worker whose child is kept between tests, as the server keeps it."""
    worker = PreviewWorker(tmp_path_factory.mktemp("keras"))
    worker.start()
    yield worker
    worker.close()


def test_without_augmentations_every_view_is_the_photo(worker: PreviewWorker) -> None:
    seen = worker.augment(photos(), {}, seed=1, views=3)
    assert seen.shape == (2, 3, 24, 24, 3) and seen.dtype == np.uint8
    for view in range(3):
        np.testing.assert_array_equal(seen[:, view], photos())


@pytest.mark.thorough
def test_the_seed_fixes_the_views_and_no_two_are_alike(worker: PreviewWorker) -> None:
    first, again, other = (worker.augment(photos(), CHOICES, seed, views=4) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (2, 4, 24, 24, 3)
    assert len(np.unique(first.reshape(8, -1), axis=0)) == 8


def test_the_preview_shows_what_training_draws(worker: PreviewWorker) -> None:
    change = tf.function(augmenter(CHOICES))
    expected = np.asarray(change(tf.constant(photos().astype(np.float32)), tf.constant(seeds_from(5, 2))))
    seen = worker.augment(photos(), CHOICES, seed=5, views=1)[:, 0]
    np.testing.assert_allclose(seen, expected, rtol=0, atol=0.51)


def test_requests_of_any_size_follow_each_other(worker: PreviewWorker) -> None:
    for count, side, views in ((1, 1, 1), (3, 224, 5), (2, 7, 1), (0, 8, 2)):
        batch = photos(count, side)
        np.testing.assert_array_equal(worker.augment(batch, {}, 0, views), batch[:, None].repeat(views, axis=1))


def test_costs_are_measured_for_each_key_and_previews_go_on_after_it(worker: PreviewWorker) -> None:
    found = worker.measure(["brightness", "rotation"], 24)
    assert set(found) == {"brightness", "rotation"} and all(0 < value < 60_000 for value in found.values())
    assert worker.measure([], 24) == {}
    np.testing.assert_array_equal(worker.augment(photos(), {}, seed=0, views=1)[:, 0], photos())


def killed_at_work(worker: PreviewWorker) -> Future[NDArray[np.uint8]]:
    """Ask, and kill the child once it has the request and before it answers."""
    child = worker._responder._process
    assert child is not None and child.stdin is not None
    child.send_signal(signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)  # until it has stopped
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(worker.augment, photos(), {}, seed=0, views=1)
        pipe = child.stdin.fileno()
        eventually(lambda: waiting_bytes(pipe) > 0, "the request was in the pipe")
        os.kill(child.pid, signal.SIGKILL)
    return answer


@pytest.mark.thorough
def test_a_child_that_dies_at_work_is_an_error_once_and_is_then_replaced(real_python: None, tmp_path: Path) -> None:
    worker = PreviewWorker(tmp_path)
    worker.augment(photos(), {}, seed=0, views=1)
    before = child_of(worker)
    with pytest.raises(PreviewError, match="ended before it answered"):
        killed_at_work(worker).result()
    np.testing.assert_array_equal(worker.augment(photos(), {}, seed=0, views=1)[:, 0], photos())
    assert child_of(worker) != before and not alive(before)
    worker.close()


def test_close_ends_the_child_and_a_later_start_brings_another(tmp_path: Path) -> None:
    worker = PreviewWorker(tmp_path)
    worker.close()
    worker.start()
    pid = child_of(worker)
    worker.close()
    eventually(lambda: not alive(pid), "the child was gone")
    worker.close()
    worker.start()
    assert child_of(worker) != pid and alive(child_of(worker))
    worker.close()
