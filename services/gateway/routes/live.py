"""WebSocket `/api/v1/asl/live`: frames of a camera in, letters over time out; see deploy/live-protocol.md."""

import contextlib
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket
from fastapi.security.utils import get_authorization_scheme_param
from starlette.exceptions import HTTPException

from asl.contracts import LIVE_PROTOCOL, Scope
from asl.errors import AslError, Forbidden, Unauthenticated, Unavailable
from services.gateway.live_counts import LiveCounts
from services.gateway.live_end import CloseCode, LiveEnd
from services.gateway.live_session import LiveSession
from services.gateway.live_streams import streams_of
from services.gateway.security import identify
from services.gateway.startup import gateway_of

router = APIRouter()

_PROTOCOL: Final = f"asl.live.v{LIVE_PROTOCOL}"
_KEY: Final = "asl.key."
_CODES: Final = {
    Unauthenticated: CloseCode.UNAUTHENTICATED,
    Forbidden: CloseCode.FORBIDDEN,
    Unavailable: CloseCode.NOT_READY,
}


@router.websocket("/api/v1/asl/live")
async def live(socket: WebSocket) -> None:
    """Serve one stream.

    Refusals come after the handshake, as close codes: a browser tells a page nothing of a refused handshake.
    """
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol=_PROTOCOL if _PROTOCOL in offered else None)
    metrics = socket.app.state.metrics
    counts, end = LiveCounts(metrics), LiveEnd(CloseCode.UNFORESEEN)
    try:
        with metrics.live_streams.track_inprogress():
            end = await _serve(socket, counts)
    finally:
        socket.state.live = {"close_code": end.code, **counts.line()}  # for the log
    if not end.is_told:
        with contextlib.suppress(RuntimeError):  # it has left meanwhile
            await socket.close(end.code, end.reason)


async def _serve(socket: WebSocket, counts: LiveCounts) -> LiveEnd:
    try:
        _check_protocol(socket)
        _check_origin(socket)
        with streams_of(socket).place():
            await _check_key(socket, is_call=True)
            session = LiveSession(
                socket, gateway_of(socket), streams_of(socket), counts, lambda: _check_key(socket, is_call=False)
            )
            return await session.run()
    except Unavailable as error:
        return LiveEnd(CloseCode.NOT_READY, error.message)
    except LiveEnd as end:
        return end


def _check_protocol(socket: WebSocket) -> None:
    versions = [name for name in socket.scope["subprotocols"] if not name.startswith(_KEY)]
    if versions and _PROTOCOL not in versions:
        raise LiveEnd(CloseCode.FOREIGN, f"expected the subprotocol {_PROTOCOL}")


def _check_origin(socket: WebSocket) -> None:
    """Refuse the pages of other sites: no browser holds them back from a visitor's own machine."""
    origin = socket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != socket.headers.get("host", "").lower():
        raise LiveEnd(CloseCode.FORBIDDEN, "expected a page of this service's own host")


async def _check_key(socket: WebSocket, *, is_call: bool) -> None:
    try:
        await identify(socket, _secret_of(socket), Scope.RECOGNIZE, is_call=is_call)
    except AslError as error:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), CloseCode.UNFORESEEN)
        raise LiveEnd(code, error.message) from error
    except HTTPException as error:
        if error.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            raise
        raise LiveEnd(CloseCode.TOO_MANY, "this API key has used up its calls; try again later") from error


def _secret_of(socket: WebSocket) -> str | None:
    scheme, secret = get_authorization_scheme_param(socket.headers.get("authorization"))
    if scheme.lower() == "bearer" and secret:
        return secret
    # Browsers cannot set headers of a WebSocket.
    return next((name.removeprefix(_KEY) for name in socket.scope["subprotocols"] if name.startswith(_KEY)), None)
