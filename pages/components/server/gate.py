"""Who gets in: requests that call this server by a name of its own, from its own pages; and what these may load."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.language import tr

THIS_COMPUTER = frozenset({"localhost", "127.0.0.1", "::1"})

OPENED_BY_A_PERSON = ("navigate", "document")
"""How a browser asks for a page of its own, not for a picture or a frame in somebody else's."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:;"
    " connect-src 'self' data: blob: ws://{host} wss://{host}; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'self'"
)
"""What a page may load, and from where: this server, whatever a name on the page contains. Charts and components of
Streamlit need inline styles, scripts made at run time, and workers made of them."""


class Gate:
    """ASGI middleware that answers 403 to whom it does not know, and sends the content security policy along.

    A website can have its own name lead to this computer (DNS rebinding), open a WebSocket to it, or show it in a
    frame. The first comes with a foreign Host, the second with a foreign Origin, the third is forbidden to browsers.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Let in who asks for one of `names` (hosts without port), for this computer, or for the address it has."""
        self.app = app
        self.names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif trouble := self.trouble(Headers(scope=scope), _own_address(scope)):
            await _refuse(trouble, scope, receive, send)
        else:
            # Streamlit is not shown an Origin that is in order: it would ask a server on the internet about others.
            headers = [pair for pair in scope["headers"] if pair[0] != b"origin"]
            host = Headers(scope=scope)["host"]
            await self.app({**scope, "headers": headers}, receive, _with_policy(send, host))

    def trouble(self, headers: Headers, own: str) -> str:
        """Why a request is refused, as a sentence; an empty text if it is not. `own` is where it came in."""
        host, origin = _parts(headers.get("host", "")), headers.get("origin")
        name = (host.hostname or "").rstrip(".") if host else ""
        if host is None or name not in THIS_COMPUTER | self.names | {own}:
            return tr(
                "This server is not known as {name}. Open it by its address, or have whoever runs it add the name to"
                " UNFREEZE_HOSTS.",
                name=repr(name[:100]),
            )
        page = _parts(origin.partition("://")[2]) if origin is not None else host
        if not page or (page.netloc != host.netloc and page.hostname not in self.names):
            return tr("This request comes from a page of another site. Open this server in a tab of its own.")
        how = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and how != OPENED_BY_A_PERSON:
            return tr("Another site asks for this. Open this server in a tab of its own.")
        return ""


def _parts(address: str) -> SplitResult | None:
    """Host and port of `name:port`; None if there is anything else in it."""
    try:
        parts = urlsplit(f"//{address.lower()}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts if parts.hostname and parts.netloc == address.lower() and "@" not in address else None


def _own_address(scope: Scope) -> str:
    """The address of this computer at which a connection came in; an empty text where there is none."""
    try:
        address = ip_address((scope.get("server") or ("",))[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


async def _refuse(sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 403; closing a WebSocket before it is accepted does that."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await PlainTextResponse(sentence, 403)(scope, receive, send)


def _with_policy(send: Send, host: str) -> Send:
    """Add what browsers are to know to each answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = POLICY.format(host=host)
            headers["X-Frame-Options"] = "SAMEORIGIN"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-DNS-Prefetch-Control"] = "off"
            headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return sending
