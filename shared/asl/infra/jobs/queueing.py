"""How jobs come into a queue, and in which order they leave it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, insert, or_, select, text
from sqlalchemy.orm import Session, aliased

from asl.contracts import EventKind, JobState, Queue
from asl.errors import Conflict
from asl.infra import tables, traces
from asl.infra.database import now
from asl.infra.jobs.rows import of_id, tell_state
from asl.infra.tables import Job

NOTIFY_CHANNEL: Final = "asl_jobs"


def add(session: Session, job: Job, needs: Sequence[str] = ()) -> None:
    """Accept a job: it is queued, or waits for others.

    Args:
        session: The transaction.
        job: The row, without a state.
        needs: Ids of jobs that must succeed before; all are there.

    Raises:
        Conflict: One of them has failed or was cancelled.
    """
    job.id = job.id or tables.new_id()
    job.n_waiting_for = _n_unfinished(session, needs)
    job.state = JobState.WAITING if job.n_waiting_for else JobState.QUEUED
    job.trace_parent = traces.current_parent()
    session.add(job)
    session.flush()
    session.add_all(tables.JobDependency(job_id=job.id, needs_id=needed) for needed in dict.fromkeys(needs))
    tell_state(session, job.id, 0, JobState(job.state))
    if job.state == JobState.QUEUED:
        enter_queue(session, job.id)


def add_divided(session: Session, job: Job, parts: Sequence[Mapping[str, Any]], needs: Sequence[str] = ()) -> None:
    """Accept a job that waits for its parts, and the parts, thousands at once: they are queued, or wait for others.

    Args:
        session: The transaction.
        job: The row, without a state.
        parts: Columns of the parts' rows, in order; the job's tenant, queue and priority are theirs too.
        needs: Ids of jobs that must succeed before the parts; all are there.

    Raises:
        Conflict: One of them has failed or was cancelled.
    """
    n_waiting_for = _n_unfinished(session, needs)
    job.id = job.id or tables.new_id()
    job.state, job.n_waiting_for, job.n_shards = JobState.WAITING, len(parts), len(parts)
    job.trace_parent = traces.current_parent()
    session.add(job)
    session.flush()
    tell_state(session, job.id, 0, JobState.WAITING)
    queued_at, first_turn = session.execute(select(now(), _next_turn(job.queue, job.tenant))).one()
    state = JobState.WAITING if n_waiting_for else JobState.QUEUED
    common = {"tenant": job.tenant, "queue": job.queue, "priority": job.priority, "parent_id": job.id}
    common |= {"state": state, "n_waiting_for": n_waiting_for, "queued_at": None if n_waiting_for else queued_at}
    common |= {"trace_parent": job.trace_parent}
    rows = [
        {**part, **common, "id": tables.new_id(), "shard": place, "turn": first_turn + place}
        for place, part in enumerate(parts)
    ]
    session.execute(insert(Job), rows)  # plain: rows with Job objects behind them take many times as long
    links = [(job.id, row["id"]) for row in rows] + [(row["id"], need) for row in rows for need in dict.fromkeys(needs)]
    session.execute(insert(tables.JobDependency), [{"job_id": one, "needs_id": other} for one, other in links])
    told = [{"job_id": row["id"], "attempt": 0, "kind": EventKind.STATE, "data": {"state": state}} for row in rows]
    session.execute(insert(tables.JobEvent), told)
    if not n_waiting_for:
        _notify(session, job.queue)


def n_due(session: Session) -> dict[Queue, int]:
    """Count the jobs of each queue that could be claimed now."""
    counted = (
        select(Job.queue, func.count()).where(Job.state == JobState.QUEUED, Job.not_before <= now()).group_by(Job.queue)
    )
    return {Queue(queue): n for queue, n in session.execute(counted)}


def starts_before(job: Job) -> Select[Any]:
    """Return a query that counts the queued jobs of the same queue that start before this one."""
    earlier = or_(
        Job.priority > job.priority,
        (Job.priority == job.priority) & (Job.turn < job.turn),
        (Job.priority == job.priority) & (Job.turn == job.turn) & (Job.id < job.id),
    )
    return select(func.count()).where(Job.state == JobState.QUEUED, Job.queue == job.queue, earlier)


def queue_order() -> tuple[Any, ...]:
    """Return the order in which a queue is served."""
    return Job.priority.desc(), Job.turn, Job.id


def enter_queue(session: Session, job_id: str) -> None:
    """Give a queued job its turn: tenants take turns, so that one with many jobs does not hold up the others.

    As in start-time fair queueing, a job comes one after its tenant's last, but not before what is served now.
    """
    queue, tenant = session.execute(select(Job.queue, Job.tenant).where(Job.id == job_id)).one()
    session.execute(of_id(job_id).values(turn=_next_turn(queue, tenant, job_id), queued_at=now()))
    _notify(session, queue)


def requeue(session: Session, held: Any, **values: Any) -> bool:
    """Put a job that was held back into its queue, in its old turn; tells whether it was still held."""
    queue = session.execute(
        held.values(state=JobState.QUEUED, lease_owner=None, lease_until=None, queued_at=now(), **values).returning(
            Job.queue
        )
    ).scalar_one_or_none()
    if queue is None:
        return False
    _notify(session, queue)
    return True


def _n_unfinished(session: Session, needs: Sequence[str]) -> int:
    """Lock the jobs that another one needs, and count those that have not succeeded yet."""
    if not needs:
        return 0
    locked = select(Job.id, Job.state).where(Job.id.in_(needs)).order_by(Job.id).with_for_update()
    states = {job_id: state for job_id, state in session.execute(locked)}  # noqa: C416 - dict() takes no rows for mypy
    if dead := [job_id for job_id, state in states.items() if state in (JobState.FAILED, JobState.CANCELLED)]:
        raise Conflict(f"job {dead[0]}, which has to succeed before, has {states[dead[0]]}", hint="Retry it first.")
    return sum(state != JobState.SUCCEEDED for state in states.values())


def _next_turn(queue: str, tenant: str, job_id: str = "") -> ColumnElement[int]:
    """Return the turn of a tenant's next job, which may be in the table already."""
    own, same = aliased(Job), aliased(Job)
    queued = (own.state == JobState.QUEUED, own.queue == queue, own.id != job_id)
    last = select(func.max(own.turn) + 1).where(*queued, own.tenant == tenant).scalar_subquery()
    served = (
        select(func.min(same.turn))
        .where(same.state == JobState.QUEUED, same.queue == queue, same.id != job_id)
        .scalar_subquery()
    )
    first, second = func.coalesce(last, 0), func.coalesce(served, 0)
    return case((first > second, first), else_=second)


def _notify(session: Session, queue: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_notify(:channel, :queue)"), {"channel": NOTIFY_CHANNEL, "queue": queue})
