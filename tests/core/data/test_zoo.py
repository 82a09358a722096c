"""Every case of the zoo is scanned, its photos are decoded, and what the scan says is compared with the truth."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.data.images import decode, inspect
from core.data.scan.folder import Scan, scan
from core.data.scan.walk import is_housekeeping
from core.data.split import assign_subsets, read_split_csv, write_split_csv
from core.errors import FolderError, PhotoError
from core.settings import Limits
from tests.conftest import PATIENCE, PROJECT, eventually
from tests.core.data.conftest import encode, noise, place
from tests.zoo import CASES, GOOD, CannotBuild, Case, blocks, build_all, good, jpeg, merged, pipe, release, unlock

pytestmark = [
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data"),
]

ZOO = (*CASES, merged(CASES))
CASE_NAMES = [case.name for case in ZOO]

WITHOUT_RIGHTS = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
if sys.platform == "linux":
    for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Runs Python again without the rights that let the user "root" read what may not be read (capabilities(7))."""

LOOK_AND_TELL = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from tests.core.data.test_zoo import look
locked = not os.access(sys.argv[2], os.R_OK)
print(json.dumps(asdict(look(Path(sys.argv[1]), Path(sys.argv[3]))) if locked else None))
"""


@dataclass(frozen=True)
class Look:
    """What scanning a folder, and decoding what it found, came to.

    Attributes:
        paths: The usable photos.
        photos: Their number by class.
        left_out: Path and reason of each row.
        ignored: Housekeeping passed over.
        undecoded: Photos that were called usable, and are not.
        error: The sentence when the folder was refused.
    """

    paths: list[str]
    photos: dict[str, int]
    left_out: list[tuple[str, str]]
    ignored: int
    undecoded: list[str]
    error: str = ""


def look(root: Path, index_folder: Path | None = None) -> Look:
    try:
        found = scan(root, roots=[root], index_folder=index_folder)
    except FolderError as error:
        return Look([], {}, [], 0, [], str(error))
    folder = found.folder
    undecoded = [path for i, path in enumerate(folder.paths) if not is_decoded(folder.absolute(i))]
    photos = dict(zip(folder.class_names, folder.counts().tolist(), strict=True))
    rows = [(entry.path, entry.reason) for entry in found.left_out]
    assert found.sizes.shape == (len(folder), 2) and (found.sizes > 0).all()
    return Look(list(folder.paths), photos, rows, found.ignored, undecoded)


def is_decoded(photo: Path) -> bool:
    try:
        pixels = decode(photo.resolve(), 32)  # as whoever has checked it against the roots does
    except PhotoError:
        return False
    return pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8


def look_without_rights(root: Path, index_folder: Path) -> Look:
    """Look in a process to which the rights of files apply, whoever runs the tests."""
    locked = next(path for path in root.rglob("*") if stat.S_IMODE(path.stat().st_mode) == 0)
    arguments = ["-c", WITHOUT_RIGHTS, "-c", LOOK_AND_TELL, str(root), str(locked), str(index_folder)]
    told = subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE
    )
    values = json.loads(told.stdout)
    if values is None:
        pytest.skip("this user may read every file, and cannot be kept from it")
    return Look(**{**values, "left_out": [(path, reason) for path, reason in values["left_out"]]})


def contents(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Mode, size, time of change and content of everything below a folder, itself included."""
    found = {}
    for path in (root, *below(root)):
        status = path.lstat()
        is_link, is_file = stat.S_ISLNK(status.st_mode), stat.S_ISREG(status.st_mode)
        held = os.readlink(path) if is_link else digest(path) if is_file else ""
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, held)
    return found


