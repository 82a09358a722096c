import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.processes.children import start_helper
from core.processes.locks import is_locked, locked, was_touched_within
from core.processes.logs import last_line, tail
from tests.conftest import eventually

HOLD = """
import sys
from pathlib import Path
from core.processes.locks import locked
with locked(Path(sys.argv[1]), 5) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


def opened_by(pid: int) -> list[Path]:
    """The files that a process has open."""
    return [link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]


def test_a_lock_is_free_as_soon_as_its_holder_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not is_locked(file), "no file, no holder"
    with start_helper([sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"True\n"
        assert is_locked(file)
        with locked(file, 0.1) as held:
            assert not held
        assert is_locked(file), "who did not get it has not freed it"
        os.kill(child.pid, signal.SIGKILL)
    assert not is_locked(file)


def test_who_waits_gets_the_lock_once_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with locked(file, 1) as first:
        assert first
        child = start_helper([sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE)
        eventually(lambda: file in opened_by(child.pid), "it has opened the file")
    assert child.communicate()[0] == b"True\n"


def test_a_lock_in_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "gone" / "lock", 1):
        pass


def test_a_file_that_was_just_touched_says_that_something_was_started(tmp_path: Path) -> None:
    file = tmp_path / "started"
    assert not was_touched_within(file, 15)
    file.touch()
    assert was_touched_within(file, 15)
    os.utime(file, (1, 1))
    assert not was_touched_within(file, 15)


def test_the_end_of_a_log_is_there_also_where_it_holds_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert tail(log, 10) == last_line(log, 10) == ""
    log.write_bytes(b"first\nMemoryError: no room \xff\n\n  \n")
    assert tail(log, 8).endswith("\n\n  \n") and last_line(log, 11) == "MemoryError"
    log.write_text(" \n")
    assert last_line(log, 10) == ""
