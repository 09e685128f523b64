"""What happens though nobody asks: dead workers' jobs are taken back, ends are told, leftovers are removed."""

import threading
from typing import Final

import structlog

from asl.contracts import JobState
from asl.infra import components, idempotency, jobs, sweep, webhooks
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from services.worker.loops import start_loop

_EVERY_S: Final = 0.5
_SWEEP_EVERY_S: Final = 3600.0

_log = structlog.get_logger()


def start_housekeeping(settings: Settings, database: Database, storage: Storage, stopping: threading.Event) -> None:
    """Do it over and over until told to stop; any number of processes may.

    In a thread for each: a sweep may take minutes, and a webhook seconds, in which jobs are to be taken back.
    """
    start_loop(lambda: take_back(database), "taking jobs back", _EVERY_S, stopping)
    start_loop(lambda: webhooks.deliver_due(database, settings), "delivering webhooks", _EVERY_S, stopping)
    start_loop(lambda: tidy(database, storage), "tidying", _SWEEP_EVERY_S, stopping)


def take_back(database: Database) -> list[jobs.Expired]:
    """Take jobs back from workers that fell silent, and stop parts of jobs that have ended."""
    with database.transaction() as session:
        expired = jobs.take_back_expired(session)
    for job in expired:
        log = _log.error if job.state == JobState.FAILED else _log.warning
        log("job taken back", job=job.job_id, attempt=job.attempt, state=job.state)
    with database.transaction() as session:
        jobs.cancel_orphaned_shards(session)
    return expired


def tidy(database: Database, storage: Storage) -> None:
    """Remove what nothing refers to any more."""
    for forget in (idempotency.forget_old, components.forget_old, sweep.trim_events):
        with database.transaction() as session:
            forget(session)
    n_removed = sweep.remove_orphans(database, storage)
    _log.info("swept", n_objects=n_removed)
