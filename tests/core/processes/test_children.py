import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.processes.children import (
    BACKGROUND,
    LEAST_URGENT,
    PROJECT,
    at_idle_priority,
    module_command,
    not_started,
    output_of,
    start_helper,
    start_job,
    start_logged_job,
)
from tests.conftest import PATIENCE, alive, eventually


def script(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text, *arguments]


def test_a_module_runs_with_this_interpreter_in_the_project() -> None:
    assert output_of(module_command("core.processes.children"), PATIENCE) == b""
    found = output_of(script("import os, sys; print(sys.executable, os.getcwd(), sep='\\n')"), PATIENCE)
    assert found.decode().splitlines() == [sys.executable, str(PROJECT)]


def test_the_environment_is_ours_or_the_one_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNFREEZE_TRIED", "ours")
    tell = script("import os; print(os.environ['UNFREEZE_TRIED'], end='')")
    assert output_of(tell, PATIENCE) == b"ours"
    assert output_of(tell, PATIENCE, {**os.environ, "UNFREEZE_TRIED": "other"}) == b"other"


def test_no_output_of_a_process_that_fails_or_takes_too_long() -> None:
    with pytest.raises(OSError, match="exit code 3"):
        output_of(script("print('half'); raise SystemExit(3)"), PATIENCE)
    with pytest.raises(OSError, match=r"more than 0\.1 s"):
        output_of(script("import time; time.sleep(600)"), 0.1)


def test_a_job_outlives_whoever_started_it_and_its_terminal_and_a_helper_does_not(tmp_path: Path) -> None:
    starter = f"""
import subprocess, sys
from pathlib import Path
from core.processes.children import start_helper, start_logged_job
sleep = [sys.executable, "-c", "import sys; print('here', flush=True); sys.stdin.read(); import time; time.sleep(600)"]
answer = [sys.executable, "-c", "import sys; sys.stdin.read()"]
job = start_logged_job(sleep, Path({str(tmp_path / "log.txt")!r}))
helper = start_helper(answer, stdin=subprocess.PIPE)
print(job.pid, helper.pid, flush=True)
sys.stdin.read()
"""
    parent = start_helper(script(starter), stdin=subprocess.PIPE)
    assert parent.stdout is not None
    job, helper = map(int, parent.stdout.readline().split())
    try:
        assert os.getsid(job) == job and os.getsid(helper) == os.getsid(0)
        eventually(lambda: (tmp_path / "log.txt").read_text() == "here\n", "the job wrote to its log")
        with parent:
            parent.kill()
        eventually(lambda: not alive(helper), "the helper ended with the process that started it")
        assert alive(job)
    finally:
        os.kill(job, signal.SIGKILL)


def test_a_job_that_ends_is_reaped_at_once_also_where_nobody_waits_for_it() -> None:
    child = start_job(script(""), subprocess.DEVNULL)
    eventually(lambda: not Path(f"/proc/{child.pid}").exists(), "no zombie is left")
    assert child.wait() == 0 and child.poll() == 0


def test_a_job_that_was_reaped_can_still_be_asked_and_killed() -> None:
    child = start_job(script("import time; time.sleep(600)"), subprocess.DEVNULL)
    assert child.poll() is None
    child.kill()
    assert child.wait(PATIENCE) == -signal.SIGKILL
    child.kill()


def test_the_output_of_a_job_goes_to_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    start_logged_job(script("import sys; print('out', flush=True); print('error', file=sys.stderr)"), log).wait()
    assert log.read_text() == "before\nout\nerror\n"


@pytest.mark.parametrize("niceness", [0, 3, BACKGROUND + 5])
def test_a_child_settles_in_at_its_niceness_however_it_was_started(niceness: int) -> None:
    text = (
        "import os, sys; from core.processes.children import BACKGROUND, settle_in\n"
        "os.nice(int(sys.argv[1])); settle_in(BACKGROUND); settle_in(BACKGROUND); print(os.nice(0))"
    )
    started_at = os.nice(0)
    found = int(output_of(script(text, str(niceness)), PATIENCE))
    assert found == max(BACKGROUND, min(19, started_at + niceness))


def test_a_child_that_was_started_with_sigint_ignored_can_be_interrupted_once_it_has_settled_in() -> None:
    text = (
        "import time; from core.processes.children import settle_in; settle_in(0)\n"
        "try: print('ready', flush=True); time.sleep(600)\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    child = start_helper(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *script(text)])
    with child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=PATIENCE)[0] == b"interrupted\n"


def test_settling_in_is_possible_in_a_thread_too() -> None:
    text = (
        "import threading; from core.processes.children import settle_in\n"
        "thread = threading.Thread(target=settle_in, args=(0,)); thread.start(); thread.join(); print('done', end='')"
    )
    assert output_of(script(text), PATIENCE) == b"done"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priority of a thread")
def test_idle_work_gives_way_to_all_else_and_what_comes_after_it_does_not() -> None:
    text = (
        "import os, subprocess, sys; from core.processes.children import at_idle_priority\n"
        "def tell(): print(os.sched_getscheduler(0) == os.SCHED_IDLE, flush=True)\n"
        "child = [sys.executable, '-c', 'import os; print(os.sched_getscheduler(0) == os.SCHED_IDLE)']\n"
        "tell(); at_idle_priority(tell); tell(); subprocess.run(child)"
    )
    assert output_of(script(text), PATIENCE).split() == [b"False", b"True", b"False", b"False"]


def test_idle_work_goes_on_where_the_system_refuses_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    niceness: list[int] = []
    before = os.nice(0)
    at_idle_priority(lambda: niceness.append(os.nice(0)))
    assert os.nice(0) == before
    assert niceness == [LEAST_URGENT if sys.platform == "linux" else before]


def test_what_idle_work_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        at_idle_priority(lambda: print(1 / 0))


def test_a_process_that_cannot_be_started_is_an_error_with_a_message(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(OSError) as caught:
        start_job([str(tmp_path / "no such program")], subprocess.DEVNULL)
    assert threading.active_count() == before
    assert not_started("The trainer", caught.value) == (
        "The trainer could not be started (No such file or directory). Is memory or the disk full?"
    )
