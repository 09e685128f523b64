"""Figures on all jobs, for whoever watches the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from asl.contracts import EventKind, JobKind, JobState, Queue
from asl.infra import components
from asl.infra.database import now
from asl.infra.tables import Component, Job, JobEvent, WebhookDelivery

_TAKEN_BACK: Final = "its worker fell silent"
"""What `asl.infra.jobs.take_back_expired` writes into the event of a job that it takes back."""
_SETTLED_S: Final = 120.0
"""No transaction takes so long: an event as old as that is in the table, or never will be."""


@dataclass(frozen=True)
class JobFigures:
    """How the jobs of all tenants stand."""

    n_jobs: Mapping[tuple[Queue, JobKind, JobState], int]
    """Those that there are; the rest is 0."""
    oldest_queued_s: Mapping[Queue, float]
    """For how long the oldest queued job has waited; queues with none are left out."""
    n_workers: Mapping[Queue, int]
    """Workers that were heard of lately."""
    n_fenced: Mapping[str, int]
    """Late writes that were refused, by worker, since it started."""
    n_webhooks_pending: int


def read(session: Session) -> JobFigures:
    """Read the figures as they are now."""
    by_state = select(Job.queue, Job.kind, Job.state, func.count()).group_by(Job.queue, Job.kind, Job.state)
    oldest = select(Job.queue, now() - func.min(Job.queued_at)).where(Job.state == JobState.QUEUED).group_by(Job.queue)
    pending = select(func.count()).where(WebhookDelivery.next_try_at.is_not(None))
    served = [queue for component in components.alive(session) for queue in component.detail.get("queues", ())]
    told = session.execute(select(Component.id, Component.detail).where(Component.role == "worker"))
    return JobFigures(
        n_jobs={(Queue(q), JobKind(k), JobState(s)): n for q, k, s, n in session.execute(by_state)},
        oldest_queued_s={Queue(queue): max(0.0, age_s or 0.0) for queue, age_s in session.execute(oldest)},
        n_workers={queue: served.count(queue) for queue in Queue},
        n_fenced={component_id: int(detail.get("n_fenced", 0)) for component_id, detail in told},
        n_webhooks_pending=session.scalar(pending) or 0,
    )


class TakeoverCount:
    """Counts the jobs that were taken back from workers that fell silent; reads all events once, then only new ones."""

    def __init__(self) -> None:
        self._settled_id = 0
        self._n_settled = 0

    def read(self, session: Session) -> int:
        """Return how many there have been."""
        is_old = JobEvent.at < now() - _SETTLED_S
        settled_id = session.scalar(select(func.max(JobEvent.id)).where(JobEvent.id > self._settled_id, is_old))
        if settled_id is not None:
            self._n_settled += _count(session, self._settled_id, settled_id)
            self._settled_id = settled_id
        # Ids are given out before their rows are committed: what is new is counted anew each time.
        return self._n_settled + _count(session, self._settled_id, None)


def _count(session: Session, after_id: int, up_to_id: int | None) -> int:
    query = select(func.count()).where(
        JobEvent.id > after_id, JobEvent.kind == EventKind.STATE, JobEvent.data["why"].as_string() == _TAKEN_BACK
    )
    if up_to_id is not None:
        query = query.where(JobEvent.id <= up_to_id)
    return session.scalar(query) or 0