def below(root: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(root):
        yield from (Path(folder, name) for name in (*inner, *names))


def digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except PermissionError:
        return "may not be read"


def untold(root: Path, seen: Look) -> list[str]:
    """Files that are neither used nor left out, by themselves or with a folder above them, nor housekeeping."""
    told = {*seen.paths, *(path for path, _ in seen.left_out)}
    missing = []
    for path in below(root):
        parts = os.fsencode(path.relative_to(root)).decode(errors="replace").split("/")
        ways = {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
        if not path.is_dir() and not ways & told and not any(map(is_housekeeping, parts)):
            missing.append("/".join(parts))
    return missing


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Callable[[Case], Path]]:
    """Builds a case and returns its folder, or skips where it cannot be built."""
    root = tmp_path / "dataset"

    def build(case: Case) -> Path:
        try:
            case.build(root)
        except CannotBuild as reason:
            pytest.skip(str(reason))
        return root

    yield build
    unlock(root)


@pytest.mark.parametrize("case", ZOO, ids=[case.name for case in ZOO])
def test_a_scan_survives_and_tells_the_truth(case: Case, zoo: Callable[[Case], Path], tmp_path: Path) -> None:
    root = zoo(case)
    before = contents(root)
    seen = look_without_rights(root, tmp_path / "index") if case.needs_rights else look(root)
    assert contents(root) == before, "a scan changes nothing"
    if case.error:
        assert case.error in seen.error and str(root) in seen.error
        return
    assert seen.error == ""
    assert seen.photos == case.photos
    assert [path for path, _ in seen.left_out] == sorted(case.left_out), "each is told of once"
    for path, reason in seen.left_out:
        assert case.left_out[path] in reason
    assert seen.ignored == case.ignored
    assert seen.undecoded == []
    assert case.needs_rights or untold(root, seen) == []


@pytest.mark.parametrize("case", [case for case in ZOO if not case.needs_rights], ids=lambda case: case.name)
def test_a_second_scan_that_knows_the_first_says_the_same(
    case: Case, zoo: Callable[[Case], Path], tmp_path: Path
) -> None:
    root = zoo(case)
    first, second = look(root, tmp_path / "index"), look(root, tmp_path / "index")
    assert first == second == look(root)


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_names_of_cases_are_different() -> None:
    assert len(set(CASE_NAMES)) == len(CASE_NAMES)


def test_photos_of_all_orientations_are_the_same_upright(zoo: Callable[[Case], Path]) -> None:
    root = zoo(named("all eight EXIF orientations"))
    found = scan(root, roots=[root])
    held = [i for i, path in enumerate(found.folder.paths) if "held" in path]
    upright = decode(encode(blocks()), 24)
    assert len(held) == 16
    assert found.sizes[held].tolist() == [list(blocks().size)] * 16
    for i in held:
        difference = np.abs(decode(found.folder.absolute(i), 24).astype(int) - upright)
        assert difference.max() <= (0 if found.folder.paths[i].endswith("png") else 6), found.folder.paths[i]


@pytest.mark.parametrize("file_format", ["GIF", "WebP"])
def test_of_what_moves_the_first_frame_is_taken(file_format: str, zoo: Callable[[Case], Path]) -> None:
    photo = zoo(named(f"animated {file_format}")) / "cat" / f"moving.{file_format.lower()}"
    assert np.abs(decode(photo, 8).astype(int) - (255, 0, 0)).max() < 12


def test_sizes_are_those_of_the_photos(zoo: Callable[[Case], Path]) -> None:
    for name, path, size in (("1 x 1 photo", "cat/dot.png", [1, 1]), ("10 x 4000 strip", "cat/strip.png", [10, 4000])):
        root = zoo(named(name))
        found = scan(root, roots=[root])
        assert found.sizes[found.folder.paths.index(path)].tolist() == size
        shutil.rmtree(root)


@pytest.mark.parametrize(
    "name", ["zoo", "names with line breaks", "names with quotes", "classes of signs", "emoji classes"]
)
def test_odd_names_survive_the_file_of_a_split(name: str, zoo: Callable[[Case], Path], tmp_path: Path) -> None:
    root = zoo(next(case for case in ZOO if case.name == name))
    folder = scan(root, roots=[root]).folder
    parts = assign_subsets(folder.labels)
    write_split_csv(tmp_path / "split.csv", folder, parts)
    read, read_parts = read_split_csv(tmp_path / "split.csv", root)
    assert (read.class_names, read.paths) == (folder.class_names, folder.paths)
    assert (read.labels.tolist(), read_parts.tolist()) == (folder.labels.tolist(), parts.tolist())


def test_the_dataset_itself_may_have_any_name(tmp_path: Path) -> None:
    for name in ("猫と犬 🐈", 'it\'s "quoted"', ".hidden", "Thumbs.db", "train", "x" * 255, os.fsdecode(b"caf\xe9")):
        root = tmp_path / name
        try:
            good(root, GOOD)
        except CannotBuild:
            continue
        assert len(look(root, tmp_path / "index").paths) == 6, name
        assert look(root, tmp_path / "index") == look(root)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(file_bytes=20_000), "too large: 0.1 MB; the limit is 0.02 MB"),
        (Limits(pixels=200 * 200 - 1), "too many pixels: 200 × 200; the limit is 39,999"),
        (Limits(depth=2), "3 folders deep"),
    ],
    ids=["bytes", "pixels", "depth"],
)
def test_limits_are_those_that_were_set(limits: Limits, words: str, tmp_path: Path) -> None:
    good(tmp_path, GOOD)
    place(tmp_path / "cat" / "in" / "deeper" / "large.png", encode(noise(200, 200)))
    assert len(scan(tmp_path, roots=[tmp_path]).folder) == 7
    found = scan(tmp_path, roots=[tmp_path], limits=limits)
    assert len(found.folder) == 6
    assert [entry.path.startswith("cat/in/deeper") for entry in found.left_out] == [True]
    assert words in found.left_out[0].reason


