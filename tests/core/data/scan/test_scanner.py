import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.images import PhotoInfo, inspect
from core.data.scan import folder as scanning
from core.data.scan import readers
from core.data.scan import scanner as scanners
from core.data.scan.layout import FIRST, INNERMOST, Layout
from core.data.scan.scanner import KEPT, ScanJob, Scanner
from core.errors import DataError, FolderError
from core.settings import Settings
from tests.conftest import PATIENCE, eventually
from tests.core.data.conftest import place, spoil_unnoticed

LAYOUT = Layout(FIRST)


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    home = tmp_path / "home"
    return Scanner(Settings(home, (tmp_path,), home / "weights", home / "keras"))


@pytest.fixture
def always_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every scan be out of date as soon as it has ended, and let whoever asks wait for the new one."""
    monkeypatch.setattr(scanners, "MOMENT", PATIENCE)
    monkeypatch.setattr(scanners, "LEAST_AGE", -1.0)
    monkeypatch.setattr(scanners, "AGE_PER_SECOND", 0.0)


class Gate:
    """Holds up every photo that is about to be read from the given one on, until it is opened."""

    def __init__(self, first_held: str) -> None:
        """Let photos pass that come before `first_held` in order."""
        self.first_held = first_held
        self.read: list[str] = []
        self.reached, self.opened = threading.Event(), threading.Event()

    def inspect(self, path: Path, max_pixels: int) -> PhotoInfo:
        """Stand in for the function that reads a photo."""
        name = f"{path.parent.name}/{path.name}"
        if name >= self.first_held:
            self.reached.set()
            assert self.opened.wait(PATIENCE)
        self.read.append(name)
        return inspect(path, max_pixels)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    found = Gate("daisy/3.png")
    monkeypatch.setattr(readers, "inspect", found.inspect)
    return found


def finished(job: ScanJob) -> ScanJob:
    assert job.wait(PATIENCE)
    return job


def result(scanner: Scanner, root: Path) -> scanning.Scan:
    """Return what is found now, once the scan that may be needed has ended."""
    finished(scanner.request(str(root), LAYOUT, again=True))
    found = scanner.request(str(root), LAYOUT).result
    assert found is not None
    return found


def test_a_scan_ends_with_its_result(scanner: Scanner, flowers: Path) -> None:
    job = finished(scanner.request(str(flowers), LAYOUT))
    assert job.result is not None and job.result.folder.counts().tolist() == [3, 2]
    assert (job.error, job.cancelled, job.done, job.total) == (None, False, 5, 5)
    assert job.ended is not None and job.ended >= job.started and job.duration() == job.ended - job.started
    assert job.result.duplicates.exact.tolist() == [0, 1, 2, 3, 4]


def test_who_asks_twice_gets_the_same_scan(scanner: Scanner, flowers: Path, gate: Gate) -> None:
    job = scanner.request(str(flowers), LAYOUT)
    assert gate.reached.wait(PATIENCE)
    assert scanner.request(f"{flowers}/../flowers", LAYOUT) is job
    assert scanner.request(str(flowers), LAYOUT, again=True) is job
    assert not job.wait(0) and job.ended is None and job.result is None
    gate.opened.set()
    finished(job)
    assert scanner.request(str(flowers), LAYOUT) is job, "it is fresh"
    assert len(gate.read) == 5


def test_another_layout_is_another_scan(scanner: Scanner, flowers: Path) -> None:
    place(flowers / "daisy" / "wild" / "4.png")
    first = finished(scanner.request(str(flowers), LAYOUT))
    inner = finished(scanner.request(str(flowers), Layout(INNERMOST)))
    assert first.result is not None and first.result.folder.class_names == ("daisy", "rose")
    assert inner.result is not None and inner.result.folder.class_names == ("daisy", "rose", "wild")


def test_folders_outside_the_roots_are_refused_at_once(scanner: Scanner, tmp_path: Path) -> None:
    for path in (str(tmp_path.parent), str(tmp_path / "missing"), ""):
        with pytest.raises(FolderError):
            scanner.request(path, LAYOUT)


def test_a_cancelled_scan_goes_on_where_it_was(scanner: Scanner, flowers: Path, gate: Gate) -> None:
    job = scanner.request(str(flowers), LAYOUT)
    assert gate.reached.wait(PATIENCE)
    job.cancel()
    gate.opened.set()
    finished(job)
    assert (job.cancelled, job.result, job.error) == (True, None, None)
    assert job.done is not None and 0 < job.done < 5
    kept = sorted(flowers.rglob("*.png"))[: job.done]
    for photo in kept:
        spoil_unnoticed(photo)
    again = finished(scanner.request(str(flowers), LAYOUT))
    assert again is not job and again.result is not None
    assert len(again.result.folder) == 5, "photos that were read before are not read again"


def test_a_scan_that_is_cancelled_does_not_hide_the_last_one(
    scanner: Scanner, flowers: Path, always_stale: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = result(scanner, flowers)
    gate = Gate("")
    monkeypatch.setattr(readers, "inspect", gate.inspect)
    place(flowers / "rose" / "3.png")
    job = scanner.request(str(flowers), LAYOUT, again=True)
    job.cancel()
    gate.opened.set()
    assert finished(job).cancelled
    monkeypatch.setattr(scanners, "LEAST_AGE", PATIENCE)
    assert scanner.request(str(flowers), LAYOUT).result is before


def test_a_change_in_the_folder_is_noticed(scanner: Scanner, flowers: Path, always_stale: None) -> None:
    assert len(result(scanner, flowers).folder) == 5
    place(flowers / "rose" / "3.png")
    found = finished(scanner.request(str(flowers), LAYOUT))
    assert found.result is not None and len(found.result.folder) == 6
    (flowers / "rose" / "3.png").unlink()
    assert len(result(scanner, flowers).folder) == 5


def test_a_fresh_scan_is_taken_as_it_is_unless_asked_again(
    scanner: Scanner, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanners, "LEAST_AGE", PATIENCE)
    job = finished(scanner.request(str(flowers), LAYOUT))
    place(flowers / "rose" / "3.png")
    assert scanner.request(str(flowers), LAYOUT) is job
    again = finished(scanner.request(str(flowers), LAYOUT, again=True))
    assert again.result is not None and len(again.result.folder) == 6
    assert scanner.request(str(flowers), LAYOUT) is again


def test_an_unchanged_folder_keeps_its_result(scanner: Scanner, flowers: Path, always_stale: None) -> None:
    first = result(scanner, flowers)
    assert result(scanner, flowers) is first
    place(flowers / "daisy" / ".DS_Store", b"x")
    assert result(scanner, flowers) is first
    place(flowers / "daisy" / "4.png")
    assert result(scanner, flowers) is not first


def test_the_last_result_is_there_while_a_slow_scan_looks_again(
    scanner: Scanner, flowers: Path, always_stale: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanners, "MOMENT", 0.0)
    before = result(scanner, flowers)
    gate = Gate("")
    monkeypatch.setattr(readers, "inspect", gate.inspect)
    place(flowers / "rose" / "3.png")

    def the_new_photo_is_read() -> bool:  # a scan that began before it was there may have to end first
        return scanner.request(str(flowers), LAYOUT).result is before and gate.reached.is_set()

    eventually(the_new_photo_is_read, "the new photo was being read")
    assert scanner.request(str(flowers), LAYOUT).result is before
    gate.opened.set()
    assert len(result(scanner, flowers).folder) == 6


def test_an_error_stays_until_it_is_mended(scanner: Scanner, tmp_path: Path, always_stale: None) -> None:
    root = place(tmp_path / "set" / "cat" / "1.png").parents[1]
    job = finished(scanner.request(str(root), LAYOUT))
    assert job.result is None and isinstance(job.error, FolderError) and "only one class" in str(job.error)
    place(root / "dog" / "1.png")
    mended = finished(scanner.request(str(root), LAYOUT))
    assert mended.error is None and mended.result is not None and len(mended.result.folder) == 2


def test_a_good_scan_gives_way_to_an_error(scanner: Scanner, flowers: Path, always_stale: None) -> None:
    assert len(result(scanner, flowers).folder) == 5
    for photo in (flowers / "rose").iterdir():
        photo.unlink()
    assert isinstance(finished(scanner.request(str(flowers), LAYOUT, again=True)).error, FolderError)
    assert isinstance(finished(scanner.request(str(flowers), LAYOUT)).error, FolderError)


def test_what_nobody_expected_is_told_as_well(scanner: Scanner, flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, max_pixels: int) -> PhotoInfo:
        raise ZeroDivisionError("seven")

    monkeypatch.setattr(readers, "inspect", fails)
    job = finished(scanner.request(str(flowers), LAYOUT))
    assert isinstance(job.error, DataError)
    assert f"{flowers} could not be looked through: an unexpected ZeroDivisionError (seven)" in str(job.error)


def test_only_the_last_few_scans_are_kept(scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanners, "LEAST_AGE", PATIENCE)
    roots = [tmp_path / f"set {number}" for number in range(KEPT + 1)]
    jobs = []
    for root in roots:
        for name in ("cat", "dog"):
            place(root / name / "1.png")
        finished(scanner.request(str(root), LAYOUT))
        jobs.append(scanner.request(str(root), LAYOUT))
    assert all(scanner.request(str(root), LAYOUT) is job for root, job in zip(roots[1:], jobs[1:], strict=True))
    assert finished(scanner.request(str(roots[0]), LAYOUT)) is not jobs[0]


def test_many_pages_asking_at_once_share_one_scan(scanner: Scanner, flowers: Path, gate: Gate) -> None:
    jobs: list[ScanJob] = []
    ask: Callable[[], None] = lambda: jobs.append(scanner.request(str(flowers), LAYOUT))  # noqa: E731
    pages = [threading.Thread(target=ask) for _ in range(12)]
    for page in pages:
        page.start()
    for page in pages:
        page.join(PATIENCE)
    gate.opened.set()
    assert len(jobs) == 12 and len({id(job) for job in jobs}) == 1
    assert finished(jobs[0]).result is not None and len(gate.read) == 5


def test_the_time_left_follows_from_what_was_read() -> None:
    job = ScanJob("/photos", LAYOUT)
    assert job.seconds_left() is None and job.done is None
    job.on_progress(50, 1000)
    assert job.seconds_left() is None, "there is too little to go by"
    assert job._first is not None
    job._first = (job._first[0] - 10, 50)
    job.on_progress(150, 1000)
    left = job.seconds_left()
    assert left is not None and left == pytest.approx(85, rel=0.05)
