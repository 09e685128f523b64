"""How much of a request's body is read: counted as it streams in, whatever its headers say."""

import asyncio
import contextlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MULTIPART_OVERHEAD_BYTES: Final = 64 * 1024
"""What a form may hold beside the image: boundaries, part headers, short fields."""

_LINGER_S: Final = 2.0


class BodyLimit:
    """ASGI middleware: a body beyond the limit raises a 413 where it is read, and ends the connection.

    FastAPI's `max_body_size` counts in the same way, but answers in plain text where Content-Length already tells, and
    keeps the connection open for the rest. An answer that is given before the whole body came closes the connection
    here; what is still on its way is thrown away for a moment first, because closing at once would reset the
    connection and the client would never see the answer.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._max_bytes)
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body: how much of it came, and whether all did."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._declared = _declared_length(scope)
        self._n_bytes = 0
        self._is_complete = False
        self._closes = False

    async def receive(self) -> Message:
        # Before the first byte: a client that waits for "100 Continue" is told so at once, and sends nothing.
        if self._declared > self._max_bytes:
            raise HTTPException(413)
        message = await self._next()
        if self._n_bytes > self._max_bytes:
            raise HTTPException(413)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._is_complete:
            self._closes = True
            MutableHeaders(scope=message)["Connection"] = "close"
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (is_end and self._closes):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drain(), _LINGER_S)
        await self._send({"type": "http.response.body", "body": b""})

    async def _next(self) -> Message:
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        self._is_complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def _drain(self) -> None:
        limit = self._n_bytes + 2 * self._max_bytes
        while not self._is_complete and self._n_bytes <= limit:
            await self._next()


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _declared_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0
