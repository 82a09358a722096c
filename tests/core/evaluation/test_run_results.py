import numpy as np
import pytest

from core.errors import RunError, RunNotReady
from core.evaluation.run_results import evaluation, measured
from core.runs.embeddings import Embeddings, write_embeddings
from core.runs.store import Run
from tests.conftest import Workplace, photos_of


def leave_predictions(run: Run, part: str, right: list[bool]) -> None:
    """Write what a trainer leaves of a subset, with these photos named correctly."""
    truth = np.zeros(len(right), np.int32)
    wrong = np.array([not each for each in right], np.int32)
    np.savez(run.predictions_file(part), probabilities=np.eye(2, dtype=np.float32)[wrong], labels=truth)


def test_each_photo_is_known_by_its_name(workplace: Workplace) -> None:
    run = workplace.new_run()
    tested = photos_of(run, "test")
    leave_predictions(run, "test", [True, False] + [True] * (len(tested) - 2))
    found = measured(run, "test")
    assert (found.correct, found.count) == (len(tested) - 1, len(tested))
    assert [workplace.colours / name for name in found.photos] == tested
    assert found.right.tolist() == [True, False] + [True] * (len(tested) - 2)


def test_photos_that_could_not_be_read_are_not_among_them(workplace: Workplace) -> None:
    run = workplace.new_run()
    names = [path.relative_to(workplace.colours).as_posix() for path in photos_of(run, "test")]
    run.left_out_file.write_text(f'[{{"file": "{names[1]}", "reason": "gone"}}]', "utf-8")
    leave_predictions(run, "test", [True] * (len(names) - 1))
    assert measured(run, "test").photos == (names[0], *names[2:])


def test_without_the_split_the_accuracy_is_still_known(workplace: Workplace) -> None:
    run = workplace.new_run()
    leave_predictions(run, "validation", [True, False])
    run.split_file.write_text("no split", "utf-8")
    found = measured(run, "validation")
    assert (found.accuracy, found.photos, found.right.shape) == (0.5, (), (0,))


def test_what_is_not_there_is_said(workplace: Workplace) -> None:
    run = workplace.new_run()
    with pytest.raises(RunNotReady, match="has not been evaluated on its test photos"):
        measured(run, "test")


@pytest.mark.parametrize("kept", [0, 3, 200])
def test_a_file_that_is_cut_off_is_said(workplace: Workplace, kept: int) -> None:
    run = workplace.new_run()
    leave_predictions(run, "test", [True] * 6)
    whole = run.predictions_file("test").read_bytes()
    run.predictions_file("test").write_bytes(whole[:kept])
    with pytest.raises(RunError, match="cannot be read"):
        measured(run, "test")


def test_every_photo_with_its_label_and_its_probabilities(workplace: Workplace) -> None:
    run = workplace.new_run()
    tested = photos_of(run, "test")
    leave_predictions(run, "test", [True, False] + [True] * (len(tested) - 2))
    found = evaluation(run, "test")
    assert [workplace.colours / name for name in found.paths] == tested
    assert found.class_names == ("blue", "red")
    assert found.predicted.tolist() == [0, 1] + [0] * (len(tested) - 2)


def test_training_photos_are_those_of_the_embeddings(workplace: Workplace) -> None:
    run = workplace.new_run()
    with pytest.raises(RunNotReady, match="has no embeddings"):
        evaluation(run, "training")
    parts = np.array([0, 2, 0, 1], np.int8)
    labels, shares = np.array([0, 1, 1, 0], np.int32), np.tile(np.array([0.75, 0.25], np.float32), (4, 1))
    paths = ("blue/a.png", "red/b.png", "red/c.png", "blue/d.png")
    write_embeddings(run, Embeddings(paths, labels, parts, np.zeros((4, 3), np.float32), shares))
    found = evaluation(run, "training")
    assert found.paths == ("blue/a.png", "red/c.png") and found.right.tolist() == [True, False]
    write_embeddings(run, Embeddings(paths, labels, parts, np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)))
    with pytest.raises(RunError, match="for its training photos cannot be read"):
        evaluation(run, "training")
    write_embeddings(run, Embeddings(paths, labels, parts + np.int8(1), np.zeros((4, 3), np.float32), shares))
    with pytest.raises(RunNotReady, match="has no training photos"):
        evaluation(run, "training")


def test_probabilities_that_do_not_fit_the_classes_are_said(workplace: Workplace) -> None:
    run = workplace.new_run()
    np.savez(run.predictions_file("test"), probabilities=np.eye(3, dtype=np.float32), labels=np.arange(3))
    with pytest.raises(RunError, match="of 2 classes"):
        evaluation(run, "test")


def test_a_part_without_photos_is_said(workplace: Workplace) -> None:
    run = workplace.new_run()
    leave_predictions(run, "test", [])
    with pytest.raises(RunNotReady, match="has no test photos"):
        evaluation(run, "test")
