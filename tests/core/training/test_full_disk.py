"""What can be done with runs and datasets, on a disk that takes nothing more."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.intake import collect
from core.data.intake.incoming import unfinished
from core.data.intake.sample import write_sample
from core.data.review import EXCLUDE, Decision, ReviewStore
from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.errors import StorageError, UnfreezeError
from core.export import jobs
from core.export.formats import FORMATS
from core.inference import embeddings_job
from core.inference.decision import keep_least_confidence
from core.models.serving import GRAPH
from core.recipe.recipe_book import RecipeBook
from core.runs import trainers
from core.runs.messages import Message
from core.runs.queue import Queue
from core.runs.store import FAILED, FINISHED, PAUSED, QUEUED, RUNNING, Label, Run, RunStore
from core.training.dataset_features import features
from core.training.launch import enqueue, extend, resume
from core.training.loop import telling_how_it_ends
from core.training.lr_finder import finder
from core.training.process.warm_trainer import held_with_message
from tests.conftest import Workplace, write_colours
from tests.disks import fill, read_only, small_disk


class Place(Workplace):
    """An installation with a paused, a finished and two queued runs."""

    @property
    def queue(self) -> Queue:
        return Queue(self.store)

    def run_in(self, state: str) -> Run:
        return next(run for run in self.store.runs() if run.read_status().state == state)


def prepared(home: Path, photos: Path) -> Place:
    place = Place(home, write_colours(photos / "colours"))
    for state in (PAUSED, FINISHED):
        run = place.new_run()
        run.write_status(replace(run.read_status(), state=state, message=Message("finished")))
        run.checkpoints_folder.mkdir()
        (run.checkpoints_folder / "a.npz").touch()
        run.serving_folder.mkdir()
        (run.serving_folder / GRAPH).touch()
    place.queued_run()
    place.queued_run()
    return place


def enqueue_one(place: Place) -> None:
    folder = place.folder()
    enqueue(place.queue, place.recipe(), folder, assign_subsets(folder.labels))


def find_rate(place: Place) -> None:
    folder = place.folder()
    finder.start(RunStore(place.home / finder.FOLDER), place.recipe(), folder, assign_subsets(folder.labels))


def compute_features(place: Place) -> None:
    request = features.Request.of(scan(place.colours, roots=[place.colours]), "efficientnet-b0")
    features.start(RunStore(place.home / features.FOLDER), request)


def take_in(place: Place) -> None:
    with unfinished(place.settings.datasets_folder, 10) as folder:
        (folder / "photo").write_bytes(b"x" * 100_000)


ACTIONS: Mapping[str, Callable[[Place], object]] = {
    "enqueue": enqueue_one,
    "resume": lambda place: resume(place.queue, place.run_in(PAUSED)),
    "train more epochs": lambda place: extend(place.queue, place.run_in(FINISHED), 3),
    "move": lambda place: place.queue.move(place.queue.queued()[1], -1),
    "cancel": lambda place: place.queue.cancel(place.queue.queued()[0]),
    "start the next": lambda place: trainers.advance(place.queue),
    "rename": lambda place: place.run_in(FINISHED).write_label(Label("tulips")),
    "pause": lambda place: place.run_in(QUEUED).request_pause(),
    "stop": lambda place: place.run_in(QUEUED).request_stop(),
    "delete": lambda place: place.store.delete(place.run_in(FINISHED).id),
    "least confidence": lambda place: keep_least_confidence(place.run_in(FINISHED), 0.7),
    "export": lambda place: jobs.request(place.run_in(FINISHED), FORMATS[:1]),
    "embeddings": lambda place: embeddings_job.request(place.run_in(FINISHED)),
    "learning-rate finder": find_rate,
    "features": compute_features,
    "save a recipe": lambda place: RecipeBook(place.settings.recipes_folder).save("mine", place.recipe()),
    "decide": lambda place: ReviewStore(place.settings.reviews_folder).change(
        place.colours, lambda review: review.with_decision(Decision(EXCLUDE, {"red/00.png": "00"}))
    ),
    "sample": lambda place: write_sample(place.settings.datasets_folder),
    "new dataset": lambda place: collect.new_dataset(place.settings.datasets_folder, "tulips"),
    "take in": take_in,
}


def kept(home: Path) -> dict[str, bytes]:
    """Every file and what it holds, but for locks."""
    files = (path for path in home.rglob("*") if path.is_file() and path.stat().st_size)
    return {str(path.relative_to(home)): path.read_bytes() for path in files if path.name != "filling"}


def test_on_a_full_disk_everything_is_refused_in_a_sentence_and_nothing_is_torn(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        place = prepared(disk / "home", tmp_path / "photos")
        fill(disk)
        before = kept(place.home)
        for name, action in ACTIONS.items():
            if name in ("cancel", "delete", "pause", "stop", "new dataset"):
                continue  # which need next to no room, and make some
            with pytest.raises(UnfreezeError, match=r"full|No space left") as refused:
                action(place)
            assert "Errno" not in str(refused.value), name
            assert kept(place.home) == before, f"{name} has changed something, or left something"
        place.store.delete(place.run_in(FINISHED).id)
        place.queue.cancel(place.queue.queued()[0])


def test_in_a_read_only_home_everything_is_refused_in_a_sentence(tmp_path: Path) -> None:
    place = prepared(tmp_path / "home", tmp_path / "photos")
    before = kept(place.home)
    with read_only(place.home):
        for name, action in ACTIONS.items():
            with pytest.raises(UnfreezeError, match="Read-only file system") as refused:
                action(place)
            assert "Errno" not in str(refused.value), name
        assert {run.read_status().state for run in place.store.runs()} == {PAUSED, FINISHED, QUEUED}
    assert kept(place.home) == before


def test_a_trainer_that_finds_a_full_disk_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        run = prepared(disk / "home", tmp_path / "photos").run_in(QUEUED)
        fill(disk)
        with pytest.raises(StorageError), held_with_message(run, Message("loading-tensorflow")):
            pytest.fail("it cannot begin")
        status = run.read_status()
        assert status.state == FAILED and status.error.startswith("The disk is full"), status


def test_temporary_files_of_any_library_are_in_the_folder_of_the_run(workplace: Workplace) -> None:
    run, before = workplace.new_run(), (tempfile.gettempdir(), os.environ.get("TMPDIR"))
    with held_with_message(run, Message("loading-tensorflow")):
        command = [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"]
        theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert all(Path(folder).is_relative_to(run.work_folder) for folder in (tempfile.mkdtemp(), theirs))
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == before
    run.write_status(replace(run.read_status(), state=FINISHED))
    workplace.store.sweep()
    assert not run.work_folder.exists()


def test_a_run_whose_disk_became_full_says_so_and_can_be_resumed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        place = prepared(disk / "home", tmp_path / "photos")
        run = place.run_in(QUEUED)
        run.write_status(replace(run.read_status(), state=RUNNING))
        with run.held(), telling_how_it_ends(run) as recorder:
            fill(disk)
            recorder.tell(epoch=3)
        status = run.read_status()
        assert (status.state, status.epoch) == (FAILED, 3)
        assert status.error.startswith("The disk is full. Free some space, then resume the run")
        assert not [path for path in run.folder.iterdir() if path.name.startswith(".")], "nothing unfinished stays"
        (disk / "filling").unlink()
        place.queue.add(run)
        assert run.read_status().state == QUEUED and run.reserve_file.exists()
