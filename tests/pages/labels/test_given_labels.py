import numpy as np
import pytest

from core.data.subsets import TRAINING
from core.labels.label_checks import AGREE, DISAGREE, UNSURE
from core.labels.label_verdicts import CheckedPhotos
from core.runs.embeddings import Embeddings
from pages.components.gallery.gallery import WRONG
from pages.components.labels.given_labels import NO_LABEL, photo, rows_of, verdict_text

NAMES = ("daisy", "not_hotdog")


@pytest.fixture
def checked() -> CheckedPhotos:
    """Three photos; the last one is unlike the training photos."""
    shares = np.array([[0.95, 0.05], [0.3, 0.7], [0.9, 0.1]])
    known = Embeddings(
        ("a.jpg",),
        np.zeros(1, np.int32),
        np.full(1, TRAINING, np.int8),
        np.ones((1, 2), np.float32),
        np.eye(2, dtype=np.float32)[:1],
    )
    unlike = np.array([False, False, True])
    pixels, evidence = np.zeros((3, 4, 4, 3), np.uint8), np.zeros((3, 1), np.intp)
    return CheckedPhotos(("1.jpg", "2.jpg", "3.jpg"), ("Daisy", "", "?"), pixels, shares, unlike, evidence, known, ())


def test_a_verdict_names_the_prediction_and_where_it_differs_the_given_label(checked: CheckedPhotos) -> None:
    assert verdict_text(checked, 0, 0, AGREE, NAMES) == r"Prediction: **daisy** (95\.0 %)."
    assert verdict_text(checked, 0, 1, DISAGREE, NAMES) == r"Prediction: **daisy** (95\.0 %); **not\_hotdog**: 5\.0 %."
    assert verdict_text(checked, 1, None, "", NAMES) == r"Prediction: **not\_hotdog** (70\.0 %)."
    assert verdict_text(checked, 2, 0, UNSURE, NAMES).endswith("but the photo is unlike the training photos.")


def test_the_list_has_a_row_for_each_photo_with_or_without_a_label(checked: CheckedPhotos) -> None:
    rows = rows_of(checked, [0, None, 1], [AGREE, "", UNSURE], NAMES)
    assert [row["sent label"] for row in rows] == ["Daisy", "", "?"]
    assert [row["given label"] for row in rows] == ["daisy", "", "not_hotdog"]
    assert [row["predicted class"] for row in rows] == ["daisy", "not_hotdog", "daisy"]
    assert [row["probability of the given label"] for row in rows] == ["0.9500", "", "0.1000"]
    assert [row["unlike the training photos"] for row in rows] == ["no", "no", "yes"]


def test_a_photo_of_the_gallery_says_what_is_wrong_in_a_word_and_a_sign(checked: CheckedPhotos) -> None:
    wrong = photo(checked, 1, 0, DISAGREE, NAMES, b"jpeg")
    assert (wrong.title, wrong.note, wrong.badge, wrong.mark) == (
        "daisy",
        "predicted: not_hotdog, 70.0 %",
        "disagrees",
        WRONG,
    )
    assert wrong.spoken == "daisy · wrong: disagrees · predicted: not_hotdog, 70.0 % · 2.jpg"
    assert photo(checked, 2, None, NO_LABEL, NAMES, b"jpeg").title == "no label"
