"""Runs as folders: every file name of a run, and the only place that reads or writes its status.

The folder is the one channel between training and screen. What a page shows is rebuilt from it at every look; what
the trainer knows it writes there.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from core.errors import RunBusy, RunError, RunNotFound, words_of
from core.files import saving, write_atomically
from core.json_values import checked, read_json
from core.language import Text, from_json, kept, retold, tr, tr_mark
from core.processes.locks import is_locked, locked
from core.processes.logs import tail
from core.runs.json_lines import GrowingFiles
from core.runs.messages import NO_MESSAGE, Message
from core.runs.metrics import MOST_EPOCHS, is_metrics
from core.runs.unchanged_files import UnchangedFiles

QUEUED, STARTING, RUNNING, PAUSED, FINISHED, STOPPED, FAILED, CRASHED = (
    "queued",
    "starting",
    "running",
    "paused",
    "finished",
    "stopped",
    "failed",
    "crashed",
)
STATE_NAMES: Mapping[str, str] = {
    QUEUED: tr_mark("queued"),
    STARTING: tr_mark("starting"),
    RUNNING: tr_mark("running"),
    PAUSED: tr_mark("paused"),
    FINISHED: tr_mark("finished"),
    STOPPED: tr_mark("stopped"),
    FAILED: tr_mark("failed"),
    CRASHED: tr_mark("crashed"),
}
"""What the states of a run are called."""

STATES = tuple(STATE_NAMES)
ACTIVE = (STARTING, RUNNING)
LIVE = (*ACTIVE, QUEUED)
"""States that change by themselves."""

START_SECONDS = 30.0
"""How long a new trainer may take to lock its run before it counts as crashed."""

UNFINISHED_SECONDS = 3600.0
"""How long no file takes to be written."""

RESERVE_BYTES = 32_768
"""Room that is kept on the disk for each active run, so that its end can be told where the disk has become full."""

_kinds_of = cache(get_type_hints)

_METRICS = GrowingFiles(is_metrics)
_STATUSES: UnchangedFiles["Status"] = UnchangedFiles()
_LABELS: UnchangedFiles["Label"] = UnchangedFiles()
_LISTS: UnchangedFiles[tuple["Run", ...]] = UnchangedFiles()

STATUS, LABEL, RECIPE, SETTLED_RECIPE = "status.json", "label.json", "recipe.json", "settled_recipe.json"
"""Files of a run that are read at every look at all runs."""

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class Status:
    """How far a run is; replaced as a whole, so that a reader never sees half of it.

    Attributes:
        state: "queued", "starting", "running", "paused", "finished", "stopped", "failed"; "crashed" is never written,
            only concluded.
        phase: "preparing", "weights", "head", "fine-tune", "finishing" or "" at the end.
        message: What is going on, for the person who watches.
        progress: Share of the present phase that is done, 0 to 1, or None where it cannot be told.
        epoch, epochs: The epoch under way, from 1, and how many there will be, over all phases.
        created, started, ended: Seconds since 1970 UTC; None while not yet. `started` is when it was last begun or
            resumed, None while it waits in the queue.
        spent: Seconds that it had been going before that.
        seconds_left: Estimate of what remains, or None.
        images_per_second: Throughput of training, or None.
        best_epoch, best_val_loss, best_val_accuracy: The best epoch by validation loss so far.
        test_accuracy, test_correct, test_count: Measured once, at the end, on the test part.
        caching: Whether the present phase trains on cached outputs of the frozen layers, and why.
        first_accuracy, first_training, first_validation, first_seconds: What a first head could do, fitted to so many
            training photos and tried on so many validation photos, so many seconds after the run began.
        left_out: How many photos could not be read; they are listed in the run's `left_out.json`.
        seen_validation, seen_test: Of a run that starts from an earlier one: how many of its validation and test photos
            were training photos of that one; None where that was not counted.
        seen_unknown: Of how many training photos of that one the content is not known any more.
        error: The sentence to show when the run failed.
    """

    state: str = STARTING
    phase: str = ""
    message: Message = NO_MESSAGE
    progress: float | None = None
    epoch: int = 0
    epochs: int = 0
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    spent: float = 0.0
    seconds_left: float | None = None
    images_per_second: float | None = None
    best_epoch: int | None = None
    best_val_loss: float | None = None
    best_val_accuracy: float | None = None
    test_accuracy: float | None = None
    test_correct: int | None = None
    test_count: int | None = None
    caching: Message = NO_MESSAGE
    first_accuracy: float | None = None
    first_training: int | None = None
    first_validation: int | None = None
    first_seconds: float | None = None
    left_out: int = 0
    seen_validation: int | None = None
    seen_test: int | None = None
    seen_unknown: int = 0
    error: str = ""

    def seconds(self, now: float) -> float:
        """How long the run took, or has taken up to `now` (seconds since 1970), waiting in the queue apart."""
        if self.state == QUEUED:
            return self.spent
        return self.spent + max(0.0, (self.ended or now) - (self.started or self.created))

    def share_done(self, now: float) -> float | None:
        """Share of the whole run that is done, 0 to 0.99, by its estimate of what remains; None while there is none."""
        if self.seconds_left is None:
            return 0.99 if self.phase == "finishing" else None
        spent = self.seconds(now)
        return min(0.99, spent / max(1e-9, spent + self.seconds_left))


JUST_MADE = Status(message=Message("starting-trainer"))

STORED_AS: Mapping[str, str] = {"caching": "way"}
"""Names of attributes of a status in its file, where they are others."""


def state_in_words(state: str) -> str:
    """What a state of a run is called, in the reader's language; one of a newer version as it is."""
    return tr(STATE_NAMES[state]) if state in STATE_NAMES else state


