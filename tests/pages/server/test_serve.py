import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import streamlit as st

from core.runs.store import FINISHED, RUNNING
from core.settings import settings_from
from pages.components.cached import services
from pages.components.server import serve
from tests.conftest import PATIENCE, PROJECT, Workplace, alive, eventually, trainer_of


@contextmanager
def served(place: Workplace, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The app's own server, as `python app.py &` in a shell script starts it, where SIGINT is ignored."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "app.py", "--server.port", port, "--server.headless", "true"]
    with output.open("wb") as file:
        server = subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
            cwd=PROJECT,
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )

    def answers() -> bool:
        assert server.poll() is None, output.read_text()
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
        return False

    try:
        eventually(answers, "the server answers")
        yield server
    finally:
        server.kill()
        server.wait()


def test_the_server_starts_without_warnings_reaps_its_trainers_and_ends_with_ctrl_c(
    workplace: Workplace, tmp_path: Path
) -> None:
    run, output = workplace.queued_run(), tmp_path / "output.txt"
    with served(workplace, output) as server:
        eventually(lambda: run.read_status().state == RUNNING, "the server has the run carried out")
        trainer = trainer_of(run)
        eventually(lambda: run.read_status().state == FINISHED, "the run has finished")
        eventually(lambda: not alive(trainer), "not even a zombie is left, though the server starts nothing else")
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0
    printed = output.read_text()
    assert "Unfreeze is at http://127.0.0.1:" in printed and "Other computers" not in printed
    assert "WARNING" not in printed and "No runtime found" not in printed and "Traceback" not in printed


def test_where_there_is_no_home_directory_streamlit_is_told_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("streamlit.web.cli.main", lambda *given, **more: 0)
    monkeypatch.delenv("UNFREEZE_HOME", raising=False)
    with pytest.raises(SystemExit, match="Set UNFREEZE_HOME to a folder"):
        serve.serve("app.py")
    monkeypatch.setenv("UNFREEZE_HOME", str(tmp_path))
    with pytest.raises(SystemExit):
        serve.serve("app.py")
    assert os.environ["HOME"] == str(tmp_path.resolve())


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        *((address, False) for address in ("127.0.0.1", "localhost", "::1", "127.0.0.9")),
        *((address, True) for address in ("", "0.0.0.0", "::", "192.168.1.5", "school.example")),
    ],
)
def test_who_can_reach_the_server(address: str, shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "server_address", lambda: address)
    assert services.is_shared() == shared


def test_it_is_said_what_others_can_do(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "server_address", lambda: "192.168.1.5")
    monkeypatch.setattr(
        services, "settings", lambda: settings_from({"UNFREEZE_HOME": str(workplace.home)}, shared=True)
    )
    words = serve.shared_words()
    assert "Other computers can reach it, at http://192.168.1.5:" in words and "no password" in words
    assert words.endswith(f"your home is not offered by itself):\n    {workplace.home.resolve() / 'datasets'}")


def test_addresses_are_written_as_browsers_take_them() -> None:
    port = st.get_option("server.port")
    assert serve.url_at("localhost") == f"http://localhost:{port}"
    assert serve.url_at("::1") == f"http://[::1]:{port}"
