"""How workers take jobs, keep them, give them back, and lose them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from asl.contracts import ENDED, JobError, JobState, Progress, Queue
from asl.errors import WorkerLost
from asl.infra.database import now
from asl.infra.jobs.endings import MAX_LOST, after_failure, confirm_cancelled, end
from asl.infra.jobs.queueing import queue_order, requeue
from asl.infra.jobs.rows import (
    HELD,
    Claim,
    Event,
    changed,
    fenced,
    is_held,
    of_id,
    tell,
    tell_state,
    to_claim,
)
from asl.infra.tables import Job


@dataclass(frozen=True)
class Expired:
    """A job whose worker fell silent, and what became of it."""

    job_id: str
    attempt: int
    state: JobState


def claim(
    session: Session, queues: Sequence[Queue], owner: str, lease_s: float, job_id: str | None = None
) -> Claim | None:
    """Take the next job of some queues, or a certain one if it is still to be had.

    Args:
        session: The transaction.
        queues: Where to look.
        owner: Who takes it.
        lease_s: How long it stays theirs without a sign of life.
        job_id: Take this one only.

    Returns:
        The job; None where there is none.
    """
    due = (Job.state == JobState.QUEUED, Job.not_before <= now(), Job.queue.in_(queues))
    chosen = select(Job.id).where(*due).order_by(*queue_order()).limit(1).with_for_update(skip_locked=True)
    if job_id is not None:
        chosen = chosen.where(Job.id == job_id)
    row = session.execute(
        update(Job)
        .where(Job.id == chosen.scalar_subquery(), Job.state == JobState.QUEUED)
        .values(
            state=JobState.RUNNING,
            attempt=Job.attempt + 1,
            lease_owner=owner,
            lease_until=now() + lease_s,
            progress_at=now(),
            started_at=func.coalesce(Job.started_at, now()),
        )
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        return None
    if row.parent_id:
        begun = of_id(row.parent_id, Job.started_at.is_(None), Job.state == JobState.WAITING).values(started_at=now())
        if changed(session, begun):
            tell_state(session, row.parent_id, 0, JobState.RUNNING)
    tell_state(session, row.id, row.attempt, JobState.RUNNING, worker=owner)
    return to_claim(row)


def record(
    session: Session, held: Claim, lease_s: float, progress: Progress | None = None, events: Sequence[Event] = ()
) -> JobState | None:
    """Give a sign of life, and with it what has happened.

    Returns:
        The state, `cancelling` where the work is to stop; None where the job is no longer the worker's: stop at once.
    """
    values: dict[str, Any] = {"lease_until": now() + lease_s}
    if progress is not None:
        values |= {"progress": progress.model_dump(mode="json"), "progress_at": now()}
    state = session.execute(fenced(held, *HELD).values(values).returning(Job.state)).scalar_one_or_none()
    if state is None:
        return None
    for event in events:
        tell(session, held, event)
    return JobState(state)


def save_checkpoint(session: Session, held: Claim, checkpoint: Mapping[str, Any]) -> bool:
    """Note where the work can go on from; that the job got on also forgives the workers it has lost.

    Returns:
        Whether the job is still the worker's.
    """
    written = fenced(held, *HELD).values(checkpoint=dict(checkpoint), lost_count=0, progress_at=now())
    return changed(session, written)


def release(session: Session, held: Claim) -> bool:
    """Give a job back, because its worker is to stop: another one takes it at once, and no attempt is counted.

    Returns:
        Whether it was still the worker's.
    """
    if requeue(session, fenced(held, JobState.RUNNING)):
        tell_state(session, held.job_id, held.attempt, JobState.QUEUED, why="its worker stops")
        return True
    return confirm_cancelled(session, held)


def has_ended(session: Session, held: Claim) -> bool:
    """Tell whether a job has come to its end in this attempt."""
    return session.scalar(select(Job.id).where(*is_held(held, *ENDED))) is not None


def take_back_expired(session: Session, limit: int = 100) -> list[Expired]:
    """Take jobs back from workers that fell silent: queued again, cancelled where that was wanted, or failed.

    Args:
        session: The transaction.
        limit: At most so many.
    """
    rows = session.scalars(
        select(Job)
        .where(Job.state.in_(HELD), Job.lease_until < now())
        .order_by(Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [Expired(job.id, job.attempt, _take_back(session, job)) for job in rows]


def _take_back(session: Session, job: Job) -> JobState:
    held = to_claim(job)
    if job.state == JobState.CANCELLING:
        confirm_cancelled(session, held)
        return JobState.CANCELLED
    lost_count = job.lost_count + 1
    if lost_count <= MAX_LOST:
        requeue(session, fenced(held, JobState.RUNNING), lost_count=lost_count)
        tell_state(session, job.id, job.attempt, JobState.QUEUED, why="its worker fell silent", worker=job.lease_owner)
        return JobState.QUEUED
    lost = WorkerLost(f"{lost_count} workers in a row vanished at this job", hint="Look into the workers' logs.")
    error = JobError(code=lost.code, message=lost.message, hint=lost.hint)
    ending = {"error": error.model_dump(mode="json"), "lost_count": lost_count}
    end(session, fenced(held, JobState.RUNNING), JobState.FAILED, **ending)
    after_failure(session, job.id, job.attempt, JobState.FAILED, error)
    return JobState.FAILED
