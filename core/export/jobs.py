"""Exports of a run: the server's side, which requests them and reads their state. No TensorFlow.

They are made by a niced child process, `python -m core.export.jobs RUN`, one after the other, and outlive the
server. In the run's folder `exports`, `FORMAT.json` says how far one is, and `FORMAT.zip` is there once it is proven.
Whoever makes them holds a lock.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ExportError, RunBusy, RunError, UnfreezeError, words_of
from core.export.formats import FORMATS, ExportFormat
from core.export.parity import ParityReport
from core.files import FULL, saving, storage_error, write_atomically
from core.json_values import parsed
from core.language import ENGLISH, from_json, kept, language, matching, reading, sentences, tr, tr_mark
from core.models.serving import GRAPH
from core.processes.children import (
    BACKGROUND,
    NO_GPU,
    QUIET,
    module_command,
    not_started,
    settle_in,
    start_logged_job,
    temporary_files_in,
)
from core.processes.locks import is_locked, locked, was_touched_within
from core.runs.messages import NO_MESSAGE, Message
from core.runs.store import ACTIVE, Run
from core.settings import Settings, settings_from

if TYPE_CHECKING:
    from core.export.exporter import Exporter

LOCK, STARTED, LOG = "lock", "started", "log.txt"

NOT_MADE, WAITING, MAKING, PROVEN, FAILED, STALE = "not made", "waiting", "making", "proven", "failed", "stale"
UNDER_WAY = (WAITING, MAKING)

START_SECONDS = 20.0
"""How long a process may take to start before another one is started."""

LOCK_SECONDS = 0.5
"""How long to wait for another process that makes exports, or only looks whether one does."""

CANCEL_SECONDS = 0.3
"""How often the process looks whether it is to end."""

LONGEST_REASON = 300

# What converters raise on networks that they cannot take, and what a full disk does.
CONVERSION_ERRORS = (OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError)

DIED = tr_mark("The export process ended unexpectedly; memory may have run out, or the disk may be full. Try again.")


@dataclass(frozen=True)
class Export:
    """The state of an export.

    Attributes:
        state: "not made", "waiting", "making", "proven", "failed"; "stale" is never written, only concluded: the run
            has another model since.
        stage: What is being done.
        done, total: Photos on which it has been tried, of how many; 0 of 0 before that.
        error: Why it failed, a sentence.
        model: The version of the model that it was made of, see `version_of`.
        language: The code of the language that its texts are wanted in.
        parity: What was measured, in the file under "certificate"; None before that.
    """

    state: str = NOT_MADE
    stage: Message = NO_MESSAGE
    done: int = 0
    total: int = 0
    error: str = ""
    model: int = 0
    language: str = ENGLISH
    parity: ParityReport | None = None

    def to_json(self) -> str:
        """As it is kept."""
        values = {**vars(self), "stage": self.stage.to_json(), "error": kept(self.error)}
        parity: ParityReport | None = values.pop("parity")
        return json.dumps({**values, "certificate": parity.to_json() if parity else None}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Export":
        """What `to_json` gave; raises `ExportError` for anything else."""
        try:
            values = parsed(text, dict)
            parity = values.pop("certificate")
            values["stage"] = Message.from_json(values["stage"])
            values["error"] = from_json(values.get("error", ""))
            return cls(**values, parity=ParityReport.from_values(parity) if parity else None)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ExportError(
                tr("The state of an export cannot be read ({reason}). Make the export again.", reason=words_of(error))
            ) from error


def zip_file(run: Run, chosen: ExportFormat) -> Path:
    """Where the ZIP file of a format is, once it is proven."""
    return run.exports_folder / f"{chosen.key}.zip"


def request(run: Run, formats: Sequence[ExportFormat]) -> None:
    """Request exports that are not under way yet, with texts in the present reader's language, and start making them.

    Raises:
        RunBusy: The run is still going.
        ExportError: What a format needs is not installed.
        RunError: No process can be started.
        StorageError: The disk does not take them.
    """
    if run.read_status().state in ACTIVE:
        raise RunBusy(tr("This run is still training, so its model is changing. Wait until it has ended, or stop it."))
    for chosen in formats:
        if chosen.missing:
            raise ExportError(
                tr(
                    "{format} needs more packages. Start Unfreeze with: {command}",
                    format=chosen.name,
                    command=chosen.install,
                )
            )
    with saving(run.exports_folder):
        run.exports_folder.mkdir(exist_ok=True)
        known = read_exports(run)
        for chosen in formats:
            if known[chosen.key].state not in UNDER_WAY:
                _cancel_file(run, chosen).unlink(missing_ok=True)
                _write_state(run, chosen, Export(WAITING, model=version_of(run), language=language()))
        _start_if_needed(run)


def read_exports(run: Run) -> dict[str, Export]:
    """How far the exports of a run are, by format; starts the process again where exports wait and none runs."""
    found = {chosen.key: _look_at(run, chosen) for chosen in FORMATS}
    if any(export.state == WAITING for export in found.values()):
        if _has_died_at_its_start(run):
            _fail_all(run, WAITING, tr(DIED))
            return {chosen.key: _look_at(run, chosen) for chosen in FORMATS}
        _start_if_needed(run)
    return found


def cancel(run: Run, chosen: ExportFormat) -> None:
    """Cancel an export; one that is being made ends within a moment."""
    with saving(_cancel_file(run, chosen)):
        if _look_at(run, chosen).state == WAITING:
            _state_file(run, chosen).unlink(missing_ok=True)
        elif run.exports_folder.is_dir():
            _cancel_file(run, chosen).touch()


def _look_at(run: Run, chosen: ExportFormat) -> Export:
    found = _read(run, chosen)
    if found.state == MAKING and not is_locked(run.exports_folder / LOCK):
        found = _read(run, chosen)  # it may have finished between our two looks
        if found.state == MAKING:
            cancelled = _cancel_file(run, chosen).exists()
            return Export() if cancelled else replace(found, state=FAILED, error=tr(DIED))
    if found.state in (PROVEN, FAILED) and found.model != version_of(run):
        return replace(found, state=STALE)
    if found.state == PROVEN and not zip_file(run, chosen).exists():
        return Export()
    return found


def _read(run: Run, chosen: ExportFormat) -> Export:
    try:
        return Export.from_json(_state_file(run, chosen).read_text("utf-8"))
    except FileNotFoundError:
        return Export()
    except (OSError, ExportError) as error:
        return Export(FAILED, error=words_of(error), model=version_of(run))


def version_of(run: Run) -> int:
    """A number that changes with a run's model, as after more epochs; 0 while there is none."""
    try:
        return (run.serving_folder / GRAPH).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _write_state(run: Run, chosen: ExportFormat, export: Export) -> None:
    write_atomically(_state_file(run, chosen), export.to_json())


