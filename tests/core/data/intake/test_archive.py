import io
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import portalocker
import pytest
from PIL import Image

from core.data.intake.archive import Intake, sweep_unfinished, unpack
from core.data.scan.folder import scan
from core.errors import DataError, FolderError
from core.settings import Limits
from tests.archives import ARCHIVES, GOOD, Case, Item, good, pack, photo, zeros
from tests.conftest import PROJECT
from tests.core.data.conftest import encode, place

LIMITS = Limits()


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def unpacked(tmp_path: Path, content: bytes, limits: Limits = LIMITS, name: str = "pets.zip") -> Intake:
    return unpack(io.BytesIO(content), tmp_path / "datasets", name, limits)


@pytest.mark.parametrize("case", [each for each in ARCHIVES if not each.error], ids=lambda case: case.name)
def test_what_can_be_used_is_unpacked_and_the_rest_told(case: Case, tmp_path: Path) -> None:
    intake = unpacked(tmp_path, case.build(), case.limits)
    assert files_below(tmp_path) == {f"datasets/pets/{name}" for name in case.files}, "and nothing beside it"
    reasons = {row.path: row.reason for row in intake.left_out}
    assert sorted(row.path for row in intake.left_out) == sorted(case.left_out)
    assert [path for path, words in case.left_out.items() if words not in reasons[path]] == []
    assert list(intake.left_out) == sorted(intake.left_out)
    tables = [name for name in case.files if name.lower().endswith((".csv", ".tsv", ".txt"))]
    assert (intake.added, intake.ignored) == (len(case.files) - len(tables), case.ignored)
    assert os.listdir(tmp_path / "datasets") == ["pets"] and intake.folder == tmp_path / "datasets" / "pets"
    assert not any(path.is_dir() and not any(path.iterdir()) for path in intake.folder.rglob("*")), "no empty class"


@pytest.mark.parametrize("case", [each for each in ARCHIVES if each.error], ids=lambda case: case.name)
def test_what_cannot_be_used_at_all_is_refused_and_leaves_nothing(case: Case, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        unpacked(tmp_path, case.build(), case.limits)
    assert case.error in str(caught.value) and str(caught.value).endswith(".")
    assert files_below(tmp_path) == set() and not list(tmp_path.glob("datasets/*"))


def test_every_archive_of_the_zoo_has_its_own_name() -> None:
    assert len({case.name for case in ARCHIVES}) == len(ARCHIVES) > 80


def test_photos_come_out_as_they_went_in_and_can_be_scanned(tmp_path: Path) -> None:
    large = photo(3, 400, 300)
    intake = unpacked(tmp_path, pack(Item("a/1.png", large, method=8), Item("b/2.png", large), Item("b/3.png")))
    assert [(intake.folder / name).read_bytes() for name in ("a/1.png", "b/2.png")] == [large, large]
    assert scan(intake.folder, roots=[tmp_path]).folder.class_names == ("a", "b")


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    own = place(tmp_path / "datasets" / "pets" / "mine.txt", b"mine")
    place(tmp_path / "datasets" / "pets 2", b"a file")
    assert unpacked(tmp_path, good()).folder.name == "pets 3"
    assert unpacked(tmp_path, good()).folder.name == "pets 4"
    assert files_below(own.parent) == {"mine.txt"} and own.read_bytes() == b"mine"
    assert (tmp_path / "datasets" / "pets 2").read_bytes() == b"a file"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flowers.ZIP", "flowers"),
        ("薔薇 🌹.zip", "薔薇 🌹"),
        ("C:\\Users\\me\\flowers.zip", "flowers"),
        ("../../etc/flowers.zip", "flowers"),
        (".hidden.zip", "hidden"),
        ("con.zip", "_con"),
        ("v1.2", "v1.2"),
        ("x" * 300, "x" * 120),
    ],
)
def test_the_name_of_the_archive_becomes_a_harmless_name_of_a_folder(name: str, expected: str, tmp_path: Path) -> None:
    assert unpacked(tmp_path, good(), name=name).folder == tmp_path / "datasets" / expected


@pytest.mark.parametrize("name", ["", ".zip", "...", "__MACOSX.zip"])
def test_a_name_that_is_none_is_an_error_in_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name"):
        unpacked(tmp_path, good(), name=name)
    assert not list(tmp_path.iterdir())


