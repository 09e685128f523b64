"""The slots of a worker: each takes one job after the other for as long as there are any."""

import os
import platform
import threading
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from typing import Final

import structlog

from asl.contracts import Queue
from asl.infra import components, jobs, traces
from asl.infra.database import Database
from asl.infra.settings import Settings
from services.worker import child
from services.worker.loops import attempt, note_alive, start_loop
from services.worker.processes import JobProcess, make_context
from services.worker.supervisor import Supervisor
from services.worker.tallies import Tallies

_ROLE: Final = "worker"
_PAUSE_S: Final = 5.0
"""How long a slot rests that could not take jobs, or not start them."""
_LOOK_EVERY_S: Final = 5.0
"""How often a worker looks for work by itself, should no doorbell ring."""

_log = structlog.get_logger()


class Worker:
    """Takes jobs of some queues; safe to ring from many threads."""

    def __init__(
        self, settings: Settings, database: Database, queues: Sequence[Queue], stopping: threading.Event
    ) -> None:
        """Start the server of job processes; no job is taken before the first ring.

        Args:
            settings: The platform's.
            database: Where the jobs are.
            queues: Whose jobs it takes: of the gpu queue one a CUDA device at once, or one where there is none.
            stopping: Once it is set, the jobs at work save what they have and are given back.
        """
        self._settings, self._database = settings, database
        self._context = make_context()
        n_slots = {Queue.CPU: settings.worker_slots, Queue.GPU: max(1, _count_devices(self._context))}
        self._n_slots = {queue: n_slots[queue] for queue in queues}
        self._free = {queue: threading.BoundedSemaphore(n) for queue, n in self._n_slots.items()}
        self._stopping = stopping
        self._tallies = Tallies()
        self.id = f"{platform.node()}-{os.getpid()}"

    def drain(self, queue: Queue) -> None:
        """Do jobs of a queue one after the other until there are none; nothing where all its slots are at work."""
        free = self._free.get(queue)
        if free is not None and free.acquire(blocking=False):
            self._drain(queue, free)

    def wait_until_idle(self) -> None:
        """Wait for the jobs at work; they end soon once the worker is stopping."""
        for queue, n_slots in self._n_slots.items():
            for _ in range(n_slots):
                self._free[queue].acquire()

    def tell_that_alive(self) -> None:
        """Write down that this worker is there, and what it has counted."""
        tallies = self._tallies
        detail = {
            "queues": [str(queue) for queue in self._n_slots],
            "slots": {str(queue): n for queue, n in self._n_slots.items()},
            "n_running": tallies.n_running,
            "n_done": tallies.n_done,
            "n_fenced": tallies.n_fenced,
        }
        with self._database.transaction() as session:
            components.tell(session, self.id, _ROLE, detail)

    def forget(self) -> None:
        """Write down that this worker is no more, if that is still possible."""
        attempt(self._forget, "signing off")

    def start_looking(self) -> None:
        """Tell now and then that this worker is alive, and start idle slots where work waits, until it stops."""
        attempt(self._look, "looking for work")
        start_loop(self._look, "looking for work", _LOOK_EVERY_S, self._stopping)

    def start_due(self) -> None:
        """Start threads for jobs that could be taken now, as many as have free slots."""
        with self._database.reading() as session:
            due = jobs.n_due(session)
        for queue, n_slots in self._n_slots.items():
            for _ in range(min(due.get(queue, 0), n_slots)):
                free = self._free[queue]
                if free.acquire(blocking=False):
                    threading.Thread(target=self._drain, args=(queue, free), name=f"{queue}-slot").start()

    def _forget(self) -> None:
        with self._database.transaction() as session:
            components.forget(session, self.id)

    def _look(self) -> None:
        note_alive(self._settings.alive_file)
        self.tell_that_alive()
        self.start_due()

    def _drain(self, queue: Queue, free: threading.Semaphore) -> None:
        try:
            if not attempt(lambda: self._do_all(queue), "taking jobs"):
                self._stopping.wait(_PAUSE_S)
        finally:
            free.release()

    def _do_all(self, queue: Queue) -> None:
        while not self._stopping.is_set() and self._do_next(queue):
            pass

    def _do_next(self, queue: Queue) -> bool:
        with self._database.transaction() as session:
            claim = jobs.claim(session, [queue], self.id, self._settings.lease_s)
        if claim is None:
            return False
        _log.info("job taken", job=claim.job_id, attempt=claim.attempt, kind=claim.kind, request_id=claim.request_id)
        self._tallies.count_running(1)
        supervisor = Supervisor(
            claim,
            self._settings,
            self._database,
            context=self._context,
            stopping=self._stopping,
            tallies=self._tallies,
        )
        told: dict[str, str | int] = {"job": claim.job_id, "attempt": claim.attempt, "worker": self.id}
        try:
            with traces.following(claim.trace_parent, f"job {claim.kind}", told):
                supervisor.run()
        finally:
            self._tallies.count_running(-1)
        return True


def _count_devices(context: ForkServerContext) -> int:
    """Count the CUDA devices, in a process of its own: this one stays without PyTorch, and the server gets ready."""
    process = JobProcess(context, child.tell_devices)
    try:
        return int(process.line.recv())
    finally:
        process.join()
        process.close()
