"""Refuses what foreign web pages ask through a visitor's browser, where no key keeps them out.

A page of any site can have its visitor's browser call a service on the visitor's own machine: by sending a form, or by
having its own name resolve to 127.0.0.1 (DNS rebinding), which makes the service a part of its own site.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from asl.errors import ForeignSite
from services.gateway.errors import problem_of

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""A foreign page may have these sent, but its browser does not show it the answers."""


class OwnSites:
    """ASGI middleware: lets through what is called under a name of this service and not from another site's page."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        """Prepare.

        Args:
            app: What answers.
            names: Host names of this service, beside localhost and the address to which a call came.
        """
        self._app = app
        self._names = _LOOPBACK | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let a WebSocket begin."""
        if scope["type"] in {"http", "websocket"} and (problem := self._problem_of(scope)):
            await problem_of(problem, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _problem_of(self, scope: Scope) -> ForeignSite | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "localhost").lower()  # browsers always tell it
        name = _name_of(host)
        if name not in self._names and name != (scope.get("server") or ("",))[0]:
            return ForeignSite(
                "expected a Host header with localhost or a name of this service, found another",
                hint="Call http://127.0.0.1:PORT, or name the host in ASL_ALLOWED_HOSTS.",
            )
        origin = headers.get("origin")
        if origin is None or _is_harmless(scope) or urlsplit(origin).netloc.lower() == host:
            return None
        return ForeignSite(
            "expected a page of this service, found one of another site", hint="Open this service's own."
        )


def _is_harmless(scope: Scope) -> bool:
    """Tell whether a foreign page may ask for it; for WebSockets the route itself has a close code."""
    return scope["type"] == "websocket" or scope["method"] in _READING


def _name_of(host: str) -> str:
    """Return a Host header without its port, and an IPv6 address without brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
