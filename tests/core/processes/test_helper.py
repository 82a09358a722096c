import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

from core.processes.helper import Helper, HelperDied, read_exactly, read_line
from tests.conftest import alive, eventually

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
"""Answers each line with the same line."""


@pytest.fixture
def helper() -> Iterator[Helper]:
    """A helper that answers each line with the same line."""
    helper = Helper([sys.executable, "-c", ECHO])
    yield helper
    helper.close()


def ask(helper: Helper, line: bytes = b"hello\n") -> bytes:
    return helper.ask(lambda requests: requests.write(line), read_line)


def pid_of(helper: Helper) -> int:
    assert helper.pid is not None
    return helper.pid


def test_a_helper_starts_when_it_is_asked_and_answers_again_and_again(helper: Helper) -> None:
    assert helper.pid is None
    assert ask(helper) == b"hello\n"
    pid = pid_of(helper)
    assert ask(helper, b"again\n") == b"again\n" and pid_of(helper) == pid


def test_requests_of_several_threads_do_not_mix(helper: Helper) -> None:
    lines = [b"%d" % number * 5000 + b"\n" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda line: ask(helper, line), lines)) == lines


def test_a_helper_that_dies_between_requests_is_replaced(helper: Helper) -> None:
    helper.start()
    pid = pid_of(helper)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", "it ended")
    assert ask(helper) == b"hello\n" and pid_of(helper) != pid
    assert not alive(pid)


def test_a_helper_that_dies_at_work_is_an_error_once() -> None:
    helper = Helper([sys.executable, "-c", "import sys; sys.stdin.readline(); print('half an ans', end='')"])
    with pytest.raises(HelperDied):
        ask(helper)
    assert not alive(pid_of(helper))
    helper.command = [sys.executable, "-c", ECHO]
    helper.close()
    assert helper.pid is None


def test_an_answer_that_makes_no_sense_ends_the_helper(helper: Helper) -> None:
    with pytest.raises(HelperDied, match="invalid literal"):
        helper.ask(lambda requests: requests.write(b"no number\n"), lambda answers: int(read_line(answers)))
    assert not alive(pid_of(helper))
    assert ask(helper) == b"hello\n"


def test_closing_ends_a_request_that_waits_and_a_later_one_starts_another(helper: Helper) -> None:
    helper.start()
    pid, asked = pid_of(helper), threading.Event()

    def send(requests: object) -> None:
        asked.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(helper.ask, send, read_line)
        asked.wait()
        helper.close()
        with pytest.raises(HelperDied):
            waiting.result()
    assert not alive(pid) and helper.pid is None
    helper.close()
    assert ask(helper) == b"hello\n" and pid_of(helper) != pid


def test_a_helper_that_cannot_be_started_is_told_from_one_that_died() -> None:
    with pytest.raises(OSError):
        ask(Helper(["/no/such/program"]))


def test_streams_are_read_to_the_requested_end_or_not_at_all() -> None:
    assert read_exactly(BytesIO(b"abcdef"), 4) == b"abcd" and read_exactly(BytesIO(b""), 0) == b""
    assert read_line(BytesIO(b"a\nb\n")) == b"a\n"
    with pytest.raises(EOFError):
        read_exactly(BytesIO(b"abc"), 4)
    with pytest.raises(EOFError):
        read_line(BytesIO(b"abc"))
