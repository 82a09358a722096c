"""Scans that go on in the background, one for each dataset, whoever watches: pages ask how far they are."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.data.scan.folder import Scan, check_inside, scan
from core.data.scan.layout import Layout
from core.language import tr
from core.processes.background import BackgroundWork
from core.settings import Settings

KEPT = 4
"""Scans kept in memory; 100,000 photos take about 100 MB."""

LEAST_AGE = 2.0
"""Seconds for which a scan is taken as it is."""

MOMENT = 0.2
"""Seconds that nobody minds to wait."""

AGE_PER_SECOND = 30.0
"""A scan that took a second, because nothing was new, is taken as it is for this many seconds."""


@dataclass
class ScanJob(BackgroundWork):
    """One scan of a folder, in a thread of its own; what one that is stopped has found is kept for the next.

    Attributes:
        root: The folder, as it was asked for.
        layout: Where the classes stand.
        done: Photos looked at so far; None as long as folders are being listed.
        total: Photos that there are.
        comparing: Whether all were read and are now being compared.
        started, ended: Seconds since 1970; `ended` is None while it goes on.
        result: What was found, once finished.
    """

    root: str
    layout: Layout
    done: int | None = None
    total: int = 0
    comparing: bool = False
    started: float = field(default_factory=time.time)
    ended: float | None = None
    result: Scan | None = None
    _first: tuple[float, int] | None = None

    def duration(self) -> float:
        """Return the seconds that it took, or has taken so far."""
        return (self.ended or time.time()) - self.started

    def seconds_left(self) -> float | None:
        """Return an estimate by the photos read so far; None while there is too little to go by."""
        if self._first is None or self.done is None:
            return None
        since, done_then = self._first
        seconds, photos = time.time() - since, self.done - done_then
        return seconds / photos * (self.total - self.done) if photos > 0 and seconds > 0.5 else None

    def run(self, look: Callable[["ScanJob"], Scan]) -> None:
        """Carry it out in this thread."""
        with self.telling_how_it_ends(tr("The folder {folder} could not be looked through", folder=self.root)):
            self.result = look(self)

    def _end(self) -> None:
        self.ended = time.time()
        super()._end()

    def on_progress(self, done: int, total: int) -> None:
        """Take note of how far the scan is, and stop it when asked to."""
        if self._first is None:
            self._first = (time.time(), done)
        self.done, self.total = done, total
        self.stop_if_asked()


class Scanner:
    """Starts scans and keeps the last ones. Its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Scan under the roots and limits of these settings."""
        self._settings = settings
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[Path, Layout], ScanJob] = OrderedDict()
        self._kept: OrderedDict[tuple[Path, Layout], ScanJob] = OrderedDict()

    def request(self, path: str, layout: Layout, *, again: bool = False) -> ScanJob:
        """Return the last scan of a folder while it is fresh, else the one that goes on, or begins now.

        The longer a look at an unchanged folder takes, the more seldom it is taken: where that is more than a moment,
        the last scan is returned while a new one looks in the background, and later requests get what that found. With
        `again`, or after an error, the new one is returned in any case.

        Raises:
            FolderError: As `core.data.scan.folder.check_inside`.
        """
        key = (check_inside(path, self._settings.dataset_roots), layout)
        with self._lock:
            last = self._collect(key)
            if last is not None and not again and not _is_stale(last):
                return last
            going = self._jobs.get(key) or self._start(key)
        if last is None or last.error or again:
            return going
        if last.duration() < MOMENT and going.wait(2 * MOMENT):
            with self._lock:
                return self._collect(key) or going
        return last

    def _collect(self, key: tuple[Path, Layout]) -> ScanJob | None:
        """Keep the scan of a folder if it has ended, and return the one that is kept.

        One that found the same as before only renews its age, so that what was made of it need not be made again.
        """
        job, last = self._jobs.get(key), self._kept.get(key)
        if job is not None and job.ended is not None:
            del self._jobs[key]
            if last is not None and last.result and job.result and last.result.token == job.result.token:
                last.started, last.ended = job.started, job.ended
            elif not job.cancelled:
                self._kept[key] = job
        if key in self._kept:
            self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept.get(key)

    def _start(self, key: tuple[Path, Layout]) -> ScanJob:
        job = ScanJob(str(key[0]), key[1])
        self._jobs[key] = job
        threading.Thread(target=job.run, args=(self._look,), name="scan", daemon=True).start()
        return job

    def _look(self, job: ScanJob) -> Scan:
        found = scan(
            job.root,
            roots=self._settings.dataset_roots,
            limits=self._settings.limits,
            layout=job.layout,
            index_folder=self._settings.index_folder,
            on_progress=job.on_progress,
            on_folder=job.stop_if_asked,
        )
        last = self._kept.get((found.folder.root, job.layout))
        if last is None or last.result is None or last.result.token != found.token:
            job.comparing = True
            _ = found.duplicates  # computed here, in the background, rather than by the first page that asks
        return found


def _is_stale(job: ScanJob) -> bool:
    return time.time() - (job.ended or job.started) > max(LEAST_AGE, AGE_PER_SECOND * job.duration())
