import io
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.data.scan.readers import FATAL
from core.inference.batch import BatchJob, FolderJobs
from core.inference.batch_worker import Worker
from core.inference.prediction import Predictor
from core.inference.sources import Listing, in_folder, uploaded, zipped
from core.settings import Limits
from tests.conftest import PATIENCE, FinishedRun, alive

DIES_OF_A_PHOTO = """
import os, signal
from core.inference import batch_worker

usual = batch_worker.decode

def decode(content, *more):
    if content == b"deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(content, *more)

batch_worker.decode = decode
batch_worker.main()
"""
"""A child process like ours, but that some bytes bring down."""


@pytest.fixture(scope="module")
def predictor(finished_run: FinishedRun) -> Predictor:
    """The finished run's model."""
    return Predictor(finished_run.run)


def job_of(finished_run: FinishedRun, predictor: Predictor, few: int = 64) -> BatchJob:
    """A job with nothing to do yet."""
    return BatchJob(predictor, finished_run.run.serving_folder, Limits().pixels, few=few)


def test_a_folder_is_predicted_here_and_in_a_child_alike(finished_run: FinishedRun, predictor: Predictor) -> None:
    colours = finished_run.workplace.colours
    found = []
    for few in (64, 5):
        job = job_of(finished_run, predictor, few)
        job.add(lambda stop: in_folder(colours, [colours], Limits(), stop))
        assert job.wait(PATIENCE) and job.error is None
        found.append(job.batch())
        assert (job.done, job.total, len(found[-1])) == (30, 30, 30)
    here, there = found
    assert [photo.name for photo in here.photos] == [photo.name for photo in there.photos]
    np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-4)
    assert here.embedding.shape[0] == 30 and here.embedding.dtype == np.float16
    blue = np.array([photo.name.startswith("blue") for photo in here.photos])
    single = predictor.predict([predictor.see(here.photos[3].read())]).probabilities
    np.testing.assert_allclose(here.probabilities[3:4], single, atol=1e-5)
    assert blue.sum() == 15


def test_what_cannot_be_read_is_listed_and_more_can_be_added(finished_run: FinishedRun, predictor: Predictor) -> None:
    photo = (finished_run.workplace.colours / "red" / "00.png").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/one.png", photo)
        file.writestr("a/broken.png", b"<html>")
        file.writestr("notes.txt", b"text")
        file.writestr("a/labels.csv", b"file,label\n")
    job = job_of(finished_run, predictor)
    files = [("two.png", io.BytesIO(photo)), ("film.mp4", io.BytesIO(b"film")), ("large.png", io.BytesIO(photo * 9))]
    job.add(lambda stop: uploaded(files, Limits(file_bytes=len(photo))))
    job.add(lambda stop: zipped(archive, Limits()))
    assert job.wait(PATIENCE)
    batch = job.batch()
    assert [photo.name for photo in batch.photos] == ["two.png", "a/one.png"]
    assert {entry.path for entry in batch.left_out} == {"film.mp4", "large.png", "notes.txt", "a/broken.png"}
    assert batch.photos[1].read() == photo
    assert job.picture(1, 40).startswith(b"\xff\xd8")
    job.add(lambda stop: zipped(io.BytesIO(b"no archive"), Limits()))
    assert job.wait(PATIENCE) and "no ZIP archive" in str(job.error)
    assert len(job.batch()) == 2


def test_a_job_that_is_cancelled_keeps_what_it_has(finished_run: FinishedRun, predictor: Predictor) -> None:
    colours = finished_run.workplace.colours
    job = job_of(finished_run, predictor)

    def some_then_cancel(stop: object) -> Listing:
        found = in_folder(colours, [colours], Limits())
        slow = found.photos[4]

        def read() -> bytes:
            job.cancel()
            return slow.read()

        return Listing((*found.photos[:4], type(slow)("last", read), *found.photos[5:]))

    job.add(some_then_cancel)
    assert job.wait(PATIENCE) and job.cancelled
    assert len(job.batch()) == 4 and job.done == job.total == 4


