"""`/api/v1/jobs/{id}/events` and `/log`: what happens to a job, as it happens and afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from asl.contracts import EventKind, JobEvent, Scope
from asl.errors import Busy
from asl.infra import job_views
from asl.infra.database import Database
from services.gateway import errors
from services.gateway.job_feed import JobFeed
from services.gateway.routes.jobs import JobId
from services.gateway.security import Principal, allow
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

_MAX_EVENT_ID: Final = 2**63 - 1
_EventId = Annotated[int, Field(ge=0, le=_MAX_EVENT_ID)]
_LINES_AT_ONCE: Final = 1000
_TEXT: Final = {"type": "string"}
_LOGGED: Final = (EventKind.LOG, EventKind.STATE)
_Reader = Annotated[Principal, Depends(allow(Scope.READ))]


def _described_event() -> dict[str, Any]:
    """Describe an event, and what is in its `data`, without definitions, for which a document has no place here."""
    schema = JobEvent.model_json_schema()
    schema["properties"]["kind"] = schema.pop("$defs")["EventKind"]
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "type": "object",
        "required": ["data"],
        "properties": dict.fromkeys(("event", "id"), _TEXT) | {"data": data},
    }


@dataclass(frozen=True)
class _Watch:
    job_id: str
    after: int
    is_divided: bool
    has_more: bool


def _begin(
    *,
    job_id: JobId,
    caller: _Reader,
    request: Request,
    last_event_id: Annotated[_EventId | SkipJsonSchema[None], Header()] = None,
    after: Annotated[int, Query(ge=0, le=_MAX_EVENT_ID, description="Only events with a larger id.")] = 0,
) -> _Watch:
    """Find out what is to be watched; as a dependency, so that problems are answered before the stream begins."""
    # A browser that connects again sends the header, and the address as it was at first.
    last = after if last_event_id is None else last_event_id
    with gateway_of(request).database.reading() as session:
        row = job_views.find(session, caller.tenant, job_id)
        has_more = job_views.has_more(session, row, last)
    if has_more and _feed_of(request).is_full:
        raise Busy("too many watch jobs already", hint="Look at the job itself every few seconds instead.")
    return _Watch(row.id, last, row.n_shards > 0, has_more)


@router.get(
    "/{job_id}/events",
    summary="Watch a job",
    description="Server-sent events `state`, `progress` and `log`, each a `JobEvent`: the past ones first, then those "
    "that come, until the job has ended. After a cut, `Last-Event-ID` (or `after`) goes on where it was; 204 where "
    "nothing can come any more.",
    response_class=Response,
    responses={
        200: {"description": "Events.", "content": {"text/event-stream": {"itemSchema": _described_event()}}},
        204: {"description": "The job has ended, and all of its events are known."},
        **errors.documented(401, 403, 404, 422, 429, 500, 503),
    },
)
async def watch(watched: Annotated[_Watch, Depends(_begin)], request: Request) -> Response:
    """Stream a job's events; a comment is sent where there is none for 15 s."""
    if not watched.has_more:
        return Response(status_code=204)  # to an EventSource this says: do not connect again
    events = _feed_of(request).watch(watched.job_id, watched.after, is_divided=watched.is_divided)
    # For proxies, nginx above all: events are not to be kept back.
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return EventSourceResponse(events, headers=headers)


@router.get(
    "/{job_id}/log",
    summary="Read a job's log",
    description="Lines of time, attempt and text: what the job told, and its moves from state to state.",
    response_class=Response,
    responses={
        200: {"description": "The log so far.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **errors.documented(401, 403, 404, 422, 429, 500, 503),
    },
)
def read_log(job_id: JobId, caller: _Reader, request: Request) -> Response:
    """Stream a job's log, a piece at a time."""
    database = gateway_of(request).database
    with database.reading() as session:
        job_views.find(session, caller.tenant, job_id)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return StreamingResponse(_lines(database, job_id), media_type="text/plain; charset=utf-8", headers=headers)


def _feed_of(request: Request) -> JobFeed:
    """Return the application's feed, set up with the first who watches."""
    database = gateway_of(request).database
    feed: tuple[Database, JobFeed] | None = getattr(request.app.state, "job_feed", None)
    if feed is None or feed[0] is not database:
        feed = request.app.state.job_feed = (database, JobFeed(database))
    return feed[1]


def _lines(database: Database, job_id: str) -> Iterator[str]:
    last = 0
    while True:
        with database.reading() as session:
            events = job_views.events(session, job_id, last, _LOGGED, _LINES_AT_ONCE)
        yield "".join(f"{_time(event)} {event.attempt} {line}\n" for event in events for line in _texts(event))
        if len(events) < _LINES_AT_ONCE:
            return
        last = events[-1].id


def _time(event: JobEvent) -> str:
    return event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _texts(event: JobEvent) -> list[str]:
    if event.kind is EventKind.LOG:
        return str(event.data.get("text", "")).splitlines() or [""]
    told: dict[str, Any] = dict(event.data)
    state, error = told.pop("state", ""), told.pop("error", None)
    why = [error["message"]] if error else []
    return [" - ".join([f"state {state}", *why, *(f"{name}: {value}" for name, value in told.items())])]
