import io
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import pytest
from PIL import Image

from core.data.class_names import find_class, similar_classes
from core.data.intake.labelled_photos import LabelledPhotos, read_labelled_photos
from core.errors import PhotoError
from core.settings import Limits

LIMITS = Limits()


def photo(shade: int) -> bytes:
    """A tiny photo."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def archive(entries: Mapping[str, bytes]) -> BinaryIO:
    """A ZIP archive of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    buffer.seek(0)
    return buffer


def labels(found: LabelledPhotos) -> dict[str, str]:
    """The labels by name."""
    return {each.name: each.label for each in found.photos}


def test_in_an_archive_the_innermost_folder_is_the_label() -> None:
    entries = {
        "of the class/roses/1.png": photo(1),
        "of the class/tulips/2.png": photo(2),
        "3.png": photo(3),
        "notes.txt": b"x",
        "../up.png": photo(4),
        "in it.zip": b"PK",
    }
    found = read_labelled_photos([("photos.ZIP", archive(entries))], LIMITS)
    assert labels(found) == {
        "of the class/roses/1.png": "roses",
        "of the class/tulips/2.png": "tulips",
        "3.png": "",
    }
    assert [each.read() for each in found.photos] == [photo(1), photo(2), photo(3)]
    reasons = {entry.path: entry.reason for entry in found.left_out}
    assert set(reasons) == {"notes.txt", "../up.png", "in it.zip"}
    assert "leads out of the archive" in reasons["../up.png"]


@pytest.mark.parametrize(
    "table",
    [
        b"file,label\n1.png,roses\n2.png,tulips\n",
        "label;file;remark\nroses;1.png;schön\ntulips;2.png;\n".encode("cp1252"),
        b"1.png,roses\n2.png,tulips\n",
        b"what,which\n1,roses\n2,tulips\n",
    ],
    ids=["named", "semicolons", "no first row", "without endings"],
)
def test_a_table_gives_labels(table: bytes) -> None:
    sent = [("1.png", io.BytesIO(photo(1))), ("labels.csv", io.BytesIO(table)), ("2.png", io.BytesIO(photo(2)))]
    found = read_labelled_photos(sent, LIMITS)
    assert labels(found) == {"1.png": "roses", "2.png": "tulips"} and found.left_out == ()


def test_a_table_in_an_archive_counts_more_than_folders_and_says_what_leads_nowhere() -> None:
    entries = {"all/1.png": photo(1), "all/2.png": photo(2), "all/labels.csv": b"file,label\n1.png,roses\nlost.png,x\n"}
    found = read_labelled_photos([("photos.zip", archive(entries))], LIMITS)
    assert labels(found) == {"all/1.png": "roses", "all/2.png": "all"}
    [entry] = found.left_out
    assert entry.path == "lost.png" and "it is not in the folder" in entry.reason


def test_a_table_with_a_column_for_each_class_gives_labels_and_several_are_none() -> None:
    sent = [(f"{number}.png", io.BytesIO(photo(number))) for number in range(4)]
    table = b"image,roses,tulips\n0,1,0\n1,0,1\n2,1,1\n3,1,0\n"
    found = read_labelled_photos([*sent, ("t.csv", io.BytesIO(table))], LIMITS)
    assert labels(found) == {"0.png": "roses", "1.png": "tulips", "2.png": "", "3.png": "roses"}
    assert [entry.reason for entry in found.left_out] == ["the table gives it several labels: roses, tulips"]


def test_too_many_too_large_and_damaged_ones_are_left_out() -> None:
    limits = Limits(uploads=2, file_bytes=len(photo(1)) + 10)
    sent: list[tuple[str, BinaryIO]] = [(f"{number}.png", io.BytesIO(photo(number))) for number in range(3)]
    found = read_labelled_photos([("large.png", io.BytesIO(photo(1) * 2)), *sent], limits)
    assert list(labels(found)) == ["large.png", "0.png"]
    assert [entry.path for entry in found.left_out] == ["1.png", "2.png"]
    with pytest.raises(PhotoError, match="too large"):
        found.photos[0].read()
    [entry] = read_labelled_photos([("broken.zip", io.BytesIO(b"PK no archive"))], LIMITS).left_out
    assert entry.path == "broken.zip" and entry.reason
    [entry] = read_labelled_photos([("film.mp4", io.BytesIO(b""))], LIMITS).left_out
    assert "mp4" in entry.reason or "not photos" in entry.reason


def test_a_label_means_the_class_of_that_name_or_is_offered_similar_ones() -> None:
    names = ("Red roses", "daisy", "sunflowers", "tulips")
    assert [find_class(label, names) for label in ("tulips", "red_roses", " Daisy ", "tulip", "")] == [
        3,
        0,
        1,
        None,
        None,
    ]
    assert find_class("a b", ("A b", "a B")) is None
    assert similar_classes("tulip", names) == [3] and similar_classes("sun flower", names)[0] == 2
    assert similar_classes("wombat", names) == []