def _message_of(name: str, value: Any) -> Message:
    try:
        return Message.from_json(value)
    except ValueError as error:
        raise ValueError(
            tr("{name} is not possible: {reason}", name=STORED_AS.get(name, name), reason=words_of(error))
        ) from error


LATEST = 32_503_680_000.0
"""The year 3000, in seconds since 1970: no run was made later."""

RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("progress", "best_val_accuracy", "test_accuracy", "first_accuracy"), (0, 1)),
    **dict.fromkeys(("created", "started", "ended"), (0, LATEST)),
    **dict.fromkeys(("epoch", "epochs", "best_epoch"), (0, MOST_EPOCHS)),
}
"""The smallest and the largest numbers of a status, where they are others than for all JSON of ours."""


def status_from(values: Mapping[str, Any]) -> Status:
    """The status that a file holds; what a newer version has written besides is left.

    Raises:
        ValueError: A value is of another type, or not possible.
    """
    kinds = _kinds_of(Status)
    found = {name: values[key] for name in kinds if (key := STORED_AS.get(name, name)) in values}
    messages: dict[str, Any] = {
        name: _message_of(name, found.pop(name)) for name in ("message", "caching") if name in found
    }
    if isinstance(found.get("error"), dict):
        messages["error"] = from_json(found.pop("error"))
    status = Status(**{**checked(found, kinds, RANGES), **messages})
    if status.state not in STATES:
        raise ValueError(tr("there is no state {state}", state=repr(status.state[:40])))
    if (status.test_correct or 0) > (status.test_count or 0) or status.test_count == 0:
        raise ValueError(
            tr(
                "{count} correct of {total} is not possible",
                count=str(status.test_correct),
                total=str(status.test_count),
            )
        )
    return status


CORRECTED = "corrected labels"
"""The purpose of a run; in former versions how its name ends."""


@dataclass(frozen=True)
class Label:
    """What people call a run, and what it belongs to; changes nothing of the training.

    Attributes:
        name: Given by a person; empty for none.
        group: Shared by runs that were started together: repeats, a sweep; empty for a single run.
        variant: What is special to this one within its group; the same for repeats of the same recipe.
        purpose: `CORRECTED` where it was trained again with corrected labels; else empty.
    """

    name: str = ""
    group: str = ""
    variant: str = ""
    purpose: str = ""


