"""The outermost layer of the gateway: each request's id, its line in the log, and the answer to what nobody foresaw."""

import contextlib
import os
import re
import time
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import errors

REQUEST_ID_HEADER: Final = "X-Request-ID"
_ID_NAME: Final = REQUEST_ID_HEADER.lower().encode()
_ACCEPTED_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_CLIENT_LEFT: Final = 499  # nginx's status for "client closed request"; only ever in the log
_UNFORESEEN: Final = 1011  # RFC 6455's close code for it
_QUIET_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by whatever watches the service; in the log only when they fail."""
_MAX_LOGGED_PATH: Final = 200

_log = structlog.get_logger()


class RequestLog:
    """ASGI middleware: accepts or makes an `X-Request-ID`, returns it, and logs one line a request.

    Plain ASGI rather than Starlette's BaseHTTPMiddleware, which costs a task and a stream for each request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = _log.bind()  # once: a call of structlog's own does so each time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await self._follow(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), _CLIENT_LEFT

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_ID_NAME, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = _CLIENT_LEFT
        except Exception:
            _log.exception("unforeseen error", request_id=request_id)
            if status != _CLIENT_LEFT:
                raise  # an answer has begun: only closing the connection can tell the client
            await errors.http_problem(500, scope)(scope, receive, send_with_id)
        self._write_line(scope, status, started, request_id)

    async def _follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket; what its route leaves in `state.live` is told in its line."""
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send)
        except Exception:  # noqa: BLE001 - nothing but the log can tell of it
            _log.exception("unforeseen error", request_id=request_id)
            with contextlib.suppress(OSError, RuntimeError):  # it may be closed already
                await send({"type": "websocket.close", "code": _UNFORESEEN})
        told = scope["state"].get("live", {})
        _log.info("websocket", path=_path_of(scope), **told, ms=_ms_since(started), request_id=request_id)

    def _write_line(self, scope: Scope, status: int, started: float, request_id: str) -> None:
        if status < 400 and scope["path"] in _QUIET_PATHS:
            return
        self._log.info(
            "request",
            method=scope["method"],
            path=_path_of(scope),
            status=int(status),
            ms=_ms_since(started),
            request_id=request_id,
        )


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == _ID_NAME), b"")
    return given.decode() if _ACCEPTED_ID.fullmatch(given) else os.urandom(16).hex()


def _path_of(scope: Scope) -> str:
    """Return the raw path: percent-encoded ASCII, so that no decoded line break can forge a line."""
    path: bytes = scope.get("raw_path", b"")
    return path.decode("latin-1")[:_MAX_LOGGED_PATH]


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
