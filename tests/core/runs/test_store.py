import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from core.errors import RunBusy, RunError, RunNotFound, StorageError
from core.files import write_atomically
from core.language import kept, tr
from core.runs.messages import Message, text_of
from core.runs.store import (
    CRASHED,
    FAILED,
    FINISHED,
    RUNNING,
    START_SECONDS,
    STARTING,
    Label,
    Run,
    RunStore,
    Status,
)
from tests.conftest import PATIENCE, PROJECT, eventually

HOLDER = """
import sys
from pathlib import Path
from core.runs.store import Run
with Run(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""

REPLACER = """
import sys
from dataclasses import replace
from pathlib import Path
from core.runs.messages import Message
from core.runs.store import Run
run = Run(Path(sys.argv[1]))
with run.held():
    status = run.read_status()
    print("writing", flush=True)
    for number in range(int(sys.argv[2])):
        message = Message("sentence", {"text": f"{number} " * 400})
        run.write_status(replace(status, state="running", epoch=number, message=message))
    run.write_status(replace(status, state="finished"))
"""


def nothing(run: Run) -> None:
    """Write nothing into a new run."""


def metrics(epoch: int, **more: object) -> dict[str, object]:
    """A line of metrics."""
    where = {"phase": "head", "epoch": epoch, "step": 3, "position": float(epoch), "partial": False}
    return {**where, "seconds": 1.5, "learning_rate": 0.1, **more}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def store_at(store: RunStore, now: float) -> RunStore:
    return RunStore(store.root, lambda: now)


def going_long_ago(store: RunStore, state: str = RUNNING) -> Run:
    """A run that says to be active and whose trainer must have locked it by now."""
    run = store_at(store, time.time() - 2 * START_SECONDS).create(nothing)
    run.write_status(
        replace(run.read_status(), state=state, phase="head", message=Message("train-head"), seconds_left=9.0)
    )
    return run


@contextmanager
def child(script: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A real process that runs a script; it has said its first word when the block begins."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.kill()


def test_a_new_run_is_complete_when_it_can_be_seen(store: RunStore) -> None:
    seen: list[int] = []

    def fill(making: Run) -> None:
        making.recipe_file.write_text("{}", "utf-8")
        seen.append(len(store.runs()))
        making.classes_file.write_text('{"class_names": ["Ähre", "b"]}', "utf-8")

    run = store.create(fill)
    assert seen == [0]
    assert store.runs() == [run] and store.get(run.id) == run
    assert run.recipe_values() == {} and run.class_names() == ("Ähre", "b")
    assert run.read_status().state == STARTING
    assert {path.name for path in run.folder.iterdir()} == {"recipe.json", "classes.json", "status.json", "reserve"}
    assert [path.name for path in store.root.iterdir()] == [run.id]


def test_a_run_whose_making_fails_leaves_nothing(store: RunStore) -> None:
    def fill(making: Run) -> None:
        making.recipe_file.write_text("{}", "utf-8")
        raise RunError("the disk is full")

    with pytest.raises(RunError, match="the disk is full"):
        store.create(fill)
    assert store.runs() == [] and list(store.root.iterdir()) == []


def test_runs_are_listed_newest_first_and_other_things_are_not_runs(store: RunStore) -> None:
    assert store.runs() == [] and store.active() is None
    made = [store_at(store, 1_700_000_000 + day * 86_400).create(nothing) for day in range(3)]
    (store.root / "notes").mkdir()
    (store.root / f".making-{made[0].id}").mkdir()
    assert store.runs() == made[::-1]


def test_a_status_comes_back_as_it_was_written(store: RunStore) -> None:
    run = store.create(nothing)
    status = Status(
        state=FINISHED,
        phase="head",
        message=Message("paused", {"epoch": 3, "epochs": 4}),
        progress=0.5,
        epoch=3,
        epochs=4,
        created=12.5,
        started=13.0,
        ended=20.25,
        spent=60.5,
        seconds_left=0.0,
        images_per_second=31.4,
        best_epoch=2,
        best_val_loss=0.25,
        best_val_accuracy=0.75,
        test_accuracy=0.5,
        test_correct=3,
        test_count=6,
        caching=Message("no-room", {"bytes": 3_000_000_000}),
        first_accuracy=0.5,
        first_training=200,
        first_validation=104,
        first_seconds=7.5,
        left_out=2,
        seen_validation=3,
        seen_test=4,
        seen_unknown=5,
        error="none",
    )
    assert all(value != getattr(Status(), name) for name, value in vars(status).items())
    run.write_status(status)
    assert run.read_status() == status
    assert status.seconds(now=99.0) == 60.5 + 7.25
    stored = json.loads(run.status_file.read_text("utf-8"))
    assert stored["message"] == {"key": "paused", "values": {"epoch": 3, "epochs": 4}}, "no sentence is stored"
    assert stored["way"] == {"key": "no-room", "values": {"bytes": 3_000_000_000}}


def test_sentences_that_a_former_version_stored_are_shown_as_they_are(store: RunStore) -> None:
    run = store.create(nothing)
    former = {"state": "stopped", "message": "The best model – 終わり", "way": "Every epoch computes {everything}."}
    run.status_file.write_text(json.dumps(former), "utf-8")
    status = run.read_status()
    assert (text_of(status.message), text_of(status.caching)) == (former["message"], former["way"])
    run.write_status(status)
    assert run.read_status() == status
    run.status_file.write_text(json.dumps(former | {"way": ""}), "utf-8")
    assert not run.read_status().caching


@pytest.mark.parametrize(
    "message", [7, ["a"], {"key": 3, "values": {}}, {"key": "paused"}, {"key": "a", "values": {"b": []}}]
)
def test_a_message_of_another_kind_is_no_readable_status(store: RunStore, message: object) -> None:
    run = store.create(nothing)
    run.status_file.write_text(json.dumps({"state": "stopped", "message": message}), "utf-8")
    with pytest.raises(RunError, match="message"):
        run.read_status()


def test_an_error_is_kept_as_what_it_was_made_of(store: RunStore) -> None:
    run = store.create(nothing)
    error = tr("The folder {folder} is gone.", folder="photos")
    run.write_status(Status(state=FAILED, error=error))
    made_of = {"text": "The folder {folder} is gone.", "values": {"folder": "photos"}}
    assert json.loads(run.status_file.read_text("utf-8"))["error"] == made_of
    for _ in range(2):  # from the file, then from what was remembered of it
        found = run.read_status().error
        assert found == "The folder photos is gone." and kept(found) == made_of
    write_atomically(run.left_out_file, json.dumps([{"file": "a", "reason": made_of}, {"file": "b", "reason": "old"}]))
    assert [photo.reason for photo in run.left_out()] == ["The folder photos is gone.", "old"]


@pytest.mark.parametrize("error", [{"text": 3}, {"values": {}}, ["sentence"], 7])
def test_an_error_of_another_kind_is_no_readable_status(store: RunStore, error: object) -> None:
    run = store.create(nothing)
    run.status_file.write_text(json.dumps({"state": FAILED, "error": error}), "utf-8")
    with pytest.raises(RunError, match="no readable status"):
        run.read_status()


def test_a_label_comes_back_and_where_there_is_none_it_is_empty(store: RunStore) -> None:
    run = store.create(nothing)
    assert run.read_label() == Label()
    run.write_label(Label("Größer", "flips", "none"))
    assert run.read_label() == Label("Größer", "flips", "none")
    run.label_file.write_text("[]")
    assert run.read_label() == Label()


def test_a_pause_and_a_stop_are_asked_for_and_forgotten(store: RunStore) -> None:
    run = store.create(nothing)
    run.clear_requests()
    assert not run.pause_requested() and not run.has_checkpoint()
    run.request_pause()
    run.request_stop()
    assert run.pause_requested() and run.stop_requested()
    run.clear_requests()
    assert not run.pause_requested() and not run.stop_requested()


def test_fields_of_a_newer_version_are_passed_over(store: RunStore) -> None:
    run = store.create(nothing)
    newer = asdict(Status(state=FINISHED, epoch=2)) | {"energy_in_joule": 5, "paused": True}
    run.status_file.write_text(json.dumps(newer), "utf-8")
    assert run.read_status() == Status(state=FINISHED, epoch=2)


def test_fields_that_an_older_version_did_not_write_have_their_defaults(store: RunStore) -> None:
    run = store.create(nothing)
    run.status_file.write_text('{"state": "failed", "error": "no room"}', "utf-8")
    assert run.read_status() == Status(state=FAILED, error="no room")


@pytest.mark.parametrize("content", [b"", b'{"state": "runn', b"[1, 2]", b"null", b"\xff\xfe\x00"])
def test_a_damaged_status_is_said_to_be_unreadable(store: RunStore, content: bytes) -> None:
    run = store.create(nothing)
    run.status_file.write_bytes(content)
    with pytest.raises(RunError, match=f"The run {run.id} has no readable status"):
        run.read_status()
    assert store.active() is None
    store.delete(run.id)
    assert store.runs() == []


def test_a_missing_status_is_said_to_be_unreadable(store: RunStore) -> None:
    run = store.create(nothing)
    run.status_file.unlink()
    with pytest.raises(RunError, match="has no readable status"):
        run.read_status()
    os.mkfifo(run.status_file)
    with pytest.raises(RunError, match="has no readable status"):
        run.read_status()


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "/etc", "\x00", "20250101-000000-abcd\n", "20250101-000000-ABCD"),
        *("../runs/20250101-000000-abcd", "20250101-000000-abcd/..", ".making-20250101-000000-abcd"),
        *("20250101-000000-abcde", "٢٠٢٥٠١٠١-000000-abcd", "20250101-000000-abcd"),
    ],
)
def test_what_is_no_name_of_a_run_is_not_found(store: RunStore, name: str) -> None:
    store.root.mkdir()
    (store.root.parent / "x").mkdir()
    (store.root / ".making-20250101-000000-abcd").mkdir()
    for ask in (store.get, store.delete):
        with pytest.raises(RunNotFound, match="There is no run"):
            ask(name)
    assert (store.root.parent / "x").is_dir()


def test_an_absolute_path_of_a_run_is_not_its_name(store: RunStore) -> None:
    run = store.create(nothing)
    with pytest.raises(RunNotFound):
        store.get(str(run.folder))


def test_many_runs_made_in_the_same_second_have_a_folder_each(store: RunStore) -> None:
    same_second = store_at(store, 1_000_000.0)
    assert len({same_second.create(nothing).id for _ in range(1000)}) == 1000 == len(store.runs())


def test_a_run_that_is_going_is_not_deleted(store: RunStore) -> None:
    run = going_long_ago(store)
    with child(HOLDER, run.folder):
        assert store.active() == run
        with pytest.raises(RunBusy, match="Stop it before"):
            store.delete(run.id)
    assert store.get(run.id).read_status().state == CRASHED


def test_a_run_that_has_ended_is_deleted(store: RunStore) -> None:
    run, other = store.create(nothing), store.create(nothing)
    run.write_status(Status(state=FINISHED))
    run.serving_folder.mkdir()
    (run.serving_folder / "graph.xml").write_text("x", "utf-8")
    store.delete(run.id)
    assert store.runs() == [other]
    assert {path.name for path in store.root.iterdir()} == {".exclusive", other.id}
    with pytest.raises(RunNotFound):
        store.delete(run.id)


def test_a_trainer_that_holds_its_run_is_running_and_once_killed_has_crashed(store: RunStore) -> None:
    run = going_long_ago(store)
    with child(HOLDER, run.folder) as trainer:
        assert run.read_status().state == RUNNING
        trainer.kill()
        trainer.wait(PATIENCE)
        status = run.read_status()
        assert store.active() is None
    assert (status.state, status.phase, status.seconds_left) == (CRASHED, "", None)
    assert status.message == Message("train-head"), "what it did last stays readable"
    assert status.ended == pytest.approx(run.status_file.stat().st_mtime, abs=0.01)
    assert json.loads(run.status_file.read_text("utf-8"))["state"] == RUNNING, "lookers never write"


def test_a_crashed_run_ended_when_it_last_wrote_anything(store: RunStore) -> None:
    run = going_long_ago(store)
    run.append_metrics({"loss": 1.0})
    later = run.status_file.stat().st_mtime + 50
    os.utime(run.metrics_file, (later, later))
    assert run.read_status().ended == pytest.approx(later, abs=0.01)


def test_a_run_that_was_just_made_is_starting(store: RunStore) -> None:
    run = store_at(store, time.time()).create(nothing)
    assert run.read_status().state == STARTING and store.active() == run


def test_a_trainer_that_never_came_has_crashed(store: RunStore) -> None:
    run = going_long_ago(store, STARTING)
    assert run.read_status().state == CRASHED and store.active() is None


def test_a_slow_trainer_that_holds_its_run_is_still_starting(store: RunStore) -> None:
    run = going_long_ago(store, STARTING)
    with child(HOLDER, run.folder):
        assert run.read_status().state == STARTING


def test_two_trainers_cannot_hold_one_run(store: RunStore) -> None:
    run = store.create(nothing)
    refused = pytest.raises(RunBusy, match=f"Another trainer is already working on the run {run.id}")
    with child(HOLDER, run.folder), refused, run.held():
        pytest.fail("two trainers at work on one run")
    with run.held():
        assert run.is_locked()
    assert not run.is_locked()


def test_lookers_disturb_neither_each_other_nor_a_trainer_that_starts(store: RunStore) -> None:
    run = going_long_ago(store)
    taken: list[bool] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            taken.append(run.is_locked())

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    eventually(lambda: len(taken) > 200, "four lookers have looked")
    seen_by_all = list(taken)
    try:
        with child(HOLDER, run.folder):
            assert run.read_status().state == RUNNING
    finally:
        done.set()
        for looker in lookers:
            looker.join()
    assert not any(seen_by_all), "a looker took another looker for a trainer"


def test_a_reader_never_sees_half_of_a_status(store: RunStore) -> None:
    run = store.create(nothing)
    epochs = []
    with child(REPLACER, run.folder, 400) as writer:
        while (status := run.read_status()).state != FINISHED:
            assert status.state in (STARTING, RUNNING)
            if status.state == RUNNING:
                assert status.message.values == {"text": f"{status.epoch} " * 400}
                epochs.append(status.epoch)
        assert writer.wait(PATIENCE) == 0
    assert epochs == sorted(epochs) and len(set(epochs)) > 5
    assert {path.name for path in run.folder.iterdir()} == {"status.json", "lock"}


def test_a_run_that_vanishes_while_it_is_looked_at_is_a_run_error(store: RunStore) -> None:
    gone = threading.Event()
    unexpected: list[Exception] = []

    def look() -> None:
        while not gone.is_set():
            for run in store.runs():
                try:
                    run.read_status()
                except RunError:
                    continue
                except OSError as error:
                    unexpected.append(error)

    looker = threading.Thread(target=look)
    looker.start()
    for _ in range(150):
        store.delete(going_long_ago(store).id)
    gone.set()
    looker.join()
    assert unexpected == []


def test_a_run_that_two_people_delete_at_once_is_gone_without_a_crash(store: RunStore) -> None:
    outcomes: list[Exception | None] = []

    def delete(run_id: str, together: threading.Barrier) -> None:
        together.wait()
        try:
            store.delete(run_id)
            outcomes.append(None)
        except (RunError, OSError) as error:
            outcomes.append(error)

    for _ in range(60):
        run, together = going_long_ago(store), threading.Barrier(2)
        people = [threading.Thread(target=delete, args=(run.id, together)) for _ in range(2)]
        for person in people:
            person.start()
        for person in people:
            person.join()
    assert store.runs() == [] and [path.name for path in store.root.iterdir()] == [".exclusive"]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [RunNotFound] * 60


def test_metrics_are_read_in_order_without_a_half_written_last_line(store: RunStore) -> None:
    run = store.create(nothing)
    assert run.read_metrics() == []
    rows = [metrics(1, loss=0.5, phase="Köpfchen"), metrics(2, loss=0.25)]
    for row in rows:
        run.append_metrics(row)
    assert run.read_metrics() == rows
    with run.metrics_file.open("ab") as file:
        file.write(json.dumps(metrics(3)).encode()[:12])
    assert run.read_metrics() == rows
    with run.metrics_file.open("ab") as file:
        file.write(json.dumps(metrics(3)).encode()[12:] + b"\n")
    assert run.read_metrics() == [*rows, metrics(3)]


def test_metrics_that_are_all_half_written_are_none(store: RunStore) -> None:
    run = store.create(nothing)
    run.metrics_file.write_text('{"epoch"', "utf-8")
    assert run.read_metrics() == []


def test_a_stop_is_asked_for_through_the_folder(store: RunStore) -> None:
    run = store.create(nothing)
    assert not run.stop_requested()
    run.request_stop()
    run.request_stop()
    assert run.stop_requested() and Run(run.folder).stop_requested()


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "cannot be read"), ("{", "cannot be read"), ("[1]", "cannot be read")]
)
def test_a_recipe_or_classes_that_cannot_be_read(store: RunStore, content: str | None, complaint: str) -> None:
    run = store.create(nothing)
    for file, read in ((run.recipe_file, run.recipe_values), (run.classes_file, run.class_names)):
        if content is not None:
            file.write_text(content, "utf-8")
        with pytest.raises(RunError, match=rf"{file.name} of the run {run.id} {complaint}"):
            read()


def test_the_log_is_read_from_its_end(store: RunStore) -> None:
    run = store.create(nothing)
    assert run.log_tail() == ""
    run.log_file.write_bytes(b"first\n" + b"x" * 5000 + b"\xff last\n")
    assert run.log_tail(7).endswith(" last\n") and len(run.log_tail()) == 4000


def test_how_long_a_run_took() -> None:
    assert Status(created=10).seconds(now=25) == 15
    assert Status(created=10, started=20).seconds(now=25) == 5
    assert Status(created=10, started=20, ended=22).seconds(now=25) == 2
    assert Status(created=10).seconds(now=5) == 0


def test_a_text_replaces_another_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in ("first, and longer", "second"):
        write_atomically(file, text)
        assert file.read_text("utf-8") == text
    assert list(tmp_path.iterdir()) == [file]


def test_those_who_want_the_store_for_themselves_take_turns(store: RunStore) -> None:
    waiting = threading.Event()
    entered: list[str] = []

    def second() -> None:
        waiting.set()
        with store.exclusive():
            entered.append("second")

    with store.exclusive():
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        entered.append("first")
    thread.join()
    assert entered == ["first", "second"]


def test_metrics_end_where_a_power_cut_damaged_them(store: RunStore) -> None:
    run = store.create(nothing)
    run.append_metrics(metrics(1))
    with run.metrics_file.open("ab") as file:
        file.write(b"\x00\x00\xff\x00\n")
    run.append_metrics(metrics(2))
    assert run.read_metrics() == [metrics(1)]


@pytest.mark.parametrize(
    "odd", [{"epoch": "1"}, {"epoch": 0}, {"val_loss": None}, {"position": 1e300}, {"phase": 7}, {"partial": 1}]
)
def test_metrics_end_where_a_line_holds_something_else(store: RunStore, odd: dict[str, object]) -> None:
    run = store.create(nothing)
    for row in (metrics(1), {**metrics(2), **odd}, metrics(3)):
        run.append_metrics(row)
    assert run.read_metrics() == [metrics(1)]


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {"created": None},
            {"created": "today"},
            {"created": 1e300},
            {"created": -1},
            {"started": []},
            {"ended": True},
        ),
        *({"state": "dancing"}, {"state": 7}, {"progress": 2}, {"epoch": 1.5}, {"error": None}, {"error": "\ud800"}),
        *({"test_correct": 5, "test_count": 4}, {"test_count": 0}, {"test_accuracy": float("nan")}, {"left_out": {}}),
    ],
)
def test_a_status_of_wrong_types_is_said_to_be_unreadable(store: RunStore, odd: dict[str, object]) -> None:
    run = store.create(nothing)
    run.status_file.write_text(json.dumps({"state": "running", **odd}), "utf-8")
    with pytest.raises(RunError, match="has no readable status"):
        run.read_status()
    assert run.state == FAILED and store.active() is None
    store.delete(run.id)


def test_a_run_that_cannot_be_written_leaves_nothing_and_says_why(store: RunStore) -> None:
    def fill(run: Run) -> None:
        run.recipe_file.write_text("{}")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="The disk is full"):
        store.create(fill)
    assert store.runs() == [] and list(store.root.iterdir()) == []


def test_sweeping_removes_what_crashes_left_and_nothing_else(store: RunStore) -> None:
    crashed, starting = store.create(nothing), store.create(nothing)
    crashed.write_status(Status(state=RUNNING, created=1.0))
    for run in (crashed, starting):
        run.work_folder.mkdir()
        (run.work_folder / "pixels.npy").write_bytes(b"0")
    (store.root / ".making-20200101-000000-0000").mkdir()
    (store.root / ".deleting-20200101-000000-0000").mkdir()
    store.sweep()
    assert not crashed.work_folder.exists() and crashed.folder.exists()
    assert starting.work_folder.exists(), "a trainer that is about to begin needs its work folder"
    assert not [path for path in store.root.iterdir() if path.name.startswith((".making", ".deleting"))]


@pytest.mark.parametrize("lead", [3600.0, 10 * 365 * 86_400.0])
def test_a_start_from_the_future_is_a_crash_that_can_be_deleted(store: RunStore, lead: float) -> None:
    run = store_at(store, time.time() + lead).create(nothing)  # then the clock was set back
    assert run.read_status().state == CRASHED and store.active() is None
    store.delete(run.id)
    assert store.runs() == []


def test_the_room_for_the_last_status_is_given_back_with_it(store: RunStore) -> None:
    run = store.create(nothing)
    assert run.reserve_file.stat().st_size >= 4 * os.statvfs(store.root).f_frsize
    run.write_status(replace(run.read_status(), state=RUNNING))
    assert run.reserve_file.exists()
    run.write_status(replace(run.read_status(), state=FAILED))
    assert not run.reserve_file.exists()


def test_what_a_killed_process_was_writing_is_swept_away_and_what_is_being_written_stays(store: RunStore) -> None:
    run = store.create(nothing)
    lost, fresh = run.folder / ".embeddings.npz.abcdefgh", run.folder / ".label.json.abcdefgh"
    for file in (lost, fresh):
        file.write_bytes(b"half")
    os.utime(lost, (time.time() - 7200, time.time() - 7200))
    store.sweep()
    assert not lost.exists() and fresh.exists() and run.status_file.exists()
