import numpy as np
import pytest
from numpy.typing import NDArray

from bench.label_checks import flipped
from core.labels.label_checks import find_label_issues
from core.labels.label_fit import LabelFit, label_fit


def fit_of(features: NDArray[np.float32], labels: NDArray[np.intp], classes: int) -> LabelFit:
    found = find_label_issues(features, labels, classes)
    return label_fit(found.probabilities, labels, len(found.suspects))


def overlapping(classes: int, per_class: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Features of classes of which about nine in ten photos can be told apart, and the true labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centres = random.normal(size=(classes, 64))
    features = 0.8 * centres[labels] + random.normal(size=(len(labels), 64)) * 1.6
    return features.astype(np.float32), labels


@pytest.mark.parametrize(("classes", "per_class"), [(2, 40), (5, 30), (5, 8), (2, 5), (20, 6)])
def test_right_labels_fit(classes: int, per_class: int) -> None:
    assert fit_of(*overlapping(classes, per_class), classes).misfit == ""


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_labels_of_which_some_are_wrong_fit(share: float) -> None:
    features, labels = overlapping(5, 60)
    assert fit_of(features, flipped(labels, 5, share, 0), 5).misfit == ""


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_labels_of_which_most_are_wrong_do_not_fit_in_figures(share: float) -> None:
    features, labels = overlapping(5, 60)
    found = fit_of(features, flipped(labels, 5, share, 0), 5)
    assert found.misfit.startswith("Labels and photos do not fit together: predictions for photos held out match ")
    assert " of 300 labels; guessing would match 2" in found.misfit and 0.15 < found.by_chance < 0.3


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_labels_that_have_nothing_to_do_with_the_photos_do_not_fit(classes: int) -> None:
    features, _ = overlapping(4, 30)
    labels = np.random.default_rng(1).integers(0, classes, len(features))
    assert fit_of(features, labels, classes).misfit


def test_as_many_suspects_as_can_be_found_are_told() -> None:
    probabilities = np.eye(2)[np.arange(100) % 2] * 0.8 + 0.1
    labels = np.arange(100) % 2
    labels[:20] = 1 - labels[:20]
    assert label_fit(probabilities, labels, 20).misfit == ""
    found = label_fit(probabilities, labels, 38).misfit
    assert "38 % of the labels look wrong, about as many as can be found (40 %)" in found
    assert "match 80 % of 100 labels; guessing would match 50 %" in found


def test_matches_by_chance_are_those_of_all_orders_of_the_labels() -> None:
    random = np.random.default_rng(0)
    predicted, labels = random.choice(3, 50, p=[0.6, 0.3, 0.1]), random.choice(3, 50, p=[0.2, 0.3, 0.5])
    found = label_fit(np.eye(3)[predicted], labels, 0)
    matches = np.array([(random.permutation(labels) == predicted).sum() for _ in range(4000)])
    assert 50 * found.by_chance == pytest.approx(matches.mean(), abs=0.2)
    spread = (50 * (found.matched - found.by_chance)) / found.deviations
    assert abs(spread) == pytest.approx(matches.std(), rel=0.05)


def test_classes_of_one_photo_each_cannot_be_judged() -> None:
    assert "no class has two photos" in label_fit(np.eye(4), np.arange(4), 0).misfit
