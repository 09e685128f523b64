"""Who calls, and whether they may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from asl.contracts import Scope
from asl.errors import Forbidden, Unauthenticated
from asl.infra import keys
from services.gateway.startup import Gateway, gateway_of

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


def allow(scope: Scope) -> Callable[..., Principal]:
    """Make a dependency that lets callers with a scope through, and tells who they are.

    Use it as `caller: Annotated[Principal, Depends(allow(Scope.READ))]`, in handlers that are no coroutines.
    """

    def check(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Principal:
        gateway = gateway_of(request)
        principal = _identify(gateway, given.credentials if given else None)
        if scope not in principal.scopes:
            raise Forbidden(f"this API key does not allow to {scope}", hint="Ask the operator for a key that does.")
        return principal

    return check


def _identify(gateway: Gateway, secret: str | None) -> Principal:
    limit = gateway.settings.max_unfinished_jobs
    if not gateway.settings.keys_required:
        return Principal(keys.LOCAL_TENANT, keys.LOCAL_TENANT, frozenset(Scope), limit)
    if not secret:
        raise Unauthenticated("expected an API key, found none", hint=_HINT)
    with gateway.database.reading() as session:
        key = keys.find(session, secret)
    if key is None:
        raise Unauthenticated("expected an API key, found one that is not known or was revoked", hint=_HINT)
    return Principal(key.name, key.tenant, frozenset(key.scopes), key.max_unfinished_jobs or limit)
