from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.errors import PhotoError
from core.evaluation.metrics import Evaluation
from pages.components.evaluate.photos import EvaluatedSubset, photo
from pages.components.gallery.gallery import RIGHT, WRONG


def subset(paths: tuple[str, ...] = ("a.jpg", "b.jpg"), **run: Any) -> EvaluatedSubset:
    """Two test photos, the second of which is predicted wrongly."""
    shares = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    found = Evaluation(("daisy", "not_hotdog"), paths, np.array([0, 1], np.int32), shares)
    shown: Any = SimpleNamespace(run=SimpleNamespace(id="1f3a"), recipe=SimpleNamespace(dataset="/photos"))
    return EvaluatedSubset(shown, "test", found)


def test_a_photo_is_described_by_its_label_and_a_wrong_prediction() -> None:
    assert subset().describe(0) == "daisy (90\xa0%)"
    assert subset().describe(1) == "not hotdog, predicted as **daisy** (80\xa0%)"


def test_photos_are_counted_by_the_name_of_the_subset() -> None:
    assert (subset().photos(1), subset().photos(1200)) == ("1 test photo", "1,200 test photos")
    assert subset().key == "1f3a-test"


def test_photos_whose_paths_are_unknown_cannot_be_shown() -> None:
    assert subset().folder.paths == ("a.jpg", "b.jpg")
    with pytest.raises(PhotoError, match="no longer known which photos"):
        _ = subset(paths=()).folder


def test_what_is_wrong_is_told_by_a_sign_and_in_words() -> None:
    wrong = photo(subset(), 1, b"jpeg", subset().confidence(1), "Most of it is in the middle.")
    assert (wrong.title, wrong.badge, wrong.mark, wrong.note) == ("not hotdog", "daisy", WRONG, "80\xa0%")
    assert wrong.spoken == "not hotdog · wrong: daisy · 80\xa0% · b.jpg · Most of it is in the middle."
    assert photo(subset(), 0, b"jpeg", "90%").mark == RIGHT
