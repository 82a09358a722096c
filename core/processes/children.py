"""Starting child processes: with which interpreter, in which folder and environment, and for how long.

There are two kinds. A *helper* (`start_helper`; `core.processes.responder` has one that answers requests) works
for the process that started it and ends with it. A *job* (`start_job`) leads a session of its own and outlives the
process that started it; it holds a lock while it lives (`core.processes.locks`) and leaves its output in a log file.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from core.files import saving
from core.language import tr

PYTHON = sys.executable
"""The interpreter that runs this process and its children."""

PROJECT = Path(__file__).resolve().parents[2]
"""Where child processes are started, so that they find our modules."""

BACKGROUND, ATTENDED = 10, 5
"""Niceness of work that goes on by itself, and of work whose result a page waits for; pages themselves have 0."""

LEAST_URGENT = 19
"""The greatest niceness that there is."""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}
"""Keeps TensorFlow's remarks about the processor out of logs."""

NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
"""For what must not take a graphics card from a trainer."""

TEMPORARY = ("TMPDIR", "TEMP", "TMP")
"""Variables that name the folder for temporary files, as `tempfile` and libraries in C++ ask for them."""

Output = int | IO[bytes]
"""Where a process writes: `subprocess.PIPE`, `subprocess.DEVNULL` or an open file."""


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules with the interpreter that runs this one."""
    return [PYTHON, "-m", module, *arguments]


def start_helper(
    command: Sequence[str],
    *,
    folder: Path = PROJECT,
    environ: Mapping[str, str] | None = None,
    stdin: Output = subprocess.DEVNULL,
    stderr: Output = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """Start a process whose standard output is read here; whoever starts it ends it.

    Args:
        command: For one of our modules, see `module_command`.
        folder: Where it starts.
        environ: Its whole environment; None for ours.
        stdin: Where it reads from.
        stderr: Where its error messages go.

    Raises:
        OSError: The system refuses.
    """
    return subprocess.Popen(command, cwd=folder, env=environ, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)


def output_of(command: Sequence[str], seconds: float, environ: Mapping[str, str] | None = None) -> bytes:
    """Wait for a process to end and return what it wrote to its standard output.

    Raises:
        OSError: The system refuses to start it, it fails, or it takes longer than so many seconds.
    """
    with start_helper(command, environ=environ) as child:
        try:
            output, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{command} took more than {seconds:g} s.") from error
        finally:
            child.kill()
    if child.returncode:
        raise ChildProcessError(f"{command} ended with exit code {child.returncode}.")
    return output


def start_job(
    command: Sequence[str],
    output: Output,
    *,
    environ: Mapping[str, str] | None = None,
    stdin: Output = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """Start a process that outlives this one, with its output and its error messages in one place.

    It leads a session of its own, so that Ctrl-C in the terminal of the server does not reach it, and it is reaped as
    soon as it ends. Arguments are those of `start_helper`; raises `OSError` when the system refuses.
    """
    child = subprocess.Popen(
        command,
        bufsize=0,
        cwd=PROJECT,
        env=environ,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    threading.Thread(target=child.wait, name=f"reaper of {child.pid}", daemon=True).start()
    return child


def start_logged_job(
    command: Sequence[str], log_file: Path, *, environ: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a job as `start_job` does, with its output at the end of a log file."""
    with log_file.open("ab") as log:
        return start_job(command, log, environ=environ)


def not_started(what: str, error: OSError) -> str:
    """The message for a process that the system refused to start; `what` was to be started, as "The trainer"."""
    reason = str(error.strerror)
    return tr("{what} could not be started ({reason}). Is memory or the disk full?", what=what, reason=reason)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Have this process, its libraries and its children put temporary files into a folder, which is made and stays.

    Who removes the folder later removes what they have left, however they ended. Raises `StorageError` where the folder
    cannot be made.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    before, tempfile.tempdir = {name: os.environ.get(name) for name in TEMPORARY}, str(folder)
    os.environ.update(dict.fromkeys(TEMPORARY, str(folder)))
    try:
        yield
    finally:
        tempfile.tempdir = None
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def allow_interrupts() -> None:
    """Have Ctrl-C (SIGINT) raise `KeyboardInterrupt`, also where this process was started with SIGINT ignored.

    A shell does so with commands in the background, and processes inherit it.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def settle_in(niceness: int) -> None:
    """Called first by a child: give way to what a person is looking at, and let Ctrl-C end this process."""
    allow_interrupts()
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(max(0, niceness - os.nice(0)))


def at_idle_priority(work: Callable[[], None]) -> None:
    """Do work for which nobody waits, while nothing else wants the processor, and return when it is done.

    It is done in a thread of its own, whose threads and children have the same priority; the caller's stays. That is
    the policy `SCHED_IDLE` of Linux, see sched(7), or the greatest niceness where the system refuses it. Elsewhere
    priorities are those of whole processes, and could not be raised again for what this one starts later, so nothing
    is changed. Raises what the work raises.
    """
    with ThreadPoolExecutor(1, "idle", _become_idle) as thread:
        thread.submit(work).result()


def _become_idle() -> None:
    if sys.platform == "linux":
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except OSError:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_URGENT)
