"""The queue: runs, and thorough label checks, that wait their turn, in an order that people can change.

Each run's own status says that it is queued. One file in the store holds the order and nothing else, so that only the
order is lost with it: runs that it does not name come last, the oldest first. The server, its sessions and trainers
that have just ended all change it, each under the store's lock.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import RunBusy, RunError, StorageError
from core.files import write_atomically
from core.json_values import read_json
from core.language import sentences, tr
from core.runs.messages import Message
from core.runs.store import ACTIVE, QUEUED, STARTING, Run, RunStore, Status
from core.settings import Settings

WAITING = Status(state=QUEUED, message=Message("queued"))


@dataclass(frozen=True)
class Queue:
    """The queue of a store.

    Attributes:
        store: The runs.
        parallel: How many runs may train at the same time, at least 1.
        checks: Thorough label checks, in folders like those of runs, which wait and count as runs do; None for none.
    """

    store: RunStore
    parallel: int = 1
    checks: RunStore | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Queue":
        """The queue of an installation."""
        return cls(RunStore(settings.runs_folder), settings.parallel, RunStore(settings.label_checks_folder))

    def is_check(self, run: Run) -> bool:
        """Whether it is a thorough label check."""
        return self.checks is not None and run.folder.parent == self.checks.root

    @property
    def file(self) -> Path:
        """The order, as a JSON list of names of runs."""
        return self.store.root / "queue.json"

    def queued(self) -> list[Run]:
        """The queued runs, the next one first."""
        return self.queued_and_active()[0]

    def queued_and_active(self) -> tuple[list[Run], list[Run]]:
        """The queued runs, the next one first, and the active ones, the oldest first."""
        everything = [*self.store.runs(), *(self.checks.runs() if self.checks else ())]
        found = [(run, status) for run in everything if (status := _status_of(run))]
        found.sort(key=lambda pair: pair[1].created)
        queued = {run.id: run for run, status in found if status.state == QUEUED}
        listed = [queued.pop(name) for name in self._read() if name in queued]
        return [*listed, *queued.values()], [run for run, status in found if status.state in ACTIVE]

    def create(self, fill: Callable[[Run], None], among: RunStore | None = None) -> Run:
        """Make a run, as `RunStore.create` does, at the end of the queue; leftovers of crashes are deleted.

        It is made among the runs, or in another store of this queue.
        """
        store = among or self.store
        with self.store.exclusive():
            store.sweep()
            run = store.create(fill, WAITING)
            try:
                self._put_last(run)
            except StorageError:
                store.remove(run)
                raise
        return run

    def add(self, run: Run, recipe: str = "") -> None:
        """Put a run that has ended at the end of the queue, to go on, with another recipe (JSON) where one is given.

        Its former state is kept beside it until it starts. Raises `RunBusy` where it is active or queued already, and
        `RunNotFound` where it was deleted.
        """
        with self.store.exclusive():
            status = self._store_of(run).get(run.id).read_status()
            if status.state in (*ACTIVE, QUEUED):
                raise RunBusy(tr("The run {run} is active or queued already.", run=run.id))
            _keep_former(run)
            try:
                self._queue_again(run, status, recipe)
            except OSError:
                run.reserve_file.unlink(missing_ok=True)
                _restore_former(run)
                raise

    def _queue_again(self, run: Run, status: Status, recipe: str) -> None:
        run.keep_reserve()
        if recipe:
            write_atomically(run.recipe_file, recipe)
        run.clear_requests()
        spent = status.seconds(time.time())
        once_more = replace(status, started=None, ended=None, spent=spent, error="", phase="", progress=None)
        run.write_status(replace(once_more, state=QUEUED, message=WAITING.message))
        self._put_last(run)

    def move(self, run: Run, places: int) -> None:
        """Move a run by so many places, to the front if they are negative; raises `RunBusy` once it has started."""
        with self.store.exclusive():
            order = self.queued()
            if run not in order:
                raise RunBusy(tr("The run {run} is not in the queue any more.", run=run.id))
            place = order.index(run) + places
            order.remove(run)
            order.insert(max(0, place), run)
            self._write(order)

    def move_to_front(self, run: Run) -> None:
        """Make a run the next one; raises `RunBusy` once it has started."""
        self.move(run, -sys.maxsize)

    def cancel(self, run: Run) -> None:
        """Remove a run from the queue: one that had ended gets its former state back, one that never began is deleted.

        Raises `RunBusy` once it has started, and `RunNotFound` where it was deleted.
        """
        with self.store.exclusive():
            status = self._store_of(run).get(run.id).read_status()
            if status.state != QUEUED:
                raise RunBusy(
                    tr("The run {run} is not in the queue any more: it has just started. Stop it instead.", run=run.id)
                )
            if has_begun(run):
                _restore_former(run)
                run.reserve_file.unlink(missing_ok=True)
            else:
                self._store_of(run).remove(run)

    def advance(self, start: Callable[[Run], None]) -> list[Run]:
        """While fewer runs are active than may be, have `start` start the next one; return those that were started.

        Raises `RunError` when `start` does, and the run then keeps its place, and `StorageError` where the disk takes
        nothing.
        """
        begun: list[Run] = []
        while (taken := self._take()) is not None:
            run, waited = taken
            try:
                start(run)
            except RunError as error:
                self._put_first(run, waited)
                why = tr("The run keeps its place in the queue and will be tried again.")
                raise RunError(sentences(error.text, why)) from error
            shutil.rmtree(run.former_folder, ignore_errors=True)
            begun.append(run)
        return begun

    def _store_of(self, run: Run) -> RunStore:
        return self.checks if self.checks is not None and self.is_check(run) else self.store

    def _take(self) -> tuple[Run, Status] | None:
        """Take the next run out, which counts as active from then on; its former status is returned, too."""
        if self._next() is None:  # as nearly always: nobody needs to be kept out
            return None
        with self.store.exclusive():
            run = self._next()
            if run is None:
                return None
            waited = run.read_status()
            run.write_status(replace(waited, state=STARTING, message=Message("starting-trainer"), started=time.time()))
        return run, waited

    def _next(self) -> Run | None:
        waiting, going = self.queued_and_active()
        return waiting[0] if waiting and len(going) < self.parallel else None

    def _put_last(self, run: Run) -> None:
        self._write([*(other for other in self.queued() if other != run), run])

    def _put_first(self, run: Run, waited: Status) -> None:
        with self.store.exclusive():
            order = self.queued()
            run.write_status(waited)
            self._write([run, *order])

    def _read(self) -> list[str]:
        try:
            return [name for name in read_json(self.file, list) if isinstance(name, str)]
        except (OSError, ValueError):
            return []

    def _write(self, order: Sequence[Run]) -> None:
        write_atomically(self.file, json.dumps([run.id for run in order]))


def has_begun(run: Run) -> bool:
    """Whether a queued run had trained before, so that its former state can be restored."""
    return run.former_folder.is_dir()


def _keep_former(run: Run) -> None:
    making = run.folder / "former.making"
    shutil.rmtree(making, ignore_errors=True)
    try:
        making.mkdir()
        for file in (run.recipe_file, run.status_file):
            shutil.copy2(file, making)  # with its times, by which the end of a crashed run is known
        shutil.rmtree(run.former_folder, ignore_errors=True)
        os.replace(making, run.former_folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _restore_former(run: Run) -> None:
    for file in (run.recipe_file, run.status_file):
        os.replace(run.former_folder / file.name, file)
    run.former_folder.rmdir()


def _status_of(run: Run) -> Status | None:
    try:
        return run.read_status()
    except RunError:
        return None
