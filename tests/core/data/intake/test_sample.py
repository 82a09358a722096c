import os
from pathlib import Path

import numpy as np
import pytest

from core.data.images import decode
from core.data.intake.file_names import safe_name
from core.data.intake.sample import SAMPLE_NAME, write_sample
from core.data.scan.folder import scan
from core.data.scan.folder_picker import browse, looks_like_dataset
from core.errors import FolderError
from tests.core.data.conftest import place


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("home") / "datasets")


def test_the_sample_is_a_dataset_of_ten_digits(sample: Path) -> None:
    found = scan(sample, roots=[sample.parent])
    assert sample.name == SAMPLE_NAME and found.folder.class_names == tuple("0123456789")
    assert found.folder.counts().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (found.left_out, found.ignored) == ((), 0)
    assert (found.sizes == 64).all()
    assert [path.name for path in sample.parent.iterdir()] == [SAMPLE_NAME]


def test_the_sample_shows_the_digits_over_the_whole_range(sample: Path) -> None:
    from sklearn.datasets import load_digits

    shown = decode(sample / "0" / "digit_0000.png", 8)[:, :, 0].astype(int)
    original = load_digits().images[0] * 255 / 16
    assert np.corrcoef(shown.ravel(), original.ravel())[0, 1] > 0.95
    pixels = decode(sample / "0" / "digit_0000.png", 64)
    assert pixels.min() == 0 and pixels.max() > 230


def test_a_complete_sample_is_left_as_it_is(sample: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sample.rglob("*")}
    assert write_sample(sample.parent) == sample
    assert {path: path.stat().st_mtime_ns for path in sample.rglob("*")} == before


def test_an_incomplete_sample_is_replaced(tmp_path: Path) -> None:
    place(tmp_path / SAMPLE_NAME / "3" / "digit_0003.png", b"half")
    target = write_sample(tmp_path)
    assert len(list(target.rglob("*.png"))) == 1797
    assert [path.name for path in tmp_path.iterdir()] == [SAMPLE_NAME]


def test_a_folder_of_the_same_name_is_not_touched(tmp_path: Path) -> None:
    own = place(tmp_path / SAMPLE_NAME / "seven" / "mine.png")
    with pytest.raises(FolderError, match="rename it"):
        write_sample(tmp_path)
    assert own.exists() and [path.name for path in tmp_path.iterdir()] == [SAMPLE_NAME]


def test_a_sample_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    place(tmp_path / "file", b"x")
    with pytest.raises(FolderError, match="cannot be written"):
        write_sample(tmp_path / "file" / "datasets")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rose.jpg", "rose.jpg"),
        ("薔薇 🌹.jpg", "薔薇 🌹.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\rose.jpg", "rose.jpg"),
        ("a\0b\n\x7f.jpg", "ab.jpg"),
        (".hidden.jpg", "hidden.jpg"),
        ('a<b>:"|?*.jpg', "a_b______.jpg"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("folder/", "unnamed"),
        ("con.jpg", "_con.jpg"),
        ("bad\udce9.jpg", "bad.jpg"),
    ],
)
def test_names_of_uploads_become_harmless(name: str, expected: str) -> None:
    assert safe_name(name) == expected


@pytest.mark.parametrize("name", ["x" * 500 + ".jpeg", "薔" * 500 + ".jpeg", "🌹" * 500 + ".jpeg"])
def test_long_names_are_cut_and_keep_their_ending(name: str, tmp_path: Path) -> None:
    short = safe_name(name)
    assert short.endswith(".jpeg") and len(short) <= 120 and len(short.encode()) <= 240
    assert place(tmp_path / short, b"x").exists()
    assert len(safe_name("x." + "y" * 500)) <= 120


def test_a_dataset_is_recognised_by_its_names(flowers: Path) -> None:
    assert looks_like_dataset(flowers)
    assert not looks_like_dataset(flowers.parent)
    assert not looks_like_dataset(flowers / "daisy")
    assert not looks_like_dataset(flowers / "missing")


VEHICLES = ("train", "bus", "car")


def test_parts_are_no_datasets_of_their_own(tmp_path: Path) -> None:
    for name in (
        "train/cat",
        "train/dog",
        "test_set/cat",
        "test_set/dog",
        "vehicles/train",
        "vehicles/bus",
        "vehicles/car",
    ):
        place(tmp_path / name / "1.jpg", b"x")
    place(tmp_path / "flat" / "train" / "1.jpg", b"x")
    place(tmp_path / "flat" / "test1" / "1.jpg", b"x")
    ready = [path.name for path in (tmp_path, *tmp_path.iterdir()) if looks_like_dataset(path)]
    assert sorted(ready) == sorted([tmp_path.name, "vehicles"])


def test_one_folder_of_photos_and_others_are_no_dataset(tmp_path: Path) -> None:
    place(tmp_path / "photos" / "1.JPG", b"x")
    place(tmp_path / "texts" / "1.txt", b"x")
    place(tmp_path / ".hidden" / "1.jpg", b"x")
    assert not looks_like_dataset(tmp_path)
    place(tmp_path / "more" / "1.webp", b"x")
    assert looks_like_dataset(tmp_path)


def test_browsing_shows_the_folders_in_order(tmp_path: Path) -> None:
    for name in ("b/1", "A/1", "c c/1", ".hidden/1", "__MACOSX/1", "file"):
        place(tmp_path / name, b"x")
    assert browse(tmp_path, [tmp_path]) == (tmp_path / "A", tmp_path / "b", tmp_path / "c c")
    assert browse(tmp_path / "b", [tmp_path]) == ()
    with pytest.raises(FolderError, match="outside"):
        browse(tmp_path.parent, [tmp_path])


def test_browsing_leaves_out_links_that_lead_outside_and_locked_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for path in (root / "open", root / "locked", tmp_path / "other"):
        path.mkdir(parents=True)
    try:
        (root / "out").symlink_to(tmp_path / "other")
        (root / "in").symlink_to(root / "open")
        (root / "loop").symlink_to(root / "loop")
    except OSError:
        pytest.skip("links cannot be made here")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked")
    assert browse(root, [root]) == (root / "in", root / "open")
