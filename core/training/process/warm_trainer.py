"""The warm trainer's own side: it gets its run later; `core.runs.warm_trainer` is the server's side.

Orders are read in a thread from the first moment on, while another one loads TensorFlow and the main thread prepares
what was asked for, so that a run is locked as soon as it comes, and the end of the server ends all this at once.
"""

import io
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NoReturn

from core.errors import StorageError, UnfreezeError
from core.processes.children import temporary_files_in
from core.runs.messages import Message
from core.runs.store import FAILED, Run
from core.settings import Settings
from core.training.process.libraries import load_keras
from core.training.recorder import begun

IDLE_SECONDS = 900.0
"""How long a warm trainer, which takes some hundred megabytes of memory, waits for orders before it ends by itself."""


@contextmanager
def held_with_message(run: Run, message: Message) -> Iterator[None]:
    """Hold the lock of a run that starts, with a status that shows this message.

    Temporary files of whatever library are in the run's work folder meanwhile: it is removed also when this process is
    killed.
    """
    with run.held(), ExitStack() as held:
        status = begun(run.read_status(), time.time())
        try:
            held.enter_context(temporary_files_in(run.work_folder / "tmp"))
            run.write_status(replace(status, phase="preparing", message=message))
        except StorageError as error:
            run.write_status(
                replace(status, state=FAILED, message=Message("failed"), error=error.text, ended=time.time())
            )
            raise
        yield


class Orders:
    """What the server asks for, read from a stream by a thread of its own, which ends the process with the stream.

    Attributes:
        message: What the status of a run that comes now shows.
    """

    def __init__(self, stream: io.RawIOBase, message: Message) -> None:
        """Begin to read."""
        self.message = message
        self._stream = stream
        self._queue: SimpleQueue[str | Run] = SimpleQueue()
        self._deciding = threading.Lock()
        self._held = ExitStack()
        threading.Thread(target=self._read, daemon=True).start()

    def newest(self, idle_seconds: float) -> str | Run:
        """Wait for an order and return the newest: the key of a backbone to prepare, or a run, which is the last.

        Ends the process when none comes for `idle_seconds`.
        """
        order = self._next(idle_seconds)
        while not self._queue.empty():
            order = self._queue.get()
        return order

    def held(self) -> ExitStack:
        """Return the hold on the run that came, to be left when it is over."""
        return self._held

    def _next(self, idle_seconds: float) -> str | Run:
        try:
            return self._queue.get(timeout=idle_seconds)
        except Empty:
            with self._deciding:  # a run that is just being taken is carried out
                if self._queue.empty():
                    os._exit(0)
            return self._queue.get()

    def _read(self) -> None:
        while (line := self._stream.readline()).endswith(b"\n"):
            order = json.loads(line)
            if "run" in order:
                return self._take(Run(Path(order["run"])))
            self._queue.put(str(order["prepare"]["backbone"]))
        os._exit(0)

    def _take(self, run: Run) -> None:
        with self._deciding:
            try:
                _write_to_log(run)
                run.read_status()  # one that cannot be read is refused before its lock could be seen as held
                self._held.enter_context(held_with_message(run, self.message))
            except (UnfreezeError, OSError):
                _end_with_traceback()
            self._queue.put(run)


def _write_to_log(run: Run) -> None:
    with run.log_file.open("ab") as log:
        for printed in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), printed.fileno())


def _end_with_traceback() -> NoReturn:
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def run_warm_trainer(settings: Settings, idle_seconds: float = IDLE_SECONDS) -> Run:
    """Load what training needs, prepare what is asked for on standard input, and carry out the run that comes."""
    orders = Orders(io.FileIO(sys.stdin.fileno(), closefd=False), message=Message("loading-tensorflow"))
    threading.Thread(target=load_keras).start()  # a run that comes meanwhile begins without it, if it can
    from core.training import loop, network

    orders.message = Message("building-network")
    cache, prepared = network.feature_cache(settings), None
    while isinstance(order := orders.newest(idle_seconds), str):
        with suppress(UnfreezeError):  # the run will fail with the same message
            prepared = network.prepare(order, settings, cache)
    with orders.held():
        loop.train(order, settings, prepared)
    return order
