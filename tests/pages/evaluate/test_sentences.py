import numpy as np
import pytest

from core.evaluation.calibration import coverage, reliability
from core.evaluation.metrics import Confused, Evaluation, class_scores
from pages.components.evaluate import sentences

NAMES = ("daisy", "roses", "not_hotdog")


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (Confused(1, 0, 12, 80), "12 of 80 photos of **roses** are predicted as **daisy**."),
        (Confused(0, 2, 1, 1), r"1 of 1 photo of **daisy** is predicted as **not\_hotdog**."),
    ],
)
def test_a_mistake_in_plain_words(pair: Confused, sentence: str) -> None:
    assert sentences.confused(pair, NAMES) == sentence


def test_the_worst_and_the_best_class() -> None:
    scores = class_scores(np.array([[9, 1, 0], [5, 5, 0], [0, 0, 0]]))
    assert sentences.worst_and_best(scores, NAMES) == [
        "It is weakest at **roses**: 5 of 10 photos are recognised.",
        "It is best at **daisy**: 9 of 10 photos are recognised.",
    ]
    assert sentences.worst_and_best(class_scores(np.diag([3, 4, 5])), NAMES) == [
        "It recognises every class equally well: 100.0 % of the photos of each class."
    ]


def test_confidence_against_accuracy() -> None:
    told = np.array([[0.9, 0.1]] * 40 + [[0.6, 0.4]] * 10)
    found = reliability(told, [0] * 36 + [1] * 4 + [0] * 2 + [1] * 8)
    assert sentences.confidence_and_accuracy(found) == [
        "With a confidence of about **90.0 %**, it is right **90.0 %** of the time (40 photos).",
        "With a confidence of about **60.0 %**, it is right **20.0 %** of the time (10 photos).",
    ]


@pytest.mark.parametrize(
    ("temperature", "said"),
    [(1.4, "lowers the confidence"), (0.6, "raises the confidence"), (1.01, "changes almost nothing")],
)
def test_what_a_temperature_does(temperature: float, said: str) -> None:
    assert said in sentences.temperature(temperature, True)


def test_a_temperature_that_does_not_help_is_not_praised() -> None:
    assert "no improvement" in sentences.temperature(1.4, False) and "no improvement" not in sentences.temperature(
        1.4, True
    )


def test_what_abstaining_gains() -> None:
    told = np.array([[0.9 - 0.01 * n, 0.1 + 0.01 * n] for n in range(10)])
    said = sentences.abstention(coverage(told, [0] * 9 + [1]))
    assert said == (
        "If it answers for every photo, 90.0 % of the answers are right. If it abstains on the **10 %** with the lowest"
        " confidence, **100.0 %** of the others are right; of the 50 % with the highest confidence, **100.0 %**."
    )


def test_which_classes_are_close() -> None:
    shares = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0, 1]])
    assert sentences.neighbours(shares, NAMES) == [
        "Of the nearest photos to those of **roses**, 20.0 % are **daisy**.",
        "Of the nearest photos to those of **daisy**, 10.0 % are **roses**.",
    ]


def test_how_many_are_right_and_what_to_expect_but_not_from_photos_that_it_learned_from() -> None:
    shares = np.array([[0.9, 0.1]] * 361, np.float32)
    found = Evaluation(("a", "b"), (), np.array([0] * 349 + [1] * 12, np.int32), shares)
    assert sentences.correct(found, "test") == (
        "**349 of 361 test photos** are classified correctly. With other photos from the same source, expect between"
        " 94\xa0% and 98\xa0% (95\xa0% interval)."
    )
    assert sentences.correct(found, "training") == "**349 of 361 training photos** are classified correctly."


def test_no_text_calls_one_subset_by_the_name_of_the_other() -> None:
    for part in sentences.SUBSETS:
        meant = sentences.MEANT[part]
        others = {"test": ("validation",), "validation": ("test",), "training": ("test", "validation")}[part]
        assert f"{part} photos" in meant.lower() and not any(other in meant.lower() for other in others)
        assert sentences.SUBSETS[part]().lower() == part


def test_photos_from_elsewhere_are_called_what_they_are() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    found = Evaluation(("a", "b"), (), np.array([0, 1], np.int32), shares)
    assert sentences.correct_elsewhere(found, "*mine*").startswith(
        r"**1 of 2 photos** of **\*mine\***, not from this dataset, are classified correctly."
    )
    assert sentences.unknown_class("tulp", 14) == "14 photos of class **tulp**: the model does not know it."
    assert sentences.learned_from({}) == ""
    assert sentences.learned_from({"training": 2, "validation": 1, "test": 1}) == (
        "3 photos are left out: 2 of the training and 1 of the validation photos of this run. 1 photo is also among the"
        " test photos of this run."
    )
