"""Processes that tests start, forked from one that has loaded TensorFlow or Streamlit: that takes seconds of CPU time.

A *nursery* is a process that waits for its first order before it loads anything, and then forks a process for each.
There are two for a whole run of the tests: `CORE` for our modules that compute, `APP` for servers. `stand_in` is a
program that takes the place of Python where our code starts one of its modules: it has the same arguments,
environment, folder and standard streams forked, hands signals on, and ends as the fork does; whoever kills it kills
both. Everything else it leaves to the real Python.
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from core.processes import children
from core.processes.children import PROJECT
from tests import small_baseline

CORE, APP = "core", "app"

FORKED = (
    "core.training",
    "core.training.process.preview",
    "core.training.transfer.rebuild",
    "core.export.jobs",
    "core.inference.batch_worker",
    "core.inference.embeddings_job",
    "core.models.architecture",
)
"""Modules that `CORE` forks when they are run."""

SCRIPT = ("-I", "train.py")
"""Arguments of a script that it forks."""

LOADED = (
    "core.training.__main__",
    "core.training.loop",
    "core.training.environment",
    "core.training.inputs.augmenter",
    "core.training.inputs.data_loader",
    "core.training.lr_finder.range_test",
    "core.training.dataset_features.job",
    "core.training.thorough_check.job",
)
"""What they import late."""

ENDLESS = 1000
"""Epochs of a run that is not to end by itself."""

PAUSE = 0.05
"""Seconds for which its trainer does nothing after each step, so that whoever looks at it has the processor."""

VARIABLE = "UNFREEZE_TEST_NURSERIES"
"""Names the folder of the nurseries' sockets to the processes that run tests."""

STAND_IN = """#!{python} -ISE
import json, os, signal, socket, sys

nursery = socket.socket(socket.AF_UNIX)
forked = sys.argv[1:] == {script} or sys.argv[1:2] == ["-m"] and sys.argv[2:3] and sys.argv[2] in {forked}
if forked:
    nursery.connect("{socket}")
    order = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(), "guarded": True}}
    socket.send_fds(nursery, [json.dumps(order).encode() + b"\\n"], [0, 1, 2])
    child = int(nursery.makefile("rb", 0).readline())

    def hand_on(number, _):
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hand_on)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    ended = nursery.recv(16)
    code = int(ended or b"-9")
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
nursery.close()
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def begin(folder: Path) -> "list[subprocess.Popen[bytes]]":
    """Start both nurseries, with their sockets and the stand-in for Python in a folder; they end with this process."""
    variables = {VARIABLE: str(folder), "KERAS_HOME": str(folder / "keras"), "TF_CPP_MIN_LOG_LEVEL": "2"}
    nurseries = []
    for kind in (CORE, APP):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / kind))
            listening.listen(64)
            command = [sys.executable, "-m", "tests.nursery", kind, str(listening.fileno())]
            nurseries.append(
                subprocess.Popen(
                    command,
                    cwd=PROJECT,
                    env={**os.environ, **variables},
                    pass_fds=[listening.fileno()],
                    start_new_session=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                )
            )
    program = folder / "python"
    program.write_text(
        STAND_IN.format(python=sys.executable, forked=FORKED, script=list(SCRIPT), socket=folder / CORE), "utf-8"
    )
    program.chmod(0o755)
    os.environ[VARIABLE] = str(folder)
    return nurseries


def end(nursery: "subprocess.Popen[bytes]") -> None:
    """End a nursery and what it has forked."""
    nursery.communicate()  # its input ends


def stand_in() -> str:
    """The program that takes the place of Python."""
    return str(Path(os.environ[VARIABLE]) / "python")


def forked_server(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Fork a server that outlives the caller; returns its process id."""
    order = {
        "arguments": ["app.py", *arguments],
        "environment": dict(environment),
        "folder": str(PROJECT),
        "guarded": False,
    }
    with socket.socket(socket.AF_UNIX) as nursery, open(os.devnull, "r+b", 0) as nothing:
        nursery.connect(str(Path(os.environ[VARIABLE]) / APP))
        socket.send_fds(nursery, [json.dumps(order).encode() + b"\n"], [nothing.fileno()] * 3)
        return int(nursery.makefile("rb", 0).readline())


