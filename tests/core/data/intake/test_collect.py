import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.data.intake.collect import (
    ENOUGH,
    Readiness,
    add_camera_photo,
    add_photos,
    begin_dataset,
    class_counts,
    new_class,
    new_dataset,
    newest,
    readiness,
)
from core.data.intake.incoming import Intake
from core.data.intake.own_datasets import rename_class
from core.data.intake.removal import put_back, remove_class, remove_photos
from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.errors import DataError, FolderError, PhotoError
from core.settings import Limits
from tests.archives import photo
from tests.core.data.conftest import encode, noise, place

LIMITS = Limits()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


@pytest.fixture
def pets(home: Path) -> Path:
    folder = new_dataset(home, "pets")
    for name in ("cat", "dog"):
        new_class(folder, name, datasets_folder=home)
    return folder


def add(pets: Path, *files: tuple[str, bytes], limits: Limits = LIMITS, class_name: str = "cat") -> Intake:
    streams = [(name, io.BytesIO(content)) for name, content in files]
    return add_photos(pets, class_name, streams, limits, datasets_folder=pets.parent)


def reasons(intake: Intake) -> dict[str, str]:
    return {row.path: row.reason for row in intake.left_out}


def jpeg(seed: int) -> bytes:
    return encode(noise(40, 30, seed), "JPEG")


def shoot(pets: Path, seed: int, class_name: str = "cat", limits: Limits = LIMITS) -> Path:
    return add_camera_photo(pets, class_name, jpeg(seed), limits, datasets_folder=pets.parent)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- datasets and classes


def test_a_dataset_is_built_class_by_class_and_can_be_scanned(home: Path, pets: Path) -> None:
    assert class_counts(pets, datasets_folder=home) == {"cat": 0, "dog": 0}
    add(pets, ("1.png", photo(1)), ("2.png", photo(2)))
    add(pets, ("1.png", photo(3)), class_name="dog")
    shoot(pets, 4, "dog")
    new_class(pets, "Ape", datasets_folder=home)
    assert list(class_counts(pets, datasets_folder=home).items()) == [("Ape", 0), ("cat", 2), ("dog", 2)]
    assert scan(pets, roots=[home]).folder.counts().tolist() == [2, 2]
    assert names_in(home) == ["pets"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my pets", "my pets"),
        ("cat/dog", "cat_dog"),
        (" .hidden ", "hidden"),
        ("薔薇", "薔薇"),
        ("🌹", "🌹"),
        ("con", "_con"),
        ("a\0b\u202ec", "ab_c"),
        ("x" * 999, "x" * 120),
        ("../..", None),
        ("", None),
        ("?!", None),
        ("__MACOSX", None),
    ],
)
def test_names_become_fit_for_folders(name: str, expected: str | None, home: Path) -> None:
    if expected is None:
        with pytest.raises(DataError, match="name"):
            new_dataset(home, name)
        assert not home.exists()
        return
    assert new_dataset(home, name) == home / expected
    assert new_class(home / expected, name, datasets_folder=home) == expected
    assert (home / expected / expected).is_dir()


def test_names_that_are_taken_are_told(home: Path, pets: Path) -> None:
    with pytest.raises(DataError, match="already a dataset “pets”"):
        new_dataset(home, "Pets")
    with pytest.raises(DataError, match="already a class “cat”"):
        new_class(pets, "CAT", datasets_folder=home)
    assert names_in(home) == ["pets"] and names_in(pets) == ["cat", "dog"]


def test_counts_look_into_folders_and_pass_over_other_files(home: Path, pets: Path) -> None:
    for name in ("cat/1.JPG", "cat/in/2.webp", "cat/.hidden.png", "cat/__MACOSX/1.png", "cat/notes.txt", "stray.png"):
        place(pets / name, b"x")
    place(pets / ".ipynb_checkpoints" / "1.png")
    assert class_counts(pets, datasets_folder=home) == {"cat": 2, "dog": 0}


