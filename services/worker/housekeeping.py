"""What happens though nobody asks: dead workers' jobs are taken back, ends are told, leftovers are removed."""

import threading
from typing import Final

import structlog

from asl.contracts import JobState
from asl.errors import Unavailable
from asl.infra import components, idempotency, jobs, sweep, webhooks
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage

_EVERY_S: Final = 0.5
_SWEEP_EVERY_S: Final = 3600.0

_log = structlog.get_logger()


def keep_house(settings: Settings, database: Database, storage: Storage, stopping: threading.Event) -> None:
    """Do it over and over until told to stop; any number of processes may."""
    # In a thread of its own, which nobody waits for: a sweep may take minutes, and jobs are to be taken back meanwhile.
    threading.Thread(target=_tidy_hourly, args=(database, storage, stopping), name="tidying", daemon=True).start()
    while not stopping.wait(_EVERY_S):
        try:
            take_back(database)
            webhooks.deliver_due(database, settings)
        except Unavailable as error:
            _log.warning("housekeeping waits", why=error.message)


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
    with database.transaction() as session:
        idempotency.forget_old(session)
        components.forget_old(session)
        sweep.trim_events(session)
    n_removed = sweep.remove_orphans(database, storage)
    _log.info("swept", n_objects=n_removed)


def _tidy_hourly(database: Database, storage: Storage, stopping: threading.Event) -> None:
    while not stopping.wait(_SWEEP_EVERY_S):  # not at once: after a restart there is more urgent work
        try:
            tidy(database, storage)
        except Unavailable as error:
            _log.warning("tidying waits", why=error.message)