@contextmanager
def remarks_dropped() -> Iterator[None]:
    """Drop what is written to standard error meanwhile: TensorFlow makes remarks about the processor."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load(kind: str) -> None:
    """Import what the processes to come will want."""
    sys.path[0] = str(PROJECT)
    if kind == APP:
        for file in sorted(PROJECT.joinpath("pages", "components").rglob("*.py")):
            import_module(".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"))
    else:
        for name in (*LOADED, *FORKED):
            import_module(name)
    children.PYTHON = stand_in()
    small_baseline.shrink()
    gc.collect()
    gc.freeze()  # what is loaded is shared by all forks; looking for garbage in it would copy it


def take_it_easy(run: Path) -> None:
    """Have this process pause after each step if it is the trainer of a run that is not to end by itself."""
    recipe = json.loads((run / "recipe.json").read_text("utf-8"))
    if max(recipe.get("head_epochs", 0), recipe.get("fine_tune_epochs", 0)) >= ENDLESS:
        from core.training.recorder import Recorder

        end_step = Recorder.end_step

        def and_pause(*details: Any) -> None:
            end_step(*details)
            time.sleep(PAUSE)

        Recorder.end_step = and_pause  # type: ignore[method-assign, assignment]


def be(order: Mapping[str, Any], streams: Sequence[int]) -> int:
    """Be the process that was ordered; returns its exit code."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    if small_baseline.WHOLE in os.environ:
        small_baseline.restore()
    np.random.seed()
    module = order["arguments"][0] == "-m"
    sys.argv = order["arguments"][order["arguments"][0].startswith("-") :]
    if sys.argv[0] == "core.training":
        with suppress(OSError, ValueError):  # there may be no recipe: let the trainer say so
            take_it_easy(Path(sys.argv[1]))
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


class Nursery:
    """Forks a process for each order that comes over a socket, and answers with its id and how it ended."""

    def __init__(self, kind: str, listening: socket.socket) -> None:
        """Wait for orders, and for the end of standard input."""
        self._kind = kind
        self._listening = listening
        self._loaded = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ, self._take)
        self._selector.register(sys.stdin, selectors.EVENT_READ, lambda: os.killpg(0, signal.SIGKILL))

    def run(self) -> None:
        """Serve until standard input ends, and everything that was forked with it."""
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _take(self) -> None:
        customer = self._listening.accept()[0]
        data, streams, *_ = socket.recv_fds(customer, 2**20, 3)
        if not self._loaded:
            with remarks_dropped():
                load(self._kind)
            self._loaded = True
        if not data:  # it has been killed meanwhile
            return customer.close()
        while not data.endswith(b"\n"):
            data += customer.recv(2**20)
        order = json.loads(data)
        child = os.fork()
        if not child:
            self._selector.close()
            for inherited in (self._listening, customer):
                inherited.close()
            code = be(order, streams)
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
        for stream in streams:
            os.close(stream)
        with suppress(OSError):  # it may have been killed already
            customer.send(b"%d\n" % child)
        self._watch(child, customer, guarded=order["guarded"])

    def _watch(self, child: int, customer: socket.socket, guarded: bool) -> None:
        ended = os.pidfd_open(child)

        def reap() -> None:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            self._selector.unregister(ended)
            os.close(ended)
            if guarded and customer.fileno() >= 0:
                self._selector.unregister(customer)
                with suppress(OSError):
                    customer.send(b"%d" % code)
                customer.close()

        def kill() -> None:
            if customer.fileno() >= 0:  # else it ended at the same moment
                self._selector.unregister(customer)
                customer.close()
                os.kill(child, signal.SIGKILL)

        self._selector.register(ended, selectors.EVENT_READ, reap)
        if guarded:
            self._selector.register(customer, selectors.EVENT_READ, kill)
        else:
            customer.close()


if __name__ == "__main__":
    Nursery(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))).run()
