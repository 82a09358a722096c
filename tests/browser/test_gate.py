"""Who gets in, on a real server that other computers reach: handshakes, uploads, what it asks of the internet."""

import re
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.browser.conftest import Screen, Server, free_port
from tests.conftest import Workplace, eventually, write_colours

MB = 10**6


@pytest.fixture(scope="module")
def internet() -> Iterator[socket.socket]:
    """What the server is told to reach the internet through; nobody may ever call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, internet: socket.socket) -> Iterator[Server]:
    """A server for a class, with room for 100 MB of uploads in a tab and 150 MB in all."""
    base = tmp_path_factory.mktemp("shared")
    place = Workplace(base / "home", write_colours(base / "photos" / "colours"))
    place.home.mkdir()
    limits = f"session_upload_bytes = {100 * MB}\nserver_upload_bytes = {150 * MB}\n"
    (place.home / "settings.toml").write_text(f'hosts = ["school.example"]\n[limits]\n{limits}')
    proxy = f"http://127.0.0.1:{internet.getsockname()[1]}"
    more = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ""}
    started = Server(place, free_port(), {**more, **{name.lower(): value for name, value in more.items()}})
    started.start()
    yield started
    started.kill()


def handshake(server: Server, host: str, origin: str | None = None) -> int:
    """The status with which a WebSocket handshake is answered; 101 for one that is open."""
    origin_line = f"Origin: {origin}\r\n" if origin is not None else ""
    asked = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\n{origin_line}Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(asked.encode())
        return int(line.recv(100).split()[1])


def asked_of_the_internet(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_a_forged_name_or_page_is_refused_and_nobody_on_the_internet_is_asked(
    shared_server: Server, internet: socket.socket
) -> None:
    port = shared_server.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "school.example"):
        assert handshake(shared_server, host) == handshake(shared_server, host, f"http://{host}") == 101, host
        for origin in ("http://evil.example", "null", f"http://evil.example:{port}"):
            assert handshake(shared_server, host, origin) == 403, (host, origin)
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "8.8.8.8"):
        assert handshake(shared_server, host) == handshake(shared_server, host, f"http://{host}") == 403, host
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x", "/static/x"):
        for name, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            asked = urllib.request.Request(shared_server.address + path, headers={name: value})
            with pytest.raises(HTTPError, match="403"):
                urllib.request.urlopen(asked, timeout=60)
    assert not asked_of_the_internet(internet)


class Tab:
    """A visitor's tab, without a browser."""

    def __init__(self, server: Server) -> None:
        self.server = server
        with urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=60) as answer:
            self.xsrf = re.findall(r"_streamlit_xsrf=([^;]+)", str(answer.headers))[0]
        self.line: ClientConnection = connect(
            f"ws://127.0.0.1:{server.port}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            max_queue=None,
        )
        ask = BackMsg()
        ask.rerun_script.query_string = ""
        self.line.send(ask.SerializeToString())
        self.session = ""
        while not self.session:
            self.session = ForwardMsg.FromString(bytes(self.line.recv(60))).new_session.initialize.session_id  # type: ignore[arg-type]

    def upload(self, size: int, name: str) -> int:
        """Upload so many zeros, and the status of the answer."""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        asked = urllib.request.Request(
            f"{self.server.address}/_stcore/upload_file/{self.session}/{name}",
            head + bytes(size) + b"\r\n--x--\r\n",
            {
                "Content-Type": "multipart/form-data; boundary=x",
                "X-Xsrftoken": self.xsrf,
                "Cookie": f"_streamlit_xsrf={self.xsrf}",
            },
            method="PUT",
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code


def megabytes(server: Server) -> float:
    """The memory that a server has."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * 4096 / MB


def test_uploads_have_a_total_and_end_with_their_tab(shared_server: Server) -> None:
    first, second = Tab(shared_server), Tab(shared_server)
    assert first.upload(60 * MB, "a") == 204
    assert first.upload(60 * MB, "b") == 413, "more than a tab may hold"
    assert first.upload(30 * MB, "c") == 204
    assert second.upload(70 * MB, "d") == 413, "more than all together may hold"
    assert second.upload(50 * MB, "e") == 204
    held = megabytes(shared_server)
    first.line.close()
    second.line.close()
    eventually(lambda: megabytes(shared_server) < held - 110, "nobody else comes, and the memory is given back")


def test_a_refused_upload_is_told_in_a_sentence_and_a_closed_tab_gives_its_uploads_back(
    shared_server: Server, new_screen: Callable[..., Screen], tmp_path: Path
) -> None:
    for name in ("a.zip", "b.zip"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(60 * MB)
    screen = new_screen(shared_server)
    uploader = screen.page.locator("input[accept*='.zip']")
    screen.open("/collect")
    screen.page.get_by_text("ZIP file", exact=True).click()
    uploader.set_input_files(tmp_path / "a.zip")
    expect(screen.page.get_by_role("button", name="Unpack")).to_be_visible()
    screen.follow("Runs")
    screen.page.get_by_text("Import a run from another computer").click()
    uploader.set_input_files(tmp_path / "b.zip")
    expect(screen.page.get_by_test_id("stToast")).to_contain_text("this browser tab holds 60 MB already")
    held = megabytes(shared_server)
    screen.page.close()
    eventually(lambda: megabytes(shared_server) < held - 45, "the browser says that the tab is closed")