@dataclass(frozen=True)
class LeftOutPhoto:
    """A photo that could not be read while a run trained, relative to the dataset's folder, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Run:
    """A handle on one run's folder; holds nothing but the path."""

    folder: Path

    @property
    def id(self) -> str:
        """The run's name: when it was made, and four letters against chance."""
        return self.folder.name

    @property
    def recipe_file(self) -> Path:
        """Every training choice, as `Recipe.to_json` wrote it."""
        return self.folder / RECIPE

    @property
    def settled_recipe_file(self) -> Path:
        """What a time budget settled in place of the recipe's choices, see `core.recipe.run_recipe`."""
        return self.folder / SETTLED_RECIPE

    @property
    def decision_file(self) -> Path:
        """The least confidence that a person has chosen, see `core.inference.decision`."""
        return self.folder / "decision.json"

    @property
    def classes_file(self) -> Path:
        """The class names in the order of the model's outputs."""
        return self.folder / "classes.json"

    @property
    def split_file(self) -> Path:
        """Which photo is in which part."""
        return self.folder / "split.csv"

    @property
    def pseudo_file(self) -> Path:
        """Labels that spread to photos without one, and how much each counts, where the run learns from such."""
        return self.folder / "pseudo_labels.csv"

    @property
    def left_out_file(self) -> Path:
        """Photos that could not be used, with the reason."""
        return self.folder / "left_out.json"

    @property
    def environment_file(self) -> Path:
        """Versions and hardware."""
        return self.folder / "environment.json"

    @property
    def status_file(self) -> Path:
        """The status, replaced as a whole."""
        return self.folder / STATUS

    @property
    def metrics_file(self) -> Path:
        """One JSON object a line, only ever appended to."""
        return self.folder / "metrics.jsonl"

    @property
    def lock_file(self) -> Path:
        """Held by the trainer as long as it lives."""
        return self.folder / "lock"

    @property
    def stop_file(self) -> Path:
        """Exists once somebody has asked the run to stop."""
        return self.folder / "control" / "stop"

    @property
    def pause_file(self) -> Path:
        """Exists once somebody has asked the run to pause."""
        return self.folder / "control" / "pause"

    @property
    def label_file(self) -> Path:
        """What people call it."""
        return self.folder / LABEL

    @property
    def origin_file(self) -> Path:
        """From where the run came, if it was carried out by another installation."""
        return self.folder / "origin.json"

    @property
    def is_imported(self) -> bool:
        """Whether it came from another installation, as a result without what training needs to go on."""
        return self.origin_file.exists()

    @property
    def former_folder(self) -> Path:
        """Status and recipe from before it was queued to go on; gone once it has begun."""
        return self.folder / "former"

    @property
    def checkpoints_folder(self) -> Path:
        """From where training can go on: two slots, and which of them is the newer one."""
        return self.folder / "checkpoints"

    @property
    def tensorboard_folder(self) -> Path:
        """Logs for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def best_file(self) -> Path:
        """The best model so far, as Keras saves it."""
        return self.folder / "best.keras"

    @property
    def start_file(self) -> Path:
        """A copy of the model of an earlier run that it began with, as Keras saves it, if it did."""
        return self.folder / "start.keras"

    @property
    def start_facts_file(self) -> Path:
        """What is known of that model, see `core.recipe.start_point`."""
        return self.folder / "start.json"

    @property
    def serving_folder(self) -> Path:
        """The graph that predicts, and what it needs."""
        return self.folder / "serving"

    @property
    def work_folder(self) -> Path:
        """What only the trainer needs; gone at the end."""
        return self.folder / "work"

    @property
    def reserve_file(self) -> Path:
        """Holds room on the disk for the last status while the run waits or is active; gone once it has ended."""
        return self.folder / "reserve"

    @property
    def log_file(self) -> Path:
        """What the trainer printed."""
        return self.folder / "log.txt"

    @property
    def error_file(self) -> Path:
        """End of the trainer's log when it failed, with the traceback."""
        return self.folder / "error.txt"

    @property
    def embeddings_file(self) -> Path:
        """What the best model makes of each photo, see `core.runs.embeddings`."""
        return self.folder / "embeddings.npz"

    @property
    def timeline_folder(self) -> Path:
        """What the model made of the validation photos at each validation, see `core.runs.prediction_history`."""
        return self.folder / "timeline"

    @property
    def exports_folder(self) -> Path:
        """What can be taken along, see `core.export.jobs`."""
        return self.folder / "exports"

    @property
    def external_tests_folder(self) -> Path:
        """How good the model is on labelled photos from elsewhere, see `core.inference.external_test`."""
        return self.folder / "external_tests"

    def predictions_file(self, part: str) -> Path:
        """Probabilities `(N, K)` and labels `(N,)` of the "validation" or "test" part under the best model."""
        return self.folder / f"{part}.npz"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock that proves life; the system frees it when the process ends, however it ends.

        Raises `RunBusy` when another trainer holds it.
        """
        with locked(self.lock_file, seconds=5) as held:
            if not held:
                raise RunBusy(tr("Another trainer is already working on the run {run}.", run=self.id))
            yield

    def is_locked(self) -> bool:
        """Whether a trainer holds the lock right now."""
        return is_locked(self.lock_file)

    def read_status(self) -> Status:
        """The status as written, corrected for a trainer that died without writing how it ended.

        Raises `RunError` when there is no readable status.
        """
        written = self._written_status()
        if written.state not in ACTIVE or self.is_locked():
            return written
        if written.state == STARTING and abs(time.time() - (written.started or written.created)) < START_SECONDS:
            return written  # from a clock that was set back since, it may seem to start in the future
        return self._after_death(written)

    @property
    def state(self) -> str:
        """The state as `read_status` gives it; "failed" where there is no readable status."""
        try:
            return self.read_status().state
        except RunError:
            return FAILED

    def _after_death(self, before: Status) -> Status:
        # The lock is free. The trainer may have written its last status between our first look and the lock's release.
        written = self._written_status()
        if written.state not in ACTIVE:
            return written
        began = before.started or before.created
        ended = max(_modified(self.status_file), _modified(self.metrics_file), began)
        return replace(written, state=CRASHED, phase="", ended=ended, seconds_left=None)

    def _written_status(self) -> Status:
        try:
            found = _STATUSES.get(lambda: status_from(read_json(self.status_file, dict)), self.folder, STATUS)
            return replace(found, error=retold(found.error)) if isinstance(found.error, Text) else found
        except (OSError, ValueError) as error:
            raise RunError(
                tr("The run {run} has no readable status ({reason}).", run=self.id, reason=words_of(error))
            ) from error

    def write_status(self, status: Status) -> None:
        """Replace the status as a whole; how a run ended can be told on a full disk, too, in place of its reserve."""
        if status.state not in LIVE:
            with saving(self.reserve_file):
                self.reserve_file.unlink(missing_ok=True)
        messages = {"message": status.message.to_json(), "caching": status.caching.to_json()}
        values = {**asdict(status), **messages, "error": kept(status.error)}
        stored = {STORED_AS.get(name, name): value for name, value in values.items()}
        write_atomically(self.status_file, json.dumps(stored, indent=1))

    def keep_reserve(self) -> None:
        """Take the room on the disk that telling how the run ended may need."""
        with saving(self.reserve_file):
            self.reserve_file.write_bytes(secrets.token_bytes(RESERVE_BYTES))

    def request_stop(self) -> None:
        """Ask the trainer to stop; it looks at every batch."""
        _touch(self.stop_file)

    def stop_requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.stop_file.exists()

    def request_pause(self) -> None:
        """Ask the trainer to write down where it is and end, so that the run can go on later."""
        _touch(self.pause_file)

    def pause_requested(self) -> bool:
        """Whether a pause was asked for."""
        return self.pause_file.exists()

    def clear_requests(self) -> None:
        """Forget what was asked for, before the run starts or resumes."""
        self.stop_file.unlink(missing_ok=True)
        self.pause_file.unlink(missing_ok=True)

    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to resume from; without one, a resumed run starts over."""
        return any(self.checkpoints_folder.glob("*.npz"))

    def read_label(self) -> Label:
        """What people call it; empty where nobody has said."""
        return _LABELS.get(lambda: _label_in(self.label_file), self.folder, LABEL)

    def write_label(self, label: Label) -> None:
        """Replace what people call it."""
        write_atomically(self.label_file, json.dumps(asdict(label), ensure_ascii=False))

    def recipe_values(self) -> dict[str, Any]:
        """The recipe's JSON as it stands in the file; raises `RunError` where it cannot be read."""
        return _read_object(self.recipe_file)

    def class_names(self) -> tuple[str, ...]:
        """The class names in the order of the model's outputs; raises `RunError` where they cannot be read."""
        names = _read_object(self.classes_file).get("class_names")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise RunError(
                tr("{file} of the run {run} holds no list of class names.", file=self.classes_file.name, run=self.id)
            )
        return tuple(names)

    def left_out(self) -> tuple[LeftOutPhoto, ...]:
        """The photos that could not be read while it trained; raises `RunError` where the list cannot be read."""
        try:
            rows = read_json(self.left_out_file, list)
            told = ({**row, "reason": str(from_json(row["reason"]))} for row in rows)
            return tuple(LeftOutPhoto(**checked(row, _kinds_of(LeftOutPhoto), {})) for row in told)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                tr(
                    "The list of photos that the run {run} left out cannot be read ({reason}).",
                    run=self.id,
                    reason=words_of(error),
                )
            ) from error

    def environment(self) -> dict[str, Any]:
        """Versions and hardware; nothing where the trainer ended before it wrote them, `RunError` as for others."""
        return _read_object(self.environment_file) if self.environment_file.exists() else {}

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add one line to the metrics."""
        with saving(self.metrics_file), self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def keep_metrics(self, count: int) -> None:
        """Forget all but the first lines of the metrics, for a run that goes on from before the others."""
        kept = self.read_metrics()[:count]
        if self.metrics_file.exists():
            write_atomically(self.metrics_file, "".join(json.dumps(row) + "\n" for row in kept))

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every complete line of the metrics, oldest first; lines that were read before are not parsed again.

        A half-written last line is left for the next look; what a power cut has damaged ends the list.
        """
        return _METRICS.read(self.metrics_file)

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what the trainer printed, or an empty text."""
        return tail(self.log_file, characters)


@dataclass(frozen=True)
class RunStore:
    """All runs under one folder, which is injected."""

    root: Path
    _clock: Callable[[], float] = field(default=time.time, repr=False)

    def create(self, fill: Callable[[Run], None], first: Status = JUST_MADE) -> Run:
        """Make a run with a first status and whatever `fill` writes into its folder, in one step.

        A reader sees the run complete or not at all. Raises `StorageError` where it cannot be written.
        """
        now = self._clock()
        run_id = self._free_id(now)
        making = Run(self.root / f".making-{run_id}")
        try:
            with saving(self.root / run_id):
                making.folder.mkdir(parents=True)
                fill(making)
                making.keep_reserve()
                making.write_status(replace(first, created=now))
                os.replace(making.folder, self.root / run_id)
        finally:
            shutil.rmtree(making.folder, ignore_errors=True)
        return Run(self.root / run_id)

    def adopt(self, finished: Path, wanted: str) -> Run:
        """Move a run that was put together elsewhere on this disk into the store, and never over another one.

        It keeps the name that is wanted where that is free, and gets a new one else. Raises `StorageError` where it
        cannot be moved.
        """
        with self.exclusive():
            free = RUN_ID.fullmatch(wanted) and not (self.root / wanted).exists()
            run = Run(self.root / (wanted if free else self._free_id(self._clock())))
            with saving(run.folder):
                os.rename(finished, run.folder)
        return run

    def _free_id(self, now: float) -> str:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        while (self.root / (run_id := f"{stamp}-{secrets.token_hex(2)}")).exists():
            pass  # of a hundred runs made in the same second, two draw the same letters now and then
        return run_id

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everybody else who asks for this out, so that two who look and then act do not both act.

        Raises:
            RunBusy: Somebody else has been at it for ten seconds.
            StorageError: The disk did not take what was done inside.
        """
        with saving(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root / ".exclusive", seconds=10) as held:
                if not held:
                    raise RunBusy(tr("Another run is being started at this moment. Try again."))
                yield

    def get(self, run_id: str) -> Run:
        """The run of this name; raises `RunNotFound` for one that is not there or is not a name of a run."""
        run = Run(self.root / run_id) if RUN_ID.fullmatch(run_id) else None
        if run is None or not run.folder.is_dir():
            raise _not_found(run_id)
        return run

    def runs(self) -> list[Run]:
        """All runs, newest first."""
        return list(_LISTS.get(self._list, self.root))

    def _list(self) -> tuple[Run, ...]:
        try:
            names = sorted((name for name in os.listdir(self.root) if RUN_ID.fullmatch(name)), reverse=True)
        except FileNotFoundError:
            return ()
        return tuple(Run(self.root / name) for name in names)

    def active(self) -> Run | None:
        """A run that is going, or None."""
        return next((run for run in self.runs() if run.state in ACTIVE), None)

    def sweep(self) -> None:
        """Remove what crashes left behind: half-made and half-deleted folders, and the work of crashed trainers."""
        for run in self.runs():
            if run.work_folder.exists() and run.state not in ACTIVE:
                shutil.rmtree(run.work_folder, ignore_errors=True)
            _remove_unfinished(run.folder, before=time.time() - UNFINISHED_SECONDS)
        for pattern in (".making-*", ".deleting-*"):
            for leftover in self.root.glob(pattern):
                shutil.rmtree(leftover, ignore_errors=True)

    def delete(self, run_id: str) -> None:
        """Remove a run for good; raises `RunBusy` while it is going or waits in the queue."""
        self.get(run_id)  # before the lock is taken, which makes the folder of the store
        with self.exclusive():
            run = self.get(run_id)
            if (state := run.state) in ACTIVE:
                raise RunBusy(tr("This run is still running. Stop it before you delete it."))
            if state == QUEUED:
                raise RunBusy(tr("This run is queued. Remove it from the queue before you delete it."))
            self.remove(run)

    def remove(self, run: Run) -> None:
        """Remove a run, whatever its state, for those who hold the store; raises `RunError` where that cannot be."""
        doomed = self.root / f".deleting-{run.id}"
        try:
            os.replace(run.folder, doomed)
        except FileNotFoundError as error:  # somebody else has just deleted it
            raise _not_found(run.id) from error
        except OSError as error:
            raise RunError(
                tr("The run {run} cannot be deleted ({reason}).", run=run.id, reason=str(error.strerror))
            ) from error
        shutil.rmtree(doomed, ignore_errors=True)


def _not_found(run_id: str) -> RunNotFound:
    return RunNotFound(
        tr("There is no run “{run}”; it may have been deleted. Choose one from the list.", run=run_id[:40])
    )


def _label_in(file: Path) -> Label:
    try:
        return Label(**checked(read_json(file, dict), _kinds_of(Label), {}))
    except (OSError, ValueError):
        return Label()


def _touch(path: Path) -> None:
    with saving(path):
        path.parent.mkdir(exist_ok=True)
        path.touch()


def _remove_unfinished(folder: Path, before: float) -> None:
    """Remove files that a killed process was writing, see `core.files`, of which none has been written to lately."""
    for file in folder.glob(".*"):
        with suppress(OSError):
            if file.stat().st_mtime < before:
                file.unlink()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read_object(path: Path) -> dict[str, Any]:
    try:
        return read_json(path, dict)
    except (OSError, ValueError) as error:
        raise RunError(
            tr(
                "{file} of the run {run} cannot be read ({reason}).",
                file=path.name,
                run=path.parent.name,
                reason=words_of(error),
            )
        ) from error
