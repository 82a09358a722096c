import json
import time
from pathlib import Path

import pytest

from core.errors import RunBusy
from core.runs import jobs
from core.runs.store import ACTIVE, FINISHED, START_SECONDS, Run, RunStore, Status
from core.training.launch import launch
from tests.conftest import FinishedRun, Workplace, eventually


def nothing(run: Run) -> None:
    """Write nothing into a new run."""


def test_a_second_run_is_refused_while_one_is_going(workplace: Workplace) -> None:
    going, folder = workplace.store.create(nothing), workplace.folder()
    with going.held(), pytest.raises(RunBusy, match=f"The run {going.id} is still going"):
        jobs.refuse_second(workplace.store)
    with pytest.raises(RunBusy):
        launch(workplace.store, workplace.recipe(), folder, (folder.labels * 0).astype("int8"))
    assert workplace.store.runs() == [going]


def test_ended_and_crashed_runs_are_in_nobodys_way(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    jobs.refuse_second(store)
    store.create(nothing).write_status(Status(state=FINISHED))
    RunStore(store.root, lambda: time.time() - 2 * START_SECONDS).create(nothing)
    jobs.refuse_second(store)


def test_a_trainer_outlives_the_process_that_launched_it(finished_run: FinishedRun) -> None:
    assert finished_run.first_seen.state in ACTIVE, "the launcher was gone, and the run still going"
    assert finished_run.run.read_status().state == FINISHED, finished_run.run.log_tail()


def test_a_trainer_that_cannot_even_start_leaves_its_words_in_the_log(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    run = store.create(nothing)
    run.status_file.write_text("{", "utf-8")
    jobs.start(run)
    eventually(lambda: "has no readable status" in run.log_tail(), "the trainer has said why it ends")


def test_what_was_chosen_is_in_the_folder_of_the_run(finished_run: FinishedRun) -> None:
    run, place = finished_run.run, finished_run.workplace
    assert run.recipe_values() == json.loads(place.recipe().to_json())
    assert run.class_names() == ("blue", "red")
    assert run.split_file.read_text("utf-8").splitlines()[0] == "file,class,part"
