from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from pages.components.server.gate import Gate
from tests.conftest import in_a_loop


def answer(headers: Mapping[str, str], kind: str = "http", came_in_at: str = "127.0.0.1") -> tuple[int, dict[str, str]]:
    """Status and headers with which a gate that knows the name school.example answers; 101 for an open WebSocket."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            origin = dict(scope["headers"]).get(b"origin", b"").decode()
            await PlainTextResponse("in", headers={"seen-origin": origin})(scope, receive, send)

    async def receive() -> Message:
        return {"type": f"{kind}.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": kind, "method": "GET", "path": "/", "headers": raw, "server": (came_in_at, 8501)}
    in_a_loop(Gate(app, ["School.example", "0.0.0.0"])(scope, receive, send))
    if kind == "websocket":
        return (101 if sent[0]["type"] == "websocket.accept" else 403), {}
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8501",
        "LOCALHOST.:1",
        "127.0.0.1:8501",
        "[::1]:8501",
        "school.example:80",
        "0.0.0.0:8501",
    ],
)
def test_own_names_are_let_in(host: str, kind: str) -> None:
    status, _ = answer({"Host": host, "Origin": f"http://{host}"}, kind)
    assert status in (101, 200)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8501",
            "localhost.evil.example",
            "school.example.evil",
            "10.0.0.9",
            "[fe80::1]",
        ),
        *(
            "a@localhost",
            "localhost/",
            "localhost?x",
            "localhost#x",
            "localhost:port",
            "[::1",
            "",
            " ",
            "evil\\@localhost",
        ),
    ],
)
def test_foreign_names_are_refused(host: str, kind: str) -> None:
    assert answer({"Host": host}, kind)[0] == 403
    assert answer({}, kind)[0] == 403


def test_the_address_that_a_connection_came_in_at_is_a_name_too() -> None:
    for came_in_at in ("192.168.1.5", "::ffff:192.168.1.5"):
        assert answer({"Host": "192.168.1.5:8501"}, came_in_at=came_in_at)[0] == 200
        assert answer({"Host": "192.168.1.6:8501"}, came_in_at=came_in_at)[0] == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        *((origin, True) for origin in ("http://localhost:8501", "https://localhost:8501", "https://school.example")),
        *((origin, False) for origin in ("http://evil.example", "http://localhost:3000", "http://127.0.0.1:8501")),
        *(
            (origin, False)
            for origin in ("null", "", "http://localhost:8501@evil.example", "http://evil/localhost:8501")
        ),
    ],
)
def test_only_own_pages_may_ask(origin: str, let_in: bool, kind: str) -> None:
    status, headers = answer({"Host": "localhost:8501", "Origin": origin}, kind)
    assert status in ((101, 200) if let_in else (403,))
    assert not headers.get("seen-origin"), "Streamlit would ask a server on the internet about another origin"


def test_another_site_may_lead_here_and_nothing_else() -> None:
    def fetched(site: str, mode: str, what: str) -> int:
        sent = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": what}
        return answer({"Host": "localhost:8501", **sent})[0]

    assert fetched("cross-site", "navigate", "document") == 200, "somebody followed a link"
    assert fetched("none", "navigate", "document") == fetched("same-origin", "no-cors", "image") == 200
    assert fetched("cross-site", "navigate", "iframe") == fetched("same-site", "navigate", "frame") == 403
    assert fetched("cross-site", "no-cors", "image") == fetched("same-site", "cors", "empty") == 403


def test_pages_may_load_nothing_from_elsewhere_and_be_framed_by_nobody() -> None:
    _, headers = answer({"Host": "localhost:8501"})
    policy = dict(part.split(None, 1) for part in headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == "'self'" and headers["x-frame-options"] == "SAMEORIGIN"
    assert policy["default-src"] == "'self'" and policy["object-src"] == "'none'"
    allowed = {word for words in policy.values() for word in words.split()}
    assert allowed == {
        *("'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"),
        *("ws://localhost:8501", "wss://localhost:8501"),
    }
