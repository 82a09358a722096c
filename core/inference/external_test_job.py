"""Testing a run's model on labelled photos from elsewhere, in the background; photos are only read.

A job unpacks the archive, where it is one, into the run's folder, looks through the photos as a scan of a dataset does,
and predicts them with a `BatchJob`; what comes of it is kept with the run.
"""

import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import CONFLICT, Dataset, prepare
from core.data.images import file_digest
from core.data.intake.archive import unpack
from core.data.review import Review, ReviewStore
from core.data.scan.folder import scan
from core.data.scan.layout import BY_HAND, Layout
from core.data.scan.walk import LeftOut, check_inside, check_photo
from core.data.split import read_split_csv
from core.data.subsets import NO_SUBSET
from core.errors import DataError, PhotoError, RunBusy, RunError
from core.files import saving
from core.inference.batch import Batch, BatchJob
from core.inference.external_test import UNPACKED, ExternalTest, Facts, keep_test
from core.inference.prediction import Predictor
from core.inference.sources import listed
from core.language import tr, tr_mark
from core.processes.background import BackgroundWork, Cancelled
from core.recipe.run_recipe import read_recipe
from core.runs.store import Run
from core.settings import Settings

UNPACKING, SCANNING, PREDICTING = "unpacking", "scanning", "predicting"
"""What a job does, one after the other."""

LOOK_SECONDS = 0.2
STALE_SECONDS = 86_400.0
CHUNK = 2**20

