import csv
import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from core.data.intake import collect
from core.errors import PhotoError
from core.inference.decision import OUT_OF_DISTRIBUTION, PREDICTED, UNSURE, DecisionRule, decide
from core.inference.prediction_table import ORDERS, PredictionTable, as_csv, as_sorted_zip, save
from core.inference.sources import Photo
from core.settings import Limits


def photo(shade: int) -> Callable[[], bytes]:
    """A photo of its own."""
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue


def gone() -> bytes:
    raise PhotoError("the file is no longer there")


NAMES = ("b/rose.png", "a/rose.png", "=sum.png", "car.png", "lost.png")


@pytest.fixture
def found() -> PredictionTable:
    """Two confident answers, one unsure, one unlike the training photos, one corrected that can no longer be read."""
    reads = [*(photo(10 * number) for number in range(4)), gone]
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.45, 0.55], [0.99, 0.01], [0.3, 0.7]])
    ood_scores = np.array([0.2, 0.1, 0.5, 0.99, 0.3])
    photos = tuple(Photo(name, read) for name, read in zip(NAMES, reads, strict=True))
    return PredictionTable(("rose", "tulip"), photos, decide(shares, DecisionRule(1.0, 0.6), ood_scores), {4: 0})


def test_the_kind_of_each_answer_and_where_it_is_sorted(found: PredictionTable) -> None:
    assert found.decisions.kinds.tolist() == [PREDICTED, PREDICTED, UNSURE, OUT_OF_DISTRIBUTION, PREDICTED]
    assert found.classes.tolist() == [0, 0, -1, -1, 0]
    assert found.counts().tolist() == [3, 0]
    assert found.is_open(UNSURE).tolist() == [False, False, True, False, False]
    corrected = PredictionTable(found.class_names, found.photos, found.decisions, {2: 1})
    assert corrected.classes[2] == 1 and not corrected.is_open(UNSURE).any()
    top = found.top(2, 5)
    assert [name for name, _ in top] == ["tulip", "rose"]
    assert [share for _, share in top] == pytest.approx([0.55, 0.45])


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("as they came", [0, 1, 2, 3, 4]),
        ("newest first", [4, 3, 2, 1, 0]),
        ("name", [2, 1, 0, 3, 4]),
        ("least sure first", [2, 4, 1, 0, 3]),
        ("most sure first", [3, 0, 1, 4, 2]),
        ("least like the training photos first", [3, 2, 4, 0, 1]),
    ],
)
def test_orders(found: PredictionTable, order: str, places: list[int]) -> None:
    assert ORDERS[order](found).tolist() == places


def test_the_table_says_what_was_corrected_and_holds_no_formula(found: PredictionTable) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(found).decode("utf-8-sig"))))
    assert [row["photo"] for row in rows] == ["b/rose.png", "a/rose.png", "'=sum.png", "car.png", "lost.png"]
    assert [row["predicted class"] for row in rows] == ["rose", "rose", "tulip", "rose", "tulip"]
    assert [row["note"] for row in rows] == ["", "", "unsure", "unlike the training photos", ""]
    assert [row["corrected class"] for row in rows] == ["", "", "", "", "rose"]
    assert float(rows[2]["tulip"]) == float(rows[2]["confidence"]) == 0.55


def test_the_archive_has_a_folder_for_each_class_and_loses_no_photo_to_another_of_its_name(
    found: PredictionTable,
) -> None:
    with as_sorted_zip(found) as file, ZipFile(file) as archive:
        names = archive.namelist()
        assert names[:2] == ["rose/rose.png", "rose/rose 2.png"]
        assert names[2:] == ["unsure/=sum.png", "unlike the training photos/car.png", "left out.txt"]
        assert archive.read("rose/rose 2.png") == found.photos[1].read()
        assert "lost.png: the file is no longer there" in archive.read("left out.txt").decode()
    with as_sorted_zip(found, most_bytes=100) as file, ZipFile(file) as archive:
        assert "larger than" in archive.read("left out.txt").decode()


def test_photos_are_saved_as_what_they_are_taken_for(found: PredictionTable, tmp_path: Path) -> None:
    dataset = collect.new_dataset(tmp_path, "mine")
    collect.new_class(dataset, "Rose", datasets_folder=tmp_path)
    saved = save(found, range(5), dataset, Limits(uploads=1), datasets_folder=tmp_path)
    assert saved.added == {"Rose": 2}
    assert {entry.path for entry in saved.left_out} == {"=sum.png", "car.png", "lost.png"}
    assert sorted(path.name for path in (dataset / "Rose").iterdir()) == ["rose 2.png", "rose.png"]