def _state_file(run: Run, chosen: ExportFormat) -> Path:
    return run.exports_folder / f"{chosen.key}.json"


def _cancel_file(run: Run, chosen: ExportFormat) -> Path:
    return run.exports_folder / f"{chosen.key}.cancel"


def _start_if_needed(run: Run) -> None:
    started = run.exports_folder / STARTED
    if not was_touched_within(started, START_SECONDS) and not is_locked(run.exports_folder / LOCK):
        with saving(started):
            started.touch()
        _start(run)


def _has_died_at_its_start(run: Run) -> bool:
    """Whether a process was started that ended before it could make anything; starting another would end the same."""
    started, lock = run.exports_folder / STARTED, run.exports_folder / LOCK
    return not is_locked(lock) and started.exists() and not was_touched_within(started, START_SECONDS)


def _fail_all(run: Run, state: str, error: str) -> None:
    """Have all exports in a state count as failed; they are made again when somebody requests that."""
    for chosen in FORMATS:
        if _read(run, chosen).state == state:
            _write_state(run, chosen, Export(FAILED, error=error, model=version_of(run)))
    (run.exports_folder / STARTED).unlink(missing_ok=True)


def _start(run: Run) -> None:
    log_file, command = run.exports_folder / LOG, module_command("core.export.jobs", str(run.folder.resolve()))
    try:
        log_file.unlink(missing_ok=True)
        start_logged_job(command, log_file, environ={**os.environ, **QUIET, **NO_GPU})
    except OSError as error:
        raise RunError(not_started(tr("The export"), error)) from error