def test_progress_is_told_about_two_hundred_times(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    items = [Item(f"cat/{n}.png", photo(n, 90, 90)) for n in range(300)]
    total = sum(len(item.bytes_inside) for item in items)
    unpack(io.BytesIO(pack(*items)), tmp_path, "pets", LIMITS, lambda *report: told.append(report))
    assert 150 <= len(told) <= 202 and told == sorted(set(told)) and told[-1] == (total, total)


def test_progress_reaches_the_end_although_entries_fail(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    content = good(Item("cat/2.png", photo(1, 90, 90), crc=1), Item("cat/3.png", photo(1, 90, 90), offset=3))
    unpack(io.BytesIO(content), tmp_path, "pets", LIMITS, lambda *report: told.append(report))
    assert told[-1][0] == told[-1][1] and told == sorted(set(told))


class Cancelled(Exception):
    pass


@pytest.mark.parametrize("when", [0.0, 0.5, 1.0])
def test_a_cancelled_archive_leaves_nothing(when: float, tmp_path: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done >= when * total:
            raise Cancelled

    content = pack(*(Item(f"cat/{n}.png", photo(n, 90, 90)) for n in range(100)))
    with pytest.raises(Cancelled):
        unpack(io.BytesIO(content), tmp_path / "datasets", "pets", LIMITS, cancel)
    assert not list((tmp_path / "datasets").iterdir())


class Watched(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def test_a_table_of_contents_that_is_too_long_is_not_even_read(tmp_path: Path) -> None:
    row = Item("a", b"").row(0)
    file = Watched(pack(Item("a"), table=row * 100_000, count=100_000, zip64=True))
    with pytest.raises(DataError, match="100,000 files"):
        unpack(file, tmp_path, "pets", Limits(files=1000))
    assert file.taken < 70_000
    file = Watched(pack(Item("a"), table=row * 100_000, count=1, zip64=True))
    with pytest.raises(DataError, match="takes 4,700,000 bytes; at most 2,000,000"):
        unpack(file, tmp_path, "pets", Limits(files=1000))
    assert file.taken < 70_000


@pytest.mark.parametrize("file_format", ["BMP", "TIFF"])
def test_drawings_and_white_pages_are_no_trap(tmp_path: Path, file_format: str) -> None:
    def page(number: int) -> bytes:
        drawing = Image.new("RGB", (700, 700), "white")
        drawing.paste("black", (100, 10 * number, 600, 10 * number + 4))
        return encode(drawing, file_format)

    kinds = ("house", "tree")
    drawings = [Item(f"{kinds[n % 2]}/{n}.{file_format.lower()}", page(n), method=8) for n in range(4)]
    assert all(len(item.bytes_inside) > 100 * len(item.bytes_packed) > 0 for item in drawings)
    intake = unpacked(tmp_path, pack(*drawings))
    assert (intake.added, intake.left_out) == (4, ())


def test_bitmaps_that_would_fill_the_disk_together_are_left_out(tmp_path: Path) -> None:
    """As many as a table of contents of a few kilobytes can announce."""
    bombs = [Item(f"cat/{n}.bmp", packed=b"x", size=40_000_000, method=8) for n in range(60)]
    intake = unpacked(tmp_path, good(*bombs))
    assert intake.added == len(GOOD) and len(intake.left_out) == 60
    assert {row.reason for row in intake.left_out} == {
        "files that are packed more than 100 times smaller make 2.4 GB in all; more than 2.0 GB may be a trap: pack"
        " fewer at a time, or raise “ratio” under [limits] in settings.toml"
    }


def test_a_bomb_is_left_as_soon_as_it_lies(tmp_path: Path) -> None:
    """Nothing beyond the size that was announced reaches the disk: a file system of that size is large enough."""
    written: list[int] = []
    content = good(Item("cat/2.png", zeros(20), method=8, size=200_000))
    unpack(io.BytesIO(content), tmp_path, "pets", LIMITS, lambda done, total: written.append(total))
    assert written[-1] < 201_000


def test_a_file_that_vanishes_while_it_is_read_is_an_error_in_words(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 0 and os.path.exists(tmp_path / "datasets"):
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(DataError, match=r"cannot be read .*Input/output error"):
        unpack(Broken(good()), tmp_path / "datasets", "pets", LIMITS)
    assert not list((tmp_path / "datasets").iterdir())
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(DataError, match="Choose it again"):
        unpack(closed, tmp_path / "datasets", "pets", LIMITS)


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    place(tmp_path / "file", b"x")
    with pytest.raises(FolderError, match="cannot be written to"):
        unpack(io.BytesIO(good()), tmp_path / "file" / "datasets", "pets", LIMITS)


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_ends_in_rows_or_in_a_sentence(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    whole = bytearray(good(Item("cat/2.png", method=8), Item("cat/3.png", method=12, zip64=True), zip64=seed % 2 > 0))
    for attempt in range(60):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 30))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        folder = tmp_path / str(attempt)
        try:
            intake = unpack(io.BytesIO(content), folder / "datasets", "pets", LIMITS)
            assert files_below(folder) and intake.added + len(intake.left_out) + intake.ignored <= 4
        except DataError:
            assert files_below(folder) == set()
    assert {path.name for path in tmp_path.iterdir()} <= {str(attempt) for attempt in range(60)}


# ---------------------------------------------------------------- the disk


def test_room_on_the_disk_is_checked_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    content = good(*(Item(f"cat/{n}.bmp", b"BM" + zeros(1)[2:]) for n in range(3)))
    with pytest.raises(FolderError, match=r"disk is full: the photos need up to 3\.0 MB, and 1\.0 MB are free"):
        unpacked(tmp_path, content)
    assert files_below(tmp_path) == set()


CHILD = """
import io, os, sys
from pathlib import Path
from core.data.intake.archive import unpack
from core.errors import FolderError
from core.settings import Limits
from tests.conftest import PROJECT
from tests.archives import Item, good, photo

datasets = Path(sys.argv[1]) / "datasets"
{prepare}
content = good(*(Item(f"cat/{{n}}.png", photo(n, 400, 300)) for n in range(2, 6)))
try:
    print(unpack(io.BytesIO(content), datasets, "pets", Limits(), on_progress))
except FolderError as error:
    print(error, [path.name for path in datasets.iterdir()])
"""

SMALL_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
on_progress = lambda done, total: None
"""

SMALL_DISK = """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", sys.argv[1]], check=True)

def on_progress(done, total):
    if done > total / 2 and not os.path.exists(f"{sys.argv[1]}/somebody-else"):
        try:
            Path(sys.argv[1], "somebody-else").write_bytes(bytes(4_000_000))
        except OSError:
            pass
"""


def in_child(prepare: str, folder: Path, *before: str) -> "subprocess.CompletedProcess[str]":
    arguments = [*before, sys.executable, "-c", CHILD.format(prepare=prepare), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(arguments, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300)


def test_a_file_that_may_not_grow_any_more_is_told_as_a_full_disk(tmp_path: Path) -> None:
    said = in_child(SMALL_FILES, tmp_path)
    assert "The disk is full" in said.stdout and said.stdout.endswith(" []\n"), said.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 300_000


def test_a_disk_that_becomes_full_in_the_middle(tmp_path: Path) -> None:
    namespace = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("a small disk cannot be made here: the command unshare is absent or not allowed")
    said = in_child(SMALL_DISK, tmp_path, *namespace)
    if "mount:" in said.stderr:
        pytest.skip("a small disk cannot be made here: mounting is not allowed")
    assert "The disk is full: the photos need up to 1.4 MB" in said.stdout, said.stderr
    assert said.stdout.endswith(" []\n"), "what was written is removed"


# ---------------------------------------------------------------- what a killed server leaves


def left_behind(datasets: Path, name: str, age: float) -> Path:
    folder = place(datasets / name / "photos" / "cat" / "1.png").parents[2]
    place(folder / "lock", b"")
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_what_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    own = place(tmp_path / "pets" / "cat" / "1.png")
    left_behind(tmp_path, ".unfinished-old", 100)
    young = left_behind(tmp_path, ".unfinished-young", 1)
    without_lock = left_behind(tmp_path, ".unfinished-halfmade", 100)
    (without_lock / "lock").unlink()
    os.utime(without_lock, (0, 0))
    sweep_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"pets", young.name} and own.exists()
    sweep_unfinished(tmp_path / "missing")


def test_what_somebody_is_at_work_on_stays(tmp_path: Path) -> None:
    busy = left_behind(tmp_path, ".unfinished-busy", 10_000)
    with (busy / "lock").open("a") as file:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        os.utime(busy, (0, 0))
        sweep_unfinished(tmp_path)
        assert (busy / "photos" / "cat" / "1.png").exists()
    sweep_unfinished(tmp_path)
    assert not busy.exists()


def test_an_archive_in_work_is_safe_from_sweeping(tmp_path: Path) -> None:
    def sweep(done: int, total: int) -> None:
        for folder in tmp_path.glob(".unfinished-*"):
            os.utime(folder, (0, 0))
        sweep_unfinished(tmp_path)

    assert unpack(io.BytesIO(good()), tmp_path, "pets", LIMITS, sweep).added == len(GOOD)


def test_the_next_archive_removes_what_was_left(tmp_path: Path) -> None:
    left_behind(tmp_path / "datasets", ".unfinished-old", 100)
    unpacked(tmp_path, good())
    assert os.listdir(tmp_path / "datasets") == ["pets"]


def test_archives_of_one_name_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    inner: list[Intake] = []

    def another(done: int, total: int) -> None:
        if not inner:
            inner.append(unpacked(tmp_path, good()))

    outer = unpack(io.BytesIO(good()), tmp_path / "datasets", "pets", LIMITS, another)
    assert (inner[0].folder.name, outer.folder.name) == ("pets", "pets 2")
    assert files_below(inner[0].folder) == files_below(outer.folder) == set(GOOD)
