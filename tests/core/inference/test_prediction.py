import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import PhotoError, RunNotReady
from core.inference.prediction import Prediction, Predictor
from core.models.backbones import backbone
from core.runs.store import Run
from tests.conftest import FinishedRun, Workplace, photos_of

NAMES = ("daisy", "rose", "tulip")


def rows(*values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def test_the_most_probable_classes_come_first() -> None:
    prediction = Prediction(NAMES, rows((0.25, 0.125, 0.625), (1, 0, 0)))
    assert prediction.top(0, 2) == [("tulip", 0.625), ("daisy", 0.25)]
    assert prediction.top(1, 1) == [("daisy", 1.0)]
    assert [name for name, _ in prediction.top(0, 99)] == ["tulip", "daisy", "rose"]


def test_equally_probable_classes_keep_their_order() -> None:
    assert [name for name, _ in Prediction(NAMES, rows((0.25, 0.375, 0.375))).top(0, 3)] == ["rose", "tulip", "daisy"]


def test_a_prediction_on_no_photos_is_empty() -> None:
    assert Prediction(NAMES, np.empty((0, 3), np.float32)).probabilities.shape == (0, 3)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (rows((0.5, 0.5)), "do not fit 3 classes"),
        (rows((1,), (1,), (1,)), "do not fit 3 classes"),
        (np.array([0.5, 0.25, 0.25], np.float32), "do not fit 3 classes"),
        (rows((0.5, 0.5, 0.5)), "sum to 1"),
        (rows((1, 0, 0), (0, 0, 0)), "sum to 1"),
        (rows((np.nan, 0.5, 0.5)), "sum to 1"),
        (rows((0.75, -0.25, 0.5)), r"lie in \[0, 1\]"),
    ],
)
def test_what_are_no_probabilities_are_refused(values: NDArray[np.float32], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Prediction(NAMES, values)


def test_a_predictor_finds_what_the_trainer_found(finished_run: FinishedRun) -> None:
    predictor = Predictor(finished_run.run)
    probabilities, labels = finished_run.predictions("test")
    files = photos_of(finished_run.run, "test")
    photos = [predictor.see(file.read_bytes()) for file in files]
    side = backbone("baseline-cnn").resolution
    assert predictor.resolution == side and {photo.shape for photo in photos} == {(side, side, 3)}
    prediction = predictor.predict(photos)
    assert prediction.class_names == ("blue", "red")
    np.testing.assert_allclose(prediction.probabilities, probabilities, rtol=0, atol=1e-5)
    assert [prediction.class_names[label] for label in labels] == [file.parent.name for file in files]


def test_a_photo_that_cannot_be_read_is_refused(finished_run: FinishedRun) -> None:
    with pytest.raises(PhotoError):
        Predictor(finished_run.run).see(b"<html>no photo</html>")


def test_a_run_without_a_graph_is_not_ready(workplace: Workplace) -> None:
    run: Run = workplace.new_run()
    with pytest.raises(RunNotReady, match="no model to predict with yet"):
        Predictor(run)
