"""`/api/v1/jobs`: jobs accepted, shown, listed, cancelled and tried again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from asl.contracts import (
    ENDED,
    ChainRequest,
    Contract,
    Id,
    Job,
    JobKind,
    JobRequest,
    JobState,
    Name,
    Page,
    Queue,
    Scope,
)
from asl.errors import Conflict
from asl.infra import idempotency, job_views, jobs, submission
from asl.infra.submission import Submitter
from services.gateway import errors
from services.gateway.headers import IdempotencyKey
from services.gateway.routes.datasets import Cursor, Limit
from services.gateway.security import Principal, allow
from services.gateway.startup import gateway_of

PREFIX: Final = "/api/v1/jobs"
router = APIRouter(prefix=PREFIX, tags=["jobs"])

JobId = Annotated[Id, Path(description="The job's id.")]
_Reader = Annotated[Principal, Depends(allow(Scope.READ))]
_Writer = Annotated[Principal, Depends(allow(Scope.WRITE))]
_RETRY_AFTER: Final = {"Retry-After": "1"}
_ACCEPTED_HEADERS: Final[dict[str, Any]] = {
    "Location": {"description": "The job's address.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth looking.", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {"description": "'true': an earlier call made this.", "schema": {"type": "string"}},
}
_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"headers": _ACCEPTED_HEADERS},
    **errors.documented(400, 401, 403, 404, 409, 413, 422, 429, 500, 503),
}


class Jobs(Contract):
    """The jobs of a chain, in the order in which they were asked for."""

    jobs: tuple[Job, ...]


@router.post(
    "",
    summary="Ask for a job",
    description="Accepted at once, done later: look at its address, or watch its events.",
    status_code=202,
    response_model=Job,
    responses=_ACCEPTED,
)
def submit(
    body: Annotated[JobRequest, Body()], caller: _Writer, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Accept a job."""
    return _accept(caller, request, idempotency_key, [body], lambda jobs: jobs[0].model_dump(mode="json"))


@router.post(
    "/chain",
    summary="Ask for several jobs",
    description="All are accepted, or none. They may name each other by `ref`, in any order.",
    status_code=202,
    response_model=Jobs,
    responses=_ACCEPTED,
)
def submit_chain(
    body: ChainRequest, caller: _Writer, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Accept several jobs."""
    return _accept(
        caller, request, idempotency_key, body.jobs, lambda jobs: Jobs(jobs=tuple(jobs)).model_dump(mode="json")
    )


@router.get(
    "", summary="List jobs", response_model=Page[Job], responses=errors.documented(401, 403, 422, 429, 500, 503)
)
def list_all(
    *,
    caller: _Reader,
    request: Request,
    kind: JobKind | None = None,
    state: Annotated[list[JobState] | None, Query(max_length=len(JobState), description="One or several.")] = None,
    queue: Queue | None = None,
    name: Annotated[Name | None, Query(description="What the job was called.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List jobs, the newest first."""
    filters = job_views.Filters(kind, state or (), queue, name)
    with gateway_of(request).database.reading() as session:
        page = job_views.page(session, caller.tenant, filters, limit=limit, cursor=cursor)
    # As bytes: FastAPI would validate our own objects once more.
    return Response(page.model_dump_json(), media_type="application/json")


@router.get("/{job_id}", summary="Show a job", responses=errors.documented(401, 403, 404, 422, 429, 500, 503))
def show(job_id: JobId, caller: _Reader, request: Request, response: Response) -> Job:
    """Show a job as it stands."""
    with gateway_of(request).database.reading() as session:
        job = job_views.show(session, job_views.find(session, caller.tenant, job_id))
    if job.state not in ENDED:
        response.headers.update(_RETRY_AFTER)
    return job


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    description="One that has not begun is cancelled at once; a running one is told, and ends a little later (202). "
    "One that has ended stays as it is.",
    response_model=Job,
    responses={
        202: {"model": Job, "description": "It has been told to stop."},
        **errors.documented(401, 403, 404, 409, 422, 429, 500, 503),
    },
)
def cancel(job_id: JobId, caller: _Writer, request: Request) -> Response:
    """Cancel a job."""
    with gateway_of(request).database.transaction() as session:
        row = job_views.find(session, caller.tenant, job_id)
        if row.parent_id:
            raise Conflict(f"this is a part of job {row.parent_id}", hint="Cancel that one.")
        jobs.cancel(session, job_id)
        job = job_views.show(session, row)
    has_ended = job.state in ENDED
    return JSONResponse(job.model_dump(mode="json"), 200 if has_ended else 202, {} if has_ended else _RETRY_AFTER)


@router.post(
    "/{job_id}/retry",
    summary="Try a job again",
    description="Makes a new job of what a failed or cancelled one was asked for, and of failed ones that it needs; "
    "a training goes on from its last checkpoint.",
    status_code=202,
    response_model=Job,
    responses=_ACCEPTED,
)
def retry(job_id: JobId, caller: _Writer, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Try a job again."""

    def make(session: Session) -> dict[str, Any]:
        new_id = submission.retry(session, _submitter(caller, request), job_id)
        return job_views.show(session, job_views.find(session, caller.tenant, new_id)).model_dump(mode="json")

    return _once(caller, request, idempotency_key, None, make)


def _accept(
    caller: Principal,
    request: Request,
    key: str | None,
    requests: Sequence[JobRequest],
    to_answer: Callable[[Sequence[Job]], dict[str, Any]],
) -> Response:
    gateway, body = gateway_of(request), [asked.model_dump(mode="json") for asked in requests]
    if answer := idempotency.find_answer(gateway.database, caller.tenant, key, _fingerprint(request, body)):
        return _answered(answer, is_replayed=True)
    # Before the transaction: this may write to the store.
    prepared = submission.prepare(gateway.database, gateway.storage, gateway.settings, caller.tenant, requests)

    def make(session: Session) -> dict[str, Any]:
        ids = submission.submit(session, _submitter(caller, request), prepared)
        rows = [job_views.find(session, caller.tenant, job_id) for job_id in ids]
        return to_answer([job_views.show(session, row) for row in rows])

    return _once(caller, request, key, body, make)


def _once(
    caller: Principal, request: Request, key: str | None, body: Any, make: Callable[[Session], Mapping[str, Any]]
) -> Response:
    """Make jobs once, and answer 202 with them."""
    database = gateway_of(request).database
    answer, is_replayed = idempotency.once(database, caller.tenant, key, _fingerprint(request, body), make)
    return _answered(answer, is_replayed=is_replayed)


def _fingerprint(request: Request, body: Any) -> str:
    return idempotency.fingerprint(request.method, request.url.path, body)


def _answered(answer: Mapping[str, Any], *, is_replayed: bool) -> Response:
    last = answer["jobs"][-1] if "jobs" in answer else answer
    headers = {"Location": f"{PREFIX}/{last['id']}", **_RETRY_AFTER}
    if is_replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(answer, 202, headers)


def _submitter(caller: Principal, request: Request) -> Submitter:
    return Submitter(caller.tenant, caller.name, caller.max_unfinished_jobs, errors.request_id(request.scope))