def test_photos_added_while_the_child_is_being_ended_wait_until_it_has_ended(
    finished_run: FinishedRun, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = finished_run.workplace.colours
    job = job_of(finished_run, predictor, few=0)
    end = job._child.close
    threads: list[threading.Thread] = []

    def find(stop: object) -> Listing:
        threads.append(threading.current_thread())
        return in_folder(colours, [colours], Limits())

    def add_and_end() -> None:
        if len(threads) == 1:
            job.add(find)
        end()

    monkeypatch.setattr(job._child, "close", add_and_end)
    job.add(find)
    assert job.wait(PATIENCE) and job.error is None
    assert threads[0] is threads[1], "a second thread would ask the child that the first one ends"
    assert (job.done, len(job.batch()), job.batch().left_out) == (60, 60, ())


def test_photos_added_after_a_cancelled_job_has_stopped_are_predicted(
    finished_run: FinishedRun, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = finished_run.workplace.colours
    job = job_of(finished_run, predictor)
    end = job._child.close
    ended: list[bool] = []

    def cancelled(stop_if_asked: Callable[[], None]) -> Listing:
        job.cancel()
        stop_if_asked()
        raise AssertionError("it was to stop")

    def add_and_end() -> None:
        if not ended:
            job.add(lambda stop: in_folder(colours, [colours], Limits()))
        ended.append(job.cancelled)
        end()

    monkeypatch.setattr(job._child, "close", add_and_end)
    job.add(cancelled)
    assert job.wait(PATIENCE)
    assert ended == [True, False] and not job.cancelled and len(job.batch()) == 30


def test_a_photo_that_brings_the_child_down_is_left_out(
    finished_run: FinishedRun,
) -> None:
    worker = Worker(finished_run.run.serving_folder, Limits().pixels)
    photo = (finished_run.workplace.colours / "red" / "00.png").read_bytes()
    worker.responder.command = [sys.executable, "-c", DIES_OF_A_PHOTO, worker.responder.command[-1]]
    try:
        answers = worker.predict([photo, b"deadly", photo])
    finally:
        worker.close()
    assert [problem for answer in answers for problem in answer.problems] == ["", FATAL, ""]
    assert sum(len(answer.probabilities) for answer in answers) == 2


def test_where_no_process_can_be_started_the_job_says_so_and_no_photo_is_called_damaged(
    finished_run: FinishedRun, predictor: Predictor
) -> None:
    colours = finished_run.workplace.colours
    job = job_of(finished_run, predictor, few=5)
    job._child.responder.command = ["/no/such/program"]
    job.add(lambda stop: in_folder(colours, [colours], Limits()))
    assert job.wait(PATIENCE) and "could not be started (No such file" in str(job.error)
    assert len(job.batch()) == 5 and job.batch().left_out == ()


def test_a_folder_is_found_again_and_must_lie_where_it_may_be_read(
    finished_run: FinishedRun, predictor: Predictor, tmp_path: Path
) -> None:
    jobs = FolderJobs(finished_run.workplace.settings)
    folder, serving = str(finished_run.workplace.colours), finished_run.run.serving_folder
    assert jobs.find("run", folder) is None
    job = jobs.begin("run", folder, predictor, serving)
    assert jobs.find("run", folder) is job and jobs.find("other", folder) is None
    assert job.wait(PATIENCE) and len(job.batch()) == 30
    outside = jobs.begin("run", str(tmp_path / "elsewhere"), predictor, serving)
    assert outside.wait(PATIENCE) and "outside the folders" in str(outside.error)


def test_the_child_ends_with_the_job(finished_run: FinishedRun) -> None:
    worker = Worker(finished_run.run.serving_folder, Limits().pixels)
    photo = (finished_run.workplace.colours / "red" / "00.png").read_bytes()
    [answer] = worker.predict([photo, photo])
    assert answer.problems == ("", "") and answer.embedding.shape[0] == 2
    pid = worker.responder.pid
    assert pid is not None and alive(pid)
    worker.close()
    assert not alive(pid)
