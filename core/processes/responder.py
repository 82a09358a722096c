"""A child process that answers requests on its standard input, one after the other, and ends with this process."""

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, TypeVar

from core.processes.children import start_helper

T = TypeVar("T")


class ResponderDied(Exception):
    """The process ended before it had answered, or what it answered makes no sense; it has been ended."""


class Responder:
    """Starts its process when it is first needed, and a new one when that has died.

    Its methods may be called from any thread; requests are answered one at a time.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Start nothing yet; the arguments are those of `core.processes.children.start_helper`."""
        self.command = list(command)
        self._environ = environ
        self._starting, self._asking = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, also of a process that has died; None before the first one is started and after `close`."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process unless it lives, without waiting for it; raises `OSError` when the system refuses."""
        self._running()

    def ask(self, send: Callable[[IO[bytes]], object], receive: Callable[[IO[bytes]], T]) -> T:
        """Write a request to the process and return what `receive` reads of its answer.

        Raises:
            ResponderDied: `send` or `receive` raised `OSError`, `ValueError` or `EOFError`; the next request goes to a
                new process.
            OSError: No process can be started.
        """
        with self._asking:
            process = self._running()
            try:
                requests, answers = _pipes(process)
                send(requests)
                requests.flush()
                return receive(answers)
            except (OSError, ValueError, EOFError) as error:
                _end(process)
                raise ResponderDied(*error.args) from error

    def close(self) -> None:
        """End the process, whatever it does, and wait for its end; `start` and `ask` start another."""
        with self._starting:
            process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _running(self) -> "subprocess.Popen[bytes]":
        with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._process = start_helper(self.command, environ=self._environ, stdin=subprocess.PIPE)
            return self._process


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise EOFError("The process has no pipes.")
    return process.stdin, process.stdout


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what could not be written any more
                stream.close()


def read_exactly(stream: IO[bytes], count: int) -> bytes:
    """Read so many bytes; raises `EOFError` where the stream ends before."""
    parts: list[bytes] = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_line(stream: IO[bytes]) -> bytes:
    """Read a whole line; raises `EOFError` where the stream ends before."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line