def make_all(run: Run, settings: Settings) -> None:
    """Make every export that waits, unless another process does."""
    folder = run.exports_folder
    with suppress(FileNotFoundError), locked(folder / LOCK, LOCK_SECONDS) as held:  # the run may be deleted any moment
        if not held:
            return
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        try:
            with temporary_files_in(work / "tmp"):  # a conversion that is cancelled ends without clearing up
                _make_waiting(run, work, settings)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _make_waiting(run: Run, work: Path, settings: Settings) -> None:
    from core.export.exporter import Exporter

    _fail_all(run, MAKING, tr(DIED))  # what a process before this one has not finished
    exporter = Exporter(run, work, settings)
    while chosen := next((each for each in FORMATS if _read(run, each).state == WAITING), None):
        done = threading.Event()
        threading.Thread(target=_end_when_cancelled, args=(run, chosen, exporter, done), daemon=True).start()
        with reading(matching(_read(run, chosen).language)):
            make(exporter, chosen)
        done.set()


def make(exporter: "Exporter", chosen: ExportFormat) -> None:
    """Make one export, and keep the ZIP file if it is proven, and in any case the verdict."""
    run, model = exporter.run, version_of(exporter.run)
    zip_file(run, chosen).unlink(missing_ok=True)

    def progress(stage: Message, done: int, total: int) -> None:
        _write_state(run, chosen, Export(MAKING, stage, done, total, model=model))

    made = exporter.work / f"{run.id}-{chosen.key}.zip"
    try:
        progress(Message("loading-tensorflow"), 0, 0)
        parity = exporter.make(chosen, made, progress)
    except (UnfreezeError, *CONVERSION_ERRORS) as error:
        exporter.clear()  # the disk may be full, and must take the verdict
        why = _why_not(chosen, made, error)
        return _write_state(run, chosen, Export(FAILED, error=why, model=model))
    if version_of(run) != model:
        why = tr("The run was trained further meanwhile, and has another model now.")
        _write_state(run, chosen, Export(FAILED, error=why, model=model))
    elif parity.proven:
        os.replace(made, zip_file(run, chosen))
        _write_state(run, chosen, Export(PROVEN, model=model, parity=parity))
    else:
        why = sentences(*parity.failures)
        _write_state(run, chosen, Export(FAILED, error=why, model=model, parity=parity))


def _why_not(chosen: ExportFormat, made: Path, error: Exception) -> str:
    if isinstance(error, UnfreezeError):
        return error.text
    if isinstance(error, OSError) and error.errno in FULL:
        return storage_error(made, error).text
    first = next(iter(str(error).split("\n")))[:LONGEST_REASON]
    return tr(
        "The model could not be converted to {format} ({kind}: {reason}).",
        format=chosen.name,
        kind=type(error).__name__,
        reason=first,
    )


def _end_when_cancelled(run: Run, chosen: ExportFormat, exporter: "Exporter", done: threading.Event) -> None:
    """End this process, and the one that verifies an export, once it is cancelled."""
    while not done.wait(CANCEL_SECONDS):
        if _cancel_file(run, chosen).exists():
            for process in exporter.processes:
                process.kill()
            os._exit(1)


def main(folder: Path) -> None:
    """Make the exports that wait for the run in a folder."""
    settle_in(BACKGROUND)
    settings = settings_from()
    os.environ["KERAS_HOME"] = str(settings.keras_home)
    make_all(Run(folder), settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
