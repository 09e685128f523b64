"""`/api/v1/jobs/{id}/artifacts`: the files that a job has made."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from asl.contracts import Artifact, Page, Scope
from asl.infra import job_views, tables
from services.gateway import downloads, errors
from services.gateway.routes.jobs import JobId
from services.gateway.security import Principal, allow
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

_URL_AGE_S: Final = 300
_BYTES: Final[dict[int | str, dict[str, object]]] = {
    **downloads.BYTES,
    **{status: {**downloads.BYTES[status], "content": {"*/*": {}}} for status in (200, 206)},
}
"""An artifact says itself of which type it is."""
_Reader = Annotated[Principal, Depends(allow(Scope.READ))]
_Name = Annotated[
    str,
    Path(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$", description="The artifact's name."),
]


@router.get(
    "/{job_id}/artifacts",
    summary="List what a job has made",
    responses=errors.documented(401, 403, 404, 422, 429, 500, 503),
)
def list_all(job_id: JobId, caller: _Reader, request: Request) -> Page[Artifact]:
    """List a job's artifacts by name; all fit on one page."""
    with gateway_of(request).database.reading() as session:
        row = job_views.find(session, caller.tenant, job_id)
        return Page(items=tuple(job_views.artifacts(session, row.id)), next_cursor=None)


@router.get(
    "/{job_id}/artifacts/{name}",
    summary="Download what a job has made",
    description="`ETag`, `X-Content-SHA256` and `Repr-Digest` tell the file's SHA-256. A single `Range` is followed.",
    response_class=Response,
    responses={**_BYTES, **errors.documented(401, 403, 404, 416, 422, 429, 500, 503)},
)
def download(
    job_id: JobId,
    name: _Name,
    caller: _Reader,
    request: Request,
    presigned: Annotated[bool, Query(description="Redirect to the store where it can be reached by URL.")] = False,  # noqa: FBT002 - FastAPI calls by name
) -> Response:
    """Stream an artifact's bytes."""
    artifact, gateway = _find(job_id, name, caller, request), gateway_of(request)
    if presigned:
        url = gateway.storage.presigned_url(artifact.key, file_name=artifact.name, expires_s=_URL_AGE_S)
        if url is not None:
            return RedirectResponse(url, 307, headers={"Cache-Control": "no-store"})
    return downloads.respond(artifact, gateway.storage, request.headers)


@router.head(
    "/{job_id}/artifacts/{name}",
    summary="Describe what a job has made",
    response_class=Response,
    responses={
        200: {"description": "The headers that the download has."},
        304: {"description": "The client has these bytes already."},
        **errors.documented(401, 403, 404, 422, 429, 500, 503),
    },
)
def describe(job_id: JobId, name: _Name, caller: _Reader, request: Request) -> Response:
    """Answer with the headers of the download alone."""
    artifact = _find(job_id, name, caller, request)
    status = 304 if downloads.is_unchanged(artifact, request.headers) else 200
    return Response(status_code=status, headers=downloads.describe(artifact), media_type=artifact.media_type)


def _find(job_id: str, name: str, caller: Principal, request: Request) -> tables.Artifact:
    with gateway_of(request).database.reading() as session:
        return job_views.find_artifact(session, caller.tenant, job_id, name)
