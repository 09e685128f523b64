"""A worker that needs no broker: it looks into the database by itself, and keeps house as well."""

import threading
from typing import Final

import structlog

from asl.contracts import Queue
from asl.infra import schema, traces
from asl.infra.settings import Settings
from asl.infra.stores import database_of, storage_of
from services.worker.doorbell import Doorbell
from services.worker.housekeeping import start_housekeeping
from services.worker.loops import attempt
from services.worker.worker import Worker

_LOOK_EVERY_S: Final = 1.0

_log = structlog.get_logger()


def run(settings: Settings, queues: tuple[Queue, ...], stopping: threading.Event) -> None:
    """Do jobs until told to stop; those at work are then given back.

    Args:
        settings: The platform's.
        queues: Whose jobs.
        stopping: Set to end it.
    """
    traces.install("asl-worker")
    database, storage = database_of(settings), storage_of(settings)
    if database.is_sqlite:
        schema.upgrade(database)
    worker = Worker(settings, database, queues, stopping)
    start_housekeeping(settings, database, storage, stopping)
    worker.start_looking()
    _log.info("worker ready", worker=worker.id, queues=[str(queue) for queue in queues])
    doorbell = Doorbell(database)
    while not stopping.is_set():
        attempt(worker.start_due, "taking jobs")
        doorbell.wait(_LOOK_EVERY_S)
    worker.wait_until_idle()
    worker.forget()
    doorbell.close()
    database.close()
