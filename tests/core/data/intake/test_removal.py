import os
import time
from pathlib import Path

import pytest

from core.data.intake.collect import add_camera_photo, class_counts, new_class, new_dataset, newest
from core.data.intake.own_datasets import rename_class
from core.data.intake.removal import KEPT_SECONDS, REMOVED, put_back, remove_class, remove_photos
from core.data.scan.folder import scan
from core.errors import FolderError
from core.settings import Limits
from tests.core.data.conftest import encode, noise, place


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = new_dataset(tmp_path / "datasets", "pets")
    for name in ("cat", "dog"):
        new_class(folder, name, datasets_folder=folder.parent)
        for number in range(3):
            place(folder / name / f"{number}.png")
    return folder


def remove(pets: Path, *names: str) -> str:
    return remove_photos(pets, "cat", names, datasets_folder=pets.parent)


def back(pets: Path, ticket: str) -> bool:
    return put_back(pets, ticket, datasets_folder=pets.parent)


def counts(pets: Path) -> dict[str, int]:
    return class_counts(pets, datasets_folder=pets.parent)


def test_removed_photos_are_gone_for_everybody_and_come_back_as_they_were(pets: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pets.rglob("*.png")}
    first = remove(pets, "0.png", "2.png")
    assert scan(pets, roots=[pets.parent]).folder.paths == ("cat/1.png", "dog/0.png", "dog/1.png", "dog/2.png")
    second = remove(pets, "1.png")
    assert counts(pets) == {"cat": 0, "dog": 3}
    assert newest(pets, "cat", 5, datasets_folder=pets.parent) == []
    assert back(pets, first) and counts(pets) == {"cat": 2, "dog": 3}
    assert back(pets, second) and not back(pets, second)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pets.rglob("*.png")} == before


def test_photos_come_back_beside_new_ones_and_into_a_renamed_class(pets: Path) -> None:
    ticket = remove(pets, "0.png")
    own = place(pets / "cat" / "0.png", encode(noise(5, 5)))
    rename_class(pets, "cat", "lion", datasets_folder=pets.parent)
    assert back(pets, ticket)
    assert (pets / "lion" / own.name).read_bytes() == encode(noise(5, 5))
    assert (pets / "lion" / "0 2.png").exists() and counts(pets) == {"dog": 3, "lion": 4}


def test_a_class_is_removed_and_comes_back(pets: Path) -> None:
    photos = remove(pets, "0.png")
    ticket = remove_class(pets, "cat", datasets_folder=pets.parent)
    assert counts(pets) == {"dog": 3}
    assert back(pets, photos) and counts(pets) == {"cat": 1, "dog": 3}, "its class is made again"
    assert back(pets, ticket) and counts(pets) == {"cat": 3, "dog": 3}
    with pytest.raises(FolderError, match="no class “bird”"):
        remove_class(pets, "bird", datasets_folder=pets.parent)


def test_only_photos_of_the_class_are_removed(pets: Path) -> None:
    for name in ("notes.txt", ".hidden.png", "in/1.png"):
        place(pets / "cat" / name)
    assert not remove(pets, "notes.txt", ".hidden.png", "in/1.png", "../dog/0.png", "gone.png", "", "..")
    assert counts(pets) == {"cat": 4, "dog": 3} and not (pets / REMOVED).exists()


@pytest.mark.parametrize("ticket", ["", "..", "../cat", "1" * 19, "0" * 19 + "-" + "0" * 8, "/etc"])
def test_what_is_no_ticket_brings_nothing_back(ticket: str, pets: Path) -> None:
    remove(pets, "0.png")
    assert not back(pets, ticket) and counts(pets) == {"cat": 2, "dog": 3}


def test_what_was_removed_a_day_ago_is_deleted(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = remove(pets, "0.png")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + int((KEPT_SECONDS + 1) * 1e9))
    monkeypatch.setattr(time, "time", lambda: now / 1e9 + KEPT_SECONDS + 1)
    jpeg = encode(noise(9, 9), "JPEG")
    add_camera_photo(pets, "dog", jpeg, Limits(), datasets_folder=pets.parent)
    assert list((pets / REMOVED).iterdir()) == [] and not back(pets, old)
    new = remove(pets, "1.png")
    assert back(pets, new) and counts(pets) == {"cat": 2, "dog": 4}


def test_nothing_is_moved_through_a_link(pets: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / f"{1:019d}-{0:08d}"
    outside.mkdir(parents=True)
    try:
        (pets / REMOVED).symlink_to(outside.parent)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(FolderError, match="is a link"):
        remove(pets, "0.png")
    assert counts(pets)["cat"] == 3 and outside.exists()


def test_a_folder_that_cannot_be_written_is_an_error_in_words(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: Path, target: Path) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(FolderError, match="cannot be removed"):
        remove(pets, "0.png")
    with pytest.raises(FolderError, match="cannot be removed"):
        remove_class(pets, "cat", datasets_folder=pets.parent)
