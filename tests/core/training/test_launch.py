import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.data.pseudo_labels import read_pseudo_csv, write_pseudo_csv
from core.data.scan.folder import scan
from core.data.split import assign_subsets, read_split_csv
from core.data.subsets import TRAINING
from core.errors import DataError, FolderError, RecipeError, RunBusy, RunError, RunNotFound, RunNotReady
from core.evaluation.run_results import photos_in, unlabelled_photos_in
from core.recipe.run_recipe import chosen_recipe
from core.runs.messages import Message
from core.runs.queue import Queue
from core.runs.store import FAILED, FINISHED, PAUSED, QUEUED, STARTING, STOPPED, Label, Run
from core.training.inputs.photos import learned_and_judged
from core.training.launch import create_run, enqueue, extend, launch, move_photos, photos_are_gone, resume
from tests.conftest import Workplace, some_unlabelled


@pytest.fixture
def busy(workplace: Workplace) -> Iterator[Queue]:
    """A queue where one run is going, so that nothing else begins."""
    run = workplace.new_run()
    with run.held():
        yield Queue(workplace.store)


def ended(place: Workplace, state: str, **choices: float) -> Run:
    """A run that has ended, with something to go on from."""
    run = place.new_run(**choices)
    run.write_status(replace(run.read_status(), state=state, started=10.0, ended=20.0, error="Why", best_epoch=1))
    run.checkpoints_folder.mkdir()
    (run.checkpoints_folder / "a.npz").touch()
    return run


def test_what_is_launched_while_another_run_goes_waits_complete(workplace: Workplace, busy: Queue) -> None:
    folder, label = workplace.folder(), Label("Mine")
    parts = (folder.labels * 0).astype("int8")
    first = launch(busy, workplace.recipe(), folder, parts)
    second = enqueue(busy, workplace.recipe(seed=4), folder, parts, label)
    assert busy.queued() == [first, second]
    assert first.read_status().message == Message("queued") and first.class_names() == ("blue", "red")
    assert second.recipe_values()["seed"] == 4 and second.split_file.exists() and second.read_label() == label


def test_choices_that_exclude_each_other_are_refused_before_anything_is_written(workplace: Workplace) -> None:
    for make in (workplace.new_run, workplace.queued_run):
        with pytest.raises(RecipeError, match="batch size of 2 or more"):
            make(batch_size=1, head_batch_norm=True)
    assert not list(workplace.store.runs())


def test_a_run_takes_as_many_training_photos_as_its_recipe_says(workplace: Workplace) -> None:
    everything = read_split_csv(workplace.new_run().split_file, workplace.colours)[1]
    paths = {}
    for limit in (2, 4, 1000):
        run = workplace.new_run(photos_per_class=limit)
        folder, parts = read_split_csv(run.split_file, workplace.colours)
        assert np.bincount(folder.labels[parts == TRAINING]).max() <= limit and len(folder.class_names) == 2
        assert (parts != TRAINING).sum() == (everything != TRAINING).sum()
        paths[limit] = {folder.paths[i] for i in np.flatnonzero(parts == TRAINING)}
        assert photos_in(run, "training") == len(paths[limit])
        assert set(learned_and_judged(run, workplace.colours)[0].paths) == set(folder.paths)
    assert len(paths[2]) == 4 and len(paths[4]) == 8 and paths[2] < paths[4] < paths[1000]
    assert len(paths[1000]) == (everything == TRAINING).sum()


def test_unlabelled_photos_go_with_a_run_that_uses_them_and_with_no_other(workplace: Workplace) -> None:
    folder = workplace.folder()
    used, parts, pseudo = some_unlabelled(folder, assign_subsets(folder.labels))
    run = create_run(workplace.store, workplace.recipe(unlabelled=True), used, parts, pseudo=pseudo)
    assert read_pseudo_csv(run.pseudo_file).paths == pseudo.paths and unlabelled_photos_in(run) == len(pseudo) > 0
    plain = create_run(workplace.store, workplace.recipe(), used, parts, pseudo=pseudo)
    assert not plain.pseudo_file.exists() and unlabelled_photos_in(plain) == 0
    with pytest.raises(RecipeError, match="uses the unlabelled photos, too, and this dataset has none"):
        create_run(workplace.store, workplace.recipe(unlabelled=True), used, parts)
    everything, together, certainty = learned_and_judged(run, workplace.colours)
    assert sorted(everything.paths) == sorted(folder.paths) and len(together) == len(folder)
    assert (certainty < 1).sum() == len(pseudo) and (together[certainty < 1] == TRAINING).all()
    write_pseudo_csv(run.pseudo_file, replace(pseudo, classes=("green",) * len(pseudo)))
    with pytest.raises(DataError, match="none of the classes of the run: “green”"):
        learned_and_judged(run, workplace.colours)


