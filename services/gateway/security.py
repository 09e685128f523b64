"""Who calls, and whether they may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection

from asl.contracts import Scope
from asl.errors import Forbidden, Unauthenticated
from asl.infra import keys
from asl.infra.database import Database
from services.gateway.key_ring import KeyRing
from services.gateway.rates import CallRates
from services.gateway.startup import Gateway, gateway_of

STATUSES: Final = (401, 403, 429, 503)
"""With which `allow` may refuse a call, for `errors.documented`."""

_ALL: Final = frozenset(Scope)
_BEARER: Final = HTTPBearer(auto_error=False, description="An API key; none is needed on a machine of one's own.")
_HINT: Final = "Send a key as the header 'Authorization: Bearer KEY'; the operator makes one with: asl key create"


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    name: str
    """The key's."""
    tenant: str
    scopes: frozenset[Scope]
    max_unfinished_jobs: int


def allow(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """Make a dependency that lets callers with a scope through, and tells who they are.

    Use it as `caller: Annotated[Principal, Depends(allow(Scope.READ))]`. It costs neither a thread nor a query: where
    no keys are asked for it knows the answer, and else `key_ring` mostly does.
    """

    async def check(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> Principal:
        return await identify(request, given.credentials if given else None, scope)

    return check


async def admit(request: Request, scope: Scope) -> Principal:
    """Do as the dependency of `allow` does, for a route that reads its calls by itself."""
    given = await _BEARER(request) if gateway_of(request).keys_required else None
    return await identify(request, given.credentials if given else None, scope)


async def identify(connection: HTTPConnection, secret: str | None, scope: Scope, *, is_call: bool = True) -> Principal:
    """Tell who holds a key, if it has a scope.

    Args:
        connection: A request or a WebSocket.
        secret: The key's; None where none was given.
        scope: What the caller wants to do.
        is_call: Whether this counts as a call; False where a long one is only looked at again.

    Raises:
        Unauthenticated: A key is needed, and none was given, or one that is not known or was revoked.
        Forbidden: The key does not have the scope.
        HTTPException: 429: the key has used up its calls.
        Unavailable: The key cannot be looked up now.
    """
    principal = await _look_up(connection, secret, is_call=is_call)
    if scope not in principal.scopes:
        raise Forbidden(f"this API key does not allow to {scope}", hint="Ask the operator for a key that does.")
    return principal


@dataclass(frozen=True)
class _Desk:
    """What an application knows of its callers."""

    database: Database
    ring: KeyRing
    rates: CallRates = field(default_factory=CallRates)


async def _look_up(connection: HTTPConnection, secret: str | None, *, is_call: bool) -> Principal:
    gateway = gateway_of(connection)
    limit = gateway.settings.max_unfinished_jobs
    if not gateway.keys_required:
        return Principal(keys.LOCAL_TENANT, keys.LOCAL_TENANT, _ALL, limit)
    if not secret:
        raise Unauthenticated("expected an API key, found none", hint=_HINT)
    desk = _desk_of(connection, gateway)
    key = await desk.ring.find(secret)
    if key is None:
        raise Unauthenticated("expected an API key, found one that is not known or was revoked", hint=_HINT)
    if is_call:
        desk.rates.count(key)
    return Principal(key.name, key.tenant, frozenset(key.scopes), key.max_unfinished_jobs or limit)


def _desk_of(connection: HTTPConnection, gateway: Gateway) -> _Desk:
    """Return the application's desk, set up with the first call that has a key."""
    desk: _Desk | None = getattr(connection.app.state, "desk", None)
    if desk is None or desk.database is not gateway.database:
        desk = connection.app.state.desk = _Desk(gateway.database, KeyRing(gateway.database))
    return desk
