import zlib
from pathlib import Path

import pytest

from core.data.dataset import prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.data.scan.layout import TABLE, Layout
from core.data.summary import class_findings
from pages.components.dataset.descriptions import describe_rows_without_photo, describe_split
from tests.conftest import write_colours
from tests.core.data.conftest import encode, place, scene

DIVIDED = ("train/cat", "train/dog", "test/cat", "test/dog")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (0, ""),
        (1, "1 row of labels\\.csv names a photo that is not in the folder"),
        (1234, "1,234 rows of labels\\.csv name photos that are not in the folder"),
    ],
)
def test_rows_that_name_no_photo_are_counted_apart_from_photos_left_out(
    tmp_path: Path, missing: int, sentence: str
) -> None:
    write_colours(tmp_path, per_class=2)
    rows = [f"{name}/0{number}.png,{name}" for name in ("blue", "red") for number in range(2)]
    rows += [f"gone-{number}.png,red" for number in range(missing)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    (tmp_path / "blue" / "broken.png").write_bytes(b"broken")
    found = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "labels.csv", "file", "label"))
    assert describe_rows_without_photo(prepare(found, Review(tmp_path))) == sentence
    assert len(found.rows_without_photo) == missing
    assert [entry.path for entry in found.files_left_out] == ["blue/broken.png"]


def photos(root: Path, *folders: str) -> Path:
    for folder in folders:
        for number in range(3):
            place(root / folder / f"{number}.png", encode(scene(zlib.crc32(f"{folder}{number}".encode()) % 9999)))
    return root


def split_of(root: Path) -> str:
    return describe_split(prepare(scan(root, roots=[root]), Review(root))).replace("\\", "")


def test_a_split_at_random_and_one_that_the_dataset_has_are_told_apart(tmp_path: Path) -> None:
    plain, divided = photos(tmp_path / "plain", "cat", "dog"), photos(tmp_path / "divided", *DIVIDED)
    assert split_of(plain).startswith("Split at random within each class.")
    assert split_of(divided) == (
        "The dataset has its own split (training, test), which is kept. There is no validation folder, so its photos"
        " are taken from training."
    )


def test_the_sentence_about_a_split_says_what_cannot_be_kept_of_it(tmp_path: Path) -> None:
    some = photos(tmp_path / "some", *DIVIDED, "test/owl")
    assert "own split (training, test), which is kept but for 3 photos not used." in split_of(some)
    none = photos(tmp_path / "none", "train/Cat", "train/Dog", "test/cat", "test/dog")
    assert "but none of its 6 photos for test can be used, so others are taken from training." in split_of(none)


def test_classes_without_training_photos_are_named_with_the_nearest_name(tmp_path: Path) -> None:
    root = photos(tmp_path / "set", "train/Cat", "train/Dog", "test/cat ", "test/Dog", "test/wombat")
    assert class_findings(prepare(scan(root, roots=[root]), Review(root))) == [
        "“cat ” (3 photos) has no training photo, so it is not used; the nearest class is “Cat”.",
        "“wombat” (3 photos) has no training photo, so it is not used; no class is named alike.",
    ]
