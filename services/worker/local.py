"""A worker that needs no broker: it looks into the database by itself, and keeps house as well."""

import threading
from typing import Final

import structlog

from asl.contracts import Queue
from asl.errors import Unavailable
from asl.infra import schema
from asl.infra.settings import Settings
from asl.infra.stores import database_of, storage_of
from services.worker.doorbell import Doorbell
from services.worker.housekeeping import keep_house
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
    database, storage = database_of(settings), storage_of(settings)
    if database.is_sqlite:
        schema.upgrade(database)
    worker = Worker(settings, database, queues, stopping)
    threads = [
        threading.Thread(target=keep_house, args=(settings, database, storage, stopping), name="housekeeping"),
        threading.Thread(target=worker.look_for_work, name="alive"),
    ]
    for thread in threads:
        thread.start()
    _log.info("worker ready", worker=worker.id, queues=[str(queue) for queue in queues])
    doorbell = Doorbell(database)
    while not stopping.is_set():
        try:
            worker.start_due()
        except Unavailable as error:
            _log.warning("no jobs taken", why=error.message)
        doorbell.wait(_LOOK_EVERY_S)
    worker.wait_until_idle()
    for thread in threads:
        thread.join()
    worker.forget()
    doorbell.close()
    database.close()