@pytest.mark.parametrize(
    "where", ["outside", "datasets", "datasets/pets/cat", "datasets/link", "datasets/.x", "datasets/no"]
)
def test_only_own_datasets_are_added_to(where: str, home: Path, pets: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "outside" / "cat", home / ".x" / "cat"):
        folder.mkdir(parents=True)
    try:
        (home / "link").symlink_to(tmp_path / "outside")
    except OSError:
        pytest.skip("links cannot be made here")
    wrong = tmp_path / where
    for attempt in (
        lambda: class_counts(wrong, datasets_folder=home),
        lambda: new_class(wrong, "bird", datasets_folder=home),
        lambda: add_photos(wrong, "cat", [("1.png", io.BytesIO(photo(1)))], LIMITS, datasets_folder=home),
        lambda: add_camera_photo(wrong, "cat", jpeg(1), LIMITS, datasets_folder=home),
        lambda: rename_class(wrong, "cat", "bird", datasets_folder=home),
        lambda: remove_photos(wrong, "cat", ["1.png"], datasets_folder=home),
        lambda: remove_class(wrong, "cat", datasets_folder=home),
        lambda: put_back(wrong, "1" * 19 + "-" + "0" * 8, datasets_folder=home),
    ):
        with pytest.raises(FolderError, match="not one of Unfreeze's own datasets"):
            attempt()
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("bird"))


@pytest.mark.parametrize(
    "name", ["bird", "", ".", "..", "../pets/cat", "cat/in", "/etc", "link", ".hidden", "a\0b", "x" * 999]
)
def test_only_classes_that_are_there_are_added_to(name: str, home: Path, pets: Path) -> None:
    (pets / ".hidden").mkdir()
    (pets / "cat" / "in").mkdir()
    try:
        (pets / "link").symlink_to(pets / "dog")
    except OSError:
        pytest.skip("links cannot be made here")
    for attempt in (lambda: add(pets, ("1.png", photo(1)), class_name=name), lambda: shoot(pets, 1, name)):
        with pytest.raises(FolderError, match="class"):
            attempt()
    assert not list(home.rglob("*.*g"))


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    place(tmp_path / "file", b"x")
    with pytest.raises(FolderError, match="cannot be made in"):
        new_dataset(tmp_path / "file", "pets")


def test_a_dataset_that_nobody_named_takes_the_next_free_name(home: Path) -> None:
    made = [begin_dataset(home, "My photos", ["Class 1", "Class 2"]) for _ in range(2)]
    assert [path.name for path in made] == ["My photos", "My photos 2"]
    assert class_counts(made[1], datasets_folder=home) == {"Class 1": 0, "Class 2": 0}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, Readiness(0, False, {}, 2)),
        ({"a": 9}, Readiness(9, False, {}, 1)),
        ({"a": 0, "b": 0}, Readiness(0, False, {"a": ENOUGH, "b": ENOUGH}, 0)),
        ({"a": ENOUGH, "b": 2}, Readiness(ENOUGH + 2, False, {"b": ENOUGH - 2}, 0)),
        ({"a": 0, "b": 1, "c": 9}, Readiness(10, False, {"b": ENOUGH - 1}, 0)),
        ({"a": ENOUGH, "b": ENOUGH}, Readiness(2 * ENOUGH, True, {}, 0)),
        ({"a": 9, "b": 9, "c": 1, "d": 0}, Readiness(19, True, {"c": ENOUGH - 1}, 0)),
    ],
)
def test_two_classes_with_enough_photos_can_be_trained(counts: dict[str, int], expected: Readiness) -> None:
    assert readiness(counts) == expected


def test_what_is_called_enough_reaches_every_subset() -> None:
    subsets = assign_subsets(np.repeat([0, 1], ENOUGH))
    assert all(set(subsets[label * ENOUGH : (label + 1) * ENOUGH]) == {0, 1, 2} for label in range(2))


