"""What moves of jobs read and write: the claim that a worker holds, and updates that only its holder can make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from asl.contracts import EventKind, JobKind, JobState, Queue
from asl.infra import tables
from asl.infra.tables import Job

HELD: Final = (JobState.RUNNING, JobState.CANCELLING)
"""States in which a worker has a lease."""


@dataclass(frozen=True)
class Claim:
    """A job that a worker holds, until its lease runs out."""

    job_id: str
    attempt: int
    """The fencing token."""
    tenant: str
    kind: JobKind
    queue: Queue
    request: Mapping[str, Any]
    parent_id: str | None
    shard: int | None
    n_shards: int
    checkpoint: Mapping[str, Any] | None
    request_id: str
    trace_parent: str | None = None


@dataclass(frozen=True)
class NewArtifact:
    """A file that was stored, and is to be published with the end of its job."""

    name: str
    key: str
    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True)
class Event:
    """Something to be told to those who watch a job."""

    kind: EventKind
    data: Mapping[str, Any]


def fenced(held: Claim, *states: JobState) -> Any:
    """Start an update that only the holder of a job can make."""
    return update(Job).where(*is_held(held, *states)).execution_options(synchronize_session=False)


def is_held(held: Claim, *states: JobState) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a job is still the worker's."""
    return Job.id == held.job_id, Job.attempt == held.attempt, Job.state.in_(states)


def of_id(job_id: str, *conditions: ColumnElement[bool]) -> Any:
    """Start an update of one job, under conditions."""
    return update(Job).where(Job.id == job_id, *conditions).execution_options(synchronize_session=False)


def changed(session: Session, written: Any) -> bool:
    """Run an update, and tell whether it found its row."""
    return session.execute(written.returning(Job.id)).one_or_none() is not None


def to_claim(job: Job) -> Claim:
    """Describe a row to the worker that holds it."""
    return Claim(
        job_id=job.id,
        attempt=job.attempt,
        tenant=job.tenant,
        kind=JobKind(job.kind),
        queue=Queue(job.queue),
        request=job.request,
        parent_id=job.parent_id,
        shard=job.shard,
        n_shards=job.n_shards,
        checkpoint=job.checkpoint,
        request_id=job.request_id,
        trace_parent=job.trace_parent,
    )


def tell(session: Session, held: Claim, event: Event) -> None:
    """Write down something that the worker tells of its job."""
    session.add(tables.JobEvent(job_id=held.job_id, attempt=held.attempt, kind=event.kind, data=dict(event.data)))
    session.flush()


def tell_state(session: Session, job_id: str, attempt: int, state: JobState, **data: Any) -> None:
    """Write down a move."""
    session.add(tables.JobEvent(job_id=job_id, attempt=attempt, kind=EventKind.STATE, data={"state": state, **data}))
    session.flush()
