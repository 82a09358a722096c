import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.data.intake.upload_totals import UploadTotals
from pages.components.server.uploads import STREAM, Uploads
from tests.conftest import in_a_loop


class Runtime:
    """What sessions are there, in place of Streamlit's."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.closed: list[str] = []
        self.uploaded_file_mgr = self._session_mgr = self
        self.session_state = {"widget": "an uploaded file"}

    def is_active_session(self, session: str) -> bool:
        return session in self.active

    def get_session_info(self, session: str) -> SimpleNamespace:
        return SimpleNamespace(session=self)

    def close_session(self, session: str) -> None:
        self.closed.append(session)

    def remove_session_files(self, session: str) -> None:
        assert session in self.closed


async def visit(uploads: Uploads, code: int) -> None:
    """A tab that is served, and whose WebSocket ends with a code."""
    end: Sequence[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": code}]
    messages = iter(end)

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        pass

    await uploads({"type": "websocket", "path": STREAM}, receive, send)


@pytest.mark.parametrize(("code", "at_once"), [(1001, True), (1000, True), (1006, False), (1005, False), (1012, False)])
def test_a_closed_tab_ends_its_session_and_one_that_was_cut_off_does_so_later(
    code: int, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Runtime()
    monkeypatch.setattr(runtime, "get_instance", lambda: server)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first = ForwardMsg()
        first.new_session.initialize.session_id = "a"
        await send({"type": "websocket.send", "bytes": first.SerializeToString()})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def scene() -> None:
        uploads = Uploads(app, UploadTotals(1, 1), patience=0.3)
        await visit(uploads, code)
        await asyncio.sleep(0.05)
        assert server.closed == (["a"] if at_once else [])
        await asyncio.sleep(0.4)
        assert server.closed == ["a"] and not server.session_state
        server.active.add("a")  # it came back
        await visit(uploads, code)
        await asyncio.sleep(0.4)
        assert server.closed == ["a"]

    in_a_loop(scene())
