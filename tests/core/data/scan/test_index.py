import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.data.images import PhotoInfo
from core.data.scan import folder as scanning
from core.data.scan.folder import Scan, scan
from core.data.scan.index import PhotoIndex, file_stem, index_file, known_digests
from core.data.scan.layout import INNERMOST, Layout
from core.data.scan.walk import PhotoFile
from core.errors import UnfreezeError
from core.settings import Limits
from tests.core.data.conftest import encode, noise, place, spoil_unnoticed, touch
from tests.disks import fill, small_disk

PIXELS = Limits().pixels


class Interrupted(Exception):
    """Somebody has given up on a scan."""


Look = Callable[..., Scan]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "home" / "index"


@pytest.fixture
def look(flowers: Path, index: Path) -> Look:
    """Scan the flowers as the next visitor would, with what is kept of them."""

    def scan_it(**options: object) -> Scan:
        return scan(flowers, **{"roots": [flowers.parent], "index_folder": index, **options})  # type: ignore[arg-type]

    return scan_it


def reasons(found: Scan) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.left_out}


def stop_after(photos: int) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done >= photos:
            raise Interrupted

    return on_progress


def spoil_all(flowers: Path) -> None:
    for photo in flowers.rglob("*.png"):
        spoil_unnoticed(photo)


def same(one: Scan, other: Scan) -> bool:
    arrays = ("sizes", "digests", "fingerprints", "sharpness", "given")
    return one.token == other.token and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)


def test_unchanged_photos_are_not_opened_again(flowers: Path, look: Look) -> None:
    first = look()
    assert first.index_trouble == ""
    spoil_all(flowers)
    assert same(look(), first)


def test_without_an_index_every_photo_is_opened(flowers: Path, look: Look) -> None:
    look()
    spoil_unnoticed(flowers / "daisy" / "1.png")
    assert set(reasons(look(index_folder=None))) == {"daisy/1.png"}