def test_more_photos_than_the_limit_are_refused(tmp_path: Path) -> None:
    good(tmp_path, GOOD)
    assert len(scan(tmp_path, roots=[tmp_path], limits=Limits(files=6)).folder) == 6
    with pytest.raises(FolderError, match="more than 5 photos"):
        scan(tmp_path, roots=[tmp_path], limits=Limits(files=5))


# ---------------------------------------------------------------- a folder that changes while it is looked at

MANY = {"cat": 300, "dog": 300}


def during_the_scan(root: Path, happens: Callable[[], object], index_folder: Path | None = None) -> Scan:
    """Scan a folder, and let something happen when the first few photos were read."""
    pending = [happens]

    def on_progress(done: int, total: int) -> None:
        if pending:
            assert done < total / 2
            pending.pop()()

    return scan(root, roots=[root], index_folder=index_folder, on_progress=on_progress)


def write_all(root: Path, new: Mapping[str, bytes]) -> None:
    for path, content in new.items():
        (root / path).write_bytes(content)


def remove_all(root: Path, paths: Iterable[str]) -> None:
    for path in paths:
        (root / path).unlink()


def reasons(found: Scan) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.left_out}


def test_photos_removed_during_a_scan_are_told_of(tmp_path: Path) -> None:
    good(tmp_path, MANY)
    gone = {f"dog/{number}.jpg" for number in range(301, 601, 2)}
    found = during_the_scan(tmp_path, lambda: remove_all(tmp_path, gone))
    assert reasons(found) == dict.fromkeys(gone, "the file is no longer there")
    assert found.folder.counts().tolist() == [300, 150]


def test_a_class_removed_during_a_scan_is_told_of(tmp_path: Path) -> None:
    good(tmp_path, {"ant": 300, "cat": 3, "dog": 3})
    found = during_the_scan(tmp_path, lambda: shutil.rmtree(tmp_path / "dog"))
    assert found.folder.class_names == ("ant", "cat")
    assert set(reasons(found)) == {"dog", *(f"dog/{number}.jpg" for number in (304, 305, 306))}


def test_a_dataset_removed_during_a_scan_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    good(root, MANY)
    with pytest.raises(FolderError, match="only one class folder with readable photos"):
        during_the_scan(root, lambda: shutil.rmtree(root))


def test_photos_replaced_during_a_scan_are_taken_as_they_were_read(tmp_path: Path) -> None:
    good(tmp_path, MANY)
    replaced = {f"dog/{number}.jpg": encode(noise(31, 17)) for number in range(301, 601, 2)}
    spoilt = {f"dog/{number}.jpg": b"<html>moved</html>" for number in range(302, 601, 2)}
    found = during_the_scan(tmp_path, lambda: write_all(tmp_path, {**replaced, **spoilt}))
    assert set(reasons(found)) == set(spoilt)
    sizes = zip(found.folder.paths, found.sizes.tolist(), strict=True)
    assert {path for path, size in sizes if size == [31, 17]} == set(replaced)


def test_photos_added_during_a_scan_wait_for_the_next_one(tmp_path: Path) -> None:
    good(tmp_path, MANY)
    found = during_the_scan(tmp_path, lambda: good(tmp_path, {"cow": 3}))
    assert (found.folder.class_names, found.left_out) == (("cat", "dog"), ())
    assert scan(tmp_path, roots=[tmp_path]).folder.class_names == ("cat", "cow", "dog")


def test_a_folder_that_vanishes_while_folders_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(tmp_path, {"cat": 3, "cow": 3, "dog": 3})
    listed: list[object] = []
    as_it_is = os.scandir

    def vanishing(path: object) -> object:
        listed.append(path)
        if len(listed) == 2:
            shutil.rmtree(tmp_path / "dog")
        return as_it_is(path)  # type: ignore[call-overload]

    monkeypatch.setattr("core.data.scan.walk.os.scandir", vanishing)
    found = scan(tmp_path, roots=[tmp_path])
    monkeypatch.undo()
    assert found.folder.class_names == ("cat", "cow")
    assert list(reasons(found)) == ["dog"] and "cannot be opened" in reasons(found)["dog"]


def test_a_link_that_is_turned_outside_during_a_scan_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    good(root, MANY)
    secret = place(tmp_path / "secret.jpg", jpeg(3))
    target = root / "dog" / "599.jpg"

    def turn() -> None:
        target.unlink()
        target.symlink_to(secret)

    found = during_the_scan(root, turn)
    assert "outside" in reasons(found).get("dog/599.jpg", "it was read")