# ---------------------------------------------------------------- uploads


def test_photos_are_added_as_they_are_and_the_rest_is_told(pets: Path) -> None:
    intake = add(
        pets,
        ("rose.png", photo(1)),
        ("../薔薇 🌹.png", photo(2)),
        ("cut.png", photo(3, 60, 60)[:200]),
        ("web.jpg", b"<html>"),
        ("empty.png", b""),
        ("notes.txt", b"x"),
        ("more.zip", b"x"),
        ("bad\u202egpj.exe", b"x"),
        (".DS_Store", b"x"),
        ("folder/._1.png", b"x"),
    )
    assert (intake.folder, intake.added, intake.ignored) == (pets / "cat", 2, 2)
    told = reasons(intake)
    assert list(told) == sorted(told) and set(told) == {
        "cut.png",
        "web.jpg",
        "empty.png",
        "notes.txt",
        "more.zip",
        "bad\ufffdgpj.exe",
    }
    assert "cut off" in told["cut.png"] and "web page" in told["web.jpg"] and ".txt files" in told["notes.txt"]
    assert names_in(pets / "cat") == ["rose.png", "薔薇 🌹.png"] and (pets / "cat" / "rose.png").read_bytes() == photo(
        1
    )


def test_names_that_are_taken_get_a_number(pets: Path) -> None:
    own = place(pets / "cat" / "image.png", photo(0))
    place(pets / "cat" / "image 2.png", photo(9))
    intake = add(pets, *((f"{n}/image.png", photo(n)) for n in (1, 2)), ("IMAGE.png", photo(3)))
    assert intake.added == 3 and own.read_bytes() == photo(0)
    assert {"image 3.png", "image 4.png"} < set(names_in(pets / "cat")) and len(names_in(pets / "cat")) == 5
    assert (pets / "cat" / "image 3.png").read_bytes() == photo(1)


def test_the_same_photo_twice_is_added_once(pets: Path) -> None:
    place(pets / "cat" / "old.png", photo(1))
    intake = add(pets, ("a.png", photo(1)), ("b.png", photo(2)), ("c.png", photo(2)))
    assert intake.added == 1 and reasons(intake) == {
        "a.png": "the same photo is already there (old.png)",
        "c.png": "the same photo is already there (b.png)",
    }
    assert add(pets, ("a.png", photo(1)), class_name="dog").added == 1, "another class may have it"


def test_limits_leave_the_rest_for_the_next_round(pets: Path) -> None:
    photos = [(f"{n}.png", photo(n)) for n in range(4)]
    size = max(len(content) for _, content in photos)
    told = reasons(add(pets, ("x.txt", b""), *photos, limits=Limits(uploads=3)))
    assert told == {
        "3.png": "3 photos are taken at a time: add it in the next round",
        "x.txt": ".txt files are not photos",
    }
    assert "next round" in reasons(add(pets, *photos, class_name="dog", limits=Limits(total_bytes=2 * size)))["2.png"]
    full = reasons(add(pets, ("7.png", photo(7)), ("8.png", photo(8)), limits=Limits(files=6)))
    assert full == {"8.png": "the dataset holds 6 photos, the most that are taken"}
    large = reasons(add(pets, ("9.png", photo(9)), limits=Limits(file_bytes=50)))
    assert large == {"9.png": "the file is too large: 0.0 MB; the limit is 0.0 MB"}
    assert "pixels" in reasons(add(pets, ("9.png", photo(9)), limits=Limits(pixels=50)))["9.png"]


