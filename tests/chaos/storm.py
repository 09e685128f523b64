"""A storm: jobs are submitted over HTTP while faults happen, and afterwards every one of them is accounted for."""

import contextlib
import itertools
import os
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import httpx
import pytest
from account import Account, account_of, n_fenced
from platforms import PlatformProcess
from sqlalchemy import func, select

from asl.contracts import ENDED
from asl.errors import Unavailable
from asl.infra.tables import Job

IS_LONG = os.environ.get("ASL_CHAOS") == "long"
only_long = pytest.mark.skipif(not IS_LONG, reason="`make chaos` does it; the short run has others like it")
"""Whether the figures are those of the fault list (`make chaos`) or smaller ones, for every change."""

_DEAD_S = 1.0
_AGAIN_S = 0.3
_CALL_TIMEOUT_S = 10
_STRAYS_END_WITHIN_S = 30.0
_N_CALLERS = 4


@dataclass(frozen=True)
class Kill:
    """A worker that was killed: its name in the database, and when."""

    worker: str
    at: float


@dataclass(frozen=True)
class Call:
    """A POST that was answered with 202."""

    began: float
    seconds: float


class Storm:
    """Submits jobs and watches them end, while faults run in threads beside; once."""

    def __init__(
        self, platform, name, n_jobs, *, step_s=(0.05, 0.5), rate_per_s=20.0, limit_s=600.0, until=frozenset()
    ):
        """Prepare.

        Args:
            platform: All of its processes run; whichever ends is started again.
            name: Of the fault, for the table.
            n_jobs: How many are submitted at least.
            step_s: Shortest and longest time that a job takes.
            rate_per_s: How many are submitted in a second at most.
            limit_s: After so long a job that has not ended counts as lost.
            until: Names of faults; jobs are submitted until each of them has happened, however slow the machine is.
        """
        self.platform, self.name, self.n_jobs = platform, name, n_jobs
        self.label = f"{name}-{uuid.uuid4().hex[:12]}"
        """Name of its jobs."""
        self.random = random.Random(name)  # noqa: S311 - for faults that are the same in every run
        self.lock = threading.RLock()
        """Held while a process is killed, frozen or started."""
        self.accepted: dict[str, str] = {}
        """Idempotency key -> job."""
        self.answers: Counter[int | str] = Counter()
        self.calls: list[Call] = []
        self.kills: list[Kill] = []
        self.hits: Counter[str] = Counter()
        """How often each fault has happened, by its name."""
        self.frozen: set[PlatformProcess] = set()
        self.complaints: list[str] = []
        self._step_s, self._rate_per_s, self._until = step_s, rate_per_s, until
        self._numbers = itertools.count()
        self._limit_s = limit_s
        self._is_over, self._is_settled = threading.Event(), threading.Event()

    def run(self, *faults) -> Account:
        """Let it happen, and return the account.

        Args:
            faults: Functions of the storm, each for a thread of its own; they end by themselves, or when `goes_on`
                says so.
        """
        fenced_before = n_fenced(self.platform)
        self._began, self._deadline = time.monotonic(), time.monotonic() + self._limit_s
        with ThreadPoolExecutor(len(faults) + _N_CALLERS + 1) as threads:
            keeper = threads.submit(self._keep)
            calling = [threads.submit(self._call) for _ in range(_N_CALLERS)]
            acting = [threads.submit(fault, self) for fault in faults]
            try:
                self._wait_until_ended(calling, acting)
            finally:
                self._is_over.set()
                wait((*calling, *acting))
                self._is_settled.set()
            for action in (*calling, *acting, keeper):
                action.result()
        self.seconds = time.monotonic() - self._began
        self._settle()
        return account_of(self, fenced_before)

    def goes_on(self, after_s: float) -> bool:
        """Wait, and tell whether there are still jobs to be disturbed then."""
        return not self._is_over.wait(after_s)

    def n_ended(self) -> int:
        """Count the storm's jobs that have ended."""
        with self.platform.database.reading() as session:
            return session.scalar(
                select(func.count()).select_from(Job).where(Job.name == self.label, Job.state.in_(ENDED))
            )

    def _wait_until_ended(self, calling, acting):
        while time.monotonic() < self._deadline:
            if any(action.done() and action.exception() for action in (*calling, *acting)):
                return
            is_called = all(action.done() for action in calling)
            with contextlib.suppress(Unavailable):  # the faults' doing
                if is_called and self.n_ended() >= len(self.accepted):
                    return
            time.sleep(0.2)

    def _call(self):
        with self.platform.client() as client:
            client.timeout = httpx.Timeout(_CALL_TIMEOUT_S)
            while not self._is_enough(number := next(self._numbers)):
                due = self._began + number / self._rate_per_s
                if self._is_over.wait(max(0.0, due - time.monotonic())):
                    return
                self._submit(client)

    def _is_enough(self, n_submitted):
        with self.lock:
            if n_submitted < self.n_jobs:
                return False
            if self._until <= self.hits.keys():
                return True
            self.n_jobs = n_submitted + 1
            return False

    def _submit(self, client):
        """Submit a job, with the same key until it is accepted."""
        key = uuid.uuid4().hex
        with self.lock:
            step_s = round(self.random.uniform(*self._step_s), 3)
        # Enough attempts for whoever kills job processes at random.
        body = {"kind": "probe", "name": self.label, "n_steps": 1, "step_s": step_s, "max_attempts": 10}
        while not self._is_over.is_set():
            began, clock = time.time(), time.monotonic()
            try:
                answer = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                self._count("none")
            else:
                self._count(answer.status_code)
                if answer.status_code == httpx.codes.ACCEPTED:
                    with self.lock:
                        self.accepted[key] = answer.json()["id"]
                        self.calls.append(Call(began, time.monotonic() - clock))
                    return
                self._check_refusal(answer)
            time.sleep(_AGAIN_S)

    def _count(self, answer):
        with self.lock:
            self.answers[answer] += 1

    def _check_refusal(self, answer):
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or "Retry-After" not in answer.headers:
            self.complaints.append(f"a POST was answered {answer.status_code} {dict(answer.headers)} {answer.text}")

    def _keep(self):
        """Start what has ended again, about a second later, as a supervisor of processes would."""
        ended = {}
        while not self._is_settled.wait(0.1):
            for process in self.platform.processes:
                with self.lock:
                    if process.is_running:
                        ended.pop(process, None)
                    elif time.monotonic() - ended.setdefault(process, time.monotonic()) > _DEAD_S:
                        process.launch()

    def _settle(self):
        """Bring everything up again for the next one, and look for processes that outlived their worker."""
        for process in self.platform.processes:
            process.launch()
        for process in self.platform.processes:
            process.wait_until_ready()
        deadline = time.monotonic() + _STRAYS_END_WITHIN_S
        while strays := [pid for process in self.platform.processes for pid in process.stray_pids]:
            if time.monotonic() > deadline:
                self.complaints.append(f"processes {strays} outlived their worker")
                break
            time.sleep(0.1)