def test_a_photo_with_another_time_or_size_is_read_again(flowers: Path, look: Look) -> None:
    look()
    for name in ("1.png", "2.png", "3.png"):
        spoil_unnoticed(flowers / "daisy" / name)
    touch(flowers / "daisy" / "1.png")
    longer = flowers / "daisy" / "2.png"
    status = longer.stat()
    longer.write_bytes(longer.read_bytes() + b"x")
    os.utime(longer, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = look()
    assert set(reasons(found)) == {"daisy/1.png", "daisy/2.png"}
    assert set(reasons(look())) == {"daisy/1.png", "daisy/2.png"}, "and what was found this time is remembered"


def test_an_older_time_counts_as_another(flowers: Path, look: Look) -> None:
    look()
    spoil_unnoticed(flowers / "rose" / "1.png")
    os.utime(flowers / "rose" / "1.png", ns=(1, 1))
    assert set(reasons(look())) == {"rose/1.png"}


def test_what_cannot_be_read_is_remembered_with_its_reason(flowers: Path, look: Look) -> None:
    broken = place(flowers / "rose" / "3.png", b"<html>" + b" " * 500)
    assert "web page" in reasons(look())["rose/3.png"]
    status = broken.stat()
    good = encode(noise(9, 7))
    broken.write_bytes(good + bytes(status.st_size - len(good)))
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "web page" in reasons(look())["rose/3.png"]
    touch(broken)
    assert "rose/3.png" in look().folder.paths


def test_a_photo_that_was_renamed_is_read_under_its_new_name(flowers: Path, look: Look) -> None:
    first = look()
    (flowers / "rose").rename(flowers / "tulip")
    found = look()
    assert found.folder.class_names == ("daisy", "tulip")
    assert np.array_equal(found.digests, first.digests)


@pytest.mark.parametrize("batch", [1, 2, 64])
@pytest.mark.parametrize("read", [1, 3, 4])
def test_an_interrupted_scan_goes_on_where_it_was(
    flowers: Path, look: Look, monkeypatch: pytest.MonkeyPatch, batch: int, read: int
) -> None:
    monkeypatch.setattr(scanning, "BATCH", batch)
    with pytest.raises(Interrupted):
        look(on_progress=stop_after(read))
    photos = sorted(flowers.rglob("*.png"))
    for photo in photos[:read]:
        spoil_unnoticed(photo)
    found = look()
    assert len(found.folder) == 5 and found.left_out == ()
    spoil_all(flowers)
    assert same(look(), found)


def test_a_scan_that_ends_in_an_error_is_remembered_too(flowers: Path, look: Look) -> None:
    for photo in (flowers / "rose").iterdir():
        place(photo, b"broken")
    with pytest.raises(UnfreezeError, match="only one class"):
        look()
    place(flowers / "tulip" / "1.png")
    spoil_unnoticed(flowers / "daisy" / "1.png")
    assert look().folder.counts().tolist() == [3, 1]


def test_what_was_out_of_reach_for_a_moment_is_not_remembered(
    flowers: Path, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BATCH", 1)
    photo, aside = flowers / "rose" / "1.png", flowers.parent / "aside.png"

    def move_away(done: int, total: int) -> None:
        if done == 1:
            photo.rename(aside)

    assert reasons(look(on_progress=move_away)) == {"rose/1.png": "the file is no longer there"}
    aside.rename(photo)
    assert len(look().folder) == 5


def test_photos_that_are_gone_are_forgotten(flowers: Path, look: Look) -> None:
    look()
    photo = flowers / "daisy" / "1.png"
    status = photo.stat()
    photo.unlink()
    assert len(look().folder) == 4
    photo.write_bytes(b"x" * status.st_size)
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert set(reasons(look())) == {"daisy/1.png"}


def test_another_limit_of_pixels_makes_every_photo_be_read_anew(flowers: Path, look: Look) -> None:
    look()
    place(flowers / "rose" / "3.png", encode(noise(30, 20)))
    assert set(reasons(look(limits=Limits(pixels=100)))) == {"rose/3.png"}
    assert len(look().folder) == 6, "neither limit stays"
    spoil_unnoticed(flowers / "daisy" / "1.png")
    assert set(reasons(look(limits=Limits(pixels=601)))) == {"daisy/1.png"}


def test_other_limits_do_not(flowers: Path, look: Look) -> None:
    look()
    spoil_all(flowers)
    assert len(look(limits=Limits(files=10, depth=3, file_bytes=5000)).folder) == 5


def test_layouts_share_what_was_read(flowers: Path, look: Look) -> None:
    place(flowers / "daisy" / "wild" / "4.png")
    look()
    spoil_all(flowers)
    assert look(layout=Layout(INNERMOST)).folder.class_names == ("daisy", "rose", "wild")


def test_nothing_but_the_index_is_written(flowers: Path, look: Look, index: Path) -> None:
    def listing() -> set[Path]:
        return {path for path in flowers.parent.rglob("*") if path.is_file()}

    before = listing()
    look(index_folder=None)
    assert listing() == before
    look()
    assert listing() - before == {index_file(index, flowers.resolve())}


def test_datasets_of_one_name_have_an_index_each(flowers: Path, index: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "flowers"
    for name in ("daisy/1.png", "rose/1.png"):
        place(other / name, encode(noise(20, 20, seed=len(name))))
    assert len(scan(flowers, roots=[flowers], index_folder=index).folder) == 5
    assert len(scan(other, roots=[other], index_folder=index).folder) == 2
    spoil_all(flowers)
    assert len(scan(flowers, roots=[flowers], index_folder=index).folder) == 5
    assert len(list(index.iterdir())) == 2


@pytest.mark.parametrize("name", ["a/../b", "写真 📷", "x" * 250, "CON", os.fsdecode(b"caf\xe9"), "", "a.b:c*?"])
def test_what_is_kept_about_a_dataset_has_a_plain_name(name: str) -> None:
    stem = file_stem(Path("/data") / name)
    assert "/" not in stem and stem.isprintable() and 0 < len(stem.encode()) < 150
    assert stem == file_stem(Path("/data") / name) != file_stem(Path("/more") / name)


def test_an_index_of_garbage_is_replaced(flowers: Path, look: Look, index: Path) -> None:
    place(index_file(index, flowers.resolve()), b"this is no database at all" * 100)
    assert (len(look().folder), look().index_trouble) == (5, "")
    spoil_all(flowers)
    assert len(look().folder) == 5, "the new one remembers"


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_an_index_that_was_cut_off_is_replaced(flowers: Path, look: Look, index: Path, keep: int) -> None:
    look()
    file = index_file(index, flowers.resolve())
    file.write_bytes(file.read_bytes()[:keep])
    assert (len(look().folder), look().index_trouble) == (5, "")
    spoil_all(flowers)
    assert len(look().folder) == 5


def test_an_index_of_another_version_is_emptied(flowers: Path, look: Look, index: Path) -> None:
    look()
    with closing(sqlite3.connect(index_file(index, flowers.resolve()))) as database:
        database.execute("UPDATE made_with SET fact = 'something older'")
        database.commit()
    spoil_unnoticed(flowers / "daisy" / "1.png")
    assert set(reasons(look())) == {"daisy/1.png"}


@pytest.mark.parametrize(
    "change",
    ["fingerprint = x'00'", "digest = NULL", "digest = 'text'", "width = NULL", "width = 'wide'", "sharpness = x'00'"],
)
def test_a_row_that_cannot_be_is_not_believed(flowers: Path, look: Look, index: Path, change: str) -> None:
    first = look()
    with closing(sqlite3.connect(index_file(index, flowers.resolve()))) as database:
        database.execute(f"UPDATE photo SET {change} WHERE path = 'rose/1.png'")
        database.commit()
    assert same(look(), first)


@pytest.mark.parametrize("seed", range(40))
def test_damage_within_an_index_never_breaks_a_scan(flowers: Path, look: Look, index: Path, seed: int) -> None:
    look()
    file = index_file(index, flowers.resolve())
    damaged = np.frombuffer(file.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    used = np.flatnonzero(damaged)
    damaged[rng.choice(used, 20)] = rng.integers(0, 256, 20)
    file.write_bytes(damaged.tobytes())
    found = look()
    assert len(found.folder) + len(found.left_out) == 5


def blocked_by_a_file(folder: Path) -> Path:
    place(folder.parent, b"a file where a folder is needed")
    return folder


def blocked_itself(folder: Path) -> Path:
    return place(folder, b"a file where a folder is needed")


@pytest.mark.parametrize("block", [blocked_by_a_file, blocked_itself])
def test_where_nothing_can_be_kept_the_scan_says_so_and_goes_on(
    look: Look, index: Path, block: Callable[[Path], Path]
) -> None:
    found = look(index_folder=block(index))
    assert len(found.folder) == 5 and found.index_trouble != ""
    assert same(found, look(index_folder=None))


def test_a_folder_in_the_place_of_the_index_is_only_trouble(flowers: Path, look: Look, index: Path) -> None:
    index_file(index, flowers.resolve()).mkdir(parents=True)
    found = look()
    assert len(found.folder) == 5 and found.index_trouble != ""


def test_a_full_disk_is_only_trouble(flowers: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = PhotoIndex._connect

    def small(self: PhotoIndex, file: Path | None) -> sqlite3.Connection:
        connection = connect(self, file)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(PhotoIndex, "_connect", small)
    for number in range(40):
        place(flowers / "rose" / f"more {number}.png")
    found = look()
    assert len(found.folder) == 45 and "full" in found.index_trouble


def test_on_a_disk_without_a_free_byte_no_empty_index_is_left(look: Look, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "index").mkdir()
        fill(disk)
        found = look(index_folder=disk / "index")
        assert len(found.folder) == 5 and "No space left" in found.index_trouble
        assert not list((disk / "index").iterdir())


def photo_file(number: int, size: int = 10) -> PhotoFile:
    return PhotoFile(f"a/{number}.png", size, 5)


@pytest.fixture
def kept(index: Path) -> Iterator[PhotoIndex]:
    database = PhotoIndex(index, Path("/data/set"), PIXELS)
    yield database
    database.close()


def test_what_was_kept_comes_back_as_it_was(kept: PhotoIndex, index: Path) -> None:
    info = PhotoInfo(30, 20, bytes(range(16)), bytes(range(256)), 1.25, 40.5, True)
    kept.keep([(photo_file(1), info), (photo_file(2), "the file is empty")])
    kept.close()
    again = PhotoIndex(index, Path("/data/set"), PIXELS)
    assert again.known([photo_file(1), photo_file(2), photo_file(3)]) == {
        "a/1.png": info,
        "a/2.png": "the file is empty",
    }
    assert again.known([photo_file(1, size=11)]) == {} == again.known([])
    again.forget_others(["a/2.png"])
    assert set(again.known([photo_file(1), photo_file(2)])) == {"a/2.png"}
    again.close()


def test_odd_names_are_looked_up_in_their_order(kept: PhotoIndex) -> None:
    names = sorted(
        ["a/10.png", "a/9.png", "Z/x.png", "薔薇/1.png", "🌼/1.png", "a b/'; DROP TABLE photo.png", "a/%.png"]
    )
    files = [PhotoFile(name, 1, 1) for name in names]
    kept.keep([(file, file.path) for file in files])
    assert kept.known(files) == {name: name for name in names}
    for start in range(len(files)):
        assert list(kept.known(files[start:])) == names[start:]


def test_two_scans_of_a_dataset_may_share_its_index(index: Path) -> None:
    one, other = (PhotoIndex(index, Path("/data/set"), PIXELS) for _ in range(2))
    one.keep([(photo_file(1), "first")])
    other.keep([(photo_file(2), "second")])
    one.keep([(photo_file(3), "third")])
    files = [photo_file(number) for number in (1, 2, 3)]
    assert one.known(files) == other.known(files) == {"a/1.png": "first", "a/2.png": "second", "a/3.png": "third"}
    assert one.trouble == other.trouble == ""
    one.close()
    other.close()


def test_digests_are_known_by_path_without_a_change_to_the_index(look: Look, flowers: Path, index: Path) -> None:
    assert known_digests(index, flowers.resolve()) == {} and not index.exists()
    found = look()
    file = index_file(index, flowers.resolve())
    before = file.read_bytes()
    known = known_digests(index, flowers.resolve())
    assert {path: known[path].digest for path in found.folder.paths} == {
        path: digest.tobytes() for path, digest in zip(found.folder.paths, found.digests, strict=True)
    }
    assert all(known[path].holds_for(flowers / path) for path in found.folder.paths)
    assert file.read_bytes() == before


def test_a_damaged_index_knows_no_more_than_what_can_be_read(look: Look, flowers: Path, index: Path) -> None:
    look()
    index_file(index, flowers.resolve()).write_bytes(b"no index at all")
    assert known_digests(index, flowers.resolve()) == {}
