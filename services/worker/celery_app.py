"""The Celery side of a worker: `celery -A services.worker.celery_app worker -Q cpu,gpu`.

Redis is a doorbell: what crosses it is the name of a queue that has work, nothing is kept in it, and it may be lost at
any time. Which job is next, and who has it, only the database knows. So there is no result backend, no late
acknowledgement, no retry of Celery's and no revocation.
"""

import threading
from typing import Any, Final

import structlog
from celery import Celery, bootsteps, signals

from asl.contracts import Queue
from asl.errors import OptionsInvalid
from asl.infra import logs, traces
from asl.infra.settings import Settings, load_settings
from asl.infra.stores import database_of
from services.worker.worker import Worker

RING: Final = "asl.ring"
_SOCKET_TIMEOUT_S: Final = 5
_RING_EXPIRES_S: Final = 30

_log = structlog.get_logger()


def make_app(settings: Settings) -> Celery:
    """Build the application.

    Raises:
        OptionsInvalid: ASL_REDIS_URL is not set.
    """
    if settings.redis_url is None:
        raise OptionsInvalid(
            "expected ASL_REDIS_URL, found none", hint="Without Redis, start a local worker: python -m services.worker"
        )
    celery = Celery("asl", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=Queue.CPU,
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=settings.worker_slots + 1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": _SOCKET_TIMEOUT_S,
            "socket_connect_timeout": _SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
            "max_retries": 0,
        },
    )
    return celery


def ring(celery: Celery, queue: Queue) -> None:
    """Tell a worker that a queue has work.

    Raises:
        Exception: Redis cannot be reached; kombu lets many kinds through.
    """
    celery.send_task(RING, args=[str(queue)], queue=str(queue), expires=_RING_EXPIRES_S, retry=False)


def install(celery: Celery, settings: Settings) -> None:
    """Make the application's workers do jobs."""
    stopping = threading.Event()
    state: dict[str, Worker] = {}

    def answer_ring(queue: str) -> None:
        if worker := state.get("worker"):
            worker.drain(Queue(queue))

    class Jobs(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
        """Starts before Celery connects to Redis, and so also where Redis is away: the worker looks for itself."""

        requires = ("celery.worker.components:Pool",)

        def start(self, controller: Any) -> None:
            traces.install("asl-worker")
            queues = tuple(Queue(name) for name in controller.app.amqp.queues.consume_from)
            worker = Worker(settings, database_of(settings), queues, stopping)
            state["worker"] = worker
            worker.start_looking()
            _log.info("worker ready", worker=worker.id, queues=[str(queue) for queue in queues])

    def stop(**_: Any) -> None:
        stopping.set()

    def leave(**_: Any) -> None:
        if worker := state.get("worker"):
            worker.wait_until_idle()
            worker.forget()

    celery.task(answer_ring, name=RING, ignore_result=True)
    celery.steps["worker"].add(Jobs)
    signals.worker_shutting_down.connect(stop, weak=False)
    signals.worker_shutdown.connect(leave, weak=False)


_settings = load_settings()
logs.configure(as_json=_settings.log_json)
app = make_app(_settings)
install(app, _settings)