@pytest.mark.parametrize("state", [PAUSED, STOPPED, FAILED])
def test_a_run_that_ended_before_its_time_goes_on_in_its_turn(workplace: Workplace, busy: Queue, state: str) -> None:
    run = ended(workplace, state)
    run.request_stop()
    resume(busy, run)
    status = run.read_status()
    assert (status.state, status.error, status.best_epoch, status.spent) == (QUEUED, "", 1, 10.0)
    assert busy.queued() == [run] and not run.stop_requested()
    with pytest.raises(RunBusy, match="queued already"):
        resume(busy, run)


def test_a_finished_run_is_not_resumed_but_extended(workplace: Workplace, busy: Queue) -> None:
    run = ended(workplace, FINISHED, minutes=5)
    with pytest.raises(RunError, match="Train additional epochs instead"):
        resume(busy, run)
    extend(busy, run, 4)
    assert (run.recipe_values()["more_epochs"], run.recipe_values()["minutes"]) == ([4], 0)
    with pytest.raises(RunBusy, match="queued already"):
        extend(busy, run, 4)
    busy.cancel(run)
    assert (run.recipe_values()["more_epochs"], run.recipe_values()["minutes"]) == ([], 5)
    assert run.read_status().state == FINISHED


def test_a_run_is_extended_more_than_once(workplace: Workplace, busy: Queue) -> None:
    run = ended(workplace, FINISHED)
    extend(busy, run, 4)
    run.write_status(replace(run.read_status(), state=FINISHED))
    extend(busy, run, 2)
    assert run.recipe_values()["more_epochs"] == [4, 2]


def test_what_cannot_go_on_is_told_and_stays_as_it_was(workplace: Workplace, busy: Queue) -> None:
    run, empty, lost = (ended(workplace, STOPPED) for _ in range(3))
    shutil.rmtree(empty.checkpoints_folder)
    with pytest.raises(RunNotReady, match="no checkpoint to resume from"):
        extend(busy, empty, 3)
    with pytest.raises(RecipeError):
        extend(busy, run, 0)
    shutil.rmtree(lost.folder)
    with pytest.raises(RunNotFound):
        resume(busy, lost)
    with pytest.raises(RunNotFound):
        extend(busy, lost, 1)
    going = next(run for run in workplace.store.runs() if run.is_locked())
    with pytest.raises(RunBusy, match="is active"):
        resume(busy, going)
    shutil.rmtree(workplace.colours)
    with pytest.raises(FolderError, match="Put it back"):
        resume(busy, run)
    with pytest.raises(FolderError, match="Put it back"):
        extend(busy, run, 1)
    assert busy.queued() == [] and run.read_status().state == STOPPED and going.read_status().state == STARTING
    assert run.recipe_values()["more_epochs"] == []


def test_a_run_can_be_pointed_to_where_its_photos_were_moved_and_to_no_others(workplace: Workplace) -> None:
    settings, former = workplace.settings, workplace.colours
    scan(former, roots=[former], index_folder=settings.index_folder)
    run, moved = ended(workplace, PAUSED), former.with_name("moved")
    assert not photos_are_gone(chosen_recipe(run))
    former.rename(moved)
    former.mkdir()  # as the place of a drive stays
    assert photos_are_gone(chosen_recipe(run))
    before = run.recipe_values()
    with pytest.raises(FolderError, match=r"are not in .* Choose the folder to which all of them were moved"):
        move_photos(run, str(former.parent), settings)
    with pytest.raises(FolderError, match="outside the folders that may be read"):
        move_photos(run, "/", settings)
    photo = moved / "red" / "00.png"
    content = photo.read_bytes()
    photo.write_bytes((moved / "blue" / "00.png").read_bytes())
    with pytest.raises(FolderError, match=r"“red/00\.png” in .* is another photo"):
        move_photos(run, str(moved), settings)
    assert run.recipe_values() == before
    photo.write_bytes(content)
    assert move_photos(run, str(moved), settings) == moved
    assert run.recipe_values() == {**before, "dataset": str(moved)} and not photos_are_gone(chosen_recipe(run))
    shutil.rmtree(settings.index_folder)
    with pytest.raises(DataError, match="cannot be compared"):
        move_photos(run, str(moved), settings)
    run.write_status(replace(run.read_status(), state=QUEUED))
    with pytest.raises(RunBusy):
        move_photos(run, str(moved), settings)
