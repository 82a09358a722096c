import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

from core.processes.responder import Responder, ResponderDied, read_exactly, read_line
from tests.conftest import alive, eventually

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
"""Answers each line with the same line."""


@pytest.fixture
def responder() -> Iterator[Responder]:
    """A responder that answers each line with the same line."""
    responder = Responder([sys.executable, "-c", ECHO])
    yield responder
    responder.close()


def ask(responder: Responder, line: bytes = b"hello\n") -> bytes:
    return responder.ask(lambda requests: requests.write(line), read_line)


def pid_of(responder: Responder) -> int:
    assert responder.pid is not None
    return responder.pid


def test_a_responder_starts_when_it_is_asked_and_answers_again_and_again(responder: Responder) -> None:
    assert responder.pid is None
    assert ask(responder) == b"hello\n"
    pid = pid_of(responder)
    assert ask(responder, b"again\n") == b"again\n" and pid_of(responder) == pid


def test_requests_of_several_threads_do_not_mix(responder: Responder) -> None:
    lines = [b"%d" % number * 5000 + b"\n" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda line: ask(responder, line), lines)) == lines


def test_a_responder_that_dies_between_requests_is_replaced(responder: Responder) -> None:
    responder.start()
    pid = pid_of(responder)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", "it ended")
    assert ask(responder) == b"hello\n" and pid_of(responder) != pid
    assert not alive(pid)


def test_a_responder_that_dies_at_work_is_an_error_once() -> None:
    responder = Responder([sys.executable, "-c", "import sys; sys.stdin.readline(); print('half an ans', end='')"])
    with pytest.raises(ResponderDied):
        ask(responder)
    assert not alive(pid_of(responder))
    responder.command = [sys.executable, "-c", ECHO]
    responder.close()
    assert responder.pid is None


def test_an_answer_that_makes_no_sense_ends_the_responder(responder: Responder) -> None:
    with pytest.raises(ResponderDied, match="invalid literal"):
        responder.ask(lambda requests: requests.write(b"no number\n"), lambda answers: int(read_line(answers)))
    assert not alive(pid_of(responder))
    assert ask(responder) == b"hello\n"


def test_closing_ends_a_request_that_waits_and_a_later_one_starts_another(responder: Responder) -> None:
    responder.start()
    pid, asked = pid_of(responder), threading.Event()

    def send(requests: object) -> None:
        asked.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(responder.ask, send, read_line)
        asked.wait()
        responder.close()
        with pytest.raises(ResponderDied):
            waiting.result()
    assert not alive(pid) and responder.pid is None
    responder.close()
    assert ask(responder) == b"hello\n" and pid_of(responder) != pid


def test_a_responder_that_cannot_be_started_is_told_from_one_that_died() -> None:
    with pytest.raises(OSError):
        ask(Responder(["/no/such/program"]))


def test_streams_are_read_to_the_requested_end_or_not_at_all() -> None:
    assert read_exactly(BytesIO(b"abcdef"), 4) == b"abcd" and read_exactly(BytesIO(b""), 0) == b""
    assert read_line(BytesIO(b"a\nb\n")) == b"a\n"
    with pytest.raises(EOFError):
        read_exactly(BytesIO(b"abc"), 4)
    with pytest.raises(EOFError):
        read_line(BytesIO(b"abc"))