NO_PHOTOS = tr_mark("None of these photos has a class. Expected a subfolder for each class, with its photos inside.")
SEVERAL_CLASSES = tr_mark("the same photo is in several classes")


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled photos.

    Attributes:
        name: Of the folder or archive, for people.
        folder: Where they lie; None for an archive.
        archive: A ZIP archive with them, seekable; None for a folder.
        layout: Where their labels stand; None for what is known of the folder, or else its folders suggest.
        inside: The folder in there that is meant, relative; empty for all of it.
    """

    name: str
    folder: Path | None = None
    archive: BinaryIO | None = None
    layout: Layout | None = None
    inside: str = ""

    def read_as(self, layout: Layout, inside: str) -> "Source":
        """The same, with another source of its labels, or only the folder `inside` it."""
        return replace(self, layout=None if inside else layout, inside=inside or self.inside)

    def id(self) -> str:
        """What tells these photos from others: 32 letters, from the folder's path or the archive's content."""
        found = hashlib.blake2b(os.fsencode(self.folder or b"") + b"/" + os.fsencode(self.inside), digest_size=16)
        if self.archive is not None:
            self.archive.seek(0)
            while chunk := self.archive.read(CHUNK):
                found.update(chunk)
            self.archive.seek(0)
        return found.hexdigest()


class ExternalTestJob(BackgroundWork):
    """A test that is made in the background; nothing is kept of one that was asked to stop.

    Attributes:
        source: What is tested.
        stage: What it does: "unpacking", "scanning", "predicting"; empty while it waits for another one.
        done, total: How far that is, in bytes or photos; 0 of 0 where it is not known.
        test: The id of the test that was kept, once it has ended well.
    """

    def __init__(self, run: Run, source: Source, settings: Settings, turn: "threading.Lock | None" = None) -> None:
        """Begin at once, or when `turn` is free, which is held meanwhile."""
        super().__init__()
        self.source = source
        self.stage, self.test = "", ""
        self.done = self.total = 0
        self._run, self._settings, self._turn = run, settings, turn or threading.Lock()
        self._began: tuple[float, int] | None = None
        threading.Thread(target=self._work, name="external test", daemon=True).start()

    def seconds_left(self) -> float | None:
        """Return an estimate for what it does now; None while there is too little to go by."""
        if self._began is None or self.done <= self._began[1]:
            return None
        return (time.time() - self._began[0]) / (self.done - self._began[1]) * (self.total - self.done)

    def _work(self) -> None:
        with self.telling_how_it_ends(tr("The photos could not be evaluated")):
            while not self._turn.acquire(timeout=LOOK_SECONDS):
                self.stop_if_asked()
            try:
                with _workplace(self._run) as making:
                    self._test_in(making)
            finally:
                self._turn.release()

    def _test_in(self, making: Path) -> None:
        predictor, model = Predictor(self._run), self._run.read_status().ended
        test = self.source.id()
        dataset, left_out = self._photos(making)
        labels, members = _labelled(dataset)
        paths = [dataset.folder.paths[i] for i in members]
        roots = self._roots(dataset.folder.root)
        batch = self._predicted(predictor, dataset.folder.root, paths, roots)
        place = {path: i for i, path in zip(members.tolist(), paths, strict=True)}
        read = np.array([place[photo.name] for photo in batch.photos], np.intp)
        own, uncompared = _own_photos(self._run, self._settings.dataset_roots, dataset, read)
        conflicts = [
            LeftOut(dataset.folder.paths[i], tr(SEVERAL_CLASSES))
            for i in np.setdiff1d(np.arange(len(dataset.folder)), members).tolist()
        ]
        unpacked = self.source.archive is not None
        root = str(dataset.folder.root.relative_to(making)) if unpacked else str(dataset.folder.root)
        found = ExternalTest(
            run=self._run,
            id=test,
            facts=Facts(self.source.name, root, len(read), time.time(), model, uncompared),
            class_names=dataset.folder.class_names,
            paths=tuple(dataset.folder.paths[i] for i in read.tolist()),
            labels=labels[read],
            probabilities=batch.probabilities,
            subsets=own,
            left_out=tuple(sorted({*left_out, *dataset.scan.left_out, *conflicts, *batch.left_out})),
        )
        if not len(read):
            raise DataError(tr(NO_PHOTOS))
        self.stop_if_asked()
        keep_test(found, making)
        self.test = test

    def _photos(self, making: Path) -> tuple[Dataset, tuple[LeftOut, ...]]:
        """The photos with their classes, and what of an archive was left out."""
        left_out: tuple[LeftOut, ...] = ()
        roots: tuple[Path, ...]
        index: Path | None
        if self.source.archive is not None:
            self._begin(UNPACKING)
            came = unpack(self.source.archive, making, UNPACKED, self._settings.limits, self._report)
            root, left_out, index = came.folder / self.source.inside, came.left_out, None
            roots, review = (making,), Review(root)
        else:
            roots, index = self._settings.dataset_roots, self._settings.index_folder
            root = check_inside((self.source.folder or Path()) / self.source.inside, roots)
            review = ReviewStore(self._settings.reviews_folder).read(root)
        self._begin(SCANNING)
        found = scan(
            root,
            roots=roots,
            limits=self._settings.limits,
            layout=self.source.layout or review.layout,
            least_classes=1,
            index_folder=index,
            on_progress=self._report,
            on_folder=self.stop_if_asked,
        )
        return prepare(found, review), left_out

    def _roots(self, root: Path) -> Sequence[Path]:
        return (root,) if self.source.archive is not None else self._settings.dataset_roots

    def _predicted(self, predictor: Predictor, root: Path, paths: Sequence[str], roots: Sequence[Path]) -> Batch:
        limits = self._settings.limits
        self._begin(PREDICTING)
        job = BatchJob(predictor, self._run.serving_folder, limits.pixels)
        job.add(lambda stop_if_asked: listed(root, paths, roots, limits))
        try:
            while not job.wait(LOOK_SECONDS):
                self._report(job.done, len(paths))
        except Cancelled:
            job.cancel()
            raise
        if job.error is not None:
            raise job.error
        return job.batch()

    def _begin(self, stage: str) -> None:
        self.stop_if_asked()
        self.stage, self.done, self.total, self._began = stage, 0, 0, None

    def _report(self, done: int, total: int) -> None:
        if self._began is None:
            self._began = (time.time(), done)
        self.done, self.total = done, total
        self.stop_if_asked()


@contextmanager
def _workplace(run: Run) -> Iterator[Path]:
    """A folder in a run's `external_tests` for one job, gone at the end unless it has become a test's."""
    folder = run.external_tests_folder
    with saving(folder):
        folder.mkdir(exist_ok=True)  # and not the run's folder, where that was deleted meanwhile
        for leftover in folder.glob(".*"):  # of processes that were killed
            if leftover.stat().st_mtime < time.time() - STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
        making = folder / f".making-{secrets.token_hex(8)}"
        making.mkdir()
    try:
        yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _labelled(dataset: Dataset) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """The labels of a folder's photos, and the positions of those to test: not those that are in several classes."""
    conflicts = [finding for finding in dataset.findings if finding.kind.key == CONFLICT]
    several = [int(i) for finding in conflicts for group in finding.sets for i in group]
    members = np.setdiff1d(np.arange(len(dataset.folder)), several)
    if not len(members):
        by_hand = dataset.scan.layout.label_by == BY_HAND
        raise DataError(tr("None of these photos is labelled yet.") if by_hand else tr(NO_PHOTOS))
    return dataset.folder.labels, members


