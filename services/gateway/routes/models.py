"""`/api/v1/models`: trained models, their cards and files, and the import of new ones."""

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from asl.contracts import Job, Model, Name, Page, Scope
from asl.errors import ModelInvalid
from asl.infra import idempotency, job_views, registry, submission, tables
from asl.infra.submission import Submitter
from services.gateway import downloads, errors, plain_card
from services.gateway.headers import IdempotencyKey
from services.gateway.routes import aliases, jobs
from services.gateway.routes.datasets import Cursor, Limit
from services.gateway.security import STATUSES, Principal, allow
from services.gateway.spooling import spooled
from services.gateway.startup import Gateway, gateway_of

PREFIX: Final = "/api/v1/models"
router = APIRouter(prefix=PREFIX, tags=["models"])
router.include_router(aliases.router)  # first: `aliases` is no model

_Reader = Annotated[Principal, Depends(allow(Scope.READ))]
_Writer = Annotated[Principal, Depends(allow(Scope.WRITE))]
_IdOrNumber = Annotated[
    str, PathParameter(pattern=r"^([0-9a-f]{32}|[1-9][0-9]{0,17})$", description="The model's id or number.")
]
_MEDIA_TYPE: Final = "application/octet-stream"
_CARD: Final = "model_card.md"
_MARKDOWN: Final = "text/markdown; charset=utf-8"
_MAX_CARD_BYTES: Final = 1024 * 1024
_ACCEPTED_HEADERS: Final[dict[str, Any]] = {
    "Location": {"description": "The address of the job that checks it.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth looking.", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {"description": "'true': an earlier call made this.", "schema": {"type": "string"}},
}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}


@router.get("", summary="List models", responses=errors.documented(*STATUSES, 422, 500))
def list_all(caller: _Reader, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Page[Model]:
    """List models, the newest first."""
    with gateway_of(request).database.reading() as session:
        return registry.list_models(session, caller.tenant, limit=limit, cursor=cursor)


@router.post(
    "",
    summary="Import a model",
    description="A `.pt` file as `asl train-model` writes it, as the raw body: `curl -T best_model.pt -X POST "
    f"-H 'Content-Type: {_MEDIA_TYPE}' ...`. A job checks it, and makes a model of it if it is one.",
    status_code=202,
    response_model=Job,
    responses={202: {"headers": _ACCEPTED_HEADERS}, **errors.documented(*STATUSES, 413, 415, 422, 500)},
    openapi_extra={"requestBody": _BODY},
)
async def import_model(
    caller: _Writer,
    request: Request,
    name: Annotated[Name | None, Query(description="What people call the job.")] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Accept a model's file."""
    gateway = gateway_of(request)
    if request.headers.get("content-type", _MEDIA_TYPE).partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise HTTPException(415)
    submitter = Submitter(caller.tenant, caller.name, caller.max_unfinished_jobs, errors.request_id(request.scope))
    async with spooled(request, gateway.settings.max_model_bytes) as path:
        # Not in the threads that answer other calls: a large file to a far store takes a while.
        answer, is_replayed = await asyncio.to_thread(_accept, gateway, submitter, path, name, idempotency_key)
    headers = {"Location": f"{jobs.PREFIX}/{answer['id']}", "Retry-After": "1"}
    if is_replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(answer, 202, headers)


@router.get("/{model}", summary="Show a model", responses=errors.documented(*STATUSES, 404, 422, 500))
def show(model: _IdOrNumber, caller: _Reader, request: Request) -> Model:
    """Show a model with its evaluations and roles."""
    with gateway_of(request).database.reading() as session:
        return registry.to_contract(session, registry.find(session, caller.tenant, model))


@router.get(
    "/{model}/card",
    summary="Read a model's card",
    description="What it was made of, how it did, and what that does not tell; Markdown.",
    response_class=Response,
    responses={
        200: {"content": {"text/markdown": {"schema": {"type": "string"}}}},
        **errors.documented(*STATUSES, 404, 422, 500),
    },
)
def card(model: _IdOrNumber, caller: _Reader, request: Request) -> Response:
    """Answer with the card that its training wrote, or a short one."""
    gateway = gateway_of(request)
    with gateway.database.reading() as session:
        row = registry.find(session, caller.tenant, model)
        is_card = (tables.Artifact.job_id == row.job_id, tables.Artifact.name == _CARD)
        key = session.scalar(select(tables.Artifact.key).where(*is_card))
        if key is None:
            return Response(plain_card.write(registry.to_contract(session, row)), media_type=_MARKDOWN)
    return Response(b"".join(gateway.storage.open(key, end=_MAX_CARD_BYTES)), media_type=_MARKDOWN)


@router.get(
    "/{model}/file",
    summary="Download a model",
    description="The `.pt` file. `ETag`, `X-Content-SHA256` and `Repr-Digest` tell its SHA-256. A single `Range` is "
    "followed.",
    response_class=Response,
    responses={**downloads.BYTES, **errors.documented(*STATUSES, 404, 416, 422, 500)},
)
def download(model: _IdOrNumber, caller: _Reader, request: Request) -> Response:
    """Stream a model's file."""
    gateway = gateway_of(request)
    with gateway.database.reading() as session:
        row = registry.find(session, caller.tenant, model)
    file = tables.Artifact(
        name=f"model-{row.number}.pt", key=row.key, sha256=row.sha256, size_bytes=row.size_bytes, media_type=_MEDIA_TYPE
    )
    return downloads.respond(file, gateway.storage, request.headers)


def _accept(
    gateway: Gateway, submitter: Submitter, path: Path, name: str | None, idempotency_key: str | None
) -> tuple[Any, bool]:
    """Store a file and submit its check; returns the job as JSON, and whether an earlier call has made it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size_bytes = path.stat().st_size
    if not size_bytes:
        raise ModelInvalid("expected a model's file as the body, found no bytes", hint="curl -T best_model.pt ...")
    stored = gateway.storage.put(f"imports/{sha256}.pt", path, sha256=sha256)

    def make(session: Session) -> dict[str, Any]:
        job_id = submission.submit_model_import(
            session, submitter, key=stored.key, sha256=sha256, size_bytes=size_bytes, name=name
        )
        return job_views.show(session, job_views.find(session, submitter.tenant, job_id)).model_dump(mode="json")

    asked = idempotency.fingerprint("POST", PREFIX, sha256, name)
    return idempotency.once(gateway.database, submitter.tenant, idempotency_key, asked, make)
