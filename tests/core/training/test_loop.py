"""Whole runs. Most go through the real trainer process; a few, where the process adds nothing, call `train` here."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.images import decode
from core.data.pseudo_labels import read_pseudo_csv
from core.data.split import assign_subsets, read_split_csv
from core.data.subsets import SUBSETS
from core.errors import RunNotReady
from core.inference.prediction import Predictor
from core.json_values import read_json
from core.models.backbones import backbone
from core.models.serving import PROBABILITIES, ServingGraph
from core.runs.messages import Message
from core.runs.store import CRASHED, FAILED, FINISHED, RUNNING, STOPPED, Run, Status
from core.settings import Settings, settings_from
from core.training.budget import throughput
from core.training.launch import create_run
from core.training.loop import train
from core.training.recorder import Recorder
from core.training.schedule import Schedule
from tests.conftest import PATIENCE, FinishedRun, Workplace, eventually, kill_trainer, photos_of, trainer

LEFT_BY_EVERY_RUN = {
    *("recipe.json", "classes.json", "split.csv", "environment.json", "status.json", "metrics.jsonl", "lock"),
    *(
        "best.keras",
        "serving",
        "validation.npz",
        "test.npz",
        "embeddings.npz",
        "looking.lock",
        "timeline",
        "log.txt",
        "checkpoints",
        "tensorboard",
    ),
}


def carried_out_here(run: Run, settings: Settings) -> Status:
    """Let this process be the trainer of a run, and return its last status."""
    with run.held():
        train(run, settings)
    return run.read_status()


def names_in(run: Run) -> set[str]:
    return {path.name for path in run.folder.iterdir()}


def ends_of_epochs(run: Run) -> list[dict[str, Any]]:
    """What does not depend on time: the last training row and the validation row of every epoch."""
    rows = [row for row in run.read_metrics() if "val_loss" in row or row["position"] == round(row["position"])]
    return [{key: row[key] for key in row if key not in ("seconds", "images_per_second")} for row in rows]


def seen(run: Run, part: str) -> NDArray[np.uint8]:
    return np.stack([decode(file, Predictor(run).resolution) for file in photos_of(run, part)])


def test_a_run_finishes_and_knows_its_colours(finished_run: FinishedRun) -> None:
    status = finished_run.run.read_status()
    assert status.state == FINISHED, finished_run.run.log_tail()
    assert status.test_accuracy is not None and status.test_accuracy >= 0.9
    assert (status.epoch, status.epochs, status.left_out, status.error) == (2, 2, 0, "")
    assert (status.phase, status.message, status.progress, status.seconds_left) == ("", Message("finished"), None, None)
    assert status.started is not None and status.ended is not None
    assert status.created <= status.started <= status.ended
    assert status.images_per_second is not None and status.images_per_second > 0
    assert status.caching == Message("all-trainable")
    assert status.first_accuracy is None, "there is nothing frozen to look at"


def test_a_finished_run_leaves_its_files_and_no_others(finished_run: FinishedRun) -> None:
    assert names_in(finished_run.run) == LEFT_BY_EVERY_RUN
    environment = json.loads(finished_run.run.environment_file.read_text("utf-8"))
    assert environment["keras"] == keras.__version__ and environment["cores"] >= 1


def test_metrics_tell_of_every_epoch(finished_run: FinishedRun) -> None:
    rows = finished_run.run.read_metrics()
    status = finished_run.run.read_status()
    validation = [row for row in rows if "val_loss" in row]
    assert [(row["epoch"], row["position"]) for row in validation] == [(1, 1.0), (2, 2.0)]
    assert {row["phase"] for row in rows} == {"from scratch"} and not any(row["partial"] for row in rows)
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    best = min(validation, key=lambda row: float(row["val_loss"]))
    assert status.best_epoch == best["epoch"]
    assert status.best_val_accuracy == pytest.approx(best["val_accuracy"], abs=1e-6)
    assert status.best_val_loss == pytest.approx(best["val_loss"], abs=1e-6)
    rates = [row["learning_rate"] for row in rows]
    steps = 2 * max(row["step"] for row in rows)
    schedule = Schedule(finished_run.workplace.recipe(), 1e-3, 1, steps)
    assert rates == sorted(rates, reverse=True) and rates[-1] == pytest.approx(schedule.rate(steps - 1))


def test_predictions_are_kept_with_their_labels(finished_run: FinishedRun) -> None:
    folder, parts = read_split_csv(finished_run.run.split_file, finished_run.workplace.colours)
    status = finished_run.run.read_status()
    for part in ("validation", "test"):
        probabilities, labels = finished_run.predictions(part)
        np.testing.assert_array_equal(labels, folder.labels[parts == SUBSETS.index(part)])
        assert probabilities.shape == (len(labels), 2) and probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    correct = int((probabilities.argmax(axis=1) == labels).sum())
    assert (status.test_correct, status.test_count) == (correct, len(labels))
    assert status.test_accuracy == correct / len(labels)


def test_the_best_model_says_the_same_in_keras_and_in_the_graph(finished_run: FinishedRun) -> None:
    run = finished_run.run
    model = keras.models.load_model(run.best_file, safe_mode=True)
    photos = seen(run, "test")
    in_keras = np.asarray(model(photos.astype(np.float32), training=False))
    np.testing.assert_allclose(in_keras, ServingGraph(run.serving_folder).run(photos)[PROBABILITIES], atol=1e-4)
    np.testing.assert_allclose(in_keras, finished_run.predictions("test")[0], atol=1e-4)


def test_the_same_seed_gives_the_same_run(finished_run: FinishedRun, workplace: Workplace) -> None:
    twin = workplace.new_run()
    assert carried_out_here(twin, workplace.settings).state == FINISHED
    assert ends_of_epochs(twin) == ends_of_epochs(finished_run.run)
    assert twin.split_file.read_text("utf-8") == finished_run.run.split_file.read_text("utf-8")
    with np.load(twin.predictions_file("test")) as file:
        np.testing.assert_allclose(file["probabilities"], finished_run.predictions("test")[0], rtol=0, atol=1e-6)


def test_a_stop_ends_a_run_within_two_batches_and_keeps_its_model(workplace: Workplace) -> None:
    run = workplace.new_run(head_epochs=1000, batch_size=64)  # one step an epoch, so every batch is recorded
    with trainer(run, workplace.environment()) as child:
        eventually(lambda: any("val_loss" in row for row in run.read_metrics()), f"an epoch ended: {run.log_tail()}")
        assert run.read_status().state == RUNNING
        run.request_stop()
        assert child.wait(300) == 0
    status = run.read_status()
    assert (status.state, status.phase, status.error) == (STOPPED, "", "")
    asked = run.stop_file.stat().st_mtime - (status.started or 0)
    rows = run.read_metrics()
    assert len([row for row in rows if "loss" in row and row["seconds"] > asked + 0.01]) <= 2
    assert rows[-1]["partial"] and not any(row["partial"] for row in rows[:-1])
    assert names_in(run) == LEFT_BY_EVERY_RUN | {"control"}
    assert Predictor(run).predict(list(seen(run, "test"))).probabilities.shape == (status.test_count, 2)


def test_a_trainer_that_is_killed_leaves_a_crashed_run_that_can_go_on(workplace: Workplace) -> None:
    run = workplace.new_run(head_epochs=1000)
    with trainer(run, workplace.environment()) as child:
        eventually(run.has_checkpoint, f"a checkpoint was written: {run.log_tail()}")
        kill_trainer(child, run)
        status = run.read_status()
    assert status.state == CRASHED and run.has_checkpoint()
    assert run.recipe_values()["head_epochs"] == 1000 and run.class_names() == ("blue", "red")
    with pytest.raises(RunNotReady):
        Predictor(run)
    workplace.store.delete(run.id)
    assert workplace.store.runs() == []


def test_a_dataset_outside_the_allowed_folders_fails_in_the_trainer_too(workplace: Workplace) -> None:
    run = workplace.new_run()
    elsewhere = settings_from(workplace.variables(UNFREEZE_DATASETS=str(workplace.home / "nothing")))
    status = carried_out_here(run, elsewhere)
    assert (status.state, status.phase) == (FAILED, "") and status.ended is not None
    assert f"The folder {workplace.colours} is outside the folders that may be read" in status.error
    assert "add it to UNFREEZE_DATASETS" in status.error
    assert "FolderError" in run.error_file.read_text("utf-8")
    assert not run.best_file.exists() and not run.work_folder.exists()


def test_weights_that_are_nowhere_fail_with_the_places_tried(workplace: Workplace) -> None:
    run = workplace.new_run(backbone="efficientnet-b0")
    status = carried_out_here(run, workplace.settings)
    assert status.state == FAILED
    settings = workplace.settings
    for place in (settings.weights_folder, settings.keras_cache, "efficientnetb0_notop.h5", "downloading (turned off)"):
        assert str(place) in status.error
    assert run.read_metrics() == [] and not run.best_file.exists() and not run.work_folder.exists()


def test_photos_that_have_gone_since_are_left_out_and_listed(workplace: Workplace) -> None:
    run = workplace.new_run(head_epochs=0)
    gone, broken = photos_of(run, "training")[0], photos_of(run, "test")[0]
    gone.unlink()
    broken.write_bytes(broken.read_bytes()[:60])
    status = carried_out_here(run, workplace.settings)
    assert (status.state, status.left_out, status.test_count) == (FINISHED, 2, len(photos_of(run, "test")) - 1)
    rows = json.loads(run.left_out_file.read_text("utf-8"))
    assert {row["file"] for row in rows} == {f.relative_to(workplace.colours).as_posix() for f in (gone, broken)}
    assert "the file is no longer there" in {photo.reason for photo in run.left_out()}
    with np.load(run.predictions_file("test")) as file:
        rest = [path for path in photos_of(run, "test") if path != broken]
        assert [run.class_names()[label] for label in file["labels"]] == [path.parent.name for path in rest]


def test_a_drive_that_was_gone_and_came_back_leaves_nothing_said(workplace: Workplace) -> None:
    run, away = workplace.new_run(head_epochs=0), workplace.colours.with_name("away")
    workplace.colours.rename(away)
    workplace.colours.mkdir()
    failed = carried_out_here(run, workplace.settings)
    assert failed.state == FAILED and failed.left_out == len(run.left_out()) > 0
    workplace.colours.rmdir()
    away.rename(workplace.colours)
    status = carried_out_here(run, workplace.settings)
    assert (status.state, status.left_out, run.left_out()) == (FINISHED, 0, ())


def test_a_part_without_a_readable_photo_fails(workplace: Workplace) -> None:
    run = workplace.new_run()
    for file in photos_of(run, "validation"):
        file.unlink()
    status = carried_out_here(run, workplace.settings)
    assert status.state == FAILED
    assert f"No readable photo is left in the validation subset of {workplace.colours}" in status.error


def test_a_stop_before_there_is_anything_to_train_ends_at_once(workplace: Workplace) -> None:
    run = workplace.new_run()
    run.request_stop()
    status = carried_out_here(run, workplace.settings)
    assert (status.state, status.message) == (STOPPED, Message("stopped-untrained"))
    assert run.read_metrics() == [] and not run.work_folder.exists()


def test_a_mistake_of_the_program_is_told_and_raised(workplace: Workplace) -> None:
    run = workplace.new_run()
    run.metrics_file.mkdir()
    with pytest.raises(IsADirectoryError):
        carried_out_here(run, workplace.settings)
    status = run.read_status()
    assert status.state == FAILED
    assert status.error.startswith("The trainer ended with an unexpected IsADirectoryError")
    assert "Traceback" in run.error_file.read_text("utf-8")


def test_a_recipe_that_was_spoilt_on_disk_fails_with_its_sentence(workplace: Workplace) -> None:
    run = workplace.new_run()
    run.recipe_file.write_text('{"dataset": "d", "seed": -1}', "utf-8")
    status = carried_out_here(run, workplace.settings)
    assert (status.state, status.error.partition(";")[0]) == (FAILED, "The seed is -1")


@pytest.mark.thorough
def test_a_run_remembers_how_fast_this_machine_is(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "ENOUGH", 1)
    choices = {"backbone": "efficientnet-lite0", "unfreeze_point": "none", "fine_tune_epochs": 0}
    status = carried_out_here(workplace.new_run(**choices), workplace.settings)
    assert status.state == FINISHED, status.error
    chosen = backbone("efficientnet-lite0")
    known = throughput.known_throughput(workplace.home, chosen, throughput.guessed_throughput())
    assert known.measured and known.throughput.flops == chosen.flops
    [(key, [fixed_seconds])] = read_json(workplace.home / throughput.FIXED_FILE_NAME, dict).items()
    assert key == chosen.key and known.throughput.fixed_seconds == fixed_seconds
    assert status.started and status.ended and 0 < fixed_seconds < status.ended - status.created


def test_class_weights_make_photos_of_a_rare_class_count_more(workplace: Workplace) -> None:
    for number in range(5, 15):
        (workplace.colours / "red" / f"{number:02d}.png").unlink()
    one_step = {"batch_size": 512, "head_epochs": 0, "dropout": 0.0, "scratch_learning_rate": 1e-8}
    run = workplace.new_run(**one_step, class_weights=True)
    status = carried_out_here(run, workplace.settings)
    assert status.state == FINISHED, status.error
    assert json.loads(run.recipe_file.read_text("utf-8"))["class_weights"] is True
    model = keras.models.load_model(run.best_file, safe_mode=True)  # as it was at first, so small were the steps
    labels = np.array([run.class_names().index(file.parent.name) for file in photos_of(run, "training")])
    sure = np.asarray(model(seen(run, "training").astype(np.float32), training=False))[np.arange(len(labels)), labels]
    counts = np.bincount(labels)
    assert counts[0] > 2 * counts[1]
    loss = next(row["loss"] for row in run.read_metrics() if "loss" in row)
    assert loss == pytest.approx(np.mean(-np.log(sure) * (len(labels) / (2 * counts))[labels]), rel=1e-3)
    assert loss != pytest.approx(np.mean(-np.log(sure)), rel=1e-2), "which is the loss without weights"


def test_photos_without_a_label_of_their_own_count_as_much_as_they_are_certain(workplace: Workplace) -> None:
    one_step = {"batch_size": 512, "head_epochs": 0, "dropout": 0.0, "scratch_learning_rate": 1e-8}
    run = workplace.new_run(**one_step, unlabelled=True)
    status = carried_out_here(run, workplace.settings)
    assert status.state == FINISHED, status.error
    model = keras.models.load_model(run.best_file, safe_mode=True)  # as it was at first, so small were the steps
    pseudo = read_pseudo_csv(run.pseudo_file)
    files = [*photos_of(run, "training"), *(workplace.colours / path for path in pseudo.paths)]
    labels = np.array([run.class_names().index(file.parent.name) for file in files])
    pixels = np.stack([decode(file, model.inputs[0].shape[1]) for file in files]).astype(np.float32)
    sure = np.asarray(model(pixels, training=False))[np.arange(len(labels)), labels]
    weights = np.concatenate([np.ones(len(files) - len(pseudo)), pseudo.certainty])
    loss = next(row["loss"] for row in run.read_metrics() if "loss" in row)
    assert loss == pytest.approx(np.mean(-np.log(sure) * weights), rel=1e-3)
    assert loss != pytest.approx(np.mean(-np.log(sure)), rel=1e-2), "which is the loss without weights"
    judged = read_split_csv(run.split_file, workplace.colours)[0].paths
    assert not set(pseudo.paths) & set(judged), "nothing else knows these photos"


def test_a_class_without_training_photos_fails_with_its_name_and_its_own_reason(workplace: Workplace) -> None:
    (workplace.colours / "green").mkdir()
    for number in range(3):
        shutil.copy(workplace.colours / "blue" / f"{number:02d}.png", workplace.colours / "green")
    recipe, folder = workplace.recipe(), workplace.folder()
    parts = assign_subsets(folder.labels, seed=recipe.split_seed)
    parts[folder.labels == 1] = SUBSETS.index("test")
    run = create_run(workplace.store, recipe, folder, parts)
    (workplace.colours / "red" / "07.png").write_bytes(b"<html>")
    status = carried_out_here(run, workplace.settings)
    assert status.state == FAILED
    assert "No readable training photo is left of “green”" in status.error
    assert "web page" not in status.error, "that is why a red photo is left out"


def test_a_run_that_diverges_late_fails_and_keeps_its_best_model(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = Recorder.end_step

    def diverges_in_the_second_epoch(
        self: Recorder, epoch: int, step: int, loss: float, accuracy: float, learning_rate: float
    ) -> None:
        as_it_is(self, epoch, step, float("nan") if epoch == 1 else loss, accuracy, learning_rate)

    monkeypatch.setattr(Recorder, "end_step", diverges_in_the_second_epoch)
    run = workplace.new_run()
    status = carried_out_here(run, workplace.settings)
    assert status.state == FAILED
    assert "The loss became nan in epoch 2" in status.error and "of epoch 1, is kept" in status.error
    assert status.test_accuracy is not None
    assert Predictor(run).resolution == backbone("baseline-cnn").resolution


def test_a_run_writes_nothing_outside_the_home_of_unfreeze(workplace: Workplace, tmp_path: Path) -> None:
    person = tmp_path / "person"
    person.mkdir()
    before = {path: path.read_bytes() for path in workplace.colours.rglob("*.png")}
    run = workplace.new_run()
    with trainer(run, workplace.environment(HOME=str(person), KERAS_HOME=str(person / ".keras"))) as child:
        child.wait(PATIENCE)
    assert run.read_status().state == FINISHED, run.log_tail()
    assert list(person.iterdir()) == []
    assert {path: path.read_bytes() for path in workplace.colours.rglob("*.png")} == before