def _own_photos(
    run: Run, roots: Sequence[Path], dataset: Dataset, read: NDArray[np.intp]
) -> tuple[NDArray[np.int8], int]:
    """Find the run's own photos among others by their content.

    Args:
        run: The run.
        roots: The folders that may be read.
        dataset: The others.
        read: Which of its photos are meant, M positions.

    Returns the subset of each of the M, shape (M,), -1 for those that are new; and how many of the run's photos cannot
    be read any more, so that it is not known whether they are among them.
    """
    digests = [dataset.scan.digests[dataset.members[i]].tobytes() for i in read.tolist()]
    sizes = {size for i in read.tolist() if (size := _size(dataset.folder.absolute(i))) is not None}
    known, unread = _digests_of(run, roots, sizes)
    return np.array([known.get(digest, NO_SUBSET) for digest in digests], np.int8), unread


def _digests_of(run: Run, roots: Sequence[Path], sizes: set[int]) -> tuple[Mapping[bytes, int], int]:
    """The subsets of a run's photos that have one of these sizes in bytes, by digest; only these are read."""
    try:
        folder, subsets = read_split_csv(run.split_file, Path(read_recipe(run).dataset))
    except (DataError, RunError):
        return {}, 1
    found: dict[bytes, int] = {}
    unread = 0
    for i, subset in enumerate(subsets.tolist()):
        size = _size(folder.absolute(i))
        if size in sizes:
            try:
                digest = file_digest(check_photo(folder.absolute(i), roots))
                found[digest] = min(subset, found.get(digest, subset))
            except (OSError, PhotoError):
                size = None
        unread += size is None
    return found, unread


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


class ExternalTests:
    """The last job of each run, for all sessions, one at work at a time. Its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Test photos under the roots and limits of these settings."""
        self._settings = settings
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._jobs: dict[str, ExternalTestJob] = {}

    def find(self, run: Run) -> ExternalTestJob | None:
        """The last job of a run, unless it was forgotten."""
        with self._lock:
            return self._jobs.get(run.id)

    def begin(self, run: Run, source: Source) -> ExternalTestJob:
        """Begin to test a run; raises `RunBusy` while other photos are tested with it."""
        with self._lock:
            last = self._jobs.get(run.id)
            if last is not None and not last.is_over:
                raise RunBusy(
                    tr("Other photos are being evaluated with this run. Wait until that has ended, or stop it.")
                )
            self._jobs[run.id] = ExternalTestJob(run, source, self._settings, self._turn)
            return self._jobs[run.id]

    def forget(self, run: Run) -> None:
        """Forget the last job of a run, and with it an archive that it holds."""
        with self._lock:
            job = self._jobs.pop(run.id, None)
        if job is not None:
            job.cancel()
