import io
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from core.data.intake.collect import add_camera_photo, add_photos, class_counts, new_class, new_dataset
from core.data.intake.own_datasets import FORMER_NAMES, changing, class_folder, rename_class
from core.data.scan.folder import scan
from core.errors import DataError, FolderError
from core.settings import Limits
from tests.archives import photo
from tests.core.data.conftest import encode, noise, place


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = new_dataset(tmp_path / "datasets", "pets")
    for name in ("cat", "dog"):
        new_class(folder, name, datasets_folder=folder.parent)
    return folder


def rename(pets: Path, name: str, wanted: str) -> str:
    return rename_class(pets, name, wanted, datasets_folder=pets.parent)


def shoot(pets: Path, class_name: str, seed: int = 0) -> Path:
    jpeg = encode(noise(20, 20, seed), "JPEG")
    return add_camera_photo(pets, class_name, jpeg, Limits(), datasets_folder=pets.parent)


def test_a_class_gets_another_name_with_all_that_is_in_it(pets: Path) -> None:
    shoot(pets, "cat")
    assert rename(pets, "cat", " my/cat ") == "my_cat"
    assert class_counts(pets, datasets_folder=pets.parent) == {"dog": 0, "my_cat": 1}
    assert rename(pets, "my_cat", "My_Cat") == "My_Cat", "only the size of its letters is another"
    assert rename(pets, "My_Cat", "My_Cat") == "My_Cat"
    place(pets / "dog" / "1.png")
    assert scan(pets, roots=[pets.parent]).folder.class_names == ("My_Cat", "dog")


def test_photos_on_their_way_to_a_former_name_arrive(pets: Path) -> None:
    rename(pets, "cat", "kitten")
    rename(pets, "kitten", "tiger")
    assert shoot(pets, "cat").parent == pets / "tiger"
    sent = [("1.png", io.BytesIO(photo(1)))]
    assert add_photos(pets, "kitten", sent, Limits(), datasets_folder=pets.parent).folder == pets / "tiger"
    new_class(pets, "cat", datasets_folder=pets.parent)
    assert shoot(pets, "cat").parent == pets / "cat", "the name is another class's now"
    rename(pets, "cat", "lion")
    assert class_folder(pets, "cat") == pets / "lion", "the last class of that name counts"
    rename(pets, "lion", "cat")
    rename(pets, "tiger", "lion")
    assert class_folder(pets, "cat") == pets / "cat" and class_folder(pets, "lion") == pets / "lion"


@pytest.mark.parametrize(
    "line", ["cat/../../out", "cat/.hidden", "cat//etc", "cat/dog/in", "no slash", "\udcff/\udcfe"]
)
def test_a_list_of_names_that_was_tampered_with_leads_nowhere(line: str, pets: Path) -> None:
    (pets / ".hidden").mkdir()
    (pets / "dog" / "in").mkdir()
    (pets.parent.parent / "out").mkdir()
    (pets / "cat").rmdir()
    (pets / FORMER_NAMES).write_text(f"{line}\n", "utf-8", errors="surrogateescape")
    with pytest.raises(FolderError, match="no class"):
        shoot(pets, "cat")


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [("cat", "DOG", "already a class “dog”"), ("cat", "?!", "name"), ("cat", "", "name"), ("cat", ".x/", "")],
)
def test_a_name_that_cannot_be_is_told(name: str, wanted: str, words: str, pets: Path) -> None:
    if not words:
        assert rename(pets, name, wanted) == "x_"
        return
    with pytest.raises(DataError, match=words):
        rename(pets, name, wanted)
    assert class_counts(pets, datasets_folder=pets.parent) == {"cat": 0, "dog": 0}
    with pytest.raises(FolderError, match="no class “bird”"):
        rename(pets, "bird", "wren")


def test_two_who_record_while_a_class_is_renamed_lose_nothing(pets: Path) -> None:
    errors: list[Exception] = []

    def record(seed: int) -> None:
        try:
            for number in range(12):
                shoot(pets, "cat", 100 * seed + number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=record, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for name, wanted in (("cat", "lion"), ("lion", "tiger"), ("tiger", "puma")):
        rename(pets, name, wanted)
    for thread in threads:
        thread.join()
    assert not errors and class_counts(pets, datasets_folder=pets.parent) == {"dog": 0, "puma": 24}


def test_who_comes_between_a_folder_s_new_name_and_the_note_of_it_waits(pets: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with changing(pets):
            (pets / "cat").rename(pets / "lion")
            shot = pool.submit(shoot, pets, "cat")
            wait([shot], timeout=0.5)
            (pets / FORMER_NAMES).write_text("cat/lion\n", "utf-8")
        assert shot.result(timeout=60).parent == pets / "lion"


def test_a_dataset_that_somebody_else_is_changing_is_waited_for(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.intake.own_datasets.PATIENCE", 0.1)
    with changing(pets), pytest.raises(FolderError, match="Somebody else is changing"):
        rename(pets, "cat", "lion")
    assert rename(pets, "cat", "lion") == "lion"
