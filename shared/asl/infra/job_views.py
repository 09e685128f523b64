"""Rows to contracts: jobs as users see them, lists of them, their events and what they have made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, String, and_, cast, column, func, or_, select, tuple_, values
from sqlalchemy.orm import Session

from asl.contracts import (
    ENDED,
    SHARD_SIZE,
    Artifact,
    EventKind,
    Job,
    JobError,
    JobEvent,
    JobKind,
    JobState,
    Page,
    Progress,
    Queue,
    ShardCounts,
)
from asl.errors import NotFound
from asl.infra import jobs, pages, tables
from asl.infra.database import now, to_datetime
from asl.infra.job_references import jobs_named_in
from asl.infra.tables import DatasetVersion

_AT_WORK: Final = (JobState.RUNNING, JobState.CANCELLING)
_UNIT: Final = "photographs"
_EVENT: Final = (
    tables.JobEvent.id,
    tables.JobEvent.at,
    tables.JobEvent.kind,
    tables.JobEvent.attempt,
    tables.JobEvent.data,
)
"""Columns, for there may be thousands: a row as an object takes as long as all else."""


@dataclass(frozen=True)
class Filters:
    """Which jobs a list shows; all where nothing is given."""

    kind: JobKind | None = None
    states: Sequence[JobState] = ()
    queue: Queue | None = None
    name: str | None = None


def find(session: Session, tenant: str, job_id: str) -> tables.Job:
    """Look a job up; parts of jobs are found too.

    Raises:
        NotFound: The tenant has no such job.
    """
    row = session.scalar(select(tables.Job).where(tables.Job.tenant == tenant, tables.Job.id == job_id))
    if row is None:
        raise NotFound("no job has this id", hint="GET /api/v1/jobs lists the jobs.")
    return row


def show(session: Session, row: tables.Job) -> Job:
    """Describe a job as it stands, with its place in its queue."""
    session.refresh(row)
    position = session.scalar(jobs.starts_before(row)) if row.state == JobState.QUEUED else None
    return describe(session, [row])[0].model_copy(update={"position": position})


def describe(session: Session, rows: Sequence[tables.Job]) -> list[Job]:
    """Describe jobs as they stand, without their places in the queue."""
    divided = _describe_divided(session, [row for row in rows if row.n_shards])
    return [_to_job(row, *divided.get(row.id, (Progress.model_validate(row.progress or {}), None))) for row in rows]


def page(session: Session, tenant: str, filters: Filters, *, limit: int, cursor: str | None) -> Page[Job]:
    """List jobs, the newest first; parts of jobs are left out.

    Raises:
        InvalidInput: The cursor is none of ours.
    """
    row = tables.Job
    query = select(row).where(row.tenant == tenant, row.parent_id.is_(None), *_conditions(filters))
    if after := pages.decode(cursor):
        query = query.where(tuple_(row.created_at, row.id) < after)
    rows = session.scalars(query.order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(describe(session, rows[:limit]))
    return Page(items=items, next_cursor=pages.encode(last.created_at, last.id) if last else None)


def events(session: Session, job_id: str, after: int, kinds: Sequence[EventKind], limit: int) -> list[JobEvent]:
    """Return what happened to a job after an event, the oldest first."""
    row = tables.JobEvent
    query = select(*_EVENT).where(row.job_id == job_id, row.id > after, row.kind.in_(kinds))
    return [_to_event(*found) for found in session.execute(query.order_by(row.id).limit(limit))]


def news(session: Session, watched: Sequence[tuple[int, str, int]], limit: int) -> list[tuple[int, JobEvent]]:
    """Return what happened to several jobs, in one query that reads nothing else.

    Args:
        session: The transaction.
        watched: For each who watches: a number of theirs, the job's id, and the id of the last event that they know.
        limit: At most so many events.

    Returns:
        The watchers' numbers with their events, the oldest first.
    """
    places = (column("watcher", Integer), column("job_id", String), column("after", tables.JobEvent.id.type))
    asked = values(*places, name="asked").data(list(watched)).cte("watched")
    row = tables.JobEvent
    query = (
        select(asked.c.watcher, *_EVENT)
        .join(asked, and_(row.job_id == asked.c.job_id, row.id > asked.c.after))
        .order_by(row.id)
        .limit(limit)
    )
    return [(watcher, _to_event(*found)) for watcher, *found in session.execute(query)]


def progress_of_divided(session: Session, job_ids: Sequence[str]) -> dict[str, JobEvent]:
    """Tell how far divided jobs are now: this is counted, and not written down as events with ids of their own."""
    rows = session.scalars(select(tables.Job).where(tables.Job.id.in_(job_ids), tables.Job.n_shards > 0)).all()
    at = to_datetime(session.execute(select(now())).scalar_one())
    described = _describe_divided(session, rows)
    return {
        row.id: JobEvent(
            id=0,
            at=at,
            kind=EventKind.PROGRESS,
            attempt=row.attempt,
            data=described[row.id][0].model_dump(mode="json"),
        )
        for row in rows
    }


def has_more(session: Session, row: tables.Job, after: int) -> bool:
    """Tell whether events of a job come after one that is known, now or later."""
    if row.state not in ENDED:
        return True
    later = select(tables.JobEvent.id).where(tables.JobEvent.job_id == row.id, tables.JobEvent.id > after).limit(1)
    return session.scalar(later) is not None


def artifacts(session: Session, job_id: str) -> list[Artifact]:
    """Return the files that a job has made, by name."""
    row = tables.Artifact
    return [
        Artifact(
            name=found.name,
            sha256=found.sha256,
            size_bytes=found.size_bytes,
            media_type=found.media_type,
            created_at=to_datetime(found.created_at),
        )
        for found in session.scalars(select(row).where(row.job_id == job_id).order_by(row.name))
    ]


def find_artifact(session: Session, tenant: str, job_id: str, name: str) -> tables.Artifact:
    """Look up a file that a job has made.

    Raises:
        NotFound: The tenant has no such job, or it has not made the file.
    """
    find(session, tenant, job_id)
    row = session.scalar(select(tables.Artifact).where(tables.Artifact.job_id == job_id, tables.Artifact.name == name))
    if row is None:
        raise NotFound(
            "this job has made no file of this name", hint=f"GET /api/v1/jobs/{job_id}/artifacts lists them."
        )
    return row


def _to_job(row: tables.Job, progress: Progress, shards: ShardCounts | None) -> Job:
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        name=row.name,
        state=JobState.RUNNING if _has_begun_waiting(row) else JobState(row.state),
        queue=Queue(row.queue),
        priority=row.priority,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        lost_count=row.lost_count,
        position=None,
        progress=progress,
        shards=shards,
        depends_on=jobs_named_in(row.request),
        request=row.request,
        result=row.result,
        error=JobError.model_validate(row.error) if row.error else None,
        created_at=to_datetime(row.created_at),
        started_at=None if row.started_at is None else to_datetime(row.started_at),
        finished_at=None if row.finished_at is None else to_datetime(row.finished_at),
    )


def _to_event(event_id: int, at: float, kind: str, attempt: int, data: dict[str, Any]) -> JobEvent:
    return JobEvent(id=event_id, at=to_datetime(at), kind=EventKind(kind), attempt=attempt, data=data)


def _has_begun_waiting(row: tables.Job) -> bool:
    """Tell whether a job waits for parts of which one has begun: users see it at work."""
    return row.state == JobState.WAITING and row.started_at is not None


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    row = tables.Job
    given = {row.kind: filters.kind, row.queue: filters.queue, row.name: filters.name}
    conditions = [place == value for place, value in given.items() if value is not None]
    if filters.states:
        conditions.append(or_(*(_is_shown_as(state) for state in set(filters.states))))
    return conditions


def _is_shown_as(state: JobState) -> ColumnElement[bool]:
    row = tables.Job
    waits = row.state == JobState.WAITING
    if state is JobState.WAITING:
        return waits & row.started_at.is_(None)
    if state is JobState.RUNNING:
        return (row.state == state) | (waits & row.started_at.is_not(None))
    return row.state == state


@dataclass(frozen=True)
class _Parts:
    """How far the parts of a job are."""

    n_succeeded: int = 0
    n_running: int = 0
    n_done_running: int = 0
    """Photographs of parts at work."""
    has_last: bool = False
    """Whether the last part, which may be smaller, has succeeded."""


def _describe_divided(session: Session, rows: Sequence[tables.Job]) -> dict[str, tuple[Progress, ShardCounts]]:
    if not rows:
        return {}
    totals = _totals(session, rows)
    parts = _parts(session, [row for row in rows if row.state != JobState.SUCCEEDED])
    at = session.execute(select(now())).scalar_one()
    found = {}
    for row in rows:
        default = _Parts(n_succeeded=row.n_shards, has_last=True) if row.state == JobState.SUCCEEDED else _Parts()
        counted = parts.get(row.id, default)
        counts = ShardCounts(total=row.n_shards, succeeded=counted.n_succeeded, running=counted.n_running)
        found[row.id] = _progress(row, totals.get(row.id, row.n_shards * SHARD_SIZE), counted, at), counts
    return found


def _progress(row: tables.Job, total: int, parts: _Parts, at: float) -> Progress:
    size = row.request.get("shard_size", SHARD_SIZE)
    missing = (row.n_shards * size - total) if parts.has_last else 0
    done = min(parts.n_succeeded * size - missing + parts.n_done_running, total)
    seconds = (row.finished_at or at) - row.started_at if row.started_at is not None else 0.0
    rate = done / seconds if done and seconds > 0 else None
    eta_s = (total - done) / rate if rate and row.state not in ENDED else None
    note = (row.progress or {}).get("note", "")
    return Progress(done=done, total=total, unit=_UNIT, rate_per_s=rate, eta_s=eta_s, note=note)


def _totals(session: Session, rows: Sequence[tables.Job]) -> dict[str, int]:
    """Count the photographs of jobs' versions; one whose data set was deleted is left out."""
    wanted = {row.id: (row.request["dataset"], row.request["version"]) for row in rows}
    version = DatasetVersion
    query = select(version.dataset_id, version.number, version.n_samples).where(
        tuple_(version.dataset_id, version.number).in_(set(wanted.values()))
    )
    n_samples = {(dataset_id, number): n for dataset_id, number, n in session.execute(query)}
    return {job_id: n_samples[key] for job_id, key in wanted.items() if key in n_samples}


def _parts(session: Session, rows: Sequence[tables.Job]) -> Mapping[str, _Parts]:
    row = tables.Job
    n_done = cast(row.progress["done"].as_string(), Integer)
    succeeded, at_work = row.state == JobState.SUCCEEDED, row.state.in_(_AT_WORK)
    counted = (
        select(
            row.parent_id,
            func.count().filter(succeeded),
            func.count().filter(at_work),
            func.coalesce(func.sum(n_done).filter(at_work), 0),
            func.max(row.shard).filter(succeeded),
        )
        .where(row.parent_id.in_([parent.id for parent in rows]))
        .group_by(row.parent_id)
    )
    last = {parent.id: parent.n_shards - 1 for parent in rows}
    return {
        parent_id: _Parts(n_succeeded, n_running, int(n_done_running), highest == last[parent_id])
        for parent_id, n_succeeded, n_running, n_done_running, highest in session.execute(counted)
        if parent_id is not None
    }