def test_what_cannot_be_read_is_told_and_the_others_are_added(pets: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("connection lost")

    closed = io.BytesIO()
    closed.close()
    streams = [("a.png", Broken(b"x")), ("b.png", closed), ("c.png", io.BytesIO(photo(1)))]
    intake = add_photos(pets, "cat", streams, LIMITS, datasets_folder=pets.parent)
    assert intake.added == 1 and names_in(pets / "cat") == ["c.png"]
    assert "connection lost" in reasons(intake)["a.png"] and "cannot be read" in reasons(intake)["b.png"]


def test_nothing_to_add_is_no_error(pets: Path) -> None:
    assert add(pets) == Intake(pets / "cat", 0, (), 0)


class Cancelled(Exception):
    pass


def test_a_cancelled_upload_adds_nothing(pets: Path) -> None:
    told: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        told.append((done, total))
        if done > total / 2:
            raise Cancelled

    streams = [(f"{n}.png", io.BytesIO(photo(n, 90, 90))) for n in range(10)]
    with pytest.raises(Cancelled):
        add_photos(pets, "cat", streams, LIMITS, cancel, datasets_folder=pets.parent)
    assert told == sorted(told) and names_in(pets / "cat") == [] and names_in(pets.parent) == ["pets"]


def test_a_full_disk_adds_nothing(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(pets)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(FolderError, match="The disk is full"):
        add(pets, ("1.png", photo(1)))
    assert names_in(pets / "cat") == [] and names_in(pets.parent) == ["pets"]


def test_when_the_last_photo_cannot_be_moved_none_is_added(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = place(pets / "cat" / "own.png")
    real, moves = os.replace, iter(range(9))

    def failing(source: Path, target: Path) -> None:
        if next(moves) == 2:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(FolderError, match="disk is full"):
        add(pets, *((f"{n}.png", photo(n)) for n in range(4)))
    assert names_in(pets / "cat") == [own.name] and names_in(pets.parent) == ["pets"]


# ---------------------------------------------------------------- the camera


def test_camera_photos_are_named_by_their_time_and_never_replaced(pets: Path) -> None:
    photos = [shoot(pets, seed) for seed in range(3)]
    assert len(set(photos)) == 3 and [path.read_bytes() for path in photos] == [jpeg(seed) for seed in range(3)]
    assert all(path.parent == pets / "cat" for path in photos)
    assert all(re.fullmatch(r"camera-\d{8}-\d{6}-\d{3}\.jpg", path.name) for path in photos)
    assert photos == sorted(photos)
    assert class_counts(pets, datasets_folder=pets.parent) == {"cat": 3, "dog": 0}


def test_a_camera_photo_that_cannot_be_used_is_an_error_in_words(pets: Path) -> None:
    for content, limits, words in (
        (b"", LIMITS, "empty"),
        (jpeg(1)[:300], LIMITS, "cut off"),
        (jpeg(1), Limits(file_bytes=100), "too large"),
        (jpeg(1), Limits(pixels=100), "pixels"),
    ):
        with pytest.raises(PhotoError, match=rf"was not added: .*{words}.*Take it again\."):
            add_camera_photo(pets, "cat", content, limits, datasets_folder=pets.parent)
    shoot(pets, 1)
    with pytest.raises(DataError, match="holds 1 photos, the most"):
        shoot(pets, 2, limits=Limits(files=1))
    assert len(names_in(pets / "cat")) == 1


def test_the_newest_photos_come_first(home: Path, pets: Path) -> None:
    for number, time in enumerate((30, 10, 20)):
        os.utime(shoot(pets, number), (time, time))
    place(pets / "cat" / ".hidden.jpg")
    place(pets / "cat" / "notes.txt", b"x")
    found = newest(pets, "cat", 2, datasets_folder=home)
    assert [int(path.stat().st_mtime) for path in found] == [30, 20]
    assert newest(pets, "dog", 5, datasets_folder=home) == []
    with pytest.raises(FolderError, match="no class"):
        newest(pets, "../..", 5, datasets_folder=home)


def test_the_name_of_the_sample_is_kept_for_the_sample(home: Path) -> None:
    with pytest.raises(DataError, match="name of the sample"):
        new_dataset(home, " Digits ")
