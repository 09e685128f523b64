"""`/api/v1/models/aliases`: which model has a role, and how that changes; part of `routes.models`."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.orm import Session

from asl.contracts import Alias, AliasState, Page, Promotion, PromotionRequest, RollbackRequest, Scope
from asl.errors import InvalidInput
from asl.infra import idempotency, registry
from services.gateway import errors
from services.gateway.headers import IdempotencyKey
from services.gateway.routes.datasets import Cursor, Limit
from services.gateway.security import STATUSES, Principal, allow
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/aliases", tags=["models"])

_Reader = Annotated[Principal, Depends(allow(Scope.READ))]
_Promoter = Annotated[Principal, Depends(allow(Scope.PROMOTE))]
_IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        max_length=100,
        description='The role\'s ETag as it was seen last; "0" where it is free.',
        json_schema_extra={"pattern": '^"[0-9]{1,18}"$'},
    ),
]
_REVISION: Final = re.compile(r'"(\d{1,18})"')
_ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": "The role's revision, to change it with.", "schema": {"type": "string"}}
}


@router.get("", summary="List which models have a role", responses=errors.documented(*STATUSES, 422, 500))
def list_all(caller: _Reader, request: Request) -> Page[AliasState]:
    """List which models have a role; all fit on one page."""
    with gateway_of(request).database.reading() as session:
        return Page(items=tuple(registry.states(session, caller.tenant)), next_cursor=None)


@router.get(
    "/{alias}",
    summary="Show which model has a role",
    responses={200: {"headers": _ETAG}, **errors.documented(*STATUSES, 404, 422, 500)},
)
def show(alias: Alias, caller: _Reader, request: Request, response: Response) -> AliasState:
    """Show which model has a role."""
    with gateway_of(request).database.reading() as session:
        return _tagged(registry.state(session, caller.tenant, alias), response)


@router.put(
    "/{alias}",
    summary="Give a role to a model",
    description="`production` answers recognition calls within seconds, without a restart. A quality gate compares the "
    "model with the one in production on the data on which both were evaluated last; `force` with a `reason` overrides "
    "it. `If-Match` is needed once the role is taken.",
    responses={200: {"headers": _ETAG}, **errors.documented(*STATUSES, 400, 404, 409, 412, 413, 422, 428, 500)},
)
def promote(
    *,
    alias: Alias,
    body: PromotionRequest,
    caller: _Promoter,
    request: Request,
    response: Response,
    if_match: _IfMatch = None,
) -> AliasState:
    """Give a role to a model."""
    gateway = gateway_of(request)
    with gateway.database.transaction() as session:
        registry.promote(
            session,
            tenant=caller.tenant,
            alias=alias,
            model_id=body.model,
            expected_revision=_revision(if_match),
            force=body.force,
            reason=body.reason,
            by=caller.name,
            margin=gateway.settings.gate_margin,
        )
        state = registry.state(session, caller.tenant, alias)
    return _tagged(state, response)


@router.post(
    "/{alias}/rollback",
    summary="Give a role back to the model before",
    description="Again, to the one before that. The quality gate is not asked. With `If-Match` only where the role is "
    "as it was seen last.",
    responses={200: {"headers": _ETAG}, **errors.documented(*STATUSES, 400, 404, 409, 412, 413, 422, 500)},
)
def rollback(
    *,
    alias: Alias,
    body: RollbackRequest,
    caller: _Promoter,
    request: Request,
    response: Response,
    if_match: _IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> AliasState:
    """Give a role back to the model before."""
    revision = _revision(if_match)

    def make(session: Session) -> dict[str, Any]:
        registry.rollback(
            session,
            tenant=caller.tenant,
            alias=alias,
            expected_revision=revision,
            reason=body.reason,
            by=caller.name,
        )
        return registry.state(session, caller.tenant, alias).model_dump(mode="json")

    asked = idempotency.fingerprint("POST", request.url.path, body.model_dump(mode="json"), revision)
    answer, _ = idempotency.once(gateway_of(request).database, caller.tenant, idempotency_key, asked, make)
    return _tagged(AliasState.model_validate(answer), response)


@router.get("/{alias}/history", summary="List what became of a role", responses=errors.documented(*STATUSES, 422, 500))
def history(
    alias: Alias, caller: _Reader, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[Promotion]:
    """List what became of a role, the newest first."""
    with gateway_of(request).database.reading() as session:
        return registry.history(session, caller.tenant, alias, limit=limit, cursor=cursor)


def _tagged(state: AliasState, response: Response) -> AliasState:
    response.headers["ETag"] = f'"{state.revision}"'
    return state


def _revision(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    found = _REVISION.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput(
            "expected the role's ETag in If-Match, found something else",
            hint='Send what GET answers as ETag, with its quotes, such as If-Match: "3".',
        )
    return int(found[1])
