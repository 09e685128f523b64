"""Calls without parameters, which need nothing of what FastAPI does to read them."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

ShortWay: TypeAlias = Callable[[Request], Awaitable[Response | None]]
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])

_ATTRIBUTE: Final = "short_way"


class PlainCallRoute(APIRoute):
    """A route whose calls may go a short way, since FastAPI's takes longer than a classifier.

    Whatever the short way does not take, such as calls with parameters or errors in them, goes FastAPI's way.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the endpoint's short way, where it has one, before FastAPI's."""
        thorough = super().get_route_handler()
        short: ShortWay | None = getattr(self.endpoint, _ATTRIBUTE, None)
        if short is None:
            return thorough

        async def handle(request: Request) -> Response:
            return await short(request) or await thorough(request)

        return handle


def with_short_way(short: ShortWay) -> Callable[[_Endpoint], _Endpoint]:
    """Give an endpoint a short way; for routers whose `route_class` is `PlainCallRoute`.

    Args:
        short: Answers a call, or returns None for one that is not plain.
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _ATTRIBUTE, short)
        return endpoint

    return mark
