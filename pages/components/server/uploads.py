"""What visitors upload: no more than there is room for, and gone when its session ends."""

import asyncio
import gc

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.data.intake.upload_totals import UploadTotals
from core.language import retold, tr
from pages.components.cached import services
from pages.components.shared import state
from pages.components.shared.upload_limits import held

UPLOAD, STREAM = "/_stcore/upload_file/", "/_stcore/stream"

CLOSED = (1000, 1001)
"""How a browser ends a WebSocket when its tab is closed or leaves the page; any other end may be a broken network."""

PATIENCE = 60.0
"""Seconds in which a tab whose network broke, or whose phone slept, finds its session again."""


class Uploads:
    """ASGI middleware that refuses uploads for which there is no room, and ends sessions when their tabs are closed.

    Streamlit by itself would keep all that a visitor uploaded until the next visitor comes.
    """

    def __init__(self, app: ASGIApp, totals: UploadTotals, patience: float = PATIENCE) -> None:
        """Keep to these totals; `patience` in seconds."""
        self.app = app
        self.totals = totals
        self.patience = patience
        self.ends: dict[str, asyncio.TimerHandle] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch uploads and WebSockets; all else is handed on."""
        if scope["type"] == "websocket" and scope["path"].endswith(STREAM):
            await self.session(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "PUT" and UPLOAD in scope["path"]:
            await self.upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one file in, if it has a size and there is room for it."""
        session = scope["path"].partition(UPLOAD)[2].partition("/")[0]
        length = Headers(scope=scope).get("content-length", "")
        size = int(length) if length.isdecimal() else None
        known = held(runtime.get_instance().uploaded_file_mgr)
        refusal = (
            tr("An upload must say how long it is.") if size is None else self.totals.refusal(session, size, known)
        )
        if size is None or refusal:
            self.totals.refused.setdefault(session, []).append(refusal)
            while (await receive()).get("more_body"):  # a browser that cannot send to the end reads no answer
                pass
            await PlainTextResponse(refusal, 411 if size is None else 413)(scope, receive, send)
            return
        upload = object()
        self.totals.coming[upload] = (session, size)
        try:
            await self.app(scope, receive, send)
        finally:
            del self.totals.coming[upload]
            if not runtime.get_instance().is_active_session(session):
                self.end_later(session)

    async def session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a tab, and end its session at once when it is closed, or later when it was merely cut off."""
        session, code = "", 0

        async def receiving() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or 0
            return message

        async def sending(message: Message) -> None:
            nonlocal session
            if not session and message.get("bytes"):  # the first message names the session
                session = ForwardMsg.FromString(message["bytes"]).new_session.initialize.session_id
            await send(message)

        try:
            await self.app(scope, receiving, sending)
        finally:
            if session:
                self.end_later(session, 0.0 if code in CLOSED else self.patience)

    def end_later(self, session: str, seconds: float | None = None) -> None:
        """End a session after a while, unless it has been resumed by then."""
        if session in self.ends:
            self.ends.pop(session).cancel()
        wait = self.patience if seconds is None else seconds
        self.ends[session] = asyncio.get_running_loop().call_later(wait, self.end, session)

    def end(self, session: str) -> None:
        """Forget a session and whatever it holds, unless somebody is there."""
        self.ends.pop(session, None)
        server = runtime.get_instance()
        if not server.is_active_session(session):
            self.totals.refused.pop(session, None)
            known = server._session_mgr.get_session_info(session)
            server.close_session(session)
            if known is not None:  # Streamlit's loop holds the last session until the next visitor comes
                state.forget_all(known.session)
            server.uploaded_file_mgr.remove_session_files(session)
            gc.collect()  # a session refers to itself, so Python would come across its photos much later


def show_refused() -> None:
    """Say which uploads were refused. While the largest upload would be, this looks again and again, since Streamlit
    does not draw a page again for an upload that failed."""
    context = get_script_run_ctx()
    if context is None:
        return
    largest, found = int(st.get_option("server.maxUploadSize")) * 2**20, held(context.uploaded_file_mgr)
    if context.session_id in found and services.upload_totals().refusal(context.session_id, largest, found):
        st.fragment(_say_refused, run_every=2.0)(context.session_id)
    else:
        _say_refused(context.session_id)


def _say_refused(session: str) -> None:
    for sentence in services.upload_totals().refused.pop(session, []):
        st.toast(retold(sentence), icon=":material/info:", duration="infinite")
