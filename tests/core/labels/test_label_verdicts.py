from pathlib import Path

import numpy as np
import pytest

from core.data.intake.labelled_photos import LabelledPhoto, LabelledPhotos
from core.data.scan.walk import LeftOut
from core.data.subsets import TRAINING
from core.inference.decision import read_decision_rule
from core.inference.out_of_distribution import OutOfDistributionDetector
from core.inference.prediction import Predictor
from core.labels.label_checks import AGREE, DISAGREE, UNSURE
from core.labels.label_verdicts import EVIDENCE, LabelChecker, verdicts_on
from core.runs.embeddings import read_embeddings
from tests.conftest import FinishedRun, photos_of


@pytest.fixture(scope="module")
def checker(finished_run: FinishedRun) -> LabelChecker:
    """A checker by the finished run's model."""
    run = finished_run.run
    embeddings = read_embeddings(run)
    detector = OutOfDistributionDetector.fit(embeddings)
    return LabelChecker(Predictor(run), embeddings, read_decision_rule(run), detector)


def labelled(path: Path, label: str) -> LabelledPhoto:
    """A file with a label."""
    return LabelledPhoto(path.name, label, path.read_bytes)


def nothing(done: int) -> None:
    """Hear how many are done."""


def test_photos_come_with_probabilities_and_the_training_photos_most_like_them(
    finished_run: FinishedRun, checker: LabelChecker, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("<html>")
    training = photos_of(finished_run.run, "training")[:2]
    sent = LabelledPhotos(
        (labelled(training[0], "blue"), labelled(broken, "red"), labelled(training[1], "")), (LeftOut("a", "why"),)
    )
    heard: list[int] = []
    seen = checker.check(sent, 10**6, heard.append)
    assert seen.names == (training[0].name, training[1].name) and seen.labels == ("blue", "")
    assert seen.pixels.shape == (2, checker.predictor.resolution, checker.predictor.resolution, 3)
    assert [entry.path for entry in seen.left_out] == ["a", "broken.png"] and heard[-1] == 2
    exact = checker.predictor.predict(list(seen.pixels)).probabilities
    assert (seen.probabilities.argmax(1) == exact.argmax(1)).all()
    np.testing.assert_allclose(seen.probabilities.sum(1), 1)
    assert seen.evidence.shape == (2, EVIDENCE) and (seen.known.parts == TRAINING).all()
    itself = [seen.known.paths[i].rpartition("/")[2] for i in seen.evidence[:, 0]]
    assert itself == list(seen.names)


def test_verdicts_fit_the_given_labels_and_there_are_none_without_labels(checker: LabelChecker) -> None:
    seen = checker.check(LabelledPhotos((), ()), 10**6, nothing)
    sure = np.array([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.95, 0.05]])
    unlike = np.array([False, False, False, True])
    made = type(seen)(("a", "b", "c", "d"), ("",) * 4, seen.pixels, sure, unlike, seen.evidence, seen.known, ())
    assert verdicts_on(made, [0, 1, 1, 0]) == [AGREE, DISAGREE, UNSURE, UNSURE]
    assert verdicts_on(made, [None, 1, None, None]) == ["", DISAGREE, "", ""]
    assert verdicts_on(seen, []) == []
