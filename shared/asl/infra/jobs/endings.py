"""How jobs end, and what their end means for others."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from asl.contracts import ENDED, JobError, JobState
from asl.errors import DependencyFailed, Unavailable
from asl.infra import tables
from asl.infra.database import now
from asl.infra.jobs.queueing import enter_queue, requeue
from asl.infra.jobs.rows import (
    HELD,
    Claim,
    NewArtifact,
    fenced,
    is_held,
    of_id,
    tell_state,
)
from asl.infra.tables import Job

MAX_LOST: Final = 10
"""Workers that may vanish under a job, or times that something it needs may be away, without it getting on, before the
job counts as what is wrong."""

_RETRY_BASE_S: Final = 1.0
_RETRY_MAX_S: Final = 60.0


def succeed(session: Session, held: Claim, result: Mapping[str, Any], artifacts: Sequence[NewArtifact] = ()) -> bool:
    """End a job well, publish its artifacts, and let those that wait for it go on.

    Returns:
        Whether it was done; if not, nothing may be published: the job was cancelled or is another's.
    """
    if not end(session, fenced(held, JobState.RUNNING), JobState.SUCCEEDED, result=dict(result)):
        return False
    session.add_all(
        tables.Artifact(job_id=held.job_id, attempt=held.attempt, **vars(artifact)) for artifact in artifacts
    )
    tell_state(session, held.job_id, held.attempt, JobState.SUCCEEDED)
    _wake_dependents(session, held.job_id)
    return True


def fail(session: Session, held: Claim, error: JobError, *, retry: bool) -> JobState | None:
    """End an attempt badly.

    Args:
        session: The transaction.
        held: The job.
        error: Why.
        retry: Whether another attempt could go better.

    Returns:
        What became of the job: queued again, failed, or cancelled where that was wanted; None where it is another's.
    """
    job = session.scalar(select(Job).where(*is_held(held, *HELD)).with_for_update())
    if job is None:
        return None
    if job.state == JobState.CANCELLING:
        return JobState.CANCELLED if confirm_cancelled(session, held) else None
    n_crashes, lost_count = job.n_crashes + 1, job.lost_count
    if error.code == Unavailable.code and job.max_attempts > 1 and lost_count < MAX_LOST:
        # Not the job's fault: a store that is away for a minute must not fail all that runs meanwhile.
        n_crashes, lost_count = job.n_crashes, lost_count + 1
    if retry and n_crashes < job.max_attempts:
        delay_s = min(_RETRY_BASE_S * 2 ** max(n_crashes - 1, lost_count - 1), _RETRY_MAX_S)
        counts = {"n_crashes": n_crashes, "lost_count": lost_count}
        requeue(session, fenced(held, JobState.RUNNING), not_before=now() + delay_s, **counts)
        tell_state(session, held.job_id, held.attempt, JobState.QUEUED, error=error.model_dump(), retry_in_s=delay_s)
        return JobState.QUEUED
    ending = {"error": error.model_dump(mode="json"), "n_crashes": n_crashes}
    end(session, fenced(held, JobState.RUNNING), JobState.FAILED, **ending)
    after_failure(session, held.job_id, held.attempt, JobState.FAILED, error)
    return JobState.FAILED


def confirm_cancelled(session: Session, held: Claim) -> bool:
    """End a job that was to be cancelled, once its work has stopped.

    Returns:
        Whether it was done.
    """
    if not end(session, fenced(held, JobState.CANCELLING), JobState.CANCELLED):
        return False
    after_failure(session, held.job_id, held.attempt, JobState.CANCELLED)
    return True


def cancel(session: Session, job_id: str) -> JobState:
    """Stop a job: at once where it has not begun; a running one is told at its worker's next sign of life.

    Returns:
        What its state is now; one that had ended before stays as it was.
    """
    job = session.scalar(
        select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    )
    if job is None or job.state in ENDED or job.state == JobState.CANCELLING:
        return JobState(job.state) if job else JobState.CANCELLED
    if job.state == JobState.RUNNING:
        cancelling = of_id(job_id, Job.state == JobState.RUNNING)
        session.execute(cancelling.values(state=JobState.CANCELLING, cancel_requested_at=now()))
        tell_state(session, job_id, job.attempt, JobState.CANCELLING)
        return JobState.CANCELLING
    end(session, of_id(job_id, Job.state == job.state), JobState.CANCELLED, cancel_requested_at=now())
    after_failure(session, job_id, job.attempt, JobState.CANCELLED)
    return JobState.CANCELLED


def cancel_orphaned_shards(session: Session, limit: int = 500) -> int:
    """Cancel parts of jobs that have ended without them.

    Returns:
        How many.
    """
    parent = aliased(Job)
    ids = session.scalars(
        select(Job.id)
        .join(parent, Job.parent_id == parent.id)
        .where(parent.state.in_((JobState.FAILED, JobState.CANCELLED)))
        .where(Job.state.in_((JobState.WAITING, JobState.QUEUED, JobState.RUNNING)))
        .order_by(Job.id)
        .limit(limit)
    ).all()
    for job_id in ids:
        cancel(session, job_id)
    return len(ids)


def end(session: Session, where: Any, state: JobState, **values: Any) -> bool:
    """Move to a final state, and write down whom to tell."""
    row = session.execute(
        where.values(state=state, lease_owner=None, lease_until=None, finished_at=now(), **values).returning(
            Job.id, Job.webhook
        )
    ).one_or_none()
    if row is None:
        return False
    if row.webhook:
        session.add(tables.WebhookDelivery(job_id=row.id, url=row.webhook))
    return True


def after_failure(session: Session, job_id: str, attempt: int, state: JobState, error: JobError | None = None) -> None:
    """Tell of a bad end, and end what waits for this job."""
    tell_state(session, job_id, attempt, state, **({"error": error.model_dump()} if error else {}))
    for dependent in _waiting_for(session, job_id):
        failed = DependencyFailed(f"job {job_id}, which had to succeed before, has {state}")
        # A failed part says more than that it failed.
        is_part = error is not None and dependent.n_shards > 0
        why = error if is_part and error else JobError(code=failed.code, message=failed.message)
        if end(session, of_id(dependent.id, Job.state == JobState.WAITING), JobState.FAILED, error=why.model_dump()):
            after_failure(session, dependent.id, dependent.attempt, JobState.FAILED, why)


def _wake_dependents(session: Session, job_id: str) -> None:
    for dependent in _waiting_for(session, job_id):
        left = session.execute(
            of_id(dependent.id, Job.state == JobState.WAITING)
            .values(n_waiting_for=Job.n_waiting_for - 1)
            .returning(Job.n_waiting_for)
        ).scalar_one_or_none()
        if left == 0:
            session.execute(of_id(dependent.id).values(state=JobState.QUEUED))
            tell_state(session, dependent.id, dependent.attempt, JobState.QUEUED)
            enter_queue(session, dependent.id)


def _waiting_for(session: Session, job_id: str) -> Sequence[Job]:
    return session.scalars(
        select(Job)
        .join(tables.JobDependency, tables.JobDependency.job_id == Job.id)
        .where(tables.JobDependency.needs_id == job_id, Job.state == JobState.WAITING)
        .order_by(Job.id)
        .with_for_update(of=Job)
        .execution_options(populate_existing=True)
    ).all()
