import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import RunError, RunNotReady
from core.evaluation.training_dynamics import TrainingDynamics, read_training_dynamics
from core.runs.store import Run
from tests.conftest import FinishedRun, photos_of


@pytest.fixture
def copied(finished_run: FinishedRun, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(finished_run.run.folder, tmp_path / finished_run.run.id)))


def test_a_run_knows_what_it_made_of_each_validation_photo(finished_run: FinishedRun) -> None:
    timeline = read_training_dynamics(finished_run.run)
    files = photos_of(finished_run.run, "validation")
    assert [finished_run.workplace.colours / path for path in timeline.paths] == files
    assert timeline.epochs.tolist() == [1, 2]
    rows = [row for row in finished_run.run.read_metrics() if "val_loss" in row]
    assert timeline.right.mean(axis=1) == pytest.approx([row["val_accuracy"] for row in rows])
    best = int(np.argmin([row["val_loss"] for row in rows]))
    probabilities, labels = finished_run.predictions("validation")
    np.testing.assert_array_equal(timeline.labels, labels)
    np.testing.assert_allclose(timeline.confidence[best], probabilities.max(axis=1), atol=1e-4)
    given = probabilities[np.arange(len(labels)), labels]
    np.testing.assert_allclose(timeline.confidence_in_label[best], given, atol=1e-4)


def test_photos_are_learned_late_forgotten_or_never_learned() -> None:
    predicted = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    sure = np.ones((4, 4), np.float32)
    timeline = TrainingDynamics(("a", "b", "c", "d"), np.array([0, 0, 1, 0]), np.arange(1.0, 5), predicted, sure, sure)
    assert timeline.learned_at().tolist() == [0, 3, 1, 4]
    assert timeline.forgotten().tolist() == [0, 1, 0, 0]


def test_photos_that_change_most_come_first_and_stay_in_their_places() -> None:
    predicted = np.array([[0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 0]])
    own = np.tile(np.array([0.9, 0.6, 0.7, 0.2, 0.8], np.float32), (4, 1))
    found = TrainingDynamics(("a", "b", "c", "d", "e"), np.zeros(5, int), np.arange(1.0, 5), predicted, own, own)
    assert found.flips().tolist() == [0, 3, 1, 0, 0]
    assert found.most_changing(1).tolist() == [1]
    assert found.most_changing(3).tolist() == [1, 2, 3], "then the one whose class is least probable"
    assert found.most_changing(9).tolist() == [0, 1, 2, 3, 4]


def test_of_many_validations_the_first_the_last_and_some_between_are_read(copied: Run) -> None:
    for number in range(3, 8):
        shutil.copy(copied.timeline_folder / f"{1 + number % 2}.npy", copied.timeline_folder / f"{number}.npy")
        copied.append_metrics({**copied.read_metrics()[-1], "position": float(number)})
    assert read_training_dynamics(copied).epochs.tolist() == [1, 2, 3, 4, 5, 6, 7]
    some = read_training_dynamics(copied, 4)
    assert some.epochs.tolist() == [1, 3, 5, 7] and len(some.predicted) == 4


def test_a_run_of_a_former_version_has_none(copied: Run) -> None:
    shutil.rmtree(copied.timeline_folder)
    with pytest.raises(RunNotReady, match="no history of its predictions"):
        read_training_dynamics(copied)


def test_what_is_damaged_or_does_not_fit_the_split_is_said(copied: Run) -> None:
    (copied.timeline_folder / "2.npy").write_bytes(b"torn")
    with pytest.raises(RunError, match="cannot be read"):
        read_training_dynamics(copied)
    shutil.copy(copied.timeline_folder / "1.npy", copied.timeline_folder / "2.npy")
    lines = copied.split_file.read_text("utf-8").splitlines(keepends=True)
    copied.split_file.write_text("".join(line for line in lines if "blue" not in line or "validation" not in line))
    with pytest.raises(RunNotReady, match="which validation photos"):
        read_training_dynamics(copied)