def test_a_photo_that_becomes_a_pipe_during_a_scan_does_not_hold_it_up(tmp_path: Path) -> None:
    good(tmp_path, MANY)
    target = tmp_path / "dog" / "599.jpg"
    target.unlink()
    pipe("dog/599.jpg")(tmp_path)
    aside = target.rename(tmp_path.parent / "pipe")
    target.write_bytes(jpeg())
    with ThreadPoolExecutor() as pool:
        scanning = pool.submit(during_the_scan, tmp_path, lambda: aside.replace(target))
        eventually(lambda: scanning.done() or release(target), "the scan ended or waited at the pipe")
        found = scanning.result(PATIENCE)
    assert set(reasons(found)) == {"dog/599.jpg"}
    assert "empty" not in reasons(found)["dog/599.jpg"], "the scan waited for somebody to write"


@pytest.mark.parametrize("read", [inspect, lambda path: decode(path, 32)], ids=["inspect", "decode"])
def test_reading_a_pipe_as_a_photo_is_refused_at_once(read: Callable[[Path], object], tmp_path: Path) -> None:
    try:
        pipe("pipe.jpg")(tmp_path)
    except CannotBuild as reason:
        pytest.skip(str(reason))
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read, tmp_path / "pipe.jpg")
        eventually(lambda: reading.done() or release(tmp_path / "pipe.jpg"), "it was refused or waited")
        with pytest.raises(PhotoError) as refused:
            reading.result(PATIENCE)
    assert "empty" not in str(refused.value), "it waited for somebody to write"


@pytest.mark.thorough
def test_a_folder_that_never_rests_is_scanned_again_and_again(tmp_path: Path) -> None:
    """Another process adds, removes, cuts and replaces photos all the time; those that rest are always found."""
    root = tmp_path / "dataset"
    good(root, {"cat": 30, "dog": 30})
    resting = {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}
    states = set()

    def look_once_more() -> bool:
        found = scan(root, roots=[root], index_folder=tmp_path / "index")
        assert resting <= set(found.folder.paths)
        assert {tuple(size) for size in found.sizes.tolist()} <= {(64, 48), (31, 17)}
        assert all("busy" in path for path in {*found.folder.paths, *reasons(found)} - resting)
        states.add(found.token)
        return len(states) >= 20

    with subprocess.Popen([sys.executable, "-c", RESTLESS, str(root)], cwd=PROJECT) as child:
        try:
            eventually(look_once_more, "twenty different states were seen")
            assert child.poll() is None, "the restless process goes on"
        finally:
            child.kill()


RESTLESS = """
import os, shutil, sys
from itertools import count
from pathlib import Path
from tests.core.data.conftest import encode, noise
from tests.zoo import CASES, GOOD, CannotBuild, Case, blocks, build_all, good, jpeg, merged, pipe, release, unlock
root = Path(sys.argv[1])
versions = [jpeg(1), encode(noise(31, 17)), jpeg(1)[:-500], b"", b"<html>"]
for turn in count():
    folder = root / ("cat", "dog", "busy cow")[turn % 3] / "busy"
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(versions):
        (folder / f"{(turn + number) % 7}.jpg").write_bytes(content)
    (folder / f"{turn % 7}.jpg").unlink(missing_ok=True)
    os.replace(folder / f"{(turn + 2) % 7}.jpg", folder / "moved.jpg")
    if turn % 2:
        shutil.rmtree(folder)
"""


# ---------------------------------------------------------------- what an index may not remember


def test_a_photo_that_comes_back_is_read_again(tmp_path: Path) -> None:
    root, index = tmp_path / "dataset", tmp_path / "index"
    good(root, MANY)
    photo, aside = root / "dog" / "599.jpg", tmp_path / "aside.jpg"
    first = during_the_scan(root, lambda: photo.rename(aside), index)
    assert set(reasons(first)) == {"dog/599.jpg"}
    aside.rename(photo)
    assert reasons(scan(root, roots=[root], index_folder=index)) == {}


def test_a_photo_that_may_be_read_again_is_read(zoo: Callable[[Case], Path], tmp_path: Path) -> None:
    root = zoo(named("an unreadable file"))
    first = look_without_rights(root, tmp_path / "index")
    assert [path for path, _ in first.left_out] == ["cat/private.jpg"]
    unlock(root)
    assert look(root, tmp_path / "index") == look(root)


def test_the_whole_zoo_can_be_written_to_be_looked_at(tmp_path: Path) -> None:
    folders = build_all(tmp_path / "zoo of folders")
    assert folders[-1].name == "zoo"
    assert Counter(folder.is_dir() for folder in folders) == {True: len(folders)}
    found = scan(folders[-1], roots=[folders[-1].parent])
    assert found.folder.class_names == ("cat", "dog")
    assert len(found.left_out) >= 25 and len(found.folder) >= 50
    unlock(tmp_path)
