"""Rings Celery's workers when there is work, and keeps house; `python -m services.worker.dispatcher`, in any number.

It stands between the database and Redis so that nothing else has to know both: a call that submits a job is answered
while Redis is away, and workers find their jobs (later) even if it stays away.
"""

import os
import platform
import threading
import time
from typing import Final

import structlog
from celery import Celery

from asl.contracts import Queue
from asl.infra import components, jobs, logs
from asl.infra.database import Database
from asl.infra.settings import Settings, load_settings
from asl.infra.stores import database_of, storage_of
from services.worker.celery_app import make_app, ring
from services.worker.doorbell import Doorbell
from services.worker.housekeeping import start_housekeeping
from services.worker.loops import attempt, note_alive
from services.worker.signals import stopping_on_signals

_ROLE: Final = "dispatcher"
_LOOK_EVERY_S: Final = 1.0
_TELL_EVERY_S: Final = 5.0
_MAX_RINGS: Final = 64
"""Rings for a queue at once; a worker that is rung works until the queue is empty, so more would be of no use."""

_log = structlog.get_logger()


class Dispatcher:
    """Rings when there is work; for one thread."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._celery: Celery = make_app(settings)
        self._id = f"{platform.node()}-{os.getpid()}-dispatcher"
        self._is_broker_well = True
        self._told_at = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Ring over and over until told to stop."""
        doorbell = Doorbell(self._database)
        while not stopping.is_set():
            note_alive(self._settings.alive_file)
            attempt(self._look, "ringing")
            doorbell.wait(_LOOK_EVERY_S)
        doorbell.close()
        attempt(self._forget, "signing off")

    def _look(self) -> None:
        self._ring_due()
        self._tell_that_alive()

    def _forget(self) -> None:
        with self._database.transaction() as session:
            components.forget(session, self._id)

    def _ring_due(self) -> None:
        with self._database.reading() as session:
            due = jobs.n_due(session)
        if not due and time.monotonic() - self._told_at <= _TELL_EVERY_S:
            return  # nothing to ring for, and Redis was looked at lately
        try:
            for queue, n_jobs in (due or {Queue.CPU: 0}).items():
                for _ in range(min(n_jobs, _MAX_RINGS) - self._n_rung(queue)):
                    ring(self._celery, queue)
            self._note_broker(is_well=True)
        # kombu lets exceptions of the Redis client, of sockets and of its own through.
        except Exception as error:  # noqa: BLE001 - whatever it is, workers still look for themselves
            self._note_broker(is_well=False, why=type(error).__name__)

    def _n_rung(self, queue: Queue) -> int:
        """Count the rings that no worker has heard yet."""
        with self._celery.connection_for_write() as connection:
            return int(connection.default_channel.client.llen(str(queue)))

    def _note_broker(self, *, is_well: bool, why: str = "") -> None:
        if is_well != self._is_broker_well:
            _log.info("Redis is back") if is_well else _log.warning("Redis is away", why=why)
            self._is_broker_well, self._told_at = is_well, 0.0

    def _tell_that_alive(self) -> None:
        if time.monotonic() - self._told_at > _TELL_EVERY_S:
            with self._database.transaction() as session:
                components.tell(session, self._id, _ROLE, {"broker_ok": self._is_broker_well})
            self._told_at = time.monotonic()


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logs.configure(as_json=settings.log_json)
    database, stopping = database_of(settings), stopping_on_signals()
    start_housekeeping(settings, database, storage_of(settings), stopping)
    _log.info("dispatcher ready")
    Dispatcher(settings, database).run(stopping)


if __name__ == "__main__":
    main()
