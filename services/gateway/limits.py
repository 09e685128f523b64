"""How much of a request's body is read, and how long it is waited for: counted as it streams in."""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asl.infra.settings import Settings

JSON_BYTES: Final = 1024 * 1024
"""Largest body of a call without files."""

MULTIPART_OVERHEAD_BYTES: Final = 64 * 1024
"""What a form may hold beside its file: boundaries, part headers, short fields."""

BATCH_IMAGES: Final = 4
"""A call with many pictures holds at most so many of the largest size: all of it is in memory at once."""

_LINGER_S: Final = 2.0
_REST_S: Final = 0.005
"""So long the rest of a body is waited for before an answer that does not need it: mostly it is there already."""

_GRACE_S: Final = 7.0
"""For how long a body is waited for, whatever comes of it."""
_SLOWEST_BYTES_PER_S: Final = 1024
"""A body that is slower after that is of a client that only means to keep the connection."""


@dataclass(frozen=True)
class PathLimit:
    """How large the bodies of certain calls may be."""

    pattern: re.Pattern[str]
    """Of `METHOD path`, all of it."""
    max_bytes: int


def path_limits(settings: Settings) -> tuple[PathLimit, ...]:
    """Return the limits of the calls that send files; all others have `JSON_BYTES`."""
    sizes = {
        r"POST /api/v1/asl/recognitions": settings.max_image_bytes,
        r"POST /api/v1/asl/recognitions/batch": BATCH_IMAGES * settings.max_image_bytes,
        r"(POST|PUT) /api/v1/.*/samples": settings.max_image_bytes,
        r"(POST|PUT) /api/v1/.*/archive": settings.max_archive_bytes,
        r"POST /api/v1/models": settings.max_model_bytes,
    }
    return tuple(
        PathLimit(re.compile(pattern), size_bytes + MULTIPART_OVERHEAD_BYTES) for pattern, size_bytes in sizes.items()
    )


class BodyLimit:
    """ASGI middleware: a body beyond the limit raises a 413 where it is read, and ends the connection.

    So does a 408 a body that dribbles: uvicorn would wait for it for ever.

    FastAPI's `max_body_size` counts in the same way, but answers in plain text where Content-Length already tells, and
    keeps the connection open for the rest. An answer that is given before the whole body came closes the connection
    here; what is still on its way is thrown away for a moment first, because closing at once would reset the
    connection and the client would never see the answer.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, by_path: Sequence[PathLimit] = (), *, grace_s: float = _GRACE_S
    ) -> None:
        """Prepare.

        Args:
            app: What answers.
            max_bytes: The limit where none of `by_path` fits.
            by_path: The first that fits counts.
            grace_s: For how long a body may come as slowly as it likes.
        """
        self._app = app
        self._max_bytes = max_bytes
        self._by_path = tuple(by_path)
        self._grace_s = grace_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # of several of one name the first counts
        if b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0":
            await self._app(scope, receive, send)
            return
        body = _Body(headers, receive, send, self._limit_of(scope), self._grace_s)
        await self._app(scope, body.receive, body.send)

    def _limit_of(self, scope: Scope) -> int:
        call = f"{scope['method']} {scope['path']}"
        return next((limit.max_bytes for limit in self._by_path if limit.pattern.fullmatch(call)), self._max_bytes)


class _Body:
    """One request's body: how much of it came, and whether all did."""

    def __init__(
        self, headers: Mapping[bytes, bytes], receive: Receive, send: Send, max_bytes: int, grace_s: float
    ) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._grace_s = grace_s
        self._waited_s = 0.0
        length = headers.get(b"content-length", b"")
        self._declared = int(length) if length.isdigit() else 0
        self._awaits_continue = b"expect" in headers
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
        if message["type"] == "http.response.start" and not await self._has_ended():
            self._closes = True
            MutableHeaders(scope=message)["Connection"] = "close"
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (is_end and self._closes):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError, HTTPException):
            await asyncio.wait_for(self._drain(), _LINGER_S)
        await self._send({"type": "http.response.body", "body": b""})

    async def _has_ended(self) -> bool:
        """Tell whether all of the body came; what is there already is taken, so that the connection can be kept."""
        if not (self._is_complete or self._awaits_continue or self._declared > self._max_bytes):
            with contextlib.suppress(TimeoutError, HTTPException):
                await asyncio.wait_for(self._drain(), _REST_S)
        return self._is_complete

    async def _next(self) -> Message:
        message = await self._receive() if self._is_complete else await self._receive_in_time()
        self._n_bytes += len(message.get("body", b""))
        self._is_complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def _receive_in_time(self) -> Message:
        """Only the time in which the client is waited for counts, not what is done with the parts between."""
        since = time.monotonic()
        patience_s = self._grace_s + self._n_bytes / _SLOWEST_BYTES_PER_S - self._waited_s
        try:
            async with asyncio.timeout(max(patience_s, 0.001)):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        finally:
            self._waited_s += time.monotonic() - since

    async def _drain(self) -> None:
        limit = self._n_bytes + 2 * self._max_bytes  # and no longer than _LINGER_S
        while not self._is_complete and self._n_bytes <= limit:
            await self._next()
